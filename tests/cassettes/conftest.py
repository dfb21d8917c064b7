"""What the cassette tests share: telling a story from its cassette, with all of it played."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_portal import Account
from qwen_portal.service.plans import OAUTH, find_plan
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from tests.cassettes.stories import ASKING, SIGNING_IN
from tests.cassettes.tape import CASSETTES, replaying
from tests.litellm.conftest import finish_logging

# LiteLLM looks at every attribute of a stream's last chunk, two that pydantic wants read from the class among them.
_LITELLMS_OWN = pytest.mark.filterwarnings(
    r"ignore:Accessing the 'model_\w*fields' attribute on the instance:pydantic.warnings.PydanticDeprecatedSince211"
)

Replay = Callable[[str], Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let LiteLLM's own deprecations pass in this folder; every other warning is still an error."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(_LITELLMS_OWN)


@pytest.fixture(autouse=True)
def quiet_end() -> Iterator[None]:
    """Let LiteLLM's logging threads end within the test that started them."""
    yield
    finish_logging()


@pytest.fixture
def replay() -> Replay:
    """Tell a story from its cassette; return what the story returns."""

    def tell(name: str) -> Any:
        with replaying(CASSETTES / f"{name}.yaml") as cassette:
            result = SIGNING_IN[name](_sign_in_at_once) if name in SIGNING_IN else ASKING[name]()
            assert cassette.all_played, f"{name}: not every recorded request was made"
        return result

    return tell


@pytest.fixture
def account(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the user who recorded: signed in by the recorded sign-in, or with a key of the recorded plan."""
    plan = json.loads((CASSETTES / "source.json").read_text("utf-8"))["plan"]
    if plan == OAUTH:
        replay("sign_in/device_flow")
    else:
        monkeypatch.setenv("QWEN_PORTAL_PLAN", plan)
        monkeypatch.setenv("QWEN_PORTAL_API_KEY", f"{find_plan(plan).keys[0]}placeholder")


def _sign_in_at_once() -> Account:
    return sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None)
