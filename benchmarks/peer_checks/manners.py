"""Rows about the model as an object among others: limits, state, loops, environment, agents."""

import asyncio
import copy
import os
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumps, loads
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField

from benchmarks.peer_checks import service
from benchmarks.peer_checks.models import CODER, KEY, OWN_MODELS, PEER, URL, VISION, address, make, model_class, named
from benchmarks.peer_checks.rows import DoesNotApplyError, row
from benchmarks.peer_checks.talk import Add

TOO_MANY = 100_000
_FAST = 0.01


def _leaks() -> dict[str, Any]:
    above = TOO_MANY
    return {
        "constructor": lambda: make(max_tokens=above).invoke("Hi"),
        "model_kwargs": lambda: make(model_kwargs={"max_tokens": above}).invoke("Hi"),
        "invoke": lambda: make().invoke("Hi", max_tokens=above),
        "stream": lambda: list(make().stream("Hi", max_tokens=above)),
        "ainvoke": lambda: asyncio.run(make().ainvoke("Hi", max_tokens=above)),
        "bind": lambda: make().bind(max_tokens=above).invoke("Hi"),
        "bind_tools": lambda: make().bind_tools([Add], max_tokens=above).invoke("Hi"),
        "extra_body": lambda: make().invoke("Hi", extra_body={"max_tokens": above}),
        "model_copy": lambda: make().model_copy(update={"max_tokens": above}).invoke("Hi"),
        "smaller model": lambda: make(max_tokens=60_000).invoke("Hi", model=named(VISION)),
    }


@row("the output cap holds, wherever the wish stands")
def cap() -> str:
    """No request asks for more than the model gives; a client that fails by itself sends none either."""
    before, failed = len(service.log()), []
    for name, ask in _leaks().items():
        try:
            ask()
        except Exception:  # noqa: BLE001 - the service refuses what is above the cap
            failed.append(name)
    leaked = sum(entry["above_cap"] for entry in service.log()[before:])
    assert not leaked, f"{leaked} of {len(_leaks())} leak"
    assert not failed, f"fails: {', '.join(failed)}"
    return f"0 of {len(_leaks())} leak"


@row("profiles of the vendor's own models")
def own_profiles() -> bool:
    """Of the models that the class was made for."""
    return all((make(name).profile or {}).get("max_input_tokens") for name in OWN_MODELS[PEER])


@row("profiles of Qwen's models")
def qwen_profiles() -> bool:
    """Of those that are asked here."""
    return bool((make().profile or {}).get("max_input_tokens"))


@row("SummarizationMiddleware by fraction, with Qwen's models")
def summarization() -> bool:
    """It needs the profile."""
    return SummarizationMiddleware(make(), trigger=("fraction", 0.8)) is not None


@row("a profile that follows configurable_fields")
def configured_profile() -> bool:
    """Between two of the vendor's own models."""
    first, second = _profiled()
    configured = first.configurable_fields(model_name=ConfigurableField(id="model"))
    prepared = configured._prepare({"configurable": {"model": second.model_name}})[0]  # noqa: SLF001
    return bool(prepared.profile == second.profile)


@row("a profile that follows model_copy")
def copied_profile() -> bool:
    """Between two of the vendor's own models."""
    first, second = _profiled()
    return bool(first.model_copy(update={"model_name": second.model_name}).profile == second.profile)


def _profiled() -> tuple[Any, Any]:
    first, second = (make(name) for name in OWN_MODELS[PEER])
    assert first.profile != second.profile, "no profiles to tell apart"
    return first, second


@row("create_agent with tools, streamed")
def agent() -> bool:
    """Question, call, answer."""
    question: Any = {"messages": [("user", "Use add_up to compute 17 plus 25.")]}

    def add_up(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    parts: list[Any] = list(create_agent(make(), [add_up]).stream(question, stream_mode="messages"))
    return "42" in parts[-1][0].text or "42" in "".join(message.text for message, _ in parts)


@row("create_agent with a response format, unasked how")
def agent_format() -> bool:
    """The strategy is chosen by the profile."""
    question: Any = {"messages": [("user", "Add 17 and 25.")]}
    return isinstance(create_agent(make(), [], response_format=Add).invoke(question)["structured_response"], Add)


@contextmanager
def _offline() -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ConnectionError("offline")

    with mock.patch("socket.getaddrinfo", refuse), mock.patch("socket.socket.connect", refuse):
        yield


@row("counts a text's tokens offline")
def tokens_of_text() -> bool:
    """Without any download."""
    model = make()
    with _offline():
        return bool(model.get_num_tokens("The quick brown fox jumps over the lazy dog.") in range(5, 20))


@row("counts messages' tokens offline")
def tokens_of_messages() -> bool:
    """Without any download."""
    model = make()
    with _offline():
        return bool(model.get_num_tokens_from_messages([HumanMessage("Hello there")]) in range(1, 20))


@row("one model on four event loops in turn: four answers, four requests")
def four_loops() -> str:
    """asyncio.run each."""
    model, before = make(), len(service.log())
    answers = [asyncio.run(model.ainvoke("What is 2+2?")).text for _ in range(4)]
    requests = len(service.log()) - before
    assert len(answers) == requests, f"{requests} requests"
    return f"{requests} requests"


@row("one model on 8 threads with a loop each, 5 calls each: 40 of 40, 40 requests")
def eight_threads() -> str:
    """All at once."""
    model, before = make(), len(service.log())

    async def ask() -> int:
        answers = [await model.ainvoke("What is 2+2?") for _ in range(5)]
        return sum(answer.text == "2+2 = 4" for answer in answers)

    def run(_: int) -> int:
        try:
            return asyncio.run(ask())
        except Exception:  # noqa: BLE001 - counted as not answered
            return 0

    with ThreadPoolExecutor(8) as threads:
        right = sum(threads.map(run, range(8)))
    requests = len(service.log()) - before
    assert right == requests == 40, f"{right} of 40 in {requests} requests"  # noqa: PLR2004
    return "40 of 40"


def _used() -> Any:
    model = make(temperature=0.5)
    model.invoke("Hi")
    return model


@row("pickle, after use")
def pickled() -> bool:
    """The copy answers."""
    return bool(pickle.loads(pickle.dumps(_used())).invoke("What is 2+2?").text)  # noqa: S301 - made here


@row("deepcopy and model_copy(deep=True), after use")
def copied() -> bool:
    """The copies answer."""
    model = _used()
    return bool(copy.deepcopy(model).invoke("Hi").text and model.model_copy(deep=True).invoke("Hi").text)


@row("dumps without the key, and loads with the class named")
def serialised() -> bool:
    """The loaded model has the same options.

    An address in a manifest is data; ours takes it only where the machine's settings name it, so they do.
    """
    text = dumps(make(temperature=0.5))
    assert KEY not in text
    known = {f"{name.upper()}_API_KEY": KEY for name in ("openai", "deepseek", "xai", "dashscope")}
    allowed: Any = {"allowed_objects": [model_class()], "valid_namespaces": [model_class().__module__.split(".")[0]]}
    with mock.patch.dict(os.environ, QWEN_PORTAL_ALLOWED_HOSTS=urlsplit(URL).netloc):
        loaded = loads(text, secrets_map=known, **allowed)
    return isinstance(loaded, model_class()) and loaded.temperature == 0.5  # noqa: PLR2004


@row("a response cache whose key follows a changed model")
def cache_key() -> bool:
    """A copy of another model gets no answer of the old one's."""
    model = make(cache=InMemoryCache())
    model.invoke("What is 2+2?")
    before = len(service.log())
    field = "model" if PEER == "litellm" else "model_name"
    model.model_copy(update={field: named(VISION)}).invoke("What is 2+2?")
    return len(service.log()) == before + 1


_FOREIGN = {
    "OPENAI_API_KEY": "sk-foreign",
    "OPENAI_ORG_ID": "org-foreign",
    "OPENAI_PROJECT_ID": "project-foreign",
    "OPENAI_CUSTOM_HEADERS": "x-foreign: foreign",
}


def _not_its_own() -> None:
    if PEER == "openai":
        raise DoesNotApplyError("they are its own variables")


@row("OPENAI_* variables leak nowhere", **_FOREIGN)
def environment() -> bool:
    """Neither in headers nor in the body."""
    _not_its_own()
    make().invoke("Hi")
    return "foreign" not in str(service.log()[-1])


@row("OPENAI_PROXY and OPENAI_BASE_URL change nothing", OPENAI_PROXY="http://127.0.0.1:9", OPENAI_BASE_URL="http://x")
def proxy() -> bool:
    """They are another product's."""
    _not_its_own()
    return bool(make(max_retries=0).invoke("Hi").text)


@row("LC_OUTPUT_VERSION=responses/v1 changes no protocol", LC_OUTPUT_VERSION="responses/v1")
def output_version() -> bool:
    """Still a chat completion."""
    return bool(make(max_retries=0).invoke("What is 2+2?").text == "2+2 = 4")


@row("made by name: init_chat_model")
def by_name() -> bool:
    """LangChain's, or one of the package's own."""
    if PEER == "qwen-portal":
        from langchain_qwen_portal import init_chat_model
    else:
        from langchain.chat_models import init_chat_model  # type: ignore[assignment]
    provider = {"openai": "openai", "deepseek": "deepseek", "xai": "xai", "litellm": "litellm"}.get(PEER, PEER)
    return isinstance(init_chat_model(f"{provider}:{named(CODER)}", **address(os.environ["PEER_URL"])), model_class())


@row("traces name the provider and the versions")
def traces() -> bool:
    """ls_provider is not somebody else's; lc_versions has the package."""
    package = model_class().__module__.split(".")[0]
    distribution = "qwen-portal" if PEER == "qwen-portal" else package.replace("_", "-")
    versions = (make().metadata or {}).get("lc_versions", {})
    provider = make()._get_ls_params()["ls_provider"]  # noqa: SLF001
    return provider != ("" if PEER == "openai" else "openai") and distribution in versions


@row("typed (py.typed)")
def typed() -> bool:
    """For mypy and editors."""
    return (resources.files(model_class().__module__.split(".")[0]) / "py.typed").is_file()


@row("constructed in milliseconds, not tens of them")
def construction() -> str:
    """The fastest of ten, after the first: frameworks make models per call."""
    make()
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        make()
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < _FAST, f"{min(seconds) * 1000:.1f} ms"
    return f"{min(seconds) * 1000:.1f} ms"
