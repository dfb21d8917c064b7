"""``qwen-portal chat``: the answer on stdout, in every form it can be asked for."""

import io
import json
import os
import signal
import zlib
from base64 import b64decode
from pathlib import Path

import pytest

from qwen_portal.cli import chat as chat_module
from qwen_portal.emulator import Emulator
from tests.cli.program import at_terminal, read_until, run


def png(path: Path) -> Path:
    """Write an image of one red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b""))
    return path


def test_the_answer_is_streamed_to_stdout(signed_in: Emulator) -> None:
    """Nothing but the answer and a line break; the request is a stream of coder-model."""
    result = run("chat", "What is 6 times 7?")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "42" in result.stdout
    assert result.stdout.endswith("\n")
    (chat,) = signed_in.chats()
    assert (chat.body["stream"], chat.body["model"]) == (True, "coder-model")


def test_no_stream_gives_the_same_answer_at_once(signed_in: Emulator) -> None:
    """The two ways differ on the wire, not on stdout."""
    streamed, whole = run("chat", "What is 6 times 7?"), run("chat", "What is 6 times 7?", "--no-stream")
    assert whole.stdout == streamed.stdout
    assert [chat.body["stream"] for chat in signed_in.chats()] == [True, False]


def test_json_prints_the_completion(signed_in: Emulator) -> None:
    """One object in OpenAI's shape, with the usage."""
    completion = json.loads(run("chat", "Hello", "--json").stdout)
    assert completion["object"] == "chat.completion"
    assert completion["choices"][0]["message"]["content"]
    assert completion["usage"]["total_tokens"] > 0


def test_system_and_model_are_sent(signed_in: Emulator) -> None:
    """-s comes before the prompt, -m is the model."""
    assert run("chat", "Hello", "-s", "Be brief.", "-m", "qwen3-coder-flash").exit_code == 0
    body = signed_in.chats()[0].body
    assert body["model"] == "qwen3-coder-flash"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"] == "Be brief."


def test_a_dash_reads_the_prompt_from_stdin(signed_in: Emulator) -> None:
    """The whole of stdin is the prompt, line breaks and all."""
    assert run("chat", "-", stdin="What is\n6 times 7?\n").exit_code == 0
    assert signed_in.chats()[0].body["messages"][-1]["content"] == "What is\n6 times 7?\n"


def test_an_image_goes_to_the_vision_model(signed_in: Emulator, tmp_path: Path) -> None:
    """The file travels as a data URL, and the model is the one that can see."""
    path = png(tmp_path / "red.png")
    result = run("chat", "What colour is this?", "--image", str(path))
    assert result.exit_code == 0
    assert "1 image" in result.stdout
    body = signed_in.chats()[0].body
    assert body["model"] == "vision-model"
    image, text = body["messages"][-1]["content"]
    kind, data = image["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    assert b64decode(data) == path.read_bytes()
    assert text == {"type": "text", "text": "What colour is this?"}


def test_a_model_that_is_named_wins_over_the_images_default(signed_in: Emulator, tmp_path: Path) -> None:
    """coder-model takes no image; the error says so before any request, and names vision-model."""
    result = run("chat", "What?", "--image", str(png(tmp_path / "red.png")), "-m", "coder-model")
    assert result.exit_code == 1
    assert "Hint: Use `-m vision-model` with --image, or leave -m out.\n" in result.stderr
    assert signed_in.chats() == []


@pytest.mark.parametrize("name", ["notes.txt", "nothing", "missing.png"])
def test_a_file_that_is_no_image_is_a_usage_error(signed_in: Emulator, tmp_path: Path, name: str) -> None:
    """Another kind of file, or none, is refused before any request."""
    if "missing" not in name:
        (tmp_path / name).write_text("hello", "utf-8")
    assert run("chat", "What?", "--image", str(tmp_path / name)).exit_code == 2
    assert signed_in.chats() == []


@pytest.mark.parametrize("args", [(), ("--json",), ("",), ("-",)])
def test_without_a_prompt_or_a_terminal_there_is_nothing_to_ask(signed_in: Emulator, args: tuple[str, ...]) -> None:
    """No prompt, and no person to type one: a usage error, not a wait."""
    assert run("chat", *args).exit_code == 2
    assert signed_in.chats() == []


def test_what_came_before_a_break_is_printed(signed_in: Emulator) -> None:
    """A stream that is cut ends with its own line on stdout, the error on stderr and exit code 6."""
    signed_in.scenario("cut")
    result = run("chat", "Tell me a long story, please.")
    assert result.exit_code == 6
    assert result.stdout.strip()
    assert result.stdout.endswith("\n")
    assert "before the answer was complete" in result.stderr


def test_an_answer_that_was_cut_short_says_so(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finish_reason other than the usual ones is told on stderr."""
    whole = {"choices": [{"message": {"content": "Once"}, "finish_reason": "length"}]}
    monkeypatch.setattr("qwen_portal.client.PortalClient.chat", lambda *args, **kwargs: whole)
    result = run("chat", "Tell me a story", "--no-stream")
    assert result.stdout == "Once\n"
    assert "length" in result.stderr


@pytest.mark.parametrize(
    "reason", ["\x1b[2Jlength", "\x1b]0;title\x07", "\u202ehtgnel", ["stop"], {"a": 1}, 7], ids=repr
)
def test_a_reason_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch, reason: object) -> None:
    """It is a server's text as any other, and need not even be one."""
    whole = {"choices": [{"message": {"content": "Once"}, "finish_reason": reason}]}
    monkeypatch.setattr("qwen_portal.client.PortalClient.chat", lambda *args, **kwargs: whole)
    result = run("chat", "Tell me a story", "--no-stream")
    assert result.exit_code == 0
    assert "the answer ends here" in result.stderr
    assert not set(result.stderr) & {"\x1b", "\x07", "\u202e"}


def test_an_answer_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal control characters are dropped; a file or a pipe gets what the model said."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    said = "a\x1b]0;title\x07b\r\n\tc\x9b1m"
    terminal, pipe = Terminal(), io.StringIO()
    for stdout in (terminal, pipe):
        monkeypatch.setattr("sys.stdout", stdout)
        chat_module._print(said)
    assert terminal.getvalue() == "a]0;titleb\n\tc1m"
    assert pipe.getvalue() == said


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_at_a_terminal_a_conversation_remembers_its_turns(signed_in: Emulator) -> None:
    """Each turn carries those before it; an empty line asks nothing, and Ctrl-D ends with 0."""
    with at_terminal("chat", "-s", "Be brief.") as (program, person):
        os.write(person, b"What is 6 times 7?\n\nWhat is 2 plus 2?\n\x04")
        stdout, stderr = program.communicate()
    assert program.returncode == 0
    assert "42" in stdout
    first, second = signed_in.chats()
    assert [message["role"] for message in first.body["messages"]] == ["system", "user"]
    assert [message["role"] for message in second.body["messages"]] == ["system", "user", "assistant", "user"]
    assert second.body["messages"][2]["content"] == stdout.splitlines()[0]
    assert stderr.count("> ") == 4


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_a_conversation_survives_a_turn_that_failed(signed_in: Emulator) -> None:
    """The error is told, the turn is forgotten, the next one is answered."""
    signed_in.scenario("moderation", times=1)
    with at_terminal("chat") as (program, person):
        os.write(person, b"Something bad\nWhat is 6 times 7?\n\x04")
        stdout, stderr = program.communicate()
    assert program.returncode == 0
    assert "42" in stdout
    assert "Error: " in stderr
    assert [message["role"] for message in signed_in.chats()[-1].body["messages"]] == ["user"]


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_ctrl_c_ends_an_answer_but_not_the_conversation(signed_in: Emulator) -> None:
    """An answer that hangs is left alone; the next question gets its own."""
    signed_in.scenario("silence", times=1)
    with at_terminal("chat") as (program, person):
        os.write(person, b"Tell me a long story, please.\n")
        read_until(program.stdout, " ")
        program.send_signal(signal.SIGINT)
        read_until(program.stderr, "(stopped)\n")
        os.write(person, b"What is 6 times 7?\n\x04")
        stdout, _ = program.communicate()
    assert program.returncode == 0
    assert "42" in stdout
    assert len(signed_in.chats()[-1].body["messages"]) == 1


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_a_conversation_needs_a_sign_in_before_the_first_question() -> None:
    """Nobody types a question only to learn that a sign-in is needed."""
    with at_terminal("chat") as (program, _):
        stdout, stderr = program.communicate()
    assert (program.returncode, stdout) == (4, "")
    assert "> " not in stderr
