"""Sums in a sentence: found, and worked out."""

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

_WORDS = {
    r"\bplus\b": "+",
    r"\bminus\b": "-",
    r"\b(?:times|multiplied by)\b": "*",
    r"\bdivided by\b": "/",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
}
_OPERAND = r"[-(\s]*\d[\d.]*[\s)]*"
_SUM = re.compile(rf"(?<![\w.]){_OPERAND}(?:[-+*/%]{_OPERAND})+")
# "3-5 sentences", "10/12" and a date are no sums unless the sentence asks for one.
_DOUBTFUL = re.compile(r"\d+(?:[-/]\d+)+")
_ASKED = re.compile(r"(?:\bis|what's|=|calculate|compute|evaluate|result of|value of|solve)\s*$", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MAX_LENGTH = 200

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


@dataclass(frozen=True)
class Sum:
    """A sum and its value, e.g. "2+2" and 4."""

    text: str
    value: float


def find_sum(sentence: str) -> Sum | None:
    """The first sum in a sentence that can be worked out, or None."""
    for pattern, sign in _WORDS.items():
        sentence = re.sub(pattern, sign, sentence)
    for match in _SUM.finditer(sentence):
        text = match.group().strip().rstrip(".")
        if len(text) > _MAX_LENGTH or _DATE.fullmatch(text):
            continue
        if _DOUBTFUL.fullmatch(text) and not _ASKED.search(sentence[: match.start()]):
            continue
        try:
            value = _value(ast.parse(text, mode="eval").body)
        except (SyntaxError, ValueError, ZeroDivisionError, OverflowError):
            continue
        return Sum(text, int(value) if value == int(value) else value)
    return None


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left), _value(right))
    raise ValueError("not a sum")
