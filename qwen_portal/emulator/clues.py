"""Clues in a prompt, to fill a tool's arguments with: numbers, quotes, places, names, sums."""

import re
from dataclasses import dataclass, field

from qwen_portal.emulator.arithmetic import Sum, find_sum

Number = int | float

_NUMBER = re.compile(r"(?<![\w.])(?<![\d)]\s)-?\d+(?:\.\d+)?(?![\w])|(?<![\w.-])\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|(?<!\w)'([^'\n]+)'(?!\w)|`([^`\n]+)`")
_WORD = r"[^\W\d_a-z][\w.'-]*"
_NAME = rf"{_WORD}(?:\s+{_WORD})*"
_PLACE = re.compile(
    rf"\b(?:in|for|at|of|near|to|from)\s+({_NAME}(?:,\s*[A-Z]{{2}}\b)?)((?:,?\s+(?:and|or)\s+{_NAME})*)"
)
_MORE_PLACES = re.compile(rf"(?:and|or)\s+({_NAME})")
_NAMED = re.compile(rf"\b(?:named|called|name is|I am|I'm)\s+({_NAME})")
_FIRST_NAME = re.compile(rf"({_WORD}\s+{_NAME})")
_MID_SENTENCE_NAME = re.compile(rf"(?<=[a-z,;:]\s)({_NAME})")
_TOPIC = re.compile(r"\b(?:about|on|regarding)\s+([^.,;!?\n]+)", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s'\"<>)]+")
_PATH = re.compile(r"(?<![\w:/])(?:~|\.{1,2})?/[\w./-]+|\b[\w-]+\.(?:py|md|txt|json|toml|csv|yaml|yml|js|ts)\b")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NO_PLACES = frozenset({"JSON", "XML", "HTML", "YAML", "CSV", "SQL", "I", "The", "A"})
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)


@dataclass
class Clues:
    """The clues of one prompt; numbers, quotes and places are used up as they are taken.

    Attributes:
        prompt: The text itself, without the reminders that some clients weave in.
        numbers: In the order of the text.
        quotes: What stands in quotes of any kind.
        places: Capitalised names behind in, for, at, …
        sum: The sum that the prompt asks for.
        results: What tools have answered to this prompt so far, newest last.
    """

    prompt: str
    results: list[str] = field(default_factory=list)
    numbers: list[Number] = field(init=False)
    quotes: list[str] = field(init=False)
    places: list[str] = field(init=False)
    sum: Sum | None = field(init=False)

    def __post_init__(self) -> None:
        self.prompt = _REMINDER.sub("", self.prompt).strip()
        self.numbers = [_number(each) for each in _NUMBER.findall(_DATE.sub("", self.prompt))]
        self.quotes = ["".join(groups) for groups in _QUOTED.findall(self.prompt)]
        self.places = _places(self.prompt)
        self.sum = find_sum(self.prompt)

    def mentions(self, phrase: str) -> bool:
        """Whether the prompt holds this word or phrase, in either spelling of its blanks."""
        pattern = rf"(?<!\w){re.escape(phrase)}(?!\w)"
        spaced = self.prompt.replace("_", " ")
        return bool(re.search(pattern, self.prompt, re.IGNORECASE)) or bool(
            re.search(pattern.replace("_", " "), spaced, re.IGNORECASE),
        )

    def keyed(self, label: str) -> str | None:
        """What the prompt says for `label`: "label: value", "label=value", "label is value", "label 'value'"."""
        name = re.escape(label).replace("_", "[_ ]")
        says = r"\s*(?:=|:|\bis\b)\s*"
        value = rf"(?:(?:{says}|\s+)(?:{_QUOTED.pattern})|{says}([^\s,;()]+))"
        match = re.search(rf"(?<!\w){name}{value}", self.prompt, re.IGNORECASE)
        return next(group for group in match.groups() if group is not None).rstrip(".?!") if match else None

    def person(self) -> str | None:
        """A name: behind named or called, in quotes, or capitalised in the middle of a sentence."""
        if match := _NAMED.search(self.prompt) or _FIRST_NAME.match(self.prompt):
            return match.group(1)
        return self.quotes.pop(0) if self.quotes else self.capitalised()

    def capitalised(self) -> str | None:
        """The first capitalised word or words in the middle of a sentence."""
        match = _MID_SENTENCE_NAME.search(self.prompt)
        return match.group(1).rstrip(".") if match else None

    def topic(self) -> str | None:
        """What the prompt is about, by its own words."""
        match = _TOPIC.search(self.prompt)
        return match.group(1).strip() if match else None

    def address(self, kind: str) -> str | None:
        """An e-mail address, a URL, a path or a date (kind "email", "uri", "path", "date")."""
        patterns = {"email": _EMAIL, "uri": _URL, "path": _PATH, "date": _DATE}
        match = patterns[kind].search(self.prompt)
        return match.group().rstrip(".") if match else None

    def without(self, used: list[str]) -> "Clues":
        """These clues less the values that earlier calls took; the newest result comes first if it is a number."""
        for value in used:
            if value in self.places:
                self.places.remove(value)
            if value in self.quotes:
                self.quotes.remove(value)
            self.numbers = _less(self.numbers, value)
        if used and self.results and re.fullmatch(r"-?\d+(?:\.\d+)?", self.results[-1].strip()):
            self.numbers.insert(0, _number(self.results[-1].strip()))
        return self


def _less(numbers: list[Number], value: str) -> list[Number]:
    for index, number in enumerate(numbers):
        if str(number) == value:
            return numbers[:index] + numbers[index + 1 :]
    return numbers


def _places(prompt: str) -> list[str]:
    places: list[str] = []
    for first, more in _PLACE.findall(prompt):
        places += [first, *_MORE_PLACES.findall(more)]
    return [place.rstrip(".") for place in places if place not in _NO_PLACES]


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)
