"""Answers for response_format: JSON that fits the schema, or the schema or keys that the prompt shows."""

import json
import re
from typing import Any

from qwen_portal.emulator.clues import Clues
from qwen_portal.emulator.messages import Body, text_of
from qwen_portal.emulator.schema_values import Schema, SchemaValues
from qwen_portal.emulator.tool_plan import Turn

_QUOTED_KEY = re.compile(r"['\"`](\w+)['\"`]")


def structured(body: Body, turn: Turn) -> str | None:
    """The JSON text that response_format asks for, or None if it asks for none."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"]["schema"]
    elif wanted.get("type") == "json_object":
        schema = _shown(body["messages"]) or _keys(turn.prompt)
    else:
        return None
    clues = Clues(turn.prompt, turn.results)
    if wanted["type"] == "json_object":
        # The quotes of such a prompt hold its keys, not its values.
        clues.quotes.clear()
    return json.dumps(SchemaValues(schema, clues).value(), ensure_ascii=False)


def _shown(messages: list[Body]) -> Schema | None:
    """The first JSON schema of an object that stands in a message."""
    decoder = json.JSONDecoder()
    for text in map(text_of, messages):
        for start in (match.start() for match in re.finditer(r"\{", text)):
            try:
                value, _ = decoder.raw_decode(text, start)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict) and isinstance(value.get("properties"), dict):
                return value
    return None


def _keys(prompt: str) -> Schema:
    """A schema of the keys that the prompt quotes; of one key, "answer", if it quotes none."""
    names: list[str] = list(dict.fromkeys(_QUOTED_KEY.findall(prompt))) or ["answer"]
    properties: dict[str, Any] = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": names}
