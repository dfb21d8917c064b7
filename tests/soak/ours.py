"""This package under soak: the core and both integrations, whole answers and streams, threads and event loops."""

import logging
import os
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import litellm

import litellm_qwen_portal
import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.errors import (
    QwenError,
    QwenRefreshTokenInvalidError,
    QwenServiceEndedError,
    QwenTokenNotAvailableError,
)
from qwen_portal.http import open_responses, pools
from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.soak.workload import ANSWER_SECONDS, AsyncWay, Question, SignIn, Way, Whole

_MODEL = "qwen-portal/coder-model"


class Ours:
    """The package, with its sign-ins in files.

    Args:
        url: Of the service.
        sign_ins: The accounts.
        home: A folder for them.
    """

    def __init__(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> None:
        os.environ |= {
            "QWEN_PORTAL_OAUTH_URL": url,
            "QWEN_PORTAL_BASE_URL": f"{url}/v1",
            "QWEN_PORTAL_HOME": str(home),
            "QWEN_PORTAL_STORE": "file",
            # the service's quota comes back at once
            "QWEN_PORTAL_QUOTA_COOLDOWN": "3",
        }
        logging.getLogger("qwen_portal").setLevel(logging.DEBUG)
        litellm.suppress_debug_info = True
        # LiteLLM asks in a thread for what it awaits; a call that is cancelled meanwhile awaits nothing
        warnings.filterwarnings("ignore", "coroutine '_opened", RuntimeWarning)
        litellm_qwen_portal.register()
        for each in sign_ins:
            tokens = TokenResponse(Secret(each.access_token), Secret(each.refresh_token), each.expires_in, None)
            Session().accounts.signed_in(each.label, Credential.from_sign_in(tokens, plan=OAUTH))
        self.ways: dict[str, Way] = {
            "PortalClient.stream": _stream,
            "ChatQwenPortal.stream": _langchain_stream,
            "litellm.completion, streamed": _litellm_stream,
            "PortalClient.chat": _chat,
        }
        self.async_ways: dict[str, AsyncWay] = {
            "AsyncPortalClient.stream": _astream,
            "ChatQwenPortal.astream": _langchain_astream,
            "litellm.acompletion, streamed": _litellm_astream,
            "AsyncPortalClient.chat": _achat,
        }

    def is_due(self, error: BaseException) -> bool:
        """Whether an error is one of ours, LiteLLM's around it included, and tells of no end: here nothing ends."""
        cause = _cause(error)
        return isinstance(cause, QwenError) and not isinstance(
            cause, QwenRefreshTokenInvalidError | QwenServiceEndedError | QwenTokenNotAvailableError
        )

    def ask_anew(self, label: str) -> None:
        """Refresh an account's token now."""
        qwen_portal.get_access_token(label, force_refresh=True)

    def busy(self) -> int:
        """How many connections are in use, and streams open."""
        clients: list[Any] = [pools._sync_pool] if pools._sync_pool is not None else []
        clients += [client for _, client in list(pools._async_pools.values())]
        connections = [each for client in clients for each in client._transport._pool.connections]
        in_use = sum(not (each.is_idle() or each.is_closed()) for each in connections)
        return max(in_use, len(open_responses._closer.open._known) + len(open_responses._async_open._known))

    def close(self) -> None:
        """Close what threads share."""
        qwen_portal.close()

    async def aclose(self) -> None:
        """Close what the running event loop has."""
        await qwen_portal.aclose()


def _cause(error: BaseException) -> BaseException:
    """Find the package's own error behind LiteLLM's, which in the middle of a stream is wrapped once more."""
    cause = getattr(error, "original_exception", None) or error.__cause__
    return error if isinstance(error, QwenError) or cause is None else _cause(cause)


def _messages(question: Question) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question.prompt}]


def _options(question: Question) -> dict[str, Any]:
    account = {} if question.account is None else {"qwen_account": question.account}
    return {"model": _MODEL, "messages": _messages(question), "timeout": ANSWER_SECONDS, **account}


def _model(question: Question) -> ChatQwenPortal:
    return ChatQwenPortal(account=question.account, timeout=ANSWER_SECONDS)


def _stream(question: Question) -> Iterator[Any]:
    client = qwen_portal.PortalClient(account=question.account, timeout=ANSWER_SECONDS)
    return client.stream(_messages(question))


def _langchain_stream(question: Question) -> Iterator[Any]:
    return _model(question).stream(question.prompt)


def _litellm_stream(question: Question) -> Iterator[Any]:
    answer: Any = litellm.completion(**_options(question), stream=True)
    return iter(answer)


def _chat(question: Question) -> Iterator[Any]:
    client = qwen_portal.PortalClient(account=question.account, timeout=ANSWER_SECONDS)
    return iter([client.chat(_messages(question))])


async def _astream(question: Question) -> AsyncIterator[Any]:
    client = qwen_portal.AsyncPortalClient(account=question.account, timeout=ANSWER_SECONDS)
    return client.stream(_messages(question))


async def _langchain_astream(question: Question) -> AsyncIterator[Any]:
    return _model(question).astream(question.prompt)


async def _litellm_astream(question: Question) -> AsyncIterator[Any]:
    answer: Any = await litellm.acompletion(**_options(question), stream=True)
    return aiter(answer)


async def _achat(question: Question) -> AsyncIterator[Any]:
    client = qwen_portal.AsyncPortalClient(account=question.account, timeout=ANSWER_SECONDS)
    return Whole(await client.chat(_messages(question)))
