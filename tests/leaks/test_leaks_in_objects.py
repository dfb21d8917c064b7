"""Danger: an object of this package is printed, formatted, copied or pickled, and its secret with it."""

import copy
import gc
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest

import langchain_qwen_portal
import litellm_qwen_portal
import qwen_portal
from qwen_portal import AsyncPortalClient, PortalAuth, PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from tests.canaries import ACCESS, KEY, assert_none_in
from tests.leaks.roads import LITELLMS_OWN, ROADS
from tests.ways import HELLO

pytestmark = LITELLMS_OWN
PACKAGES = (qwen_portal, langchain_qwen_portal, litellm_qwen_portal)
# What is called so holds what nobody else is to read.
CONFIDENTIAL = {"access_token", "refresh_token", "device_code", "api_key", "key", "code_verifier", "verifier", "bearer"}


def is_ours(module: object) -> bool:
    """Tell whether a module is of this package; the emulator plays the service, which knows the tokens that it gave."""
    top, _, rest = str(module).partition(".")
    return top in {package.__name__ for package in PACKAGES} and not rest.startswith("emulator")


def classes() -> Iterator[type]:
    """Yield every class of the three packages."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if is_ours(found.name) and not found.name.endswith("__main__"):
                module = importlib.import_module(found.name)
                defined = (each for each in vars(module).values() if getattr(each, "__module__", "") == found.name)
                yield from filter(inspect.isclass, defined)


def field_names(record: type) -> tuple[str, ...]:
    """Return the fields of a dataclass or a named tuple; of another class none."""
    return tuple(each.name for each in fields(record)) if is_dataclass(record) else getattr(record, "_fields", ())


RECORDS = [each for each in classes() if field_names(each)]


def texts_of(value: object) -> Iterator[str]:
    """Yield all that a log, a debugger or a message makes of an object."""
    yield from (repr(value), str(value), f"{value}", "%s" % (value,))  # noqa: UP031 - the old way must not leak either
    if hasattr(value, "__dict__"):
        yield repr(vars(value))


def test_records_are_found() -> None:
    """Those that hold secrets are among them."""
    assert {"Account", "Call", "Credential", "DeviceAuthorization", "Settings", "TokenResponse"} <= {
        record.__name__ for record in RECORDS
    }


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.__module__}.{record.__name__}")
def test_a_record_keeps_what_is_confidential_wrapped(record: Any) -> None:
    """A field that is called as a secret is declared as one, and no field of another name shows it."""
    names = field_names(record)
    for name in CONFIDENTIAL.intersection(names):
        assert "Secret" in str(inspect.get_annotations(record)[name]), f"{record.__name__}.{name}"
    for text in texts_of(record(**dict.fromkeys(names, Secret(ACCESS)))):
        assert_none_in(text)


def test_no_object_that_is_alive_shows_a_token(signed_in: Emulator) -> None:
    """All that a program has made by asking, refreshing and streaming on every road, whatever class it is of."""
    signed_in.revoke()
    answers = [road() for road in ROADS.values()]
    streams = [PortalClient().stream(HELLO), PortalClient().stream(HELLO)]
    for stream in streams:
        next(stream)
    tokens = signed_in.issued_tokens()
    seen = set()
    for each in gc.get_objects():
        if is_ours(type(each).__module__):
            seen.add(type(each).__name__)
            for text in texts_of(each):
                assert_none_in(text, tokens)
    assert {"Accounts", "ChunkReader", "ChunkStream", "Credential", "Exchange", "PortalAuth", "TokenManager"} <= seen
    assert "Environment" in seen
    assert_none_in(answers, tokens)
    for stream in streams:
        stream.close()


def public_objects() -> dict[str, Any]:
    """Make one of everything that a program gets from this package, with an account and with a key."""
    return {
        "accounts": qwen_portal.accounts(),
        "a client": PortalClient(),
        "a client with a key": PortalClient(api_key=KEY, plan="coding"),
        "an async client with a key": AsyncPortalClient(api_key=KEY, plan="coding"),
        "an auth": PortalAuth("default"),
        "openai's client": qwen_portal.openai_client(),
        "a credential": Session().tokens.get(Session().choose()),
        "an embeddings class": langchain_qwen_portal.QwenPortalEmbeddings,
        "a chat model": langchain_qwen_portal.ChatQwenPortal(),
        "a handler": litellm_qwen_portal.handler,
    }


@pytest.mark.parametrize("dump", [pickle.dumps, ForkingPickler.dumps])
def test_no_pickle_holds_a_token(dump: Any, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses, or holds the account's label alone; so does what multiprocessing sends to a child."""
    qwen_portal.get_access_token()
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    refused = set()
    for name, made in public_objects().items():
        try:
            content = bytes(dump(made))
        except (AttributeError, TypeError, pickle.PicklingError):
            refused.add(name)
            continue
        assert_none_in(content.decode("latin-1"), [KEY, *signed_in.issued_tokens()])
    assert {"accounts", "a client with a key", "an async client with a key", "a credential"} <= refused
    assert "a chat model" not in refused


def test_a_copy_shows_as_little(signed_in: Emulator) -> None:
    """Copies within the program are whole, and as silent as what they were made of."""
    qwen_portal.get_access_token()
    for made in public_objects().values():
        for text in texts_of(copy.copy(made)):
            assert_none_in(text, [KEY, *signed_in.issued_tokens()])
