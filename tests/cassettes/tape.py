"""Cassettes: files of requests and answers that vcrpy records and replays, written so that people can read them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]
import yaml  # type: ignore[import-untyped]

from tests.cassettes.scrubbing import Scrubber

CASSETTES = Path(__file__).parents[2] / "cassettes"


def recording(path: Path, scrubber: Scrubber) -> AbstractContextManager[Any]:
    """Write each request made meanwhile, and its answer, to a new cassette."""
    return _use(path, scrubber, "all")


def replaying(path: Path) -> AbstractContextManager[Any]:
    """Answer each request made meanwhile from a cassette, and refuse one that is not in it."""
    return _use(path, Scrubber(), "none")


def _use(path: Path, scrubber: Scrubber, record_mode: str) -> AbstractContextManager[Any]:
    machine = vcr.VCR(
        record_mode=record_mode,
        match_on=("method", "scheme", "host", "port", "path", "query", "body"),
        before_record_request=scrubber.request,
        before_record_response=scrubber.answer,
    )
    machine.register_serializer("readable", _Readable)
    cassette: AbstractContextManager[Any] = machine.use_cassette(str(path), serializer="readable")
    return cassette


class _Readable:
    """vcrpy's YAML, with bodies as blocks of text and keys in the order of the wire."""

    @staticmethod
    def serialize(cassette: Mapping[str, Any]) -> str:
        return str(yaml.dump(cassette, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf")))

    @staticmethod
    def deserialize(text: str) -> Any:
        return yaml.safe_load(text)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """A dumper of its own, so that its way with text is nobody else's."""


def _text(dumper: _Dumper, text: str) -> Any:
    block = "\n" in text or text.startswith(("{", "["))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text)
