"""The qwen CLI's settings file: which keys are in it, which plans they may be of, and what is no settings file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from qwen_portal.account import cli_keys
from qwen_portal.account.cli_keys import read_cli_keys
from qwen_portal.errors import QwenError, QwenStoreError

DASHSCOPE, TOKEN, CODING = "DASHSCOPE_API_KEY", "BAILIAN_TOKEN_PLAN_API_KEY", "BAILIAN_CODING_PLAN_API_KEY"
STUDIO = ("studio-intl", "studio", "studio-us", "studio-hk", "qwencloud")
BEIJING = "https://dashscope.aliyuncs.com/compatible-mode/v1"
CODING_CHINA = "https://coding.dashscope.aliyuncs.com/v1"


def settings(tmp_path: Path, record: object) -> Path:
    """Write a settings file."""
    path = tmp_path / "settings.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    return path


def read(tmp_path: Path, record: object) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return each key's value and plans, by its name."""
    return {each.name: (each.key.reveal(), each.plans) for each in read_cli_keys(settings(tmp_path, record))}


def test_each_name_stands_for_its_plans(tmp_path: Path) -> None:
    """Those that serve programs come first."""
    env = {CODING: "sk-sp-c", "OTHER": "x", TOKEN: "sk-sp-t", DASHSCOPE: "sk-d"}
    found = read(tmp_path, {"env": env})
    assert list(found.items()) == [
        (DASHSCOPE, ("sk-d", STUDIO)),
        (TOKEN, ("sk-sp-t", ("token-intl", "token", "qwencloud-token"))),
        (CODING, ("sk-sp-c", ("coding-intl", "coding"))),
    ]


@pytest.mark.parametrize(
    "rest",
    [
        {"modelProviders": {"openai": [{"id": "a", "envKey": CODING, "baseUrl": CODING_CHINA}]}},
        {"modelProviders": {"openai": [{"id": "a", "envKey": CODING, "baseUrl": f"{CODING_CHINA}/"}]}},
        {"providerMetadata": {"coding-plan": {"version": "1", "baseUrl": CODING_CHINA}}},
        {
            "modelProviders": {"openai": [{"envKey": CODING, "baseUrl": CODING_CHINA}]},
            "providerMetadata": {"coding-plan": {"baseUrl": "https://coding-intl.dashscope.aliyuncs.com/v1"}},
        },
    ],
)
def test_the_address_of_its_models_says_which_region(rest: dict[str, Any], tmp_path: Path) -> None:
    """The models that are in use count before what was noted when they were installed."""
    assert read(tmp_path, {"env": {CODING: "sk-sp-c"}, **rest})[CODING] == ("sk-sp-c", ("coding",))


def test_two_addresses_are_two_plans(tmp_path: Path) -> None:
    """One of them twice is one."""
    urls = [BEIJING, "https://dashscope-us.aliyuncs.com/compatible-mode/v1", BEIJING]
    models = {"openai": [{"envKey": DASHSCOPE, "baseUrl": url} for url in urls]}
    assert read(tmp_path, {"env": {DASHSCOPE: "sk-d"}, "modelProviders": models})[DASHSCOPE][1] == (
        "studio",
        "studio-us",
    )


@pytest.mark.parametrize(
    ("url", "plans"),
    [
        ("https://gateway.example/v1", ("https://gateway.example/v1",)),
        ("http://gateway.example/v1", STUDIO),
        ("https://u:p@gateway.example/v1", STUDIO),
        ("https://portal.qwen.ai/v1", STUDIO),
        (7, STUDIO),
    ],
)
def test_an_address_of_ones_own_is_a_plan_where_a_key_may_go_there(
    url: object, plans: tuple[str, ...], tmp_path: Path
) -> None:
    """Never by plain http, nor to the portal, which takes no keys."""
    models = {"openai": [{"envKey": DASHSCOPE, "baseUrl": url}]}
    assert read(tmp_path, {"env": {DASHSCOPE: "sk-d"}, "modelProviders": models})[DASHSCOPE][1] == plans


@pytest.mark.parametrize(
    ("name", "key", "plans"),
    [
        (DASHSCOPE, "sk-sp-1", ("token-intl", "token", "qwencloud-token", "coding-intl", "coding")),
        (CODING, "sk-ws-1", STUDIO),
        (CODING, "sk-1", (*STUDIO, "token-intl", "token", "qwencloud-token")),
    ],
)
def test_a_key_under_another_plans_name_is_told_by_its_beginning(
    name: str, key: str, plans: tuple[str, ...], tmp_path: Path
) -> None:
    """It never goes to a plan that it is known not to be of."""
    assert read(tmp_path, {"env": {name: key}})[name] == (key, plans)


@pytest.mark.parametrize(
    "text",
    [
        '// mine\n{"env": {"DASHSCOPE_API_KEY": "sk-d" /* the // one */}}',
        '{"note": "a // b /* c \\" d", /* "x" */ "env": {"DASHSCOPE_API_KEY": "sk-d"}} // end',
        '\ufeff{"env": {"DASHSCOPE_API_KEY": "sk-d"}}',
    ],
)
def test_comments_are_read_as_the_cli_reads_them(text: str, tmp_path: Path) -> None:
    """In strings they are none."""
    assert read(tmp_path, text)[DASHSCOPE][0] == "sk-d"


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"env": None},
        {"env": []},
        {"env": {"OTHER": "sk-d"}},
        {"env": {DASHSCOPE: ""}},
        {"env": {DASHSCOPE: 7}},
        {"env": {DASHSCOPE: "two words"}},
        {"env": {DASHSCOPE: "$MY_KEY"}},
        {"env": {DASHSCOPE: "${MY_KEY}"}},
        {"modelProviders": {"openai": [{"envKey": DASHSCOPE, "baseUrl": BEIJING}]}},
    ],
)
def test_what_is_no_key_is_passed_over(record: object, tmp_path: Path) -> None:
    """The CLI takes a dollar for the name of another variable."""
    assert read(tmp_path, record) == {}


@pytest.mark.parametrize(
    "rest",
    [
        {"modelProviders": 7, "providerMetadata": "x"},
        {"modelProviders": {"openai": {"a": 1}, "b": [None, 3, {"envKey": DASHSCOPE}]}},
        {"providerMetadata": {"alibabaStandard": [BEIJING]}},
    ],
)
def test_odd_settings_beside_a_key_do_no_harm(rest: dict[str, Any], tmp_path: Path) -> None:
    """The key is there all the same."""
    assert read(tmp_path, {"env": {DASHSCOPE: "sk-d"}, **rest})[DASHSCOPE][0] == "sk-d"


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"env": ', "[" * 100_000, '"' * 99_999, '"\\"' * 50_000 + "\\", "/*" * 100_000, "\x00"]
)
def test_what_is_no_json_object_is_said_so(text: str, tmp_path: Path) -> None:
    """However broken or deep, without a long look."""
    path = settings(tmp_path, text)
    with pytest.raises(QwenError, match="is no JSON object"):
        read_cli_keys(path)
    assert path.read_text() == text


def test_a_huge_file_is_no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read."""
    monkeypatch.setattr(cli_keys, "_LIMIT", 100)
    with pytest.raises(QwenStoreError, match="too large"):
        read_cli_keys(settings(tmp_path, {"env": {"a": "b" * 100}}))


@pytest.mark.skipif(os.name != "posix", reason="links need a privilege elsewhere")
def test_a_link_to_settings_elsewhere_is_followed(tmp_path: Path) -> None:
    """Many keep such files in a folder of their own."""
    real = settings(tmp_path, {"env": {DASHSCOPE: "sk-d"}})
    link = tmp_path / "link.json"
    link.symlink_to(real)
    assert [each.name for each in read_cli_keys(link)] == [DASHSCOPE]
    link.unlink()
    link.symlink_to("/dev/zero")
    with pytest.raises(QwenStoreError, match="not a plain file"):
        read_cli_keys(link)
