"""Private files: written whole or not at all, readable by their owner alone.

A file is 0600 in a 0700 folder, written beside its place and moved over it; a symbolic link is never followed,
a file of another user or readable by others is refused.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

from qwen_portal.errors import QwenStoreError

_OTHERS = 0o077
# Far above an index of 100,000 accounts; what is larger is refused whole, because half a file looks like a corrupt one.
LIMIT = 64 * 1024 * 1024
_SIGN_IN_BYTES = 4096
# In the names of files that are being written, so that those left by a killed process are surely ours.
_UNFINISHED = "qwen-portal"
# The variables that name the places of this package, for messages.
_HOME = "QWEN_PORTAL_HOME (for file:PATH, QWEN_PORTAL_STORE)"
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_POSIX = os.name == "posix"


def make_private(handle: int) -> None:
    """Let a file's owner, and nobody else, read and write it: a umask can take even that from whoever made it."""
    if _POSIX:
        os.fchmod(handle, 0o600)


def make_private_folder(folder: Path, *, named_by: str = _HOME) -> None:
    """Create a folder that only its owner can enter, with its parents; one that is there keeps its permissions.

    The files in it are private whatever the folder's own permissions are, and a folder that the user named may be a
    shared one, such as /tmp.

    Args:
        folder: Which.
        named_by: The variable with which the user may name another, for the error.

    Raises:
        QwenStoreError: It cannot be made, or others could replace the files in it.
    """
    try:
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            _make_folder(missing)
        found = folder.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as exc:
        raise failed("make the folder", folder, exc, named_by=named_by) from None
    if _POSIX:
        _check_folder(folder, found, named_by)


def _make_folder(folder: Path) -> None:
    # another process may be making the same
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
        # a umask can only take more away than it should
        folder.chmod(0o700)


def _check_folder(folder: Path, found: os.stat_result, named_by: str = _HOME) -> None:
    if found.st_uid not in {0, os.geteuid()}:
        raise _refused(folder, "it belongs to another user", f"Name a folder of your own in {named_by}.")
    # in a folder with the sticky bit, nobody moves what belongs to somebody else
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise _refused(folder, "every user can replace the files in it", f"Run: chmod o-w {folder}")


def file_name(label: str) -> str:
    """Name an account's files by a hash: a label may hold anything."""
    import hashlib

    return hashlib.sha256(label.encode()).hexdigest()[:32]


def try_folder(folder: Path) -> None:
    """Write as much as a sign-in takes into a file of a folder, and remove it again.

    Raises:
        QwenStoreError: The folder cannot be made or is not safe, or the file system refused, as a full one does.
    """
    import tempfile

    make_private_folder(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".qwen-portal-") as file:
            file.write(bytes(_SIGN_IN_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise failed("write in", folder, exc) from None


def write_private(path: Path, text: str, *, modified: int | None = None) -> None:
    """Replace a file's content in one step, durably.

    Args:
        path: The file.
        text: Its new content.
        modified: Its time of change, in ms since the epoch; now if not given.

    Raises:
        QwenStoreError: The file system refused, or the text is too large; the old content is untouched.
    """
    import tempfile

    content = text.encode()
    if len(content) > LIMIT:
        raise _too_large(path)
    make_private_folder(path.parent)
    temporary = None
    try:
        # under a name nobody can guess
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{_UNFINISHED}.")
        with os.fdopen(handle, "wb") as file:
            make_private(handle)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if modified is not None:
            os.utime(temporary, ns=(modified * 1_000_000,) * 2)
        Path(temporary).replace(path)
    except OSError as exc:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise failed("write", path, exc) from None
    _sync_folder(path.parent)


def ensure_private_file(path: Path) -> None:
    """Make an empty file, or check the one that is there, before something else than this module writes it.

    Raises:
        QwenStoreError: It is a link, not a plain file, of another user, readable by others, or cannot be made.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600))
        # not opened: to close a file of SQLite's would take away the locks that this process has on it
        found = path.lstat()
    except OSError as exc:
        raise failed("make", path, exc) from None
    _check_opened(path, found, _OTHERS)


def fill_private(reserved: Path, path: Path, text: str) -> None:
    """Write a text into a private file that was set aside for it, in the room that it has, and move that over a path.

    Raises:
        QwenStoreError: There is no such file, it is not a private one, or the file system refused.
    """
    try:
        handle = os.open(reserved, os.O_WRONLY | _NOFOLLOW | _NONBLOCK)
        with os.fdopen(handle, "wb") as file:
            _check_opened(reserved, os.fstat(handle), _OTHERS)
            # cut to its length only afterwards: cut before, it would give its room away
            file.write(text.encode())
            file.truncate()
            file.flush()
            os.fsync(handle)
        reserved.replace(path)
    except OSError as exc:
        raise failed("write", reserved, exc) from None
    _sync_folder(path.parent)


def unfinished(path: Path) -> list[Path]:
    """Return what writes of this file that are under way, or were cut short by a kill, have beside it."""
    import glob

    return list(path.parent.glob(f".{glob.escape(path.name)}.{_UNFINISHED}.*"))


def read_private(path: Path) -> str | None:
    """Read a private file whole; ``None`` where there is none.

    Raises:
        QwenStoreError: It is a link, not a plain file, of another user, readable by others, too large, or unreadable.
    """
    return _read(path, refused=_OTHERS)


def read_owned(path: Path) -> str | None:
    """Read a file of this user that another program wrote, with the permissions it chose; ``None`` without one.

    Raises:
        QwenStoreError: It is a link, not a plain file, of another user, too large, or unreadable.
    """
    return _read(path, refused=0)


def _read(path: Path, *, refused: int) -> str | None:
    try:
        handle = os.open(path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise failed("read", path, exc) from None
    try:
        _check_opened(path, os.fstat(handle), refused)
        with os.fdopen(os.dup(handle), "rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as exc:
        raise failed("read", path, exc) from None
    finally:
        os.close(handle)
    if len(content) > LIMIT:
        raise _too_large(path)
    return content.decode("utf-8", errors="replace")


def _check_opened(path: Path, found: os.stat_result, refused: int) -> None:
    """Judge the opened file, not the path, so that swapping the path in between gains nothing."""
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "it is not a plain file", f"Move {path} away.")
    if _POSIX and found.st_uid != os.geteuid():
        raise _refused(path, "it belongs to another user", f"Move {path} away.")
    if _POSIX and found.st_mode & refused:
        raise _refused(path, "other users can read it", f"Run: chmod 600 {path}")


def set_aside(path: Path, *, leave: bool = False) -> Path:
    """Move a file that cannot be understood beside itself, with the suffix ``.corrupt``.

    Args:
        path: The file.
        leave: Whether it also stays, for the caller to replace: readers must not find the place empty meanwhile.

    Raises:
        QwenStoreError: The file system refused.
    """
    aside = path.with_name(f"{path.name}.corrupt")
    try:
        if leave:
            aside.unlink(missing_ok=True)
            # not every file system has links
            with contextlib.suppress(OSError):
                aside.hardlink_to(path)
                return aside
        path.replace(aside)
    except OSError as exc:
        raise failed("move aside", path, exc) from None
    return aside


def remove(path: Path) -> bool:
    """Delete a file; tell whether there was one.

    Raises:
        QwenStoreError: The file system refused.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise failed("remove", path, exc) from None
    return True


def _sync_folder(folder: Path) -> None:
    if not _POSIX:
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def failed(what: str, path: Path, exc: OSError, *, named_by: str = _HOME) -> QwenStoreError:
    """Say in our own error what the file system refused."""
    if exc.errno == errno.ELOOP:
        return _refused(path, "it is a symbolic link", f"Move {path} away.")
    return QwenStoreError(
        f"Could not {what} {path}: {exc.strerror or exc}.",
        hint=f"Check the folder's owner, permissions and free space, or name another one in {named_by}.",
    )


def _too_large(path: Path) -> QwenStoreError:
    size = f"{LIMIT // 2**20} MiB"
    return _refused(path, f"over {size} is too large", f"See what is in {path}: this package writes at most {size}.")


def _refused(path: Path, why: str, hint: str) -> QwenStoreError:
    return QwenStoreError(f"{path} is refused: {why}.", hint=hint)
