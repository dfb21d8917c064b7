"""Values that fit a JSON schema, taken from a prompt where it offers any."""

import re
from collections.abc import Callable
from typing import Any

from qwen_portal.emulator.clues import Clues, Number

Schema = dict[str, Any]
_Filler = Callable[[], Any]

_MAX_DEPTH = 6
_PLACE_WORDS = frozenset({"city", "cities", "location", "place", "town", "country", "region", "destination", "where"})
_SUM_WORDS = frozenset({"expression", "formula", "calculation", "equation", "expr"})
_NAME_WORDS = frozenset({"name", "person", "customer", "user", "author"})
_PROMPT_WORDS = frozenset({"query", "question", "text", "input", "prompt", "message", "task", "request", "description"})
_RESULT_WORDS = frozenset({"answer", "result", "value", "output", "total", "response", "summary"})
_SAMPLES = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "hostname": "example.com",
}
_PATTERN_TRIES = ("a", "A", "1", "aa", "AA", "11", "abc", "ABC", "123", "1234", "12345", "A1", "AB-123", "a_b", "1.0.0")


class SchemaValues:
    """Fills one schema.

    Args:
        schema: The JSON schema, with its own $defs.
        clues: What the prompt offers; used up on the way.
    """

    def __init__(self, schema: Schema, clues: Clues) -> None:
        self._root = schema
        self._clues = clues

    def value(self) -> Any:
        """A value that fits the whole schema."""
        return self._fill(self._root, "", 0)

    def _fill(self, schema: Any, label: str, depth: int) -> Any:
        schema = self._resolve(schema, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._pick(schema)
        fillers: dict[str, _Filler] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, label, depth),
            "integer": lambda: self._number(schema, label, whole=True),
            "number": lambda: self._number(schema, label, whole=False),
            "boolean": lambda: (self._clues.keyed(label) or "true").lower() not in ("false", "no", "off"),
            "null": lambda: None,
        }
        return fillers.get(_kind(schema), lambda: self._string(schema, label))()

    def _resolve(self, schema: Any, depth: int) -> Schema:
        """The schema behind references and alternatives; the first alternative that is not null."""
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self._resolve(self._lookup(schema["$ref"]) | rest, depth)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                variants = [self._resolve(each, depth) for each in schema[word]]
                null_at_the_bottom = depth >= _MAX_DEPTH and {"type": "null"} in variants
                chosen = [each for each in variants if (each.get("type") == "null") is null_at_the_bottom]
                rest = {key: value for key, value in schema.items() if key != word}
                return rest | (chosen or variants)[0]
        if "allOf" in schema:
            merged = {key: value for key, value in schema.items() if key != "allOf"}
            for each in schema["allOf"]:
                part = self._resolve(each, depth)
                properties = merged.get("properties", {}) | part.get("properties", {})
                required = [*merged.get("required", []), *part.get("required", [])]
                merged = part | merged | {"properties": properties, "required": required}
            return merged
        return schema

    def _lookup(self, reference: str) -> Schema:
        target: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if key:
                target = target.get(key, {}) if isinstance(target, dict) else {}
        return target if isinstance(target, dict) else {}

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        filled: dict[str, Any] = {}
        for name, each in properties.items():
            if name in required or (depth < _MAX_DEPTH and self._is_wanted(each, name, depth)):
                filled[name] = self._fill(each, name, depth + 1)
        for name in required:
            if name not in filled:
                filled[name] = self._fill(schema.get("additionalProperties"), name, depth + 1)
        return filled

    def _is_wanted(self, schema: Any, name: str, depth: int) -> bool:
        # An optional property is filled only if the prompt speaks of it or of one of its values.
        resolved = self._resolve(schema, depth)
        values = [each for each in resolved.get("enum", []) if isinstance(each, str)]
        return any(self._clues.mentions(phrase) for phrase in [name, *values] if phrase)

    def _array(self, schema: Schema, label: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self._fill(each, label, depth + 1) for each in schema["prefixItems"]]
        items = self._resolve(schema.get("items"), depth)
        least = schema.get("minItems", 0 if depth >= _MAX_DEPTH else 1)
        wanted = min(max(least, self._offered(items, label)), schema.get("maxItems", 1_000))
        values: list[Any] = []
        for _ in range(wanted):
            value = self._fill(items, label, depth + 1)
            if schema.get("uniqueItems") and value in values:
                value = _another(value, items, values)
            values.append(value)
        return values

    def _offered(self, items: Schema, label: str) -> int:
        if _kind(items) in ("integer", "number"):
            return len(self._clues.numbers)
        if _kind(items) == "string" and "enum" not in items:
            return len(self._clues.places) if _words(label) & _PLACE_WORDS else len(self._clues.quotes)
        return 0

    def _pick(self, schema: Schema) -> Any:
        choices = schema["enum"]
        for choice in choices:
            if isinstance(choice, str) and self._clues.mentions(choice):
                return choice
        default = schema.get("default")
        return default if default in choices else choices[0]

    def _number(self, schema: Schema, label: str, *, whole: bool) -> Number:
        keyed = self._clues.keyed(label)
        if keyed is not None and re.fullmatch(r"-?\d+(?:\.\d+)?", keyed):
            self._clues.numbers.insert(0, float(keyed) if "." in keyed else int(keyed))
        if self._clues.sum is not None and _words(label) & _RESULT_WORDS and _fits(self._clues.sum.value, schema):
            return self._clues.sum.value
        for index, number in enumerate(self._clues.numbers):
            if _fits(number, schema) and not (whole and number != int(number)):
                return self._clues.numbers.pop(index)
        default = schema.get("default")
        if isinstance(default, int | float) and not isinstance(default, bool):
            return default
        return _some_number(schema, whole=whole)

    def _string(self, schema: Schema, label: str) -> str:
        text = self._clues.keyed(label) or self._address(schema, label) or self._words_of_the_prompt(schema, label)
        if schema.get("format") in _SAMPLES and not self._address(schema, label):
            text = _SAMPLES[schema["format"]]
        if "pattern" in schema and not re.search(schema["pattern"], text):
            tries = [*self._clues.quotes, *self._clues.prompt.split(), *_PATTERN_TRIES]
            text = next((each for each in tries if re.search(schema["pattern"], each)), text)
        least = schema.get("minLength", 0)
        return text.ljust(least, ".")[: schema.get("maxLength")]

    def _address(self, schema: Schema, label: str) -> str | None:
        words = _words(label)
        kinds = {
            "email": words & {"email", "mail", "to", "recipient"},
            "uri": words & {"url", "uri", "link"},
            "path": words & {"path", "file", "filename", "directory"},
            "date": words & {"date", "day"},
        }
        for kind, named in kinds.items():
            if named or schema.get("format") == kind:
                return self._clues.address(kind)
        return None

    def _words_of_the_prompt(self, schema: Schema, label: str) -> str:
        """The likeliest words for this property: by its name first, by what the prompt has left then."""
        clues, words = self._clues, _words(label)
        text: str | None = None
        if (words | _words(str(schema.get("description", "")))) & _PLACE_WORDS and clues.places:
            text = clues.places.pop(0)
        elif clues.sum is not None and words & (_SUM_WORDS | _RESULT_WORDS):
            text = clues.sum.text if words & _SUM_WORDS else str(clues.sum.value)
        elif words & _NAME_WORDS:
            text = clues.person()
        elif clues.quotes:
            text = clues.quotes.pop(0)
        elif clues.results:
            text = clues.results[-1]
        elif words & _PROMPT_WORDS:
            text = clues.prompt
        return text or str(schema.get("default") or self._invented(label))

    def _invented(self, label: str) -> str:
        topic = self._clues.topic()
        readable = label.replace("_", " ") or "text"
        if topic:
            return f"{readable} about {topic}"
        if not self._clues.prompt.isascii():
            # Scripts without capitals and blanks offer nothing smaller to pick.
            return self._clues.prompt
        return self._clues.capitalised() or f"some {readable}"


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _words(text: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return set(re.findall(r"[a-z]+", spaced.lower()))


def _fits(number: Number, schema: Schema) -> bool:
    step = schema.get("multipleOf")
    return (
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and number > schema.get("exclusiveMinimum", number - 1)
        and number < schema.get("exclusiveMaximum", number + 1)
        and (not step or number % step == 0)
    )


def _some_number(schema: Schema, *, whole: bool) -> Number:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf")
    tries: list[Number] = [1, 0]
    for bound in (low, high):
        if bound is not None:
            tries += [bound, bound + 1, bound - 1]
            if step:
                tries += [bound - bound % step, bound - bound % step + step]
    if step:
        tries.append(step)
    if low is not None and high is not None:
        tries.append((low + high) / 2)
    fitting = [int(each) if whole else each for each in tries if _fits(each, schema) and not (whole and each % 1)]
    return fitting[0] if fitting else tries[0]


def _another(value: Any, items: Schema, taken: list[Any]) -> Any:
    """A value like `value` that is not taken yet, for arrays of unique items."""
    if "enum" in items:
        return next((each for each in items["enum"] if each not in taken), value)
    for number in range(2, len(taken) + 3):
        if isinstance(value, str):
            candidate: Any = f"{value} {number}"
        elif isinstance(value, int | float) and not isinstance(value, bool):
            candidate = value + number - 1
        else:
            return value
        if candidate not in taken:
            return candidate
    return value
