"""The catalogue and what is looked up in it: rows that say where they are from, plans by name, keys, models by id."""

import re
from datetime import date

import pytest

from qwen_portal.errors import QwenError, QwenPlanNotForProgramsError, QwenServiceEndedError
from qwen_portal.secrets import Secret
from qwen_portal.service.catalogue import EMBEDDING_ROWS, MODEL_ROWS, PLAN_ROWS, WORKSPACE_PLAN, WORKSPACE_REGIONS
from qwen_portal.service.models import CATALOGUE, catalogue, family, known_ids, model_on, name_on, output_cap
from qwen_portal.service.plans import KEY_PLANS, PLANS, find_plan, plans_for_programs, plans_of_key


@pytest.mark.parametrize("row", [*PLAN_ROWS, WORKSPACE_PLAN, *MODEL_ROWS, *EMBEDDING_ROWS], ids=lambda row: str(row[0]))
def test_each_row_says_where_it_is_from_and_when_it_was_seen(row: object) -> None:
    """A fact without a source cannot be checked again."""
    assert getattr(row, "source", "")
    assert date.fromisoformat(getattr(row, "seen", "")) <= date(2026, 12, 31)


def test_no_row_is_hidden_behind_one_above_it() -> None:
    """The first row that fits counts: each pattern's own id finds its row."""
    for row in MODEL_ROWS:
        for pattern in row.ids:
            example = pattern.replace("[5-9]", "9").strip("*") or "something-else"
            assert family(example) is row, pattern


def test_an_id_with_a_date_behind_it_is_of_its_family() -> None:
    """Snapshots have the limits of what they are snapshots of, whatever the letters' case."""
    assert family("Qwen3.7-Plus-2026-05-26") is family("qwen3.7-plus")
    assert output_cap("qwen3.8-max-0902", PLANS["studio"]) == 131_072


@pytest.mark.parametrize("plan", [*PLANS, "studio:llm-1@ap-southeast-1", "https://llm.example/v1"])
def test_the_two_ids_have_their_own_caps_on_each_plan(plan: str) -> None:
    """8,192 is what this package promises of vision-model; the name behind it has the limit of its own."""
    found = find_plan(plan)
    assert [output_cap(model, found) for model in CATALOGUE] == [65_536, 8_192]
    assert [row["max_output"] for row in catalogue(found)] == [65_536, 8_192]
    if not found.is_oauth:
        assert output_cap(name_on(found, "vision-model"), found) == 65_536


def test_what_is_not_known_is_capped_on_the_portal_alone() -> None:
    """An id outside the catalogue is the user's business where they pay for it."""
    assert output_cap("something-else", PLANS["oauth"]) == 65_536
    assert output_cap("something-else", PLANS["studio"]) is None


def test_a_model_may_think_always_on_one_plan_and_not_on_another() -> None:
    """The Token Plan cannot switch qwen3.8-max's thinking off; Model Studio can."""
    assert [model_on(PLANS[plan], "qwen3.8-max").thinks for plan in ("token", "studio")] == ["always", "by default"]


def test_the_ids_with_limits_are_plain_ones() -> None:
    """They are registered by name, so none is a pattern."""
    assert all(re.fullmatch(r"[a-z0-9.-]+", model) for model in known_ids())
    assert {"coder-model", "vision-model", "qwen3.7-plus", "qwen4-max"} <= set(known_ids())
    assert "qwen-vl-plus" not in known_ids()


@pytest.mark.parametrize("region", WORKSPACE_REGIONS)
def test_a_workspace_has_an_address_of_its_own(region: str) -> None:
    """The vendor's recommended one; everything else is Model Studio's."""
    plan = find_plan(f"studio:llm-1a2b@{region}")
    assert plan.base_url == f"https://llm-1a2b.{region}.maas.aliyuncs.com/compatible-mode/v1"
    assert plan._replace(name="", base_url="", title="", source="") == PLANS["studio"]._replace(
        name="", base_url="", title="", source=""
    )


@pytest.mark.parametrize(
    "words",
    [
        *("", "@", "llm-1", "@cn-beijing", "llm-1@", "llm-1@nowhere", "llm-1@cn-beijing.evil.example"),
        *("llm.1@cn-beijing", "llm/1@cn-beijing", "llm-1@cn-beijing@cn-beijing", "user:pw@cn-beijing", "-a@cn-beijing"),
        *(
            "a-@cn-beijing",
            "LLM@cn-beijing",
            "llm_1@cn-beijing",
            "llm 1@cn-beijing",
            "llm-1@cn-beijing ",
            "a\n@cn-beijing",
        ),
        *("é@cn-beijing", f"{'a' * 64}@cn-beijing", "llm%2e1@cn-beijing", "llm#@cn-beijing", "llm-1@CN-BEIJING"),
        *("llm-1@cn-beijing\n", "WORKSPACE@REGION", "\uff41@cn-beijing", "a@cn-beijing/"),
    ],
)
def test_what_is_no_label_of_a_host_name_makes_no_address(words: str) -> None:
    """The two words become a host name that a key is sent to."""
    with pytest.raises(QwenError, match="names no"):
        find_plan(f"studio:{words}")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("LLM-1@cn-beijing", "llm-1@cn-beijing"),
        ("llm-1@CN-Beijing", "llm-1@cn-beijing"),
        ("Llm-1@EU-CENTRAL-1", "llm-1@eu-central-1"),
        ("LLM_1@cn-beijing", None),
        ("LLM-1@nowhere", None),
        ("WORKSPACE@REGION", None),
    ],
)
def test_capital_letters_of_a_workspace_are_said_to_be_small_ones(words: str, meant: str | None) -> None:
    """With the name that was meant, if that is one."""
    with pytest.raises(QwenError) as caught:
        find_plan(f"studio:{words}")
    if meant is None:
        assert "Did you mean" not in caught.value.hint
        assert "WORKSPACE@REGION" in caught.value.hint or "cn-beijing" in caught.value.hint
    else:
        assert caught.value.hint == f"Did you mean studio:{meant}?"
        assert find_plan(f"studio:{meant}")
    if words.partition("@")[0] != "llm-1":
        assert "small letters, digits and hyphens" in caught.value.message


def test_an_unknown_plan_is_told_the_known_ones() -> None:
    """The form of a workspace's plan is among them."""
    with pytest.raises(QwenError, match="no plan named 'premium'") as caught:
        find_plan("premium")
    assert all(name in caught.value.hint for name in (*PLANS, "studio:WORKSPACE@REGION"))
    assert set(KEY_PLANS) == {*PLANS, "studio:WORKSPACE@REGION"} - {"oauth"}


def test_the_plans_for_programs_are_those_paid_per_token() -> None:
    """Whom the others refuse is sent there."""
    studio = ("studio", "studio-intl", "studio-us", "studio-hk")
    assert plans_for_programs() == (*studio, "qwencloud", "studio:WORKSPACE@REGION")


@pytest.mark.parametrize("error", [QwenPlanNotForProgramsError, QwenServiceEndedError])
def test_who_needs_another_plan_is_told_those_for_programs(error: type[QwenError]) -> None:
    """The hint has them all, and none that would refuse the same program."""
    first, others = re.fullmatch(r".*`qwen-portal login --plan (\S+)` \(or (.*)\)\.", error.default_hint).groups()  # type: ignore[union-attr]
    assert sorted([first, *others.split(", ")]) == sorted(plans_for_programs())


STUDIO = ["studio", "studio-intl", "studio-us", "studio-hk", "qwencloud", "studio:WORKSPACE@REGION"]
SOLD = ["token", "token-intl", "qwencloud-token", "coding", "coding-intl"]


@pytest.mark.parametrize(
    ("key", "plan", "belongs_to"),
    [
        *(("sk-sp-1", plan, SOLD) for plan in (*STUDIO[:-1], "studio:llm-1@cn-beijing")),
        *(("sk-ws-1", plan, STUDIO) for plan in SOLD),
        *(("sk-1", plan, STUDIO) for plan in ("coding", "coding-intl")),
        *(("sk-1", plan, []) for plan in (*STUDIO[:-1], "token", "token-intl", "qwencloud-token")),
        *(("sk-ws-1", plan, []) for plan in STUDIO[:-1]),
        *(("sk-sp-1", plan, []) for plan in SOLD),
        *((key, "https://llm.example/v1", []) for key in ("sk-sp-1", "sk-ws-1", "sk-1")),
        *(("something", plan, []) for plan in (*STUDIO[:-1], *SOLD)),
    ],
)
def test_a_key_is_told_by_its_beginning(key: str, plan: str, belongs_to: list[str]) -> None:
    """Only what is known to belong elsewhere is said to; what nobody knows passes."""
    assert list(plans_of_key(Secret(key), find_plan(plan))) == belongs_to
