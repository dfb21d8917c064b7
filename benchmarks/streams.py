"""What it costs to read a stream: calls in many named fragments beside ChatOpenAI, one event in many small reads.

CPU time, each the best of five runs, because other programs on the machine only ever add to it. Exits 1 if a limit is
broken: twice ChatOpenAI's time for 64 KB of arguments in 8,000 fragments that each have the name, and for an event of
16 MB in reads of 1.4 KB one and a half times four events of 4 MB.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.answers.sse import EventDecoder
from qwen_portal.http import pools

ROUNDS = 5
FRAGMENTS, ARGUMENTS = 8_000, json.dumps({"text": "x" * 64_000})
READ, MEGABYTE = 1_400, 2**20
CALLS_LIMIT, EVENTS_LIMIT = 2.0, 1.5


def fragments() -> bytes:
    """Write a stream whose one call has its name in every fragment."""
    size = -(-len(ARGUMENTS) // FRAGMENTS)
    pieces = [ARGUMENTS[at : at + size] for at in range(0, len(ARGUMENTS), size)]
    calls = [
        {"index": 0, "id": "" if at else "c1", "type": "function", "function": {"name": "add", "arguments": piece}}
        for at, piece in enumerate(pieces)
    ]
    deltas = [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None} for call in calls]
    chunks = [{"id": "1", "object": "chat.completion.chunk", "choices": [delta]} for delta in deltas]
    chunks.append({"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks) + b"data: [DONE]\n\n"


@contextmanager
def answered_by(client: httpx.Client) -> Iterator[None]:
    """Let this client be the process's pool."""
    before, pools._sync_pool = pools._sync_pool, client  # noqa: SLF001 - there is no other way past the network
    try:
        yield
    finally:
        pools._sync_pool = before  # noqa: SLF001


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds of CPU time that work takes at best."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def read(event: bytes) -> int:
    """Decode an event that arrives in small reads; return how many there were."""
    decoder = EventDecoder()
    return sum(1 for at in range(0, len(event), READ) for _ in decoder.feed(event[at : at + READ]))


def event_of(size: int) -> bytes:
    """Write an event of this many bytes."""
    return b'data: "' + b"x" * size + b'"\n\n'


def compare_calls() -> float:
    """Return how much longer ChatQwenPortal takes than ChatOpenAI."""
    content = fragments()
    kind = {"content-type": "text/event-stream"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content, headers=kind))
    with httpx.Client(transport=transport) as client, answered_by(client):
        peer = ChatOpenAI(
            model="m", api_key=SecretStr("sk-0"), base_url="https://models.example/v1", http_client=client
        )
        model = ChatQwenPortal(api_key="sk-0", plan="studio")
        theirs, ours = cpu(lambda: list(peer.stream("Hi"))), cpu(lambda: list(model.stream("Hi")))
    print(f"{'64 KB in 8,000 named fragments, ChatOpenAI':46} {theirs * 1000:8.0f} ms of CPU")
    print(f"{'the same, ChatQwenPortal':46} {ours * 1000:8.0f} ms  {ours / theirs:5.2f} x")
    return ours / theirs


def compare_events() -> float:
    """Return how much longer one large event takes than four of a quarter of its size."""
    four = cpu(lambda: [read(event_of(4 * MEGABYTE)) for _ in range(4)])
    one = cpu(lambda: read(event_of(16 * MEGABYTE)))
    print(f"{'four events of 4 MB in 1.4 KB reads':46} {four * 1000:8.0f} ms")
    print(f"{'one event of 16 MB':46} {one * 1000:8.0f} ms  {one / four:5.2f} x")
    return one / four


def main() -> int:
    """Measure, print, and tell whether both are within their limits."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(QWEN_PORTAL_HOME=home, QWEN_PORTAL_STORE="memory", LANGSMITH_TRACING="false")
        return int(not (compare_calls() <= CALLS_LIMIT and compare_events() <= EVENTS_LIMIT))


if __name__ == "__main__":
    sys.exit(main())
