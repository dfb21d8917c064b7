"""``qwen-portal chat``."""

import base64
import contextlib
import json
import mimetypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from qwen_portal.cli.completion import complete_model
from qwen_portal.cli.group import tell
from qwen_portal.client import PortalClient
from qwen_portal.errors import QwenError
from qwen_portal.secrets import printable
from qwen_portal.service.models import CODER, VISION
from qwen_portal.session import Session

# A model's answer is not to move the cursor, rename the window or look like another text; line breaks and tabs stay.
_DIRECTIONS = [*range(0x2028, 0x202F), *range(0x2066, 0x206A)]
_CONTROLS = dict.fromkeys(code for code in [*range(32), *range(127, 160), *_DIRECTIONS] if chr(code) not in "\n\t")
_WHOLE = {"stop", "tool_calls"}

Message = dict[str, Any]


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "-m", "--model", shell_complete=complete_model, help=f"Model id; default {CODER}, or {VISION} with an image."
)
@click.option("-s", "--system", metavar="TEXT", help="Instructions that come before the conversation.")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An image file to ask about; may be given repeatedly.",
)
@click.option("--no-stream", is_flag=True, help="Print the answer when it is complete.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as JSON.")
def command(
    prompt: str | None,
    model: str | None,
    system: str | None,
    images: tuple[Path, ...],
    *,
    no_stream: bool,
    as_json: bool,
) -> None:
    """Ask a model; the answer goes to stdout.

    PROMPT may be - to read it from stdin. Without PROMPT a terminal starts a conversation.
    """
    chat = _Chat(model or (VISION if images else CODER), stream=not no_stream and not as_json)
    start = [{"role": "system", "content": system}] if system else []
    if prompt is None:
        if as_json or images or not sys.stdin.isatty():
            raise click.UsageError("Give a PROMPT, or - to read it from stdin.")
        _converse(chat, start)
        return
    text = sys.stdin.read() if prompt == "-" else prompt
    messages = [*start, _question(text, images)]
    if as_json:
        click.echo(json.dumps(chat.completion(messages)))
    else:
        chat.answer(messages)


class _Chat:
    """One model, asked for answers that are printed.

    Args:
        model: Model id.
        stream: Whether to print the answer as it comes.
    """

    def __init__(self, model: str, *, stream: bool) -> None:
        self._client = PortalClient()
        self._model = model
        self._stream = stream

    def completion(self, messages: list[Message]) -> dict[str, Any]:
        """Ask for a whole answer."""
        return self._client.chat(messages, model=self._model)

    def answer(self, messages: list[Message]) -> str:
        """Print an answer and return it; what came before a failure is printed as well."""
        said: list[str] = []
        try:
            for text in self._pieces(messages):
                _print(text)
                said.append(text)
        finally:
            # the next line of the terminal, message or prompt, starts on its own
            if said and not said[-1].endswith("\n"):
                _print("\n")
        return "".join(said)

    def _pieces(self, messages: list[Message]) -> Iterator[str]:
        if not self._stream:
            choice = self.completion(messages)["choices"][0]
            yield from filter(None, [choice["message"].get("content")])
            _tell_reason(choice.get("finish_reason"))
            return
        with self._client.stream(messages, model=self._model) as chunks:
            for chunk in chunks:
                for choice in chunk.get("choices") or ():
                    yield from filter(None, [(choice.get("delta") or {}).get("content")])
                    _tell_reason(choice.get("finish_reason"))


def _converse(chat: _Chat, messages: list[Message]) -> None:
    """Take turns until the end of input; a turn that failed is forgotten."""
    # nobody should type a question before learning that a sign-in is needed
    Session().choose()
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() line editing
    click.echo("Ctrl-D ends the conversation, Ctrl-C an answer.", err=True)
    while (text := _ask()) is not None:
        if not text.strip():
            continue
        turn = _question(text, ())
        try:
            said = chat.answer([*messages, turn])
        except QwenError as exc:
            tell(exc)
        except KeyboardInterrupt:
            click.echo("(stopped)", err=True)
        else:
            messages += [turn, {"role": "assistant", "content": said}]


def _ask() -> str | None:
    click.echo("> ", nl=False, err=True)
    try:
        return input()
    except EOFError:
        click.echo(err=True)
        return None


def _question(text: str, images: tuple[Path, ...]) -> Message:
    if not text.strip():
        raise click.UsageError("The prompt is empty.")
    if not images:
        return {"role": "user", "content": text}
    parts = [{"type": "image_url", "image_url": {"url": _data_url(path)}} for path in images]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def _data_url(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or ""
    if not kind.startswith("image/"):
        raise click.BadParameter(f"{path} is not named like an image (.png, .jpg, .webp …).", param_hint="--image")
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}.", param_hint="--image") from None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _print(text: str) -> None:
    click.echo(text.translate(_CONTROLS) if sys.stdout.isatty() else text, nl=False)


def _tell_reason(reason: object) -> None:
    if reason is not None and not (isinstance(reason, str) and reason in _WHOLE):
        click.echo(f"\n(the answer ends here: {printable(str(reason))})", err=True)
