"""Images as the emulated model sees them: their kind and their size."""

import base64
import binascii
import re
import struct
from urllib.parse import urlsplit

_DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]*);base64,(?P<data>.*)", re.DOTALL)
_START_OF_FRAME = frozenset({0xC0, 0xC1, 0xC2})


def describe(url: str) -> str:
    """One phrase about an image, e.g. "a PNG image of 12x8 pixels (345 bytes)".

    Args:
        url: A data URL or an address; addresses are never fetched.
    """
    match = _DATA_URL.fullmatch(url)
    if match is None:
        return f"an image at {urlsplit(url).netloc or url[:60]}"
    try:
        data = base64.b64decode(match["data"], validate=True)
    except binascii.Error:
        return "an image that I cannot read"
    kind = match["type"].rsplit("/", 1)[-1].upper() or "UNKNOWN"
    size = _size(data)
    pixels = f" of {size[0]}x{size[1]} pixels" if size else ""
    return f"a {kind} image{pixels} ({len(data)} bytes)"


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, from the header; None for kinds that are not known here."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
    except struct.error:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - a JPEG marker
        if data[at + 1] in _START_OF_FRAME:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
