"""Fuzz one target with atheris: ``python -m tests.fuzz.run TARGET SECONDS FOLDER``.

A target is a module of this folder with ``check(data)``, which fails for a fault, ``SEEDS`` and ``WORDS``. The corpus
grows in FOLDER; an input that fails is kept there too, and belongs into ``FOUND`` of ``test_targets``.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

_LONGEST = 16_384
# Of one input; whatever takes longer has found a way to make a process stand still.
_SLOWEST = 10


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Try inputs until the time is over or one fails; this does not return."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["qwen_portal"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    corpus, words = folder / name, folder / f"{name}.dict"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.WORDS), "ascii")
    options = [
        *(f"-dict={words}", f"-artifact_prefix={folder}/{name}-", f"-max_total_time={seconds}"),
        *(f"-max_len={_LONGEST}", f"-timeout={_SLOWEST}", "-len_control=10", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], target.check)
    atheris.Fuzz()


def _quoted(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
