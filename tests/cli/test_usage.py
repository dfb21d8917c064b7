"""``qwen-portal usage``: the switch, sums by group, prices, and what is said when there is nothing."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.cli.program import run
from tests.usage.counted import ledger, row, switch_on

DAY = 86_400
SUMS = {"requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two accounts use two models on two days, one of them not well."""
    # in no time zone near midnight
    now = 1_800_001_000.0
    monkeypatch.setattr("time.time", lambda: now)
    switch_on()
    spent: dict[str, Any] = {
        "prompt_tokens": None,
        "completion_tokens": None,
        "cached_tokens": None,
        "status": 429,
        "outcome": "QwenQuotaExceededError",
    }
    ledger().write(
        [
            row(time=now - DAY, model="qwen3.7-plus", prompt_tokens=1_000_000, cached_tokens=400_000),
            row(time=now - 60, model="qwen3.7-plus", completion_tokens=2_000_000, prompt_tokens=0),
            row(time=now - 50, account="work", reasoning_tokens=3),
            row(time=now - 40, account="work", **spent),
            row(time=now - 30, account=None, plan=None, model="qwen", outcome="ok", on_quota="cli"),
            row(time=now - 8 * DAY, account="long ago"),
        ]
    )


def day(ago: int) -> str:
    """Return a date as the machine's calendar has it."""
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - ago * DAY))


def report(*args: str) -> dict[str, Any]:
    """Return what `usage --json` says."""
    result = run("usage", "--json", *args)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_nothing_counted_says_how_to_switch_it_on() -> None:
    """On stderr; stdout stays empty, or is JSON."""
    result = run("usage")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "qwen-portal usage --on" in result.stderr
    assert report() == {
        "on": False,
        "days": 7,
        "by": "model",
        "rows": [],
        "total": dict.fromkeys(SUMS, 0),
    }


def test_the_switch_is_kept_and_told(signed_in: Emulator) -> None:
    """From one command to the next, and in `status`."""
    assert signed_in.url
    assert "`qwen-portal usage --on` begins to" in run("status").stderr
    assert json.loads(run("status", "--json").stdout)["usage_counted"] is False
    assert run("usage", "--on").exit_code == 0
    assert "is counted" in run("status").stderr
    assert json.loads(run("status", "--json").stdout)["usage_counted"] is True
    assert run("chat", "What is 2+2?").exit_code == 0
    qwen_portal.close()
    assert report()["total"]["requests"] == 1
    assert run("usage", "--off").exit_code == 0
    assert not report()["on"]
    assert report()["total"]["requests"] == 1
    assert "qwen-portal usage --on" in run("usage").stderr


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", {"coder-model": (2, 1), "qwen": (1, 0), "qwen3.7-plus": (2, 0)}),
        ("account", {None: (1, 0), "default": (2, 0), "work": (2, 1)}),
        ("day", {1: (1, 0), 0: (4, 1)}),
    ],
)
def test_json_adds_up_by_account_model_or_day(by: str, groups: dict[Any, tuple[int, int]]) -> None:
    """Each group with requests, failures and tokens; the total is that of all."""
    found = report("--by", by)

    expected = {day(key): counts for key, counts in groups.items()} if by == "day" else groups
    assert {each[by]: (each["requests"], each["failed"]) for each in found["rows"]} == expected
    assert all(set(each) == SUMS | {by} for each in found["rows"])
    for name in SUMS:
        assert found["total"][name] == sum(each[name] for each in found["rows"])
    assert found["total"] == {
        "requests": 5,
        "failed": 1,
        "prompt_tokens": 1_000_020,
        "completion_tokens": 2_000_015,
        "cached_tokens": 400_000,
        "reasoning_tokens": 3,
    }


@pytest.mark.usefixtures("used")
def test_days_say_how_far_back() -> None:
    """More of them find what is older."""
    assert report("--days", "9")["total"]["requests"] == 6
    assert report("--days", "1")["total"]["requests"] == 5
    assert run("usage", "--days", "0").exit_code == 2


@pytest.mark.usefixtures("used")
def test_a_person_reads_a_table_with_a_total() -> None:
    """The qwen command has no account, and is named."""
    lines = run("usage", "--by", "account").stdout.splitlines()

    assert lines[0].split() == ["ACCOUNT", "REQUESTS", "FAILED", "PROMPT", "COMPLETION", "CACHED", "REASONING"]
    assert [line.split("  ")[0] for line in lines[1:]] == ["(qwen command)", "default", "work", "total"]
    assert lines[-1].split() == ["total", "5", "1", "1,000,020", "2,000,015", "400,000", "3"]


def test_names_from_outside_are_cleaned() -> None:
    """A model may have any name, and a terminal obeys what it prints."""
    switch_on()
    ledger().write([row(time=time.time(), model="m\x1b]0;owned\x07\n\u202eabc")])

    said = run("usage").stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said.splitlines()) == 3


PRICES = {"qwen3.7-plus": {"input": 1, "output": 4.5, "cached": 0.25}, "coder-model": {"input": 0, "output": 0}}


@pytest.mark.usefixtures("used")
def test_prices_make_a_cost_where_every_model_has_one(tmp_path: Path) -> None:
    """Per million; what came from the cache has its own, and a sum with an unknown part is unknown."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(PRICES))

    found = report("--prices", str(path))
    assert {each["model"]: each["cost"] for each in found["rows"]} == {
        "coder-model": 0,
        "qwen": None,
        "qwen3.7-plus": pytest.approx(0.6 + 0.4 * 0.25 + 2 * 4.5 + 5 * 4.5e-6, abs=1e-6),
    }
    assert found["total"]["cost"] is None
    result = run("usage", "--prices", str(path))
    assert result.stdout.splitlines()[0].endswith("COST")
    assert result.stdout.splitlines()[-1].endswith("?")
    assert "No price is given for qwen." in result.stderr

    path.write_text(json.dumps({**PRICES, "qwen": {"input": 0, "output": 0}}))
    assert report("--prices", str(path))["total"]["cost"] == pytest.approx(9.700022, abs=1e-5)


@pytest.mark.usefixtures("used")
def test_costs_are_not_rounded_for_programs(tmp_path: Path) -> None:
    """A table is for people; a program adds up what it gets."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"qwen3.7-plus": {"input": 0, "output": 1e-7}} | {"coder-model": PRICES["coder-model"]}))
    (cost,) = [each["cost"] for each in report("--prices", str(path))["rows"] if each["model"] == "qwen3.7-plus"]
    assert cost == pytest.approx(2.000005e-7, rel=1e-9)


@pytest.mark.parametrize("switch", ["--on", "--off"])
@pytest.mark.parametrize("other", [("--json",), ("--days", "7"), ("--by", "day"), ("--prices", "nowhere.json")])
def test_the_switch_goes_with_nothing_else(switch: str, other: tuple[str, ...]) -> None:
    """Even with what would be the default; nothing is switched."""
    for on in (True, False):
        ledger().switch(on=on)
        result = run("usage", switch, *other)
        assert result.exit_code == 2
        assert f"{other[0]} has no effect with --on or --off" in result.stderr
        assert ledger().is_on() == on


BAD = [
    "",
    "[]",
    "{",
    '{"m": 3}',
    '{"m": {"input": 1}}',
    '{"m": {"input": 1, "output": "2"}}',
    '{"m": {"input": 1, "output": -2}}',
    '{"m": {"input": 1, "output": true}}',
    '{"m": {"input": 1, "output": NaN}}',
    '{"m": {"input": 1, "output": 1, "cahced": 1}}',
    '{"m": {"input": 1, "output": 1' + "0" * 400 + "}}",
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_file_of_prices_is_wrong_usage(tmp_path: Path, text: str) -> None:
    """Exit 2, with what it should hold."""
    path = tmp_path / "prices.json"
    path.write_text(text)

    result = run("usage", "--prices", str(path))
    assert result.exit_code == 2
    assert '"input": 0.4, "output": 1.2' in result.stderr


def test_no_file_of_prices_is_wrong_usage_too(tmp_path: Path) -> None:
    """The message names it."""
    result = run("usage", "--prices", str(tmp_path / "none.json"))
    assert result.exit_code == 2
    assert "none.json" in result.stderr


def test_a_ledger_that_cannot_be_read_is_told() -> None:
    """With the file and what helps; its exit code is that of a store."""
    path = switch_on()
    path.write_bytes(b"no database " * 500)

    result = run("usage")
    assert result.exit_code == 3
    assert os.fspath(path) in result.stderr
    assert f"move {path} away" in result.stderr
