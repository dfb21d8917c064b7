"""Private files stay private and whole, whatever stands in their place."""

import errno
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.locks import file_lock
from qwen_portal.storage.private_files import _check_folder, read_private, remove, set_aside, write_private
from qwen_portal.storage.stores.file import FileStore, OneFileStore
from qwen_portal.storage.stores.qwen_cli_lock import QwenCliLock
from tests.canaries import ACCESS, assert_none_in_error


def mode(path: Path) -> int:
    """Return a path's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o200, 0o400, 0o700, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask, back to the old one afterwards."""
    old = os.umask(request.param)
    yield
    os.umask(old)


def test_a_file_is_0600_in_a_0700_folder_whatever_the_umask(tmp_path: Path, any_umask: None) -> None:
    """Neither the file nor its folder is ever readable by others, and both are usable for their owner."""
    path = tmp_path / "new" / "secret.json"
    write_private(path, "text")
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert read_private(path) == "text"


def test_a_lock_is_0600_whatever_the_umask(tmp_path: Path, any_umask: None) -> None:
    """Or no other process of its owner could take it."""
    with file_lock(tmp_path / "lock"):
        assert mode(tmp_path / "lock") == 0o600
    with QwenCliLock(tmp_path / "shared.lock"):
        assert mode(tmp_path / "shared.lock") == 0o600


def test_a_file_that_others_could_read_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    """Writing over a lax file does not keep its permissions."""
    path = tmp_path / "secret.json"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "new")
    assert mode(path) == 0o600


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The hint is the command that mends it."""
    path = tmp_path / "secret.json"
    path.write_text("{}")
    path.chmod(0o644)
    with pytest.raises(QwenStoreError, match="chmod 600"):
        read_private(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Reading through a link is refused; writing replaces the link, never its target."""
    target, link = tmp_path / "target", tmp_path / "link"
    write_private(target, "theirs")
    link.symlink_to(target)
    with pytest.raises(QwenStoreError, match="symbolic link"):
        read_private(link)
    write_private(link, "ours")
    assert target.read_text() == "theirs"
    assert not link.is_symlink()


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket"])
def test_what_is_no_plain_file_is_refused_without_waiting(kind: str, tmp_path: Path) -> None:
    """A pipe in the file's place must not block the program."""
    path = tmp_path / "odd"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    with pytest.raises(QwenStoreError):
        read_private(path)


def test_a_folder_or_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's folder or file is not a place for secrets; the administrator's folder is."""
    write_private(tmp_path / "file", "x")
    theirs = os.stat_result((0o40700, 1, 1, 1, 4444, 4444, 0, 0, 0, 0))
    with pytest.raises(QwenStoreError, match="another user"):
        _check_folder(tmp_path, theirs)
    _check_folder(tmp_path, os.stat_result((0o40755, 1, 1, 1, 0, 0, 0, 0, 0, 0)))
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(QwenStoreError, match="another user"):
        read_private(tmp_path / "file")


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    """A path in /tmp, or in the home folder, must not lock everybody else out of it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    for bits in (0o755, 0o1777):
        shared.chmod(bits)
        write_private(shared / "token.json", "x")
        assert stat.S_IMODE(shared.stat().st_mode) == bits
        assert mode(shared / "token.json") == 0o600


def test_a_folder_in_which_anybody_can_replace_files_is_refused(tmp_path: Path) -> None:
    """World-writable without the sticky bit: the hint is the command that mends it."""
    tmp_path.chmod(0o777)
    with pytest.raises(QwenStoreError, match="chmod o-w"):
        write_private(tmp_path / "token.json", "x")


def test_a_second_name_of_the_file_does_not_get_the_new_content(tmp_path: Path) -> None:
    """A hard link is no way to the next token."""
    path, other = tmp_path / "secret.json", tmp_path / "other"
    write_private(path, "old")
    other.hardlink_to(path)
    write_private(path, "new")
    assert (path.read_text(), other.read_text()) == ("new", "old")


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link"])
def test_what_is_no_plain_file_is_replaced_or_refused_but_never_written_into(kind: str, tmp_path: Path) -> None:
    """A pipe's reader and a link's target get nothing, and what could not be written leaves nothing behind."""
    path, target = tmp_path / "state" / "secret.json", tmp_path / "target"
    path.parent.mkdir(0o700)
    if kind == "folder":
        (path / "in it").mkdir(parents=True)
        with pytest.raises(QwenStoreError):
            write_private(path, "new")
    else:
        os.mkfifo(path, 0o600) if kind == "fifo" else path.symlink_to(target)
        write_private(path, "new")
        assert (path.is_symlink(), path.read_text(), mode(path)) == (False, "new", 0o600)
    assert not target.exists()
    assert [each.name for each in path.parent.iterdir()] == ["secret.json"]


def test_a_folder_that_is_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    """To a folder of one's own it may lead; to one that everybody can change, or to nothing, it may not."""
    own, public, link = tmp_path / "own", tmp_path / "public", tmp_path / "link"
    own.mkdir(0o700)
    link.symlink_to(own)
    write_private(link / "secret.json", "x")
    assert mode(own / "secret.json") == 0o600
    public.mkdir()
    public.chmod(0o777)
    for leads_to in (public, tmp_path / "nowhere"):
        link.unlink()
        link.symlink_to(leads_to)
        with pytest.raises(QwenStoreError):
            write_private(link / "secret.json", "x")
    assert list(public.iterdir()) == []


def test_a_disk_that_is_mounted_read_only_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever on the way it is noticed: at the new file, or when that is to take the old one's place."""
    path = tmp_path / "secret.json"
    write_private(path, "old")

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for where in ("tempfile.mkstemp", "pathlib.Path.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(where, refuse)
            with pytest.raises(QwenStoreError, match="Read-only file system"):
                write_private(path, "new")
    assert read_private(path) == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["secret.json"]


FULL = """
import resource, signal, sys
from pathlib import Path
from qwen_portal.storage.private_files import write_private
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_private(Path(sys.argv[1]), "x" * 1000)
except Exception as exc:
    print(type(exc).__name__, exc)
"""


def test_a_full_disk_leaves_the_old_content(tmp_path: Path) -> None:
    """The new file never replaces the old one unless it is complete, and leaves nothing behind."""
    path = tmp_path / "secret.json"
    write_private(path, "old")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "QwenStoreError" in done.stdout
    assert read_private(path) == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["secret.json"]


def test_a_swap_between_two_calls_gains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks are made on the opened file, not on the path."""
    path, other = tmp_path / "secret.json", tmp_path / "other"
    write_private(path, "ours")
    write_private(other, "theirs")
    fstat = os.fstat

    def swap(handle: int) -> os.stat_result:
        if other.exists():
            other.replace(path)
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", swap)
    assert read_private(path) == "ours"


def test_removing_tells_whether_there_was_a_file(tmp_path: Path) -> None:
    """A second removal is no error."""
    write_private(tmp_path / "x", "x")
    assert remove(tmp_path / "x")
    assert not remove(tmp_path / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(QwenStoreError):
        remove(tmp_path / "folder")
    with pytest.raises(QwenStoreError):
        set_aside(tmp_path / "x")


def credential(label: str = "x") -> Credential:
    """Make a key's credential."""
    return Credential(kind="key", plan="coding", access_token=Secret(f"{ACCESS}{label}"), generation=1)


def test_the_look_at_the_place_writes_and_leaves_nothing(tmp_path: Path) -> None:
    """What was kept is as it was."""
    for store in (FileStore(tmp_path / "home"), OneFileStore(tmp_path / "one" / "token.json")):
        store.save("work", credential())
        store.probe("work")
        assert store.load("work") == credential()
        assert len(list(store.path("work").parent.iterdir())) == 1


PROBE_FULL = """
import resource, signal, sys
from pathlib import Path
from qwen_portal.storage.stores.file import FileStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    FileStore(Path(sys.argv[1])).probe("work")
except Exception as exc:
    print(type(exc).__name__, exc)
"""


def test_a_full_disk_is_told_before_anybody_signs_in(tmp_path: Path) -> None:
    """A folder that can be made, and takes no file of a sign-in's size, is no place for one."""
    done = subprocess.run([sys.executable, "-c", PROBE_FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "QwenStoreError Could not write in" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_corrupt_credential_is_kept_beside_and_named(tmp_path: Path) -> None:
    """Nothing is thrown away, nothing of it is quoted, and the next sign-in works."""
    store = FileStore(tmp_path)
    store.save("work", credential())
    path = store.path("work")
    write_private(path, f'{{"access_token":"{ACCESS}"')
    with pytest.raises(QwenStoreError, match=r"\.corrupt") as caught:
        store.load("work")
    assert_none_in_error(caught.value)
    assert ACCESS in path.with_name(f"{path.name}.corrupt").read_text()
    assert store.load("work") is None
    store.save("work", credential())
    assert store.load("work") == credential()


def killed_while_writing(path: Path) -> None:
    """Leave what a process leaves that is killed before its new file is in its place."""
    code = "import os, sys; from pathlib import Path; from qwen_portal.storage.private_files import write_private\n"
    code += "os.fsync = lambda handle: os._exit(1)\nwrite_private(Path(sys.argv[1]), 'left over')"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 1


def test_what_a_killed_process_left_is_tidied_up_and_nothing_else(tmp_path: Path) -> None:
    """A half-written copy of a sign-in does not lie about for ever, nor outlive a logout; an editor's file stays."""
    store = FileStore(tmp_path)
    path = store.path("work")
    write_private(path.with_name(f".{path.name}.swp"), "of an editor")
    for finish in (lambda: store.save("work", credential()), lambda: store.delete("work")):
        rehearsal = path.with_name(f"{path.name}.rehearsal")
        write_private(rehearsal, "left over")
        killed_while_writing(path)
        killed_while_writing(rehearsal)
        assert sum("left over" in file.read_text() for file in path.parent.iterdir()) == 3
        finish()
        assert [file.name for file in path.parent.iterdir() if file != path] == [f".{path.name}.swp"]


@pytest.mark.parametrize("label", ["../x", "a/b", "..", ".hidden", "C:\\x", "ünïcode", "x" * 100, "CON"])
def test_a_label_is_never_a_path(label: str, tmp_path: Path) -> None:
    """Whatever the label, the file lies in the store's folder under a plain name."""
    store = FileStore(tmp_path / "home")
    store.save(label, credential("access-1"))
    assert store.load(label) == credential("access-1")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.parent for path in files] == [tmp_path / "home" / "credentials"]
    assert store.delete(label)
    assert store.load(label) is None


def test_one_file_keeps_one_account(tmp_path: Path) -> None:
    """A second label is refused by name instead of overwriting the first."""
    store = OneFileStore(tmp_path / "token.json")
    store.save("work", credential())
    assert json.loads((tmp_path / "token.json").read_text())["label"] == "work"
    with pytest.raises(QwenError, match="'work'"):
        store.save("home", credential())
    assert store.load("work") == credential()
    assert store.owner() == "work"


FOREIGN = [
    "precious notes",
    '{"access_token":"a","refresh_token":"PRECIOUS","token_type":"Bearer","expiry_date":1}',
    '{"label":"work"}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_that_is_not_ours_is_never_written_over(text: str, tmp_path: Path) -> None:
    """A slip in QWEN_PORTAL_STORE must not cost the qwen CLI's sign-in, nor anybody's notes."""
    path = tmp_path / "notes.json"
    write_private(path, text)
    store = OneFileStore(path)
    calls: list[Callable[[], object]] = [
        lambda: store.probe("work"),
        lambda: store.check_writable("work", credential()),
        lambda: store.save("work", credential()),
        lambda: store.load("work"),
        lambda: store.delete("work"),
    ]
    for call in calls:
        with pytest.raises(QwenStoreError, match="holds no sign-in of this package"):
            call()
    assert store.owner() is None
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    """It is what mktemp leaves for whoever asked; there is nothing in it to lose."""
    path = tmp_path / "token.json"
    write_private(path, "")
    store = OneFileStore(path)
    assert store.load("work") is None
    store.save("work", credential())
    assert store.load("work") == credential()
