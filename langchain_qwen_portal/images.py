"""Pictures for messages: by address, as data, or from a file on this machine."""

import base64
from pathlib import Path
from typing import Any

from langchain_qwen_portal.errors import translated
from qwen_portal.errors import QwenBadRequestError

# A file's own first bytes say what it is; names lie, and the table of names differs from system to system.
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}
_REMOTE = ("http://", "https://")
_LONGEST_SCHEME = len("https://")


def image_block(source: str | Path) -> dict[str, Any]:
    """Make LangChain's content block for a picture.

    A file is read here and now, so that the message can be stored, traced and sent from another machine. A path
    inside a message is refused: whoever may write messages could then read pictures of this machine.

    Args:
        source: An ``https://`` address, which is passed on, a ``data:`` URL, or the path of a file.

    Returns:
        ``{"type": "image", "url": …}`` or ``{"type": "image", "base64": …, "mime_type": …}``.

    Raises:
        QwenBadRequestError: The file cannot be read or is no picture, or the data URL is not base64.

    Example:
        >>> HumanMessage([{"type": "text", "text": "What is this?"}, image_block("cat.png")])
    """
    scheme = source[:_LONGEST_SCHEME].lower() if isinstance(source, str) else ""
    if scheme.startswith(_REMOTE):
        return {"type": "image", "url": str(source)}
    with translated():
        kind, data = _split(str(source)) if scheme.startswith("data:") else _read(Path(source).expanduser())
    return {"type": "image", "base64": data, "mime_type": kind}


def _split(url: str) -> tuple[str, str]:
    head, comma, data = url[len("data:") :].partition(",")
    kind, _, encoding = head.partition(";")
    if not comma or encoding != "base64" or not kind.startswith("image/"):
        raise QwenBadRequestError("A data: URL is not a picture in base64.", hint="Write data:image/png;base64,…")
    return kind, data


def _read(path: Path) -> tuple[str, str]:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise QwenBadRequestError(f"The picture {path} cannot be read: {reason}.", hint="Check the path.") from exc
    return _kind(data, path), base64.b64encode(data).decode()


def _kind(data: bytes, path: Path) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1"}:
        return "image/heic"
    for start, kind in _KINDS.items():
        if data.startswith(start):
            return kind
    raise QwenBadRequestError(
        f"{path} is no picture that Qwen reads.", hint="PNG, JPEG, WebP, GIF, BMP, TIFF and HEIC are."
    )
