"""Sync and async twins stay alike, line for line: the async one, with its words replaced, is the sync one.

What is compared is the code as Python reads it, without docstrings and comments. A twin that is changed alone fails.
"""

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal")

# File, sync name, async name.
TWINS = [
    ("qwen_portal/streams.py", "ChunkStream", "AsyncChunkStream"),
    ("qwen_portal/client.py", "PortalClient", "AsyncPortalClient"),
    ("qwen_portal/auth.py", "PortalAuth.sync_auth_flow", "PortalAuth.async_auth_flow"),
    ("qwen_portal/http/transport.py", "send", "asend"),
    ("qwen_portal/http/bodies.py", "_LimitedStream", "_AsyncLimitedStream"),
    ("qwen_portal/http/bodies.py", "read_error", "aread_error"),
    ("qwen_portal/http/deadlines.py", "_Stream", "_AsyncStream"),
    ("qwen_portal/http/deadlines.py", "_Backend", "_AsyncBackend"),
    ("qwen_portal/tokens/manager.py", "TokenManager.get", "TokenManager.aget"),
    ("qwen_portal/api.py", "get_access_token", "aget_access_token"),
    ("qwen_portal/openai_sdk.py", "_Account.credential", "_Account.acredential"),
    ("qwen_portal/openai_sdk.py", "_Client", "_AsyncClient"),
    ("qwen_portal/openai_sdk.py", "PortalOpenAI", "AsyncPortalOpenAI"),
    ("qwen_portal/openai_sdk.py", "open_client", "open_async_client"),
    ("langchain_qwen_portal/calls.py", "PortalCalls._generate", "PortalCalls._agenerate"),
    ("langchain_qwen_portal/calls.py", "PortalCalls._stream", "PortalCalls._astream"),
    (
        "langchain_qwen_portal/embeddings.py",
        "QwenPortalEmbeddings.embed_documents",
        "QwenPortalEmbeddings.aembed_documents",
    ),
    ("langchain_qwen_portal/embeddings.py", "QwenPortalEmbeddings.embed_query", "QwenPortalEmbeddings.aembed_query"),
    ("litellm_qwen_portal/call.py", "Call.client", "Call.async_client"),
    ("litellm_qwen_portal/handler.py", "QwenPortalLLM.completion", "QwenPortalLLM.acompletion"),
    ("litellm_qwen_portal/handler.py", "QwenPortalLLM.embedding", "QwenPortalLLM.aembedding"),
    ("litellm_qwen_portal/handler.py", "QwenPortalLLM.image_generation", "QwenPortalLLM.aimage_generation"),
    ("litellm_qwen_portal/handler.py", "QwenPortalLLM.image_edit", "QwenPortalLLM.aimage_edit"),
    ("litellm_qwen_portal/streams.py", "Stream", "AsyncStream"),
    ("litellm_qwen_portal/streams.py", "_translated", "_atranslated"),
]

# Async code that has no twin, and why.
ALONE = {
    "qwen_portal/api.py::alogin": "runs the sync one in a thread: a person is waited for",
    "qwen_portal/api.py::aclose": "closes the loop's connections, then does what the sync one does",
    "qwen_portal/http/open_responses.py::AsyncTicket.read": "its bodies are kept apart from the threads' own",
    "qwen_portal/http/open_responses.py::AsyncTicket.close": "a task of the loop closes; the sync one asks a thread",
    "qwen_portal/http/open_responses.py::_aclose": "what that task does; the thread has its own",
    "qwen_portal/http/cancel_safe.py::CancelSafeTransport.handle_async_request": "threads are not cancelled",
    "qwen_portal/http/cancel_safe.py::CancelSafeTransport._end": "as above",
    "qwen_portal/http/cancel_safe.py::CancelSafeTransport.release": "as above",
    "qwen_portal/http/cancel_safe.py::CancelSafeTransport.sweep": "as above",
    "qwen_portal/http/cancel_safe.py::_Connection.aclose": "a protocol of httpcore's",
    "qwen_portal/http/cancel_safe.py::_Body.aclose": "as above, threads are not cancelled",
    "qwen_portal/http/cancel_safe.py::_Body._close": "as above",
    "qwen_portal/http/exchange.py::Exchange.anote": "calls the sync one: nothing in it waits",
    "qwen_portal/http/pools.py::close_async_pool": "closes one of many pools, the sync one the only one",
    "qwen_portal/quota/qwen_cli.py::aask": "runs a command in a thread, and ends it when the task is cancelled",
    "qwen_portal/cli/proxy_guard.py::ThisMachineOnly.__call__": "ASGI has no sync form",
    "langchain_qwen_portal/model_state.py::PortalState._agenerate_with_cache": "overrides LangChain's",
    "langchain_qwen_portal/response_cache.py::FullAnswers.alookup": "hands on to the user's cache",
    "langchain_qwen_portal/response_cache.py::FullAnswers.aupdate": "hands on to the user's cache",
    "langchain_qwen_portal/response_cache.py::FullAnswers.aclear": "hands on to the user's cache",
    "litellm_qwen_portal/shims.py::_opened": "LiteLLM opens sync streams at the call already",
}

# Members that are not compared, and why: by class and, in an async class too, by the sync name.
ONE_SIDED = {
    "ChunkStream.__exit__": "a generator may be ended by the garbage collector, which must not wait",
    "_Stream.write": "the library's limit holds for each part that a socket takes",
    "_AsyncStream.write": "the library's limit holds for the whole",
    "AsyncChunkStream.__exit__": "an async generator is ended by a task of its loop, which may wait",
}

# Async words, and what stands in their place in the sync twin; of a class, "Async" is taken away.
WORDS = {
    "aclose": "close",
    "aembed_documents": "embed_documents",
    "acredential": "credential",
    "aask": "ask",
    "aget": "get",
    "aiter_bytes": "iter_bytes",
    "anext": "next",
    "anote": "note",
    "aread": "read",
    "aread_error": "read_error",
    "asend": "send",
    "async_client": "client",
    "async_client_options": "client_options",
    "AsyncByteStream": "SyncByteStream",
    "_async_client": "_client",
    "async_pool": "sync_pool",
    "_atranslated": "_translated",
    "asyncio": "time",  # asyncio.sleep
    "open_async_client": "open_client",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "StopAsyncIteration": "StopIteration",
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class _Sync(ast.NodeTransformer):
    """Writes async code as sync code."""

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Name(_word(node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return ast.Attribute(self.visit(node.value), _word(node.attr), node.ctx)

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.name = _word(node.name)
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return self.visit(ast.FunctionDef(**_fields(node)))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        return self.visit(ast.For(**_fields(node)))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> Any:
        return self.visit(ast.With(**_fields(node)))

    def visit_Call(self, node: ast.Call) -> Any:
        match node:
            # what would block the event loop, in a thread
            case ast.Call(ast.Attribute(ast.Name("asyncio"), "to_thread"), [called, *rest], keywords):
                return self.visit(ast.Call(called, rest, keywords))
            case ast.Call(ast.Attribute(ast.Name("asyncio"), "wrap_future"), [future], _):
                return ast.Call(ast.Attribute(self.visit(future), "result", ast.Load()), [], [])
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        match node:
            case ast.Subscript(ast.Name("Awaitable"), returned):
                return self.visit(returned)
            # a sync generator's type names what it returns as well
            case ast.Subscript(ast.Name("AsyncGenerator"), ast.Tuple([yielded, sent])):
                parts = ast.Tuple([self.visit(yielded), self.visit(sent), ast.Constant(None)], ast.Load())
                return ast.Subscript(ast.Name("Generator"), parts, ast.Load())
        return self.generic_visit(node)


class _Plain(ast.NodeTransformer):
    """Takes away what is no difference: docstrings, and forms that Python has for sync code alone."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.generic_visit(_without_docstring(node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        node.body = [part for part in node.body if f"{node.name}.{getattr(part, 'name', '')}" not in ONE_SIDED]
        self.generic_visit(_without_docstring(node))
        return node

    def visit_For(self, node: ast.For) -> Any:
        self.generic_visit(node)
        match node:
            # an async generator has no "yield from"
            case ast.For(ast.Name(name), items, [ast.Expr(ast.Yield(ast.Name(same)))], []) if name == same:
                return ast.Expr(ast.YieldFrom(items))
        return node

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        match node.body:
            # "with" and "async with" cannot be one statement
            case [ast.With(items, body)]:
                return ast.With([*node.items, *items], body)
        return node


def _word(name: str) -> str:
    return WORDS.get(name) or re.sub(r"^(_?)Async(?=[A-Z])", r"\1", name)


def _fields(node: ast.AST) -> dict[str, Any]:
    return {**dict(ast.iter_fields(node)), "lineno": 0, "col_offset": 0}


def _without_docstring(node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    return node


def definitions(node: ast.AST, scope: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield each class, function and method with its qualified name; not what is defined within a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield scope + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from definitions(child, f"{scope}{child.name}.")


def find(file: str, name: str) -> Definition:
    """Return a definition of a file."""
    return dict(definitions(ast.parse((ROOT / file).read_text("utf-8"))))[name]


def lines(definition: ast.AST) -> list[str]:
    """Return the lines of a definition, without its own name."""
    plain = _Plain().visit(definition)
    plain.name = "twin"
    return ast.unparse(ast.fix_missing_locations(plain)).splitlines()


def differences(sync: Definition, asynchronous: Definition) -> list[str]:
    """Return what distinguishes two twins, in the form of a diff."""
    return [*difflib.unified_diff(lines(sync), lines(_Sync().visit(asynchronous)), "sync", "async", lineterm="", n=1)]


def parsed(text: str) -> Definition:
    """Parse one definition."""
    (node,) = ast.parse(text).body
    assert isinstance(node, Definition)
    return node


@pytest.mark.parametrize(("file", "sync", "asynchronous"), TWINS, ids=[f"{file}::{name}" for file, _, name in TWINS])
def test_twins_are_alike_line_for_line(file: str, sync: str, asynchronous: str) -> None:
    """Whoever mends one of them mends the other."""
    found = differences(find(file, sync), find(file, asynchronous))
    assert found == [], "\n".join(found)


def test_all_async_code_has_its_twin_or_a_reason() -> None:
    """A new async function is entered above: with its twin, or with why it has none; the emulator is async alone."""
    known = {f"{file}::{name}" for file, _, name in TWINS} | ALONE.keys()
    found = {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "emulator" not in path.parts
        for name, node in definitions(ast.parse(path.read_text("utf-8")))
        if any(isinstance(part, ast.AsyncFunctionDef) for part in ast.walk(node)) and not isinstance(node, ast.ClassDef)
    }
    within = {name for name in found for each in known if name.startswith(f"{each}.")}
    assert sorted(found - within - known) == []
    assert sorted(ALONE.keys() - found) == []


@pytest.mark.parametrize(
    ("sync", "asynchronous"),
    [
        ("def f(a): return g(a, 1)", "async def af(a): return await ag(a, 2)"),
        ("def f(a):\n    g(a)\n    h(a)", "async def af(a):\n    await asyncio.to_thread(g, a)"),
        ("def f(a):\n    for x in a: yield x", "async def af(a):\n    async for x in a: yield x.y"),
        ("def f(a):\n    with a, b(c): d()", "async def af(a):\n    with a:\n        async with b(): d()"),
        ("class A:\n    def close(self): self.b()", "class B:\n    async def aclose(self): await self.c()"),
    ],
)
def test_a_difference_is_seen(sync: str, asynchronous: str) -> None:
    """In an argument, a statement, a loop, a block and a method."""
    assert differences(parsed(sync), parsed(asynchronous))
