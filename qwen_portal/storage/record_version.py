"""The version in a record: one that a later release wrote is left as it is, because this one would lose what is new."""

from qwen_portal.errors import QwenStoreError


def refuse_newer(what: object, version: object, *, known: int) -> None:
    """Refuse a record of a later version.

    Args:
        what: What was read: a path, or what it is called.
        version: What the record says; anything but a number counts as this version.
        known: The version of this release.

    Raises:
        QwenStoreError: It is later; the record is neither corrupt nor to be written.
    """
    if isinstance(version, int | float) and version > known:
        raise QwenStoreError(
            f"{what} was written by a newer qwen-portal: its version is {version!r:.20}, this one knows up to {known}.",
            hint="Update qwen-portal (`pip install --upgrade qwen-portal`); nothing was changed.",
        )
