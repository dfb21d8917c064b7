"""Whatever stands in a file of ours: an answer or an error of the package, and no byte of it is lost."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qwen_portal
from qwen_portal.account.damaged import mark_damaged
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import Entry
from qwen_portal.storage.refresh_journal import Journal
from qwen_portal.storage.stores.file import FileStore, OneFileStore
from tests.cli.program import run

# The same examples on every machine, and none of them late; EXAMPLES=10000 looks further.
ANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

odd_numbers = st.sampled_from([0, -1, 2**63, 10**40, 1e308, float("inf"), float("nan"), 1.5, True])
texts = st.text(max_size=12) | st.sampled_from(
    ["", "oauth", "key", "file", "file:~nobody/x", "file:\0", "keyring", "\ud800"]
)
anything = st.recursive(
    st.none() | odd_numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def records(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Make records that have the right fields, often the right values, and others besides."""
    fields = {name: right | anything for name, right in known.items()}
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(known, optional={"later": anything})


entries = records(
    {
        "kind": st.sampled_from(["oauth", "key"]),
        "plan": st.sampled_from(["oauth", "coding", "https://example.com/v1"]),
        "store": st.sampled_from(["file", "keyring", "memory"]),
        "generation": st.integers(),
        "expires_at": st.floats(),
        "exhausted_models": st.dictionaries(texts, st.floats(), max_size=2),
    }
)
indexes = records(
    {
        "version": st.sampled_from([1, 2]),
        "active": texts,
        "accounts": st.dictionaries(texts, entries, max_size=3),
        "slots": st.dictionaries(texts, texts, max_size=3),
        "mixed": st.booleans(),
    }
)
credentials = records(
    {
        "v": st.sampled_from([1, 2]),
        "label": st.just("home"),
        "kind": st.sampled_from(["oauth", "key"]),
        "plan": st.sampled_from(["oauth", "coding"]),
        "access_token": st.text(min_size=1, max_size=9),
        "refresh_token": st.text(max_size=9),
        "issued_at": st.floats(),
        "expires_at": st.floats(),
        "resource_url": texts,
        "generation": st.integers(),
        "refreshed": st.booleans(),
    }
)


def contents(record: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Make files: mostly JSON, whole or cut off, or any bytes."""
    whole = (record | anything).map(lambda value: json.dumps(value).encode())
    cut = st.builds(lambda content, at: content[: at % (len(content) + 1)], whole, st.integers(0, 10_000))
    return whole | cut | st.binary(max_size=40)


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for one example."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def put(path: Path, content: bytes) -> None:
    """Put bytes in a file's place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def tried(*calls: Callable[[], object]) -> None:
    """Make calls, each of which answers or raises an error of the package."""
    for call in calls:
        with suppress(QwenError):
            call()


def is_kept(path: Path, content: bytes) -> bool:
    """Tell whether the bytes are where they were, or set aside."""
    aside = path.with_name(f"{path.name}.corrupt")
    return any(each.exists() and each.read_bytes() == content for each in (path, aside))


@ANY
@given(contents(indexes))
def test_any_index_is_answered_or_refused_and_kept(content: bytes) -> None:
    """To read leaves it, or sets it aside whole; an edit keeps what it did not change."""
    with folder() as home:
        path = home / "accounts.json"
        put(path, content)
        accounts = Accounts(home, "file")
        tried(accounts.list, accounts.find, lambda: mark_damaged(accounts, accounts.list()))
        for label in _labels(accounts):
            tried(lambda label=label: accounts.load(accounts.find(label)))  # type: ignore[misc]
        assert is_kept(path, content)
        is_understood = path.read_bytes() == content
        try:
            with accounts.index.edit() as data:
                data.accounts["new"] = Entry("key", "coding", "file")
        except QwenError:
            is_understood = False
        if not is_understood:
            assert is_kept(path, content)
            return
        before, after = json.loads(content), json.loads(path.read_bytes())
        others = {label: known for label, known in before["accounts"].items() if label != "new"}
        assert list(others) == [label for label in after["accounts"] if label != "new"]
        pairs = [(before, after), *((known, after["accounts"][label]) for label, known in others.items())]
        assert all(json.dumps(old["later"]) == json.dumps(new["later"]) for old, new in pairs if "later" in old)


def _labels(accounts: Accounts) -> list[str]:
    with suppress(QwenError):
        return [account.label for account in accounts.list()]
    return []


@ANY
@given(content=contents(indexes))
def test_status_says_something_of_any_index(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """In JSON that can be read, or in an exit code of its own."""
    with folder() as home:
        monkeypatch.setenv("QWEN_PORTAL_HOME", str(home))
        put(home / "accounts.json", content)
        result = run("status", "--json")
        assert result.exit_code in {0, 3, 4}
        assert result.exit_code == 3 or set(json.loads(result.stdout)) == {"accounts", "usage_counted"}
        qwen_portal.close()


@ANY
@given(contents(credentials))
def test_any_credential_is_answered_or_refused_and_kept(content: bytes) -> None:
    """Read, looked at and tried to be written: what cannot be read is where it was, or set aside."""
    with folder() as home:
        store = FileStore(home)
        path = store.path("home")
        put(path, content)
        tried(lambda: store.damage("home"))
        assert path.read_bytes() == content
        tried(lambda: store.load("home"), lambda: store.load("home"), lambda: list(store.found()))
        assert is_kept(path, content)
        store.delete("home")
        assert list(path.parent.iterdir()) == []


@ANY
@given(contents(credentials))
def test_what_is_read_is_what_is_written_back(content: bytes) -> None:
    """A record that this release takes loses nothing on its way through a refresh."""
    with suppress(QwenError, ValueError):
        credential = Credential.from_json(Secret(content.decode("utf-8", errors="replace")))
        again = Credential.from_json(Secret(credential.to_json()))
        assert again.to_json() == credential.to_json()
        assert again.access_token == credential.access_token
        old, new = json.loads(content), json.loads(again.to_json())
        assert json.dumps(old.get("later")) == json.dumps(new.get("later"))


@ANY
@given(contents(credentials))
def test_any_file_of_ones_own_choice_is_left_or_was_ours(content: bytes) -> None:
    """What is not plainly a sign-in of this package is never moved, replaced or removed."""
    with folder() as home:
        path = home / "token.json"
        put(path, content)
        store, made = OneFileStore(path), Credential("key", "coding", Secret("x"))
        ours = store.owner() is not None or not content.decode("utf-8", errors="replace").strip()
        tried(
            lambda: store.damage("home"),
            lambda: store.load("home"),
            lambda: store.probe("home"),
            lambda: store.check_writable("home", made),
        )
        assert is_kept(path, content)
        tried(lambda: store.save("home", made), lambda: store.delete("home"))
        assert ours or path.read_bytes() == content


@ANY
@given(contents(credentials), contents(records({"at": st.floats(), "pid": st.integers(), "generation": st.integers()})))
def test_any_journal_is_answered_or_refused(rescue: bytes, note: bytes) -> None:
    """What people are told of it, and what a refresh makes of it."""
    with folder() as home:
        journal = Journal(home / "account")
        put(home / "account.rescue", rescue)
        put(home / "account.json", note)
        tried(journal.read, journal.rescued, lambda: journal.pending(1), lambda: journal.end("no-answer"))
        assert (home / "account.rescue").read_bytes() == rescue
        found = journal.read()
        if found is not None:
            tried(found.when, found.loss_reason, found.is_running, lambda: journal.put_back(found))


def test_a_home_with_all_of_it_answers(tmp_path: Path) -> None:
    """The index names no more than there is; a person is told what to do about the rest."""
    session = Session()
    with session.accounts.index.edit() as data:
        data.accounts = {store: Entry("oauth", "oauth", store) for store in ("file", "file:~nobody/x", "cupboard")}
    assert run("status").stdout.count("sign in again") == 2
