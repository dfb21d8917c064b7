"""The fuzz targets on their seeds, on what fuzzing has found, and on changed seeds: what of `make fuzz` is quick."""

import importlib
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ANY = settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
TARGETS = ("event_decoder", "refusal_reader", "host_rule", "foreign_json")
# By target; each has failed once.
FOUND: dict[str, list[bytes]] = {
    "refusal_reader": [
        b"\x01\x00Mon, 01 Jan 2024 00:00:00 +99999999999999999999\n\n",
        b"\x01\x00inf\n\n",
    ],
    # a header takes no such token
    "foreign_json": [
        b'\x04{"access_token": "caf\xc3\xa9", "v": 1, "kind": "oauth", "plan": "oauth"}',
        b'\x04{"access_token": "a b", "v": 1, "kind": "oauth", "plan": "oauth"}',
    ],
    "host_rule": [
        b"https://[v1.qwen.ai]\n",
        b"https://xn--ls8h.qwen.ai\n",
        b"https://a.example\nhttps:/portal.qwen.ai",
        b"https://a.example\nhttps://[::1].qwen.ai",
        b"https://a.example\nhttps://999.1.1.1",
    ],
}


def _target(name: str) -> ModuleType:
    return importlib.import_module(f"tests.fuzz.{name}")


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_was_found_comes_back(name: str) -> None:
    """Each finding, and each seed."""
    target = _target(name)
    for data in (*FOUND.get(name, ()), *target.SEEDS):
        target.check(data)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_seeds_do_no_harm(name: str) -> None:
    """A few hundred, the same on every machine."""
    target = _target(name)
    words = st.sampled_from([word.encode("utf-8", "surrogatepass") for word in target.WORDS]) | st.binary(max_size=3)

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        data: bytes = draw(st.sampled_from(target.SEEDS))
        for _ in range(draw(st.integers(1, 4))):
            start, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
            data = (
                data[:start] + draw(words | st.just(data[start:end] * 2)) + data[draw(st.sampled_from([start, end])) :]
            )
        return data

    @ANY
    @given(changed() | st.lists(words, max_size=20).map(b"".join))
    def check(data: bytes) -> None:
        target.check(data)

    check()
