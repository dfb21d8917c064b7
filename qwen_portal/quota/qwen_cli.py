"""The strategy ``cli``: the ``qwen`` command, where it is installed and signed in, answers a question in text.

It is started without a shell, without tools and extensions, in an empty folder, and its own sign-in is used. It gets
the conversation as its input, so that no other user of the machine can read it in the list of processes.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qwen_portal.environment import without_secrets
from qwen_portal.errors import QwenError
from qwen_portal.quota.degrade import is_plain
from qwen_portal.recording.recorder import OK, Recorder
from qwen_portal.requests.chat_request import merged
from qwen_portal.secrets import printable
from qwen_portal.text import sentence
from qwen_portal.untrusted_json import json_value

SECONDS = 60.0
_LIMIT = 4 * 1024 * 1024
# "none" is no server and no extension: naming it leaves all of them out. The service refuses an empty list of tools, so
# the one that does nothing by itself stays; in this mode nobody would confirm it either.
_OPTIONS = (
    *("--output-format", "json", "--approval-mode", "default", "--max-session-turns", "1", "--chat-recording", "false"),
    *("--core-tools", "exit_plan_mode", "--allowed-mcp-server-names", "none", "--extensions", "none"),
)
# What shapes an answer and has no option of the command's.
_NOT_ITS_OWN = ("stop", "logprobs", "top_logprobs")
_SCRIPTS = {".js", ".mjs", ".cjs"}
_BATCH = {".cmd", ".bat"}
# Such as npm writes: "%dp0%\\node_modules\\…\\cli.js" %*
_STARTED = r"%~?dp0%?\\([^\"%]+\.[cm]?js)\""
# First, so that no message is taken for a command of the CLI's own, which begin with a slash.
_TASK = "Answer the last message of this conversation. You have no tools.\n\n"


def can_answer(messages: Sequence[Any], params: Mapping[str, Any]) -> bool:
    """Tell whether a request is one that the command can answer: in text, without tools, once and as it comes."""
    body = merged(params)
    return is_plain(messages, params) and body.get("n") in {None, 1} and not any(map(body.get, _NOT_ITS_OWN))


def ask(
    messages: Sequence[Mapping[str, Any]], *, command: str | None, seconds: float, recorder: Recorder
) -> dict[str, Any]:
    """Ask the qwen command.

    Args:
        messages: OpenAI-style messages, all of them text.
        command: Name or path of the command, or of the node script behind it; ``None`` for ``qwen``.
        seconds: What the answer may take; never more than 60.
        recorder: What counts it.

    Returns:
        A chat.completion dict.

    Raises:
        QwenError: There is no such command, it is a batch file, or what it printed in time is no answer.
    """
    return _Run(_arguments(command), _prompt(messages), recorder).answer(min(seconds, SECONDS))


async def aask(
    messages: Sequence[Mapping[str, Any]], *, command: str | None, seconds: float, recorder: Recorder
) -> dict[str, Any]:
    """Do what :func:`ask` does without blocking the event loop; cancelling it ends the command."""
    run = _Run(_arguments(command), _prompt(messages), recorder)
    try:
        return await asyncio.to_thread(run.answer, min(seconds, SECONDS))
    finally:
        run.stop()


def chunks(completion: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a completion as a stream's chunks."""
    frame = {name: completion[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    delta = completion["choices"][0]["message"]
    yield {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**frame, "choices": [], "usage": completion["usage"]}


class _Run:
    """One run of the command."""

    def __init__(self, arguments: list[str], prompt: str, recorder: Recorder) -> None:
        self._arguments = arguments
        self._prompt = prompt
        self._recorder = recorder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def answer(self, seconds: float) -> dict[str, Any]:
        began = time.monotonic()
        try:
            completion = self._answer(seconds)
        except QwenError as exc:
            self._count({}, type(exc).__name__, began)
            raise
        self._count(completion, OK, began)
        return completion

    def _count(self, completion: Mapping[str, Any], outcome: str, began: float) -> None:
        self._recorder.record(
            None,
            model=completion.get("model") or "qwen",
            usage=completion.get("usage"),
            status=None,
            outcome=outcome,
            milliseconds=(time.monotonic() - began) * 1000,
            on_quota="cli",
        )

    def _answer(self, seconds: float) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="qwen-portal-") as folder, tempfile.TemporaryFile() as prompt:
            prompt.write(self._prompt.encode(errors="replace"))
            prompt.seek(0)
            try:
                process = self._start(folder, prompt)
                printed = _read(process, seconds)
            finally:
                self.stop()
        return _completion(printed, process.returncode)

    def _start(self, folder: str, prompt: Any) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_over:
                raise QwenError("The qwen command was not asked: the request was cancelled.")
            try:
                self._process = subprocess.Popen(  # noqa: S603 - no shell, and its arguments hold nothing of a request
                    self._arguments,
                    stdin=prompt,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env=_environment(),
                    start_new_session=True,
                )
            except OSError as exc:
                raise QwenError(f"The qwen command could not be started: {exc.strerror or exc}.") from None
            return self._process

    def stop(self) -> None:
        """End the command with the processes that it started for itself; it will not be started any more."""
        with self._lock:
            process, self._process, self._is_over = self._process, None, True
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()


def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return what the command prints until it ends, at most 4 MiB.

    Raises:
        QwenError: It is not done in time.
    """
    printed: list[bytes] = []
    pipe = process.stdout
    assert pipe is not None  # noqa: S101 - for the type checker

    def read() -> None:
        with pipe:
            printed.append(pipe.read(_LIMIT))

    reader = threading.Thread(target=read, name="qwen-portal-cli", daemon=True)
    reader.start()
    reader.join(seconds)
    if reader.is_alive():
        raise QwenError(f"The qwen command was not done after {seconds:.0f} s.")
    with suppress(subprocess.TimeoutExpired):
        # a program that goes on after it closed its output has said what it had to say
        process.wait(1.0)
    return printed[0]


def _completion(printed: bytes, code: int | None) -> dict[str, Any]:
    """Read the CLI's JSON: an array of events, the last of them the result.

    Source: docs/protocol.md, "The qwen command".
    """
    try:
        events = [event for event in json_value(printed) if isinstance(event, dict)]
        result = next(event for event in reversed(events) if event.get("type") == "result")
        text, usage = result.get("result"), _usage(result.get("usage"))
        # half a character, which no file and no terminal takes
        json.dumps([text, result.get("error")], ensure_ascii=False).encode()
    except (ValueError, TypeError, StopIteration):
        raise QwenError(f"The qwen command printed no answer (exit code {code}).") from None
    # what the CLI itself says of a refusal looks like an answer, but for the tokens that nobody wrote
    is_own = text is not None and usage["completion_tokens"] == 0
    if result.get("is_error") or is_own or not isinstance(text, str) or not text:
        error = result.get("error")
        said = error.get("message") if isinstance(error, dict) else error
        raise QwenError(sentence(f"The qwen command failed: {printable(str(said or text or 'no reason given'))}"))
    model = next((event.get("model") for event in events if event.get("type") == "system"), None)
    return {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model if isinstance(model, str) and model.isprintable() and model else "qwen",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage,
    }


def _usage(usage: Any) -> dict[str, int]:
    """Read the tokens counted; none are 0.

    Raises:
        ValueError: A count is none: whoever prints that is not the CLI that this was written for.
    """
    counted = usage if isinstance(usage, dict) else {}
    read, written = (counted.get(name) or 0 for name in ("input_tokens", "output_tokens"))
    if not all(isinstance(count, int) and count >= 0 for count in (read, written)):
        raise ValueError
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _arguments(command: str | None) -> list[str]:
    """Return what to start.

    Raises:
        QwenError: There is no such command, or it is a batch file: these only run in a shell.
    """
    if command is not None:
        command = os.path.expanduser(command)  # noqa: PTH111 - Path.expanduser raises where there is no such home
    found = shutil.which(command or "qwen")
    if found is None and command is not None and Path(command).is_file():
        found = command  # a script need not be executable: node runs it
    if found is None:
        name = command or "qwen"
        raise QwenError(f"There is no command {name!r} (QWEN_CLI_PATH names another).")
    path = Path(found).absolute()
    if path.suffix.lower() in _BATCH:
        script = _script_of(path)
        raise QwenError(
            f"{path} is a batch file and would need a shell. Set QWEN_CLI_PATH to its node script: {script}"
        )
    if path.suffix.lower() not in _SCRIPTS:
        return [str(path), *_OPTIONS]
    node = shutil.which("node")
    if node is None:
        raise QwenError(f"{path} needs node, which is not on PATH.")
    return [node, str(path), *_OPTIONS]


def _script_of(batch: Path) -> Path:
    """Return the script that npm's batch file starts."""
    try:
        named = re.search(_STARTED, batch.read_text(errors="replace"))
    except OSError:
        named = None
    parts = named.group(1).split("\\") if named else ("node_modules", "@qwen-code", "qwen-code", "cli.js")
    return batch.parent.joinpath(*parts)


def _environment() -> dict[str, str]:
    # Nothing of ours is for it, a key least of all, and of others its own vendor's alone: with a key that is set for
    # other programs it would answer at somebody's cost. And no sign-in is to begin because of a request.
    inherited = without_secrets(needed="BAILIAN_")
    theirs = {name: value for name, value in inherited.items() if not name.startswith("QWEN_PORTAL_")}
    return theirs | {"NO_BROWSER": "1"}


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    return _TASK + "\n\n".join(f"{message.get('role') or 'user'}: {_text(message)}" for message in messages)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content or ())
