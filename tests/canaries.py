"""Secrets that must not show: strings to plant, and a search through everything a failure carries along."""

import traceback
from collections.abc import Iterable, Iterator

ACCESS = "CANARY-AT-2f9c41d07b"
REFRESH = "CANARY-RT-8d1e55ac93"
DEVICE = "CANARY-DC-71b0c2fe46"
KEY = "sk-sp-CANARY-KEY-5a3390ef"
ALL = (ACCESS, REFRESH, DEVICE, KEY)


def assert_none_in(text: object, canaries: Iterable[str] = ALL) -> None:
    """Fail if a canary stands in the text."""
    found = [canary for canary in canaries if canary in str(text)]
    assert not found, f"secrets in the open: {found}"


def assert_none_in_error(error: BaseException, canaries: Iterable[str] = ALL) -> None:
    """Fail if a canary stands in an error's text, its repr, its chain, or a local of any frame it carries."""
    for link in _chain(error):
        assert_none_in(str(link), canaries)
        assert_none_in(repr(link), canaries)
        assert_none_in(vars(link), canaries)
        for frame, _ in traceback.walk_tb(link.__traceback__):
            # the test's own frames hold the canaries on purpose
            if "/tests/" not in frame.f_code.co_filename:
                for name, value in frame.f_locals.items():
                    assert_none_in(f"{frame.f_code.co_qualname}.{name} = {value!r}", canaries)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    links = [error]
    while links:
        link = links.pop()
        if id(link) not in seen:
            seen.add(id(link))
            yield link
            links.extend(other for other in (link.__cause__, link.__context__) if other is not None)
