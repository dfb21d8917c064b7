"""The columns of the catalogue: plans, models, models that embed."""

from typing import Any, Literal, NamedTuple

OAUTH = "oauth"

Input = Literal["text", "image", "video"]
Thinks = Literal["never", "on request", "by default", "always"]
Refused = Literal["tools", "json"]


# Named tuples: they take a seventh of the time of dataclasses to define, and every `qwen-portal status` defines them.
class Plan(NamedTuple):
    """One way of paying for the service.

    Attributes:
        name: What the user calls it, such as ``"coding-intl"``; for a plan of the user's own, its URL.
        title: One line for people.
        base_url: Chat base URL.
        keys: What its keys begin with; none if unknown.
        foreign_keys: What keys begin with that are known to belong elsewhere; the longest beginning that fits decides.
        coder: The model that ``coder-model`` stands for.
        vision: The model that ``vision-model`` stands for.
        terms: What the vendor's terms say about programs, in one line.
        for_programs: Whether scripts and backends may use it.
        embeddings: Whether it answers ``/embeddings``.
        source: Where this was read.
        seen: When, as ``YYYY-MM-DD``.
    """

    name: str
    title: str
    base_url: str
    keys: tuple[str, ...]
    foreign_keys: tuple[str, ...]
    coder: str
    vision: str
    terms: str
    for_programs: bool
    embeddings: bool
    source: str
    seen: str

    @property
    def is_oauth(self) -> bool:
        """Whether the plan is the portal behind the device sign-in."""
        return self.name == OAUTH

    def at(self, base_url: str, *, name: str, title: str) -> "Plan":
        """Return the same plan at another address."""
        return self._replace(base_url=base_url, name=name, title=title)


class Model(NamedTuple):
    """A family of models.

    Attributes:
        ids: Patterns for its ids in small letters; ``*`` stands for anything.
        context: Context window in tokens; ``None`` if unknown.
        output: Most output tokens; ``None`` if unknown.
        inputs: What its messages may hold; nothing if unknown.
        thinks: When it reasons before it answers.
        refuses: What it refuses while it thinks: a forced tool call, JSON mode.
        source: Where this was read.
        seen: When, as ``YYYY-MM-DD``.
        json_schema: Whether an answer keeps to a ``response_format`` of type ``json_schema``.
        efforts: The values of ``reasoning_effort`` it knows; none where ``enable_thinking`` is all there is.
        off: The field that switches thinking off, and its value.
        always_on: Plans on which it always thinks.
    """

    ids: tuple[str, ...]
    context: int | None
    output: int | None
    inputs: tuple[Input, ...]
    thinks: Thinks
    refuses: tuple[Refused, ...]
    source: str
    seen: str
    json_schema: bool = False
    efforts: tuple[str, ...] = ()
    off: tuple[str, Any] = ("enable_thinking", False)
    always_on: tuple[str, ...] = ()

    @property
    def can_be_forced(self) -> bool:
        """Whether it can be made to call a tool: what it refuses while it thinks, it does when it does not."""
        return self.thinks != "always" or "tools" not in self.refuses


class EmbeddingModel(NamedTuple):
    """A model that turns texts into vectors.

    Attributes:
        id: Its id.
        dimensions: The lengths a vector may have, the default first.
        texts: Most texts in one request.
        tokens: Most tokens of one text.
        source: Where this was read.
        seen: When, as ``YYYY-MM-DD``.
    """

    id: str
    dimensions: tuple[int, ...]
    texts: int
    tokens: int
    source: str
    seen: str


class Difference(NamedTuple):
    """A fact that somebody else publishes otherwise, and why ours stands.

    Attributes:
        whose: Who publishes it, as ``scripts/check_catalogue.py`` calls them.
        ids: Patterns of the ids it is about.
        field: What it is about.
        theirs: Their value; another one is a new difference.
        why: Why ours stands.
    """

    whose: str
    ids: tuple[str, ...]
    field: str
    theirs: Any
    why: str
