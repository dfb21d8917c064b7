"""Tool calls as they arrive, put together: one id and one name each, and whole JSON if brackets were all that lacked.

Fragments of a streamed call may come with an empty id, with a new id each, without an index, under the index of a call
that is already whole, with their name repeated or in pieces; arguments may be JSON in JSON, or end before their JSON
does (docs/protocol.md, "Stream"). Each character is looked at a fixed number of times, however small the fragments.
"""

import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from qwen_portal.answers.call_arguments import Nesting, arguments_text, readable_arguments
from qwen_portal.answers.fields import clean, index_of, record, split_half, text_of

Call = dict[str, Any]


class Fragment(NamedTuple):
    """What a fragment says; ``""`` stands for what it does not."""

    place: int | None
    call_id: str
    name: str
    arguments: str


def read_fragment(raw: object) -> Fragment:
    """Read one entry of ``tool_calls``.

    Raises:
        UnreadableError: It has a type that no call has.
    """
    entry = record(raw, "a tool call")
    function = record(entry.get("function"), "a call's function")
    return Fragment(
        place=index_of(entry.get("index")),
        call_id=text_of(entry.get("id"), "a call's id"),
        name=text_of(function.get("name"), "a call's name"),
        arguments=arguments_text(function.get("arguments")),
    )


def whole_calls(raw: Iterable[Any], *, cut: bool) -> list[Call]:
    """Return the calls of a whole answer.

    Args:
        raw: Its ``tool_calls``.
        cut: Whether the limit ended the answer: arguments are then not whole, whatever brackets are added.

    Raises:
        UnreadableError: One has a type that no call has.
    """
    calls, ids = [], set[str]()
    for raw_call in raw:
        said = read_fragment(raw_call)
        call_id = said.call_id if said.call_id and said.call_id not in ids else _new_id()
        ids.add(call_id)
        made = {**raw_call, **_entry(call_id, said.name, readable_arguments(clean(said.arguments), cut=cut))}
        calls.append(made if said.place is None else {**made, "index": said.place})
    return calls


class StreamedCalls:
    """The calls of one streamed answer.

    What comes out has one index per call, the id and the name of a call once, and at the end what was lacking.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def add(self, raw: object) -> list[Call]:
        """Take a fragment; return what may be handed on now.

        Raises:
            UnreadableError: It has a type that no fragment has.
        """
        said = read_fragment(raw)
        if not (said.call_id or said.name or said.arguments):
            return []
        call, released = self._continued(said), []
        if call is None:
            released = [piece for each in self._calls[-1:] if (piece := each.begin()) is not None]
            call = self._new_call(said)
        elif said.call_id:
            self._by_id.setdefault(said.call_id, call)
        if said.place is not None:
            self._by_index[said.place] = call
        piece = call.add(said)
        return released if piece is None else [*released, piece]

    def end(self, *, cut: bool) -> list[Call]:
        """Return what the calls lack when the answer is over, as far as it can be given."""
        return [piece for call in self._calls if (piece := call.end(cut=cut)) is not None]

    def so_far(self) -> list[Call]:
        """Return what has arrived, as entries of OpenAI's ``tool_calls``."""
        return [call.so_far() for call in self._calls if call.is_real()]

    def _new_call(self, said: Fragment) -> "_Call":
        is_taken = said.call_id in self._by_id
        doubtful = bool(self._calls) and not said.call_id and self._calls[-1].repeats(said)
        call = _Call(len(self._calls), _new_id() if is_taken else "", doubtful=doubtful)
        self._calls.append(call)
        if said.call_id:
            self._by_id[said.call_id] = call
        return call

    def _continued(self, said: Fragment) -> "_Call | None":
        """Find the call that a fragment continues; ``None`` if it begins one."""
        known = self._by_id.get(said.call_id) if said.call_id else None
        at_index = self._by_index.get(said.place) if said.place is not None else None
        if known is not None:
            # some give every call the same id: then the index tells them apart, or a name and more arguments do
            elsewhere = said.place is not None and at_index is not known
            if not (known.is_whole and (elsewhere or said.arguments.strip()) and (said.name or at_index is not None)):
                return known
            return at_index if elsewhere else None
        if not self._calls:
            return None
        last = self._calls[-1]
        if at_index is None and said.place is not None and (said.call_id or said.name or last.is_whole):
            return None
        call = at_index or last
        return None if call.is_ended_by(said, is_indexed=at_index is not None) else call


class _Call:
    """One call, put together from its fragments.

    Args:
        index: Its place among the calls.
        call_id: An id of ours, where the one that came is another call's.
        doubtful: Whether it began with no more than the name of the call before: it is none unless arguments follow.
    """

    def __init__(self, index: int, call_id: str, *, doubtful: bool) -> None:
        self._index = index
        self._id = call_id
        self._name = ""
        self._arguments: list[str] = []
        self._half = ""  # of a character, at the end of what came
        self._nesting = Nesting()
        self._doubtful = doubtful
        self._told_id = False
        self._told_name = ""
        self._passed_on = 0  # how many of the pieces of arguments

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing from the arguments."""
        return self._nesting.is_closed

    def is_real(self) -> bool:
        """Whether there is more to it than an id, or than a name said once too often."""
        return self._nesting.has_begun or bool(self._name and not self._doubtful)

    def repeats(self, said: Fragment) -> bool:
        """Whether a fragment says no more than this call's name again."""
        return said.name == self._name and not said.arguments.strip()

    def is_ended_by(self, said: Fragment, *, is_indexed: bool) -> bool:
        """Whether a fragment with an id that is not known, or without one, cannot belong to this call.

        Args:
            said: The fragment.
            is_indexed: Whether it names the index of this call.
        """
        other_id = bool(said.call_id and self._id)
        if self.is_whole:
            return other_id or bool(said.name and self._name)
        if not said.name or not self._name:
            return False
        if other_id and not is_indexed:
            return True
        # before the arguments a name may come in pieces, unless each piece has an id of its own
        return said.name != self._name and (other_id or self._nesting.has_begun)

    def add(self, said: Fragment) -> Call | None:
        """Take a fragment; return what may be handed on now."""
        self._id = self._id or said.call_id
        if said.name and not self._nesting.has_begun:
            self._add_to_name(said.name)
        self._name = self._name or said.name
        arguments, self._half = split_half(self._half + said.arguments)
        if arguments:
            self._take(arguments)
        # what has no id or no name yet, or is no object, is kept until it has, or can be read as a whole
        return self._tell(self._untold()) if self._id and self._name and self._nesting.is_object else None

    def begin(self) -> Call | None:
        """Return what was kept where another call begins, so that the calls keep their order."""
        if not self._name or self._doubtful or self._told_id:
            return None
        self._id = self._id or _new_id()
        return self._tell(self._untold() if self._nesting.is_object else "")

    def end(self, *, cut: bool) -> Call | None:
        """Return what is lacking when the answer is over."""
        if not self.is_real():
            return None
        self._id = self._id or _new_id()
        rest = clean(self._half)
        if rest:
            self._take(rest)
        whole = "".join(self._arguments)
        if self._passed_on:
            lacking = rest + ("" if cut else self._nesting.closing(whole) or "")
        else:
            lacking = readable_arguments(whole, cut=cut)
        piece = self._tell(lacking)
        return piece if piece["id"] or piece["function"]["name"] or lacking else None

    def so_far(self) -> Call:
        return _entry(self._id, self._name, "".join(self._arguments))

    def _take(self, arguments: str) -> None:
        self._arguments.append(arguments)
        self._nesting.feed(arguments)

    def _add_to_name(self, name: str) -> None:
        if name.startswith(self._name):
            self._name = name
        else:
            self._name += name

    def _untold(self) -> str:
        pieces = self._arguments[self._passed_on :]
        self._passed_on = len(self._arguments)
        return "".join(pieces)

    def _tell(self, arguments: str) -> Call:
        call_id = None if self._told_id else self._id
        function = {"name": self._name[len(self._told_name) :] or None, "arguments": arguments}
        self._told_id, self._told_name = True, self._name
        return {"index": self._index, "id": call_id, "type": "function", "function": function}


def _entry(call_id: str, name: str, arguments: str) -> Call:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:22]}"
