"""The comparison of the catalogue with what others publish: what it finds, what it keeps to itself, how it ends."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qwen_portal.service.catalogue import DIFFERENCES

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_catalogue.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Load the script, which is in no package."""
    spec = importlib.util.spec_from_file_location("check_catalogue", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(tmp_path: Path, **rows: Any) -> Path:
    """Write a price table of LiteLLM's."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({f"dashscope/{name}": {"mode": "chat", **row} for name, row in rows.items()}), "utf-8")
    return path


AS_OURS = {
    "max_input_tokens": 1_000_000,
    "max_output_tokens": 65_536,
    "supports_vision": True,
    "supports_reasoning": True,
    "supports_response_schema": True,
}


def test_the_pinned_litellm_says_nothing_that_is_not_explained(script: ModuleType) -> None:
    """Each difference has its reason in the catalogue; a newer table is looked at when the pin moves."""
    *lines, summary = script.report(script._installed_table(), None)
    assert lines == []
    assert int(summary.split()[0]) > 200


@pytest.mark.parametrize(
    ("field", "theirs", "said"),
    [
        ("max_input_tokens", 500_000, "context: theirs 500000, ours 1000000"),
        ("max_output_tokens", 131_072, "output: theirs 131072, ours 65536"),
        ("supports_vision", False, "sees: theirs False, ours True"),
        ("supports_reasoning", False, "thinks: theirs False, ours True"),
        ("supports_response_schema", False, "json_schema: theirs False, ours True"),
    ],
)
def test_each_fact_that_changes_is_printed(
    field: str, theirs: Any, said: str, script: ModuleType, tmp_path: Path
) -> None:
    """Whatever they learn that the catalogue does not know."""
    path = table(tmp_path, **{"qwen3.7-plus": AS_OURS | {field: theirs}})
    line, summary = script.report(path, None)
    assert line == f"LiteLLM: qwen3.7-plus: {said}"
    assert summary == "5 facts compared; 1 differ, 1 without an explanation."


def test_an_explained_difference_is_not_printed_until_it_changes(script: ModuleType, tmp_path: Path) -> None:
    """The explanation is of one value."""
    explained = table(tmp_path, **{"qwen3.7-plus": AS_OURS | {"max_input_tokens": 991_808}})
    assert script.report(explained, None) == ["5 facts compared; 1 differ, 0 without an explanation."]
    assert all(row.why.endswith(".") or row.why for row in DIFFERENCES)


def test_a_model_that_the_catalogue_has_no_limits_of_is_printed(script: ModuleType, tmp_path: Path) -> None:
    """A new one of Qwen's; another maker's model is not this package's business, nor is one that does not chat."""
    path = table(tmp_path, **{"qwen5-max": AS_OURS, "glm-9": AS_OURS, "qwen-image-9": AS_OURS | {"mode": "image"}})
    line, _ = script.report(path, None)
    assert line == "LiteLLM: qwen5-max: limits: theirs 'known', ours 'unknown'"


BUNDLE = """
var CHINA = "https://coding.dashscope.aliyuncs.com/v1";
var NEW = "https://coding-eu.dashscope.aliyuncs.com/v1";
var MODELSTUDIO_MODELS = [
  { id: "qwen3.5-plus", contextWindowSize: 1e6, // a remark: "here"
    capabilities: { reasoning: { thinking: true, toggleOnly: true, disableField: "enable_thinking" } } },
  { id: "glm-5", contextWindowSize: 5 }
];
var TOKEN_PLAN_MODELS = [
  { id: "qwen3.8-max", contextWindowSize: 1e6, modalities: { image: true, audio: true },
    capabilities: { reasoning: { thinking: true, efforts: ["low", "medium", "xhigh"], canDisable: false,
                                 disableField: "reasoning_effort" } } }
];
var alibabaStandardProvider = {
  baseUrl: [{ id: "a", url: CHINA }],
  models: [{ id: "qwen3.7-plus", contextWindowSize: 2e6, description: "new: really" }],
};
"""


def test_the_presets_of_the_vendors_cli_are_read(script: ModuleType, tmp_path: Path) -> None:
    """Addresses, windows, modalities and thinking, each against the plan that the preset is of."""
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks" / "a.js").write_text("export {};", "utf-8")
    (tmp_path / "chunks" / "b.js").write_text(BUNDLE, "utf-8")
    *lines, summary = script.report(None, tmp_path)
    assert lines == [
        "qwen-code: https://coding-eu.dashscope.aliyuncs.com/v1: address: theirs \"a plan's\", ours 'unknown'",
        "qwen-code: qwen3.8-max: audio: theirs True, ours False",
        "qwen-code: qwen3.7-plus: context: theirs 2000000.0, ours 1000000",
    ]
    assert summary.endswith("3 differ, 3 without an explanation.")


def test_a_package_that_is_built_otherwise_is_said(script: ModuleType, tmp_path: Path) -> None:
    """Silence would be taken for agreement."""
    line, _ = script.report(None, tmp_path)
    assert "presets: theirs 'not found'" in line


def test_it_reports_and_never_fails(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit status is that of a program that did its work."""
    path = table(tmp_path, **{"qwen5-max": AS_OURS})
    monkeypatch.setattr(sys, "argv", ["check_catalogue.py", "--litellm", str(path)])
    assert script.main() is None
