"""``qwen-portal demo``: the whole way, from the sign-in to both doors, against the embedded emulator."""

import base64
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from qwen_portal.errors import QwenError

if TYPE_CHECKING:
    from qwen_portal.emulator import Emulator, LogEntry

_OURS = ("QWEN_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LC_")
_QUESTION = "What is 6 times 7?"


@click.command()
def command() -> None:
    """Sign in, then ask through LangChain and LiteLLM, all on this machine; no account needed.

    Everything happens in a temporary HOME, and the emulator's own log decides whether it worked: exit 0 only if it
    shows a device code, a token, a streamed chat from each door, a tool round trip and an image.
    """
    try:
        from qwen_portal.emulator import Emulator
    except ModuleNotFoundError as exc:
        raise _missing(exc) from None
    from qwen_portal.http.network import tidy_variables

    with _temporary_home(), Emulator() as emulator:
        tidy_variables()
        os.environ["QWEN_PORTAL_OAUTH_URL"] = emulator.url
        log = {
            title: _run(title, step, emulator)
            for title, step in (
                ("Signing in", _sign_in),
                ("LangChain: a chain whose model calls a tool", _langchain_tool),
                ("LangChain: a streamed answer", _langchain_stream),
                ("LangChain: a question about an image", _langchain_image),
                ("LiteLLM: an answer", _litellm_completion),
                ("LiteLLM: a streamed answer", _litellm_stream),
            )
        }
    _judge(log)


@contextmanager
def _temporary_home() -> Iterator[None]:
    """Keep the demo away from the user's sign-ins and settings."""
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="qwen-portal-demo-") as folder:
        for name in [name for name in os.environ if name.startswith(_OURS)]:
            del os.environ[name]
        os.environ.update(
            HOME=folder,
            QWEN_PORTAL_HOME=f"{folder}/state",
            QWEN_PORTAL_STORE="file",
            # litellm would fetch its price table from the network when it is imported
            LITELLM_LOCAL_MODEL_COST_MAP="True",
        )
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(kept)


def _run(title: str, step: Callable[[], None], emulator: "Emulator") -> "list[LogEntry]":
    """Run one step; return what the emulator saw of it."""
    click.secho(f"\n{title}", bold=True)
    before = len(emulator.log())
    try:
        step()
    except ModuleNotFoundError as exc:
        raise _missing(exc) from None
    return emulator.log()[before:]


def _sign_in() -> None:
    import qwen_portal

    def show(event: qwen_portal.LoginEvent) -> None:
        if event.kind == "device_code":
            click.echo(f"  open {event.verification_uri}")
            click.echo(f"  code {event.user_code} (the emulator approves it by itself)")
        elif event.kind == "success":
            click.echo(f"  signed in as {event.account!r}, kept in a temporary {event.store}")

    qwen_portal.login(show=show)


def _langchain_tool() -> None:
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool

    from langchain_qwen_portal import ChatQwenPortal

    @tool
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    model = ChatQwenPortal().bind_tools([multiply])
    messages: list[Any] = [HumanMessage(_QUESTION)]
    messages.append(model.invoke(messages))
    for call in messages[-1].tool_calls:
        result = multiply.invoke(call)
        click.echo(f"  the model calls {call['name']}({call['args']}) -> {result.content}")
        messages.append(result)
    click.echo(f"  {model.invoke(messages).text}")


def _langchain_stream() -> None:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    from langchain_qwen_portal import ChatQwenPortal

    chain = ChatPromptTemplate.from_template("What is {a}+{b}?") | ChatQwenPortal() | StrOutputParser()
    _show_stream(chain.stream({"a": 2, "b": 2}))


def _langchain_image() -> None:
    from langchain_core.messages import HumanMessage

    from langchain_qwen_portal import ChatQwenPortal

    question = HumanMessage(
        content=[
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": _red_square()}},
        ]
    )
    click.echo(f"  {ChatQwenPortal(model='vision-model').invoke([question]).text}")


def _litellm_completion() -> None:
    import litellm

    import litellm_qwen_portal  # noqa: F401 - importing registers the provider

    answer = litellm.completion("qwen-portal/coder-model", [{"role": "user", "content": _QUESTION}])
    click.echo(f"  {answer.choices[0].message.content}")


def _litellm_stream() -> None:
    import litellm

    import litellm_qwen_portal  # noqa: F401 - importing registers the provider

    chunks = litellm.completion("qwen-portal/coder-model", [{"role": "user", "content": _QUESTION}], stream=True)
    _show_stream(chunk.choices[0].delta.content or "" for chunk in chunks)


def _show_stream(texts: Iterator[str]) -> None:
    click.echo("  ", nl=False)
    for text in texts:
        click.echo(text, nl=False)
    click.echo()


def _judge(log: "dict[str, list[LogEntry]]") -> None:
    """Say what the emulator saw, and fail if anything is missing.

    Raises:
        QwenError: Naming what did not happen.
    """
    sign_in, tool, lc_stream, image, whole, ll_stream = log.values()
    seen = {
        "a device code": _paths(sign_in, "/device/code") == 1,
        "a token": _paths(sign_in, "/token") > 0 and all(entry.status == 200 for entry in sign_in[-1:]),  # noqa: PLR2004 - HTTP status
        "a tool round trip of two requests": [_roles(entry)[-1] for entry in tool] == ["user", "tool"],
        "a streamed chat from LangChain": [entry.body["stream"] for entry in lc_stream] == [True],
        "an image part": ["image_url" in str(entry.body["messages"]) for entry in image] == [True],
        "a chat from LiteLLM": [entry.body["stream"] for entry in whole] == [False],
        "a streamed chat from LiteLLM": [entry.body["stream"] for entry in ll_stream] == [True],
        "every answer complete": all(entry.finished for entries in log.values() for entry in entries),
    }
    click.secho("\nWhat the emulator saw", bold=True)
    for what, happened in seen.items():
        click.echo(f"  {'yes' if happened else 'NO '}  {what}")
    missing = [what for what, happened in seen.items() if not happened]
    if missing:
        raise QwenError(f"The demo did not show {', '.join(missing)}.", hint="Please report this.")


def _paths(entries: "list[LogEntry]", end: str) -> int:
    return sum(entry.path.endswith(end) for entry in entries)


def _roles(entry: "LogEntry") -> list[str]:
    return [message["role"] for message in entry.body["messages"]]


def _red_square() -> str:
    """Return an 8 by 8 red PNG as a data URL."""

    def part(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (8).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * 8) * 8)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _missing(exc: ModuleNotFoundError) -> QwenError:
    return QwenError(
        f"The demo needs {exc.name or 'a package'}, which is not installed.",
        hint='Run: pip install "qwen-portal[langchain,litellm,emulator]"',
    )
