"""What a terminal shows as it is, and what steers it."""

import unicodedata

_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def shows_itself(char: str) -> bool:
    """Tell whether a terminal draws a character where it stands, and does nothing else with it."""
    category = unicodedata.category(char)
    return category not in {"Cc", "Cs", "Zl", "Zp"} and unicodedata.bidirectional(char) not in _TURNING


def assert_shows_itself(text: str, *, allowed: str = "") -> None:
    """Fail if a text can steer a terminal, or cannot be written to one.

    Args:
        text: What is shown.
        allowed: Further characters, such as a line break.
    """
    steering = [char for char in text if char not in allowed and not shows_itself(char)]
    assert not steering, f"{steering!r} in {text!r}"
    text.encode()
