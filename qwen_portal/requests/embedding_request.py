"""A request for embeddings as the service takes it: a few texts, and text alone.

Source: docs/protocol.md, "Embeddings".
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qwen_portal.answers.embeddings import read_embeddings
from qwen_portal.errors import QwenAPIError, QwenBadRequestError, QwenContextLengthError, QwenModelNotFoundError
from qwen_portal.requests.chat_request import PreparedRequest, request_headers
from qwen_portal.requests.endpoints import base_url
from qwen_portal.requests.extra_headers import checked_headers
from qwen_portal.service.embeddings import EMBEDDING_MODELS
from qwen_portal.service.models import model_id
from qwen_portal.service.plans import Plan, find_plan
from qwen_portal.settings import Settings
from qwen_portal.storage.credential import Credential

# Of a model that is not in the table: the smallest number that the service has for any.
_TEXTS = 10
_TOO_MANY = re.compile(r"batch size is invalid, it should not be larger than (\d+)")


def check_offer(plan: Plan, model: str, dimensions: int | None, settings: Settings) -> None:
    """Refuse what a plan is known not to have.

    Args:
        plan: The account's plan; of an address that the user named, nothing is known.
        model: Model id; one that is not in the table is not judged.
        dimensions: Length of the vectors; ``None`` for the model's own.
        settings: The user's settings.

    Raises:
        QwenModelNotFoundError: The plan has no embeddings; the hint says where they are.
        QwenBadRequestError: The model makes no vectors of that length; the hint names the choices.
    """
    if settings.base_url is None and not plan.embeddings:
        raise QwenModelNotFoundError(
            f"The plan {plan.name!r} has no embeddings: neither have the portal, the Coding and the Token Plan.",
            hint="Model Studio has: keep a key of it with `qwen-portal login studio --plan studio-intl`, and name that "
            "account, as in account='studio'.",
        )
    if dimensions is None:
        return
    if type(dimensions) is not int or dimensions < 1:
        raise QwenBadRequestError(f"dimensions is {dimensions!r}.", hint="It takes a whole number, 1 or more.")
    row = EMBEDDING_MODELS.get(model_id(model))
    if row is not None and dimensions not in row.dimensions:
        choices = ", ".join(map(str, sorted(row.dimensions)))
        raise QwenBadRequestError(
            f"{row.id} makes no vectors of {dimensions} dimensions.", hint=f"Its choices: {choices}."
        )


def batches(texts: Sequence[str], model: str) -> list[list[str]]:
    """Split a list of texts into as many requests as the model needs, in their order.

    All of it is checked before the first request is paid for.

    Args:
        texts: What is to be embedded.
        model: Model id.

    Raises:
        QwenBadRequestError: It is no list, or holds something else than text, or an empty text.
    """
    if isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable):
        raise QwenBadRequestError(
            f"The texts are one {type(texts).__name__}, not a list.", hint="Pass a list of texts, such as ['Hello']."
        )
    every = list(texts)
    for place, text in enumerate(every, 1):
        if not isinstance(text, str):
            raise QwenBadRequestError(
                f"Text {place} of {len(every)} is a {type(text).__name__}, not text.",
                hint="Qwen's models take text, never token ids: pass each text as it is.",
            )
        if not text:
            raise QwenBadRequestError(
                f"Text {place} of {len(every)} is empty, which the service refuses.", hint="Leave empty texts out."
            )
    row = EMBEDDING_MODELS.get(model_id(model))
    most = _TEXTS if row is None else row.texts
    return [every[start : start + most] for start in range(0, len(every), most)]


def embedding_request(
    credential: Credential,
    settings: Settings,
    texts: Sequence[str],
    *,
    model: str,
    dimensions: int | None = None,
    extra_headers: Mapping[str, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> PreparedRequest:
    """Build a request for one account.

    Args:
        credential: The account's credential; its plan decides the host.
        settings: The user's settings.
        texts: No more than the model takes in one request; see :func:`batches`.
        model: Model id, with or without ``qwen-portal/``.
        dimensions: Length of the vectors; the model's own if not given.
        extra_headers: Further headers.
        extra_body: Further fields.

    Raises:
        QwenModelNotFoundError: The account's plan has no embeddings.
        QwenBadRequestError: No such length of vectors, or a header that is not the caller's.
        QwenHostNotAllowedError: The account's host is not one that a bearer may go to.
    """
    check_offer(find_plan(credential.plan), model, dimensions, settings)
    wanted = model_id(model)
    body = {**(extra_body or {}), "model": wanted, "input": list(texts), "encoding_format": "float"}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return PreparedRequest(
        url=f"{base_url(credential, settings)}/embeddings",
        headers=request_headers(credential, stream=False) | checked_headers(extra_headers or {}),
        body=body,
        model=wanted,
        read=functools.partial(read_embeddings, texts=len(texts), dimensions=dimensions),
    )


def embedding_hint(error: QwenAPIError, body: Mapping[str, Any]) -> str | None:
    """Say what helps where the service refuses so many texts, one so long, or the model.

    Args:
        error: The refusal.
        body: The request.

    Returns:
        The hint, or ``None`` for any other refusal, and for one of a chat.
    """
    if "input" not in body:
        return None
    if isinstance(error, QwenModelNotFoundError):
        return f"Models that embed: {', '.join(EMBEDDING_MODELS)}."
    if (limit := _TOO_MANY.search(error.message)) is not None:
        return f"{body['model']} takes at most {limit[1]} texts a request: embed no more than {limit[1]} at a time."
    if isinstance(error, QwenContextLengthError):
        row = EMBEDDING_MODELS.get(str(body["model"]))
        limited = "" if row is None else f" {body['model']} takes {row.tokens:,} tokens a text."
        return f"Split the texts into shorter ones.{limited}"
    return None
