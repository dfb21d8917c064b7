"""Hints in the words of the command line: the core speaks of Python's arguments, which nobody can type here."""

import re

from qwen_portal.errors import QwenError

_AS_OPTIONS = (
    (r"Use model='([^']+)' for images, or pass allow_images=True[^.]*", r"Use `-m \1` with --image, or leave -m out"),
    (r"what was received is in the error's partial_text", "what was received is above"),
    (r": a smaller max_tokens, or a smaller n", ""),
    (r" \(or on_quota=\)", ""),
)


def hint_of(error: QwenError) -> str:
    """Return an error's hint as the command line says it."""
    hint = error.hint
    for in_python, as_option in _AS_OPTIONS:
        hint = re.sub(in_python, as_option, hint)
    return hint
