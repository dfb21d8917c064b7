"""What LiteLLM knows about the provider once the package is imported."""

import inspect
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm import exceptions
from litellm.llms.custom_llm import CustomLLM

import litellm_qwen_portal
from litellm_qwen_portal import registration, shims
from qwen_portal.emulator import Emulator
from qwen_portal.service.models import known_ids
from tests.litellm.test_accounts import LITELLM
from tests.litellm.ways import CALLS, MODEL, call
from tests.litellm.ways import WAYS as ANSWERS

VISION = "qwen-portal/vision-model"


WRAPPED: list[tuple[Any, str]] = [
    (litellm.main, "_complete_custom_providers"),
    (litellm.main, "get_optional_params"),
    (litellm, "get_supported_openai_params"),
    (litellm.main, "get_optional_params_embeddings"),
]
# before a test replaces it
WRAP = shims._wrap


def entries() -> list[Any]:
    """Return the provider's entries in LiteLLM's map."""
    return [item for item in litellm.custom_provider_map if item["provider"] == "qwen-portal"]


def test_registering_again_changes_nothing() -> None:
    """One entry, one wrapper of each function, however often it is called."""
    before = [getattr(module, name) for module, name in WRAPPED]
    assert all(hasattr(function, "__wrapped__") for function in before)
    for _ in range(3):
        litellm_qwen_portal.register()
    assert len(entries()) == 1
    assert litellm._custom_providers.count("qwen-portal") == litellm.provider_list.count("qwen-portal") == 1
    assert [getattr(module, name) for module, name in WRAPPED] == before


def test_registering_again_reads_nothing_from_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call registers, and LiteLLM's version is the same all the while."""
    asked: list[str] = []

    def version(name: str) -> str:
        asked.append(name)
        return "1.106.2"

    monkeypatch.setattr(metadata, "version", version)
    registration._litellm_version.cache_clear()
    try:
        for _ in range(3):
            litellm_qwen_portal.register()
    finally:
        registration._litellm_version.cache_clear()
    assert asked == ["litellm"]


def test_other_providers_stay_and_a_lost_entry_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is appended; after somebody assigned the list, register() restores it."""
    other: Any = {"provider": "other", "custom_handler": CustomLLM()}
    monkeypatch.setattr(litellm, "custom_provider_map", [other])
    litellm_qwen_portal.register()
    assert litellm.custom_provider_map[0] is other
    assert [item["custom_handler"] for item in entries()] == [litellm_qwen_portal.handler]


def test_an_entry_of_the_users_own_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's configuration may have put a handler of this provider there already."""
    own: Any = {"provider": "qwen-portal", "custom_handler": litellm_qwen_portal.QwenPortalLLM()}
    monkeypatch.setattr(litellm, "custom_provider_map", [own])
    litellm_qwen_portal.register()
    assert litellm.custom_provider_map == [own]


@pytest.mark.parametrize(("model", "context", "output"), [(MODEL, 1_000_000, 65_536), (VISION, 131_072, 8_192)])
def test_limits_and_prices_are_known(model: str, context: int, output: int) -> None:
    """Routers and proxies see the windows; the price is nought, which is not the same as unknown."""
    info = litellm.get_model_info(model)
    assert (info["max_input_tokens"], info["max_output_tokens"], info["max_tokens"]) == (context, output, output)
    assert info["litellm_provider"] == "qwen-portal"
    assert (info["input_cost_per_token"], info["output_cost_per_token"]) == (0.0, 0.0)
    assert litellm.get_max_tokens(model) == output


def test_the_limits_are_those_of_the_plan_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is on a key plan when the provider is registered sees that plan's windows and what its models take."""
    others = {name: info for name, info in litellm.model_cost.items() if not name.startswith("qwen-portal/")}
    monkeypatch.setattr(litellm, "model_cost", others)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "studio-intl")
    litellm_qwen_portal.register()
    rows = {name: litellm.model_cost[f"qwen-portal/{name}"] for name in ("coder-model", "vision-model", "qwen3.8-max")}
    assert [row["max_input_tokens"] for row in rows.values()] == [1_000_000] * 3
    assert [row["max_output_tokens"] for row in rows.values()] == [65_536, 8_192, 131_072]
    assert all(row["supports_vision"] for row in rows.values())


def test_settings_that_cannot_be_read_do_not_keep_the_provider_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that follows says what is wrong; until then the limits are the portal's."""
    others = {name: info for name, info in litellm.model_cost.items() if not name.startswith("qwen-portal/")}
    monkeypatch.setattr(litellm, "model_cost", others)
    monkeypatch.setenv("QWEN_PORTAL_TIMEOUT", "soon")
    litellm_qwen_portal.register()
    assert litellm.model_cost["qwen-portal/vision-model"]["max_input_tokens"] == 131_072


def test_other_models_that_the_portal_answers_to_are_free_too(signed_in: Emulator) -> None:
    """A wildcard leads to them; their cost is nought, and that of an id that nobody has seen stays unknown."""
    for model in known_ids():
        assert litellm.completion_cost(model=f"qwen-portal/{model}", prompt="a", completion="b") == 0.0
    assert call(model="qwen-portal/qwen3-coder-flash")._hidden_params["response_cost"] == 0.0
    with pytest.raises(Exception, match="qwen-portal/unseen"):
        litellm.completion_cost(model="qwen-portal/unseen", prompt="a", completion="b")


def test_capabilities_are_known() -> None:
    """Both call tools; images are for vision-model, reasoning for coder-model."""
    for model, images in ((MODEL, False), (VISION, True)):
        assert litellm.supports_function_calling(model)
        # 1.91 does not hand this one of a custom provider's on
        assert litellm.supports_parallel_function_calling(model) or LITELLM < (1, 100)
        assert litellm.utils.supports_tool_choice(model)
        assert litellm.utils.supports_system_messages(model, None)
        # neither is known to keep to one
        assert not litellm.supports_response_schema(model)
        assert litellm.supports_vision(model) is images
        assert litellm.supports_reasoning(model) is not images


def test_capabilities_are_those_of_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who keeps to a schema, who can be made to call a tool, who sees and watches, on the plan in use."""
    others = {name: info for name, info in litellm.model_cost.items() if not name.startswith("qwen-portal/")}
    monkeypatch.setattr(litellm, "model_cost", others)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-sp-1")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "token")
    litellm_qwen_portal.register()
    names = ("response_schema", "tool_choice", "vision", "video_input", "reasoning")
    seen = {
        model: [litellm.model_cost[f"qwen-portal/{model}"][f"supports_{name}"] for name in names]
        for model in ("coder-model", "vision-model", "qwen3.8-max", "qwen3-coder-plus", "qwq-plus")
    }
    assert seen == {
        "coder-model": [True, True, True, True, True],
        "vision-model": [False, True, True, True, True],
        "qwen3.8-max": [True, False, True, True, True],
        "qwen3-coder-plus": [False, True, False, False, False],
        "qwq-plus": [False, False, False, False, True],
    }
    assert litellm.supports_response_schema("qwen-portal/coder-model")
    assert not litellm.supports_response_schema("qwen-portal/qwen3-coder-plus")


def test_the_reasoning_parameters_are_known_to_be_supported() -> None:
    """A Router that checks before calls does not leave the deployment out; other providers' lists stay."""
    for given in ({"model": MODEL}, {"model": "coder-model", "custom_llm_provider": "qwen-portal"}):
        assert {"reasoning_effort", "thinking", "tools"} <= set(litellm.get_supported_openai_params(**given) or ())
    others = litellm.get_supported_openai_params("coder-model", "openai_like") or []
    assert "thinking" not in others


def test_no_list_of_models_leads_a_proxy_into_an_error() -> None:
    """From one, LiteLLM asks for the models of a provider built into it, and logs an error at each /v1/models."""
    assert "qwen-portal" not in litellm.models_by_provider


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_importing_registers_quietly_and_at_once() -> None:
    """In a fresh interpreter the name is known before the first call, and nothing is logged."""
    code = (
        "import litellm, litellm_qwen_portal\n"
        "print(litellm.get_llm_provider('qwen-portal/coder-model')[:2])\n"
        "print(len(litellm.custom_provider_map))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["('coder-model', 'qwen-portal')", "1"], "")


def test_registering_logs_no_warning_about_prices(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All four prices are given, so LiteLLM has nothing to complain about."""
    monkeypatch.setattr(litellm, "model_cost", dict(litellm.model_cost))
    del litellm.model_cost[MODEL]
    with caplog.at_level(logging.WARNING):
        litellm_qwen_portal.register()
    assert not caplog.records
    assert MODEL in litellm.model_cost


@pytest.mark.parametrize("way", CALLS)
def test_a_litellm_without_the_wrapped_functions_still_works(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The shims feature-detect: under other names LiteLLM's functions stay its own, and calls are answered."""
    for module, name in WRAPPED:
        monkeypatch.setattr(module, name, inspect.unwrap(getattr(module, name)))
    monkeypatch.setattr(shims, "_wrap", lambda module, name, wrapper: WRAP(module, f"{name}_of_tomorrow", wrapper))
    litellm_qwen_portal.register()
    assert "4" in ANSWERS[way]().text
    assert not any(hasattr(getattr(module, name), "__wrapped__") for module, name in WRAPPED)
    assert not any(hasattr(module, f"{name}_of_tomorrow") for module, name in WRAPPED)
    with pytest.raises(exceptions.UnsupportedParamsError):
        CALLS[way](thinking={"type": "enabled"})


def forget_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Assign LiteLLM's lists anew, as a proxy does that reloads its configuration and its prices."""
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "other", "custom_handler": CustomLLM()}])
    monkeypatch.setattr(
        litellm, "model_cost", {name: row for name, row in litellm.model_cost.items() if "qwen-portal" not in name}
    )
    litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call] # LiteLLM left its types out


def replace_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the handler once more, as a proxy does whose configuration names it and is reloaded."""
    module = Path(registration.__file__)
    handler: Any = litellm.proxy.types_utils.utils.get_instance_fn(
        f"{module.stem}.handler", str(module.with_name("config.yaml"))
    )
    assert handler is not litellm_qwen_portal.handler
    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "qwen-portal", "custom_handler": handler}])


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("reload", [forget_everything, replace_handler])
def test_calls_go_on_after_a_proxy_has_reloaded(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, way: str, reload: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """What LiteLLM was made to forget is known again with the next call, limits and price included."""
    import litellm.proxy.types_utils.utils

    reload(monkeypatch)
    CALLS[way]()
    assert len(entries()) == 1
    assert litellm.get_model_info(MODEL)["max_output_tokens"] == 65_536


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_the_shims_can_be_left_out() -> None:
    """With LITELLM_QWEN_PORTAL_SHIMS=0 LiteLLM's functions are its own."""
    code = (
        "import litellm.main as main, litellm_qwen_portal\n"
        "print(main._complete_custom_providers.__module__, hasattr(main.get_optional_params, '__wrapped__'))"
    )
    environment = os.environ | {"LITELLM_QWEN_PORTAL_SHIMS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    assert done.stdout.split() == ["litellm.main", "False"]


@pytest.mark.parametrize("version", ["1.90.9", "1.111.0", "2.0.1"])
def test_an_untested_litellm_is_told_once(version: str, caplog: pytest.LogCaptureFixture) -> None:
    """One warning that names the version and the range, however often it is registered."""
    for _ in range(3):
        registration._tell_if_untested(version)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert version in caplog.text
    assert "1.91" in caplog.text


@pytest.mark.parametrize("version", ["1.91.0", "1.100.0", "1.109.1", "1.106.0rc1"])
def test_a_tested_litellm_is_not_talked_about(version: str, caplog: pytest.LogCaptureFixture) -> None:
    """Within the range there is nothing to say."""
    registration._tell_if_untested(version)
    assert not caplog.records


@pytest.mark.parametrize(("missing", "said"), [("litellm", 'pip install "qwen-portal[litellm]"'), ("httpx", "httpx")])
def test_without_litellm_the_import_names_the_extra(missing: str, said: str) -> None:
    """And what else may be missing is told as it is."""
    code = f"import sys; sys.modules[{missing!r}] = None; import litellm_qwen_portal"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "ModuleNotFoundError" in last
    assert said in last
    assert missing == "litellm" or "extra" not in last
