"""The strategy ``cli`` with commands made for the purpose: what they get to see, and what is no answer."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenQuotaExceededError
from qwen_portal.quota import qwen_cli
from qwen_portal.recording.recorder import Recorder
from tests.login_never_lost.accounts import PATIENCE
from tests.quotas import TOOL
from tests.ways import ALL, HELLO, Way

EVENTS: list[dict[str, Any]] = [
    {"type": "system", "subtype": "init", "model": "coder-model"},
    {
        "type": "result",
        "is_error": False,
        "result": "2+2 = 4",
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    },
]
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "/quit"},
]
RECORD = "import json, os, sys; open({file!r}, 'w').write(json.dumps([sys.argv[1:], sys.stdin.read(), os.getcwd(), "
RECORD += "os.listdir(), dict(os.environ)])); print({events!r})"


class Command:
    """A command of the test's own in the place of the qwen command."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "qwen"
        self.file = folder / "seen.json"

    def does(self, program: str) -> None:
        """Make it a Python program; it needs nothing but the standard library, and starts sooner with nothing else."""
        self.path.write_text(f"#!{sys.executable} -IS\n{program}\n")
        self.path.chmod(0o755)

    def answers(self, *events: dict[str, Any]) -> None:
        """Let it note what it gets and print these events."""
        self.does(RECORD.format(file=str(self.file), events=json.dumps(events or EVENTS)))

    def seen(self) -> list[Any]:
        """Return its arguments, input, folder, what was in that, and its environment."""
        seen: list[Any] = json.loads(self.file.read_text())
        return seen


@pytest.fixture
def command(signed_in: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Use up the quota and let the qwen command be the only thing to try."""
    signed_in.set_quota(0)
    made = Command(tmp_path)
    monkeypatch.setenv("QWEN_CLI_PATH", str(made.path))
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "cli")
    made.answers()
    return made


@pytest.mark.parametrize("ask", ALL)
def test_the_command_answers_whole_or_streamed(
    ask: Way, command: Command, signed_in: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """One request, then the command, which is told; in the cool-down the command alone."""
    assert ask() == "2+2 = 4"
    told = [record for record in caplog.records if "the qwen command is asked" in record.message]
    assert [record.levelname for record in told] == ["WARNING"]
    assert ask() == "2+2 = 4"
    assert [entry.status for entry in signed_in.chats()] == [429]


def test_its_answer_is_a_completion_with_a_mark(command: Command) -> None:
    """Model and usage are the command's own."""
    answer = PortalClient().chat(HELLO)
    assert answer["on_quota"] == "cli"
    assert answer["model"] == "coder-model"
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert answer["choices"][0]["finish_reason"] == "stop"
    with PortalClient().stream(HELLO) as stream:
        chunks = list(stream)
    assert [chunk.get("on_quota") for chunk in chunks] == ["cli", None, None]
    assert chunks[-1]["usage"] == answer["usage"]
    assert dict(stream.headers) == {}


def test_it_sees_the_conversation_and_nothing_else(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt is its input, not an argument; no tools, an empty folder, no key of ours, no sign-in of its own."""
    monkeypatch.setenv("QWEN_PORTAL_CLIENT_ID", "secret")
    PortalClient().chat(TALK)
    arguments, prompt, folder, files, environment = command.seen()
    assert prompt.endswith("system: Be brief.\n\nuser: Hi\n\nassistant: Hello!\n\nuser: /quit")
    assert not prompt.startswith("/")
    assert not any("Hi" in argument for argument in arguments)
    assert arguments[arguments.index("--core-tools") + 1] == "exit_plan_mode"
    assert arguments[arguments.index("--approval-mode") + 1] == "default"
    assert (files, Path(folder).exists()) == ([], False)
    assert not any(name.startswith("QWEN_PORTAL_") for name in environment)
    assert environment["NO_BROWSER"] == "1"


def test_it_inherits_the_keys_of_its_plans_and_no_other_secret(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may work with one of those; who holds another of these could open a proxy, a store or a data base, or pay."""
    others = (
        "LITELLM_MASTER_KEY",
        "OPENAI_API_KEY",
        "DASHSCOPE_API_KEY",
        "ANTHROPIC_API_KEY",
        "QWEN_PORTAL_REDIS_KEY",
        "HF_TOKEN",
        "DB_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
    )
    for name in (*others, "BAILIAN_CODING_PLAN_API_KEY"):
        monkeypatch.setenv(name, "sk-canary-of-this-test")
    PortalClient().chat(HELLO)
    environment = command.seen()[-1]
    assert [name for name, value in environment.items() if value == "sk-canary-of-this-test"] == [
        "BAILIAN_CODING_PLAN_API_KEY"
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"tools": [TOOL]},
        {"n": 2},
        {"extra_body": {"n": 2}},
        {"stop": ["."]},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_it_is_not_asked_what_it_cannot_answer(command: Command, params: dict[str, Any]) -> None:
    """Text only, one answer, no tools: anything else is the quota error."""
    with pytest.raises(QwenQuotaExceededError):
        PortalClient().chat([{"role": "user", "content": "json"}], **params)
    assert not command.file.exists()


def test_it_is_opt_in(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ON_QUOTA it is never started."""
    monkeypatch.delenv("QWEN_PORTAL_ON_QUOTA")
    with pytest.raises(QwenQuotaExceededError):
        PortalClient().chat(HELLO)
    assert not command.file.exists()


def with_usage(**usage: Any) -> str:
    """Print the usual answer, but for what it says of tokens."""
    return f"print({json.dumps([EVENTS[0], {**EVENTS[1], 'usage': usage}])!r})"


GARBAGE = {
    "tokens in words": with_usage(output_tokens="many"),
    "tokens in a list": with_usage(input_tokens=[7], output_tokens=3),
    "no end of tokens": with_usage(input_tokens=float("inf"), output_tokens=3),
    "no number of tokens": with_usage(input_tokens=7, output_tokens=float("nan")),
    "less than no tokens": with_usage(input_tokens=-7, output_tokens=3),
    "half a character": f"print({json.dumps([{**EVENTS[1], 'result': chr(0xD83D)}])!r})",
    "half a character of an error": f"print({json.dumps([{'type': 'result', 'error': chr(0xD83D)}])!r})",
    "a number of events": "print('7')",
    "deep": "print('[' * 100000)",
    "text": "print('Segmentation fault')",
    "nothing": "pass",
    "no result": "print('[]')",
    "numbers": "print('[1, 2]')",
    "an object": "print('{}')",
    "no text": f"print({json.dumps([{'type': 'result', 'result': None}])!r}.replace('null', '7'))",
    "bytes": "import sys; sys.stdout.buffer.write(bytes(range(256)))",
    "without end": "import sys\nwhile True: sys.stdout.write('y' * 65536)",
}


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_no_answer(what: str, ask: Way, command: Command) -> None:
    """The quota error says what the command did; nothing of the garbage is handed on."""
    command.does(GARBAGE[what])
    with pytest.raises(QwenQuotaExceededError, match=r"The qwen command (printed no answer|failed)") as caught:
        ask()
    assert "'default' (oauth) is asked again" in caught.value.message


@pytest.mark.parametrize("model", [None, 7, chr(0xD83D), "", ["x"]])
def test_what_is_around_the_answer_may_be_anything(model: Any, command: Command) -> None:
    """Events that are none, before and after it, and a model that is no name."""
    command.does(f"print({json.dumps([7, None, {'type': 'system', 'model': model}, 'x', EVENTS[1], []])!r})")
    answer = PortalClient().chat(HELLO)
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("qwen", "2+2 = 4")


@pytest.mark.parametrize("ask", ALL)
def test_a_part_without_text_is_not_for_the_command(ask: Way, command: Command) -> None:
    """What is wrong with a message is the service's to say; here it ends in the quota error."""
    with pytest.raises(QwenQuotaExceededError):
        ask([{"role": "user", "content": [{"type": "text"}]}])
    assert not command.file.exists()


def test_half_a_character_in_the_question_is_replaced(command: Command) -> None:
    """The command gets what can be written."""
    PortalClient().chat(HELLO)
    assert PortalClient().chat([{"role": "user", "content": f"a{chr(0xD83D)}b"}])["on_quota"] == "cli"
    assert command.seen()[1].endswith("user: a?b")


def test_the_home_folder_may_be_written_short(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write it into .env files, which no shell reads."""
    monkeypatch.setenv("HOME", str(command.path.parent))
    monkeypatch.setenv("QWEN_CLI_PATH", "~/qwen")
    assert PortalClient().chat(HELLO)["on_quota"] == "cli"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "result", "is_error": True, "error": {"message": "No auth type is selected"}}, "No auth type"),
        ({"type": "result", "is_error": True, "error": "bad luck"}, "bad luck"),
        (
            {"type": "result", "is_error": False, "result": "quota exceeded", "usage": {"output_tokens": 0}},
            "quota exceeded",
        ),
        ({"type": "result", "is_error": False, "result": "[API Error: 400]"}, "API Error"),
        ({"type": "result", "is_error": False, "result": ""}, "no reason given"),
    ],
)
def test_its_own_failure_is_told(event: dict[str, Any], said: str, command: Command) -> None:
    """Such as a CLI that nobody signed in, or whose quota is used up too."""
    command.answers(EVENTS[0], event)
    with pytest.raises(QwenQuotaExceededError, match=f"The qwen command failed: .*{said}"):
        PortalClient().chat(HELLO)


@pytest.mark.parametrize("ask", ALL)
def test_a_missing_command_is_named(ask: Way, command: Command) -> None:
    """The error says which variable names another."""
    command.path.unlink()
    with pytest.raises(QwenQuotaExceededError, match=r"There is no command .*QWEN_CLI_PATH"):
        ask()


def test_without_the_variable_it_is_looked_for_on_path(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`qwen`, as it is typed."""
    monkeypatch.delenv("QWEN_CLI_PATH")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert PortalClient().chat(HELLO)["on_quota"] == "cli"
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(QwenQuotaExceededError, match="There is no command 'qwen'"):
        PortalClient().chat(HELLO)


def test_a_command_that_cannot_be_started_is_told(command: Command) -> None:
    """An interpreter that is not there, for one."""
    command.path.write_text("#!/no/such/interpreter\n")
    with pytest.raises(QwenQuotaExceededError, match="could not be started"):
        PortalClient().chat(HELLO)


# It tells its process number, and that of a child which outlives it unless it is killed as well.
HANGING = """
import subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
import os
with open({file!r} + ".new", "w") as file: file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename({file!r} + ".new", {file!r})
threading.Event().wait()
"""


def wait_for(file: Path) -> None:
    """Wait until a program has written its file."""
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} never came"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Tell whether a process has ended; an ended one that nobody has asked for is gone too."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@contextmanager
def all_end(file: Path) -> Iterator[None]:
    """Fail unless the processes that the file names have ended soon after the block."""
    yield
    pids = [int(pid) for pid in file.read_text().split()]
    deadline = time.monotonic() + PATIENCE
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.01)


@pytest.mark.parametrize("ask", ALL)
def test_a_hanging_command_is_ended_with_its_children(
    ask: Way, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 60 s; here as soon as it is known to hang."""
    command.does(HANGING.format(file=str(command.file)))
    read = qwen_cli._read

    def give_up(process: subprocess.Popen[bytes], seconds: float) -> bytes:
        assert 0 < seconds <= 60
        wait_for(command.file)
        return read(process, 0.0)

    monkeypatch.setattr(qwen_cli, "_read", give_up)
    with all_end(command.file), pytest.raises(QwenQuotaExceededError, match="was not done after 0 s"):
        ask()


def test_a_minute_is_the_most_and_the_caller_s_time_counts_too() -> None:
    """The limit of the issue, and the rest of the answer's own time."""
    assert qwen_cli.SECONDS == 60.0
    seconds: list[float] = []

    class Run(qwen_cli._Run):
        def answer(self, limit: float) -> dict[str, Any]:
            seconds.append(limit)
            return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen_cli, "_Run", Run)
        for given in (600.0, 12.5):
            qwen_cli.ask(HELLO, command=sys.executable, seconds=given, recorder=Recorder(Path()))
    assert seconds == [60.0, 12.5]


def test_a_cancelled_task_ends_the_command(command: Command) -> None:
    """Nobody waits for its answer any more."""
    command.does(HANGING.format(file=str(command.file)))

    async def ask() -> None:
        task = asyncio.create_task(AsyncPortalClient().chat(HELLO))
        await asyncio.to_thread(wait_for, command.file)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await qwen_portal.aclose()

    with all_end(command.file):
        asyncio.run(ask())


NPM = """@ECHO off
endLocal & goto #_undefined_# 2>NUL || "%_prog%"  "%dp0%\\node_modules\\@qwen-code\\qwen-code\\dist\\cli.js" %*
"""


@pytest.mark.parametrize("name", ["qwen.cmd", "qwen.bat", "QWEN.CMD"])
@pytest.mark.parametrize(("text", "script"), [(NPM, "qwen-code/dist/cli.js"), ("rem", "qwen-code/cli.js")])
def test_a_batch_file_is_refused_and_its_script_named(
    name: str, text: str, script: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a shell runs those, and a shell reads more into a prompt than the prompt."""
    tmp_path = command.path.parent
    batch = tmp_path / name
    batch.write_text(text)
    batch.chmod(0o755)
    monkeypatch.setenv("QWEN_CLI_PATH", str(batch))
    with pytest.raises(QwenQuotaExceededError, match="batch file") as caught:
        PortalClient().chat(HELLO)
    assert f"QWEN_CLI_PATH to its node script: {tmp_path}/node_modules/@qwen-code/{script}" in caught.value.message


def test_a_node_script_is_run_by_node(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hint of the refusal tells to name."""
    script = tmp_path / "cli.js"
    script.write_text("//")
    command.answers()
    (tmp_path / "node").symlink_to(command.path)
    monkeypatch.setenv("QWEN_CLI_PATH", str(script))
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    PortalClient().chat(HELLO)
    assert command.seen()[0][0] == str(script)
    (tmp_path / "node").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QwenQuotaExceededError, match="needs node"):
        PortalClient().chat(HELLO)
