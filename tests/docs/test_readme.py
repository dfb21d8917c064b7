"""The README is true: its Python runs, its commands exist, its tables are the code's."""

import re
from pathlib import Path

import click
import pytest

from qwen_portal import errors
from qwen_portal.cli.root import cli
from qwen_portal.emulator import Emulator
from qwen_portal.service.catalogue import PLAN_ROWS, WORKSPACE_PLAN
from tests.embeddings.ways import keep_key

README = (Path(__file__).parents[2] / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"qwen-portal ((?:accounts )?[a-z]+)", README)))


# LiteLLM looks at every attribute of a stream's last chunk, two that pydantic wants read from the class among them.
@pytest.mark.filterwarnings(
    r"ignore:Accessing the 'model_\w*fields' attribute on the instance:pydantic.warnings.PydanticDeprecatedSince211"
)
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.split("\n")[0])
def test_every_python_block_runs(block: str, signed_in: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block is complete: somebody who pastes it, and has the accounts it names, gets an answer."""
    keep_key(signed_in, "studio")
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - the README's own code
    assert capsys.readouterr().out.strip()
    asked = [*signed_in.chats(), *signed_in.log("embeddings")]
    assert asked
    assert all(entry.status == 200 for entry in asked)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    """A command or sub-command that the README names is one of the command line's."""
    found: click.Command | None = cli
    for word in command.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None


def test_the_tables_are_the_codes() -> None:
    """Plans, their model names, errors and their exit codes."""
    for plan in (*PLAN_ROWS, WORKSPACE_PLAN):
        if not plan.is_oauth:
            row = next(line for line in README.splitlines() if line.startswith("|") and f"`{plan.name}`" in line)
            assert all(f"`{begins}`" in row for begins in plan.keys)
            assert plan.coder in row
            assert plan.vision in row
    for name, code in re.findall(r"^\| (`Qwen.*?) \|.*\| (\d) \|$", README, re.MULTILINE):
        for kind in re.findall(r"`(Qwen\w+)`", name):
            assert getattr(errors, kind).exit_code == int(code), kind
