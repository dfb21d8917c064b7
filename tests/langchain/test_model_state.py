"""The model as an object: cheap to make, plain data, its options settled when it is made."""

import asyncio
import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr

import langchain_qwen_portal
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from langchain_qwen_portal.response_cache import FullAnswers
from qwen_portal import QwenBadRequestError, __version__
from qwen_portal.emulator import Emulator
from tests.langchain.ways import Way, ainvoke, invoke
from tests.sign_ins import keep_sign_in

CODER = {"max_input_tokens": 1_000_000, "max_output_tokens": 65_536, "image_inputs": False, "reasoning_output": True}
VISION = {"max_input_tokens": 131_072, "max_output_tokens": 8_192, "image_inputs": True, "reasoning_output": False}


def _has(profile: Any, facts: dict[str, Any]) -> bool:
    return {name: profile[name] for name in facts} == facts


@pytest.mark.usefixtures("unmeasured")
def test_importing_the_package_loads_no_langchain() -> None:
    """The import is free until the class is touched."""
    code = (
        "import sys, langchain_qwen_portal as p; p.__version__; dir(p);"
        "assert not {'langchain_core', 'langchain_openai', 'openai', 'httpx'} & set(sys.modules);"
        "p.ChatQwenPortal; assert 'langchain_openai' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_the_package_names_what_it_has() -> None:
    """dir() lists the public names, and others are an AttributeError."""
    assert dir(langchain_qwen_portal) == [
        "ChatQwenPortal",
        "QwenPortalEmbeddings",
        "__version__",
        "image_block",
        "init_chat_model",
    ]
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = langchain_qwen_portal.no_such_name


@pytest.mark.parametrize("missing", ["langchain_core", "langchain_openai"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LangChain the error says what to install."""
    for name in [name for name in sys.modules if name.startswith(("langchain_qwen_portal.", f"{missing}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .qwen-portal\[langchain\]"):
        langchain_qwen_portal.__getattr__("ChatQwenPortal")


def test_another_missing_module_is_not_blamed_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation keeps its own error."""
    for name in [name for name in sys.modules if name.startswith("langchain_qwen_portal.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ModuleNotFoundError, match="pydantic"):
        langchain_qwen_portal.__getattr__("ChatQwenPortal")


def test_a_profile_needs_no_sign_in() -> None:
    """Without an account the profile is the portal's."""
    assert _has(ChatQwenPortal().profile, CODER)
    assert _has(ChatQwenPortal(model="qwen-portal/vision-model").profile, VISION)


def test_a_profile_follows_the_accounts_plan() -> None:
    """On another plan the same id is another model."""
    model = ChatQwenPortal(model="vision-model", api_key="sk-sp-x", plan="coding-intl")
    assert _has(model.profile, {"max_input_tokens": 1_000_000, "image_inputs": True, "reasoning_output": True})


def test_any_id_of_the_catalogue_has_the_profile_of_its_family() -> None:
    """Its own limit, not that of the id of ours which stands for it."""
    of_its_own = ChatQwenPortal(model="qwen3.6-plus-2026-04-02", api_key="sk-x", plan="studio-intl").profile
    assert _has(of_its_own, {"max_input_tokens": 1_000_000, "max_output_tokens": 65_536, "image_inputs": True})
    assert _has(ChatQwenPortal(model="qwen4-max").profile, {"max_output_tokens": 384_000, "structured_output": True})
    assert _has(ChatQwenPortal(model="qwen3-coder-plus").profile, {"image_inputs": False, "reasoning_output": False})


def test_a_profile_says_what_the_model_can_be_made_to_do() -> None:
    """The Token Plan's qwen3.8-max always thinks, so no tool is forced; the efforts are its own."""
    token, studio = (
        ChatQwenPortal(model="qwen3.8-max", api_key="sk-sp-x" if plan == "token" else "sk-x", plan=plan).profile
        for plan in ("token", "studio")
    )
    efforts = {"reasoning_effort_levels": ["low", "medium", "xhigh"]}
    assert _has(token, {"tool_choice": False, "structured_output": True, "video_inputs": True} | efforts)
    assert _has(studio, {"tool_choice": True, "structured_output": True} | efforts)
    assert _has(ChatQwenPortal().profile, {"tool_choice": True, "reasoning_effort_levels": []})


def test_an_unknown_model_has_no_profile_and_a_users_own_is_kept() -> None:
    """Nothing is made up."""
    assert ChatQwenPortal(model="something-else").profile is None
    assert ChatQwenPortal(profile={"max_input_tokens": 5}).profile == {"max_input_tokens": 5}


@pytest.mark.usefixtures("signed_in")
def test_a_field_configured_at_run_time_brings_its_own_profile(emulator: Emulator) -> None:
    """Switching the model in a config switches profile and request; a user's own profile stays."""
    switch = ConfigurableField(id="model")
    configured: Any = ChatQwenPortal().configurable_fields(model_name=switch)
    prepared, _ = configured._prepare({"configurable": {"model": "vision-model"}})
    assert _has(prepared.profile, VISION)
    configured.with_config(configurable={"model": "vision-model"}).invoke("Hi")
    assert emulator.chats()[0].body["model"] == "vision-model"
    own: Any = ChatQwenPortal(profile={"max_input_tokens": 5}).configurable_fields(model_name=switch)
    assert own._prepare({"configurable": {"model": "vision-model"}})[0].profile == {"max_input_tokens": 5}


def _copied(model: ChatQwenPortal) -> ChatQwenPortal:
    return model.model_copy(update={"model_name": "vision-model"})


def _assigned(model: ChatQwenPortal) -> ChatQwenPortal:
    model.model_name = "vision-model"
    return model


@pytest.mark.parametrize("change", [_copied, _assigned])
def test_a_changed_model_brings_its_own_profile_and_written_form(change: Any) -> None:
    """Neither the old profile nor the old cache key stays; the original keeps its own, a user's profile stays."""
    model = ChatQwenPortal()
    old_key, _ = model._get_llm_string(), model._serialized
    changed = change(model)
    assert _has(changed.profile, VISION)
    assert changed._serialized["kwargs"]["model_name"] == "vision-model"
    assert changed._get_llm_string() != old_key
    assert _has(ChatQwenPortal().profile, CODER)
    assert change(ChatQwenPortal(profile={"max_input_tokens": 5})).profile == {"max_input_tokens": 5}


def test_a_changed_plan_brings_its_own_profile() -> None:
    """A copy with a key is described by the key's plan, and one with a setting that fails keeps what is known."""
    coding = ChatQwenPortal(model="vision-model").model_copy(
        update={"openai_api_key": SecretStr("sk-sp-x"), "plan": "coding-intl"}
    )
    assert _has(coding.profile, {"image_inputs": True, "reasoning_output": True})
    assert ChatQwenPortal().model_copy(update={"plan": "no-such-plan"}).profile == ChatQwenPortal().profile


@pytest.mark.usefixtures("signed_in")
def test_accounts_share_a_response_cache(emulator: Emulator) -> None:
    """Who pays is not part of the key; the options and the model behind the name are."""
    keep_sign_in(emulator, "second")
    cache = InMemoryCache()
    for account in ("default", "second", None):
        model = ChatQwenPortal(account=account, cache=cache, timeout=30, max_retries=1, on_quota="switch", store="file")
        assert model.invoke("What is 2+2?").text == "2+2 = 4"
    assert ChatQwenPortal(cache=cache).invoke("What is 2+2?").text == "2+2 = 4"
    assert len(emulator.chats()) == 1
    ChatQwenPortal(cache=cache, temperature=0.1).invoke("What is 2+2?")
    ChatQwenPortal(cache=cache, model="vision-model").invoke("What is 2+2?")
    ChatQwenPortal(cache=cache, api_key="sk-x", base_url=emulator.base_url).invoke("What is 2+2?")
    assert len(emulator.chats()) == 4


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("ask", [invoke, ainvoke])
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_stand_in_is_not_cached(ask: Way, everywhere: bool, emulator: Emulator) -> None:
    """A short answer because of a spent quota is none once the quota is back; a full one is kept."""
    own = None if everywhere else InMemoryCache()
    set_llm_cache(InMemoryCache() if everywhere else None)
    try:
        emulator.scenario("quota", times=1)
        model = ChatQwenPortal(cache=own, max_retries=0)
        assert ask(model, "What is 2+2?").response_metadata["on_quota"] == "degrade"
        qwen_portal.use("default")
        for _ in range(2):
            assert "on_quota" not in ask(model, "What is 2+2?").response_metadata
        assert [chat.status for chat in emulator.chats()] == [429, 200, 200]
    finally:
        set_llm_cache(None)


@pytest.mark.usefixtures("signed_in")
def test_every_cache_method_reaches_the_users_cache() -> None:
    """What LangChain asks of a cache, it asks of the user's."""
    inner = InMemoryCache()
    guard = FullAnswers(inner)
    answer = [ChatGeneration(message=AIMessage("4"))]
    guard.update("p", "m", answer)
    assert guard.lookup("p", "m") == inner.lookup("p", "m") == answer
    guard.clear()
    assert inner.lookup("p", "m") is None
    asyncio.run(guard.aupdate("p", "m", answer))
    assert asyncio.run(guard.alookup("p", "m")) == answer
    asyncio.run(guard.aclear())
    assert inner.lookup("p", "m") is None


@pytest.mark.usefixtures("signed_in", "closing")
async def test_a_response_cache_serves_async_and_streams_too(emulator: Emulator) -> None:
    """Whichever way is asked first, the others find the answer."""
    model = ChatQwenPortal(cache=InMemoryCache())
    assert (await model.ainvoke("What is 2+2?")).text == "2+2 = 4"
    assert model.invoke("What is 2+2?").text == "2+2 = 4"
    assert len(emulator.chats()) == 1


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    "duplicate",
    [
        lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301 - our own bytes
        copy.copy,
        copy.deepcopy,
        lambda model: model.model_copy(deep=True),
    ],
    ids=["pickle", "copy", "deepcopy", "model_copy"],
)
def test_a_used_model_can_be_copied(duplicate: Any) -> None:
    """A copy equals the model, also after it was used, and works."""
    model = ChatQwenPortal(temperature=0.5, enable_thinking=True, stop_sequences=["END"])
    model.invoke("Hi")
    twin = duplicate(model)
    assert twin.model_dump() == model.model_dump()
    assert twin.profile == model.profile
    assert twin.invoke("What is 2+2?").text == "2+2 = 4"


def test_traces_know_the_versions() -> None:
    """lc_versions lists this package beside LangChain's."""
    versions = (ChatQwenPortal().metadata or {})["lc_versions"]
    assert versions["qwen-portal"] == __version__
    assert {"langchain-core", "langchain-openai"} <= set(versions)


def test_the_model_says_what_it_is() -> None:
    """Type, namespace and tracing name are our own, not OpenAI's."""
    model = ChatQwenPortal()
    assert model._llm_type == "qwen-portal"
    assert model.get_lc_namespace() == ["langchain_qwen_portal", "chat_models"]
    assert model.lc_secrets == {}
    assert model._get_ls_params()["ls_provider"] == "qwen-portal"


@pytest.mark.parametrize("option", ["max_tokens", "thinking_budget", "output_cap", "timeout", "n"])
def test_an_impossible_number_is_refused(option: str) -> None:
    """Zero tokens, seconds or answers make no sense."""
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=option):
        ChatQwenPortal(**options)


def test_the_two_limits_are_kept_apart() -> None:
    """max_completion_tokens is a limit of its own, which some models count their thinking towards."""
    both = ChatQwenPortal(max_tokens=9, max_completion_tokens=7)
    assert (both.max_tokens, both.max_completion_tokens) == (9, 7)


def test_a_built_in_tool_of_openais_does_not_change_the_protocol(signed_in: Emulator) -> None:
    """A tool of the Responses API stays a chat completion, which the service then judges."""
    with pytest.raises(QwenBadRequestError, match="tools must be of type function"):
        ChatQwenPortal().bind_tools([{"type": "web_search"}]).invoke("Hi")
    assert signed_in.chats()[0].path == "/v1/chat/completions"


@pytest.mark.usefixtures("signed_in")
def test_two_accounts_are_two_models(emulator: Emulator) -> None:
    """account= pins a model to its account."""
    keep_sign_in(emulator, "second")
    for account in ("default", "second"):
        ChatQwenPortal(account=account).invoke("Hi")
    assert [entry.account for entry in emulator.chats()] == [1, 2]


def test_a_written_model_has_no_field_of_a_key() -> None:
    """Not even a masked one, which a loaded model would take for a key."""
    model = ChatQwenPortal(api_key="sk-sp-x", plan="coding-intl")
    for written in (dumps(model), repr(model), str(model.model_dump())):
        assert "api_key" not in written
        assert "sk-sp-x" not in written


def test_tokens_are_estimated_without_a_network() -> None:
    """Counts grow with the text; Chinese costs more per character; images and tools count."""
    model = ChatQwenPortal()
    assert model.get_num_tokens("") == 0
    assert 8 <= model.get_num_tokens("The quick brown fox jumps over the lazy dog.") <= 16
    assert model.get_num_tokens("敏捷的棕色狐狸跳过懒狗") >= 7
    plain = model.get_num_tokens_from_messages([SystemMessage("Be brief."), HumanMessage("Hello")])
    picture = HumanMessage([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])
    assert 5 <= plain <= 20
    assert model.get_num_tokens_from_messages([picture]) > 1_000
    assert model.get_num_tokens_from_messages([HumanMessage("Hello")], tools=[_lookup]) > plain


def _lookup(word: str) -> str:
    """Look a word up in the dictionary of the old language."""
    return word


def test_token_ids_need_a_vocabulary() -> None:
    """No ids are made up; a tokenizer of the user's gives exact ones."""
    with pytest.raises(NotImplementedError, match="custom_get_token_ids"):
        ChatQwenPortal().get_token_ids("Hello")
    exact = ChatQwenPortal(custom_get_token_ids=lambda text: [ord(char) for char in text])
    assert exact.get_num_tokens_from_messages([HumanMessage("x" * 1_000)]) >= 1_000
    assert exact.get_token_ids("ab") == [97, 98]
    assert exact.get_num_tokens("ab") == 2
