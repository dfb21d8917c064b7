"""A quick look at credential files, without what it takes to use them: whose sign-in is plainly there.

What is odd about a file is for its store to judge, which costs `qwen-portal status` more than it has.
"""

from collections.abc import Iterable
from pathlib import Path

from qwen_portal.errors import QwenStoreError
from qwen_portal.storage.private_files import read_private
from qwen_portal.untrusted_json import json_object


def credentials_folder(home: Path) -> Path:
    """Return where the file store has its files."""
    return home / "credentials"


def damaged_copy_of(path: Path) -> Path | None:
    """Return where a file that could not be read was set aside, if it was."""
    aside = path.with_name(f"{path.name}.corrupt")
    return aside if aside.exists() else None


def readable_labels(files: Iterable[Path]) -> set[str]:
    """Return the labels of the accounts whose credentials are in these files and have nothing odd about them."""
    return {label for path in files if (label := _label(path)) is not None}


def _label(path: Path) -> str | None:
    try:
        record = json_object(read_private(path) or "") or {}
    except QwenStoreError:
        return None
    if (record.get("v"), record.get("kind")) not in [(1, "oauth"), (1, "key")]:
        return None
    texts = [record.get(name, "") for name in ("label", "plan", "access_token", "refresh_token", "resource_url")]
    is_plain = all(isinstance(text, str) and text.isprintable() for text in texts) and all(texts[:3])
    return texts[0] if is_plain and isinstance(record.get("generation"), int) else None
