"""What a model's calls cost once it was called before: no client is made, no setting read, nothing worked out twice."""

import copy
import pickle
from typing import Any

import pytest
from langchain_core.runnables import ConfigurableField
from langchain_openai.chat_models.base import BaseChatOpenAI

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.costs import WARM, counting
from tests.langchain.ways import Way, invoke, stream
from tests.sign_ins import keep_sign_in

PROMPT = "What is 2+2?"
OPTIONS: list[dict[str, Any]] = [{}, {"timeout": 60, "account": "default", "on_quota": "error"}]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("ask", [invoke, stream])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_further_call_makes_no_client_and_reads_nothing(
    ask: Way, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of the connection the model itself says."""
    model = ChatQwenPortal(**options)
    for _ in range(WARM):
        ask(model, PROMPT)
    counted = counting(monkeypatch)
    ask(model, PROMPT)
    assert counted == {}


@pytest.mark.usefixtures("signed_in", "closing")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_on_an_event_loop_neither(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole and streamed."""
    model = ChatQwenPortal(**options)

    async def ask() -> None:
        await model.ainvoke(PROMPT)
        assert [chunk async for chunk in model.astream(PROMPT)]

    for _ in range(WARM):
        await ask()
    counted = counting(monkeypatch)
    await ask()
    assert counted == {}


@pytest.mark.usefixtures("signed_in")
def test_a_bound_model_shares_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one with a config does; a configured one is a model of its own."""
    model = ChatQwenPortal()
    for _ in range(WARM):
        model.invoke(PROMPT)
    counted = counting(monkeypatch)
    model.bind(temperature=0).invoke(PROMPT)
    model.with_config(tags=["x"]).invoke(PROMPT)
    assert counted == {}
    named = model.configurable_fields(model_name=ConfigurableField(id="model"))
    named.with_config(configurable={"model": "vision-model"}).invoke(PROMPT)
    assert counted["clients"] == 1


@pytest.mark.usefixtures("signed_in")
def test_a_changed_field_counts_at_the_next_call(emulator: Emulator) -> None:
    """Whether it is assigned, or a copy has it."""
    keep_sign_in(emulator, "second")
    model = ChatQwenPortal(account="default")
    model.invoke(PROMPT)
    model.account = "second"
    model.invoke(PROMPT)
    model.model_copy(update={"account": "default"}).invoke(PROMPT)
    model.invoke(PROMPT)
    assert [entry.account for entry in emulator.chats()] == [1, 2, 1, 2]


@pytest.mark.usefixtures("signed_in")
def test_a_changed_variable_counts_at_the_next_call(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model that has called, as of one that has not."""
    keep_sign_in(emulator, "second")
    model = ChatQwenPortal()
    for label in ("default", "second", "default"):
        monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", label)
        model.invoke(PROMPT)
    assert [entry.account for entry in emulator.chats()] == [1, 2, 1]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - our own bytes
def test_a_model_that_has_called_is_still_plain_data(duplicate: Any) -> None:
    """It equals one that has not, and no copy or pickle has its clients."""
    model = ChatQwenPortal(api_key="sk-x", base_url="http://127.0.0.1:9/v1")
    fresh = ChatQwenPortal(api_key="sk-x", base_url="http://127.0.0.1:9/v1")
    client = model._client()
    assert model == fresh
    twin = duplicate(model)
    assert twin == model
    assert twin._client() is not client
    assert model._client() is client
    assert client not in vars(model).values()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"stop": ["END"]},
        {"model": "vision-model", "temperature": 0.5},
        {"max_tokens": 5},
        {"max_completion_tokens": 7},
        {"max_tokens": 10_000_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("options", [{}, {"temperature": 0.2, "max_tokens": 9, "stop_sequences": ["X"]}], ids=str)
def test_traces_are_told_what_langchain_openai_would_tell_them(options: dict[str, Any], given: dict[str, Any]) -> None:
    """Though not by its way, which works the whole request out a second time."""
    model = ChatQwenPortal(**options)
    assert model._get_ls_params(**given) == {
        **BaseChatOpenAI._get_ls_params(model, **given),
        "ls_provider": "qwen-portal",
    }


@pytest.mark.usefixtures("signed_in")
def test_the_request_is_worked_out_once_for_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain asks for the parameters once a call."""
    asked = []
    real = ChatQwenPortal._get_invocation_params

    def noted(self: ChatQwenPortal, *args: Any, **kwargs: Any) -> dict[str, Any]:
        asked.append(self)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ChatQwenPortal, "_get_invocation_params", noted)
    ChatQwenPortal().invoke(PROMPT)
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["_generate", "_agenerate"])
def test_langchain_finds_the_signatures_ready(name: str) -> None:
    """It asks at every call whether there is a run_manager."""
    assert "run_manager" in getattr(ChatQwenPortal, name).__signature__.parameters
