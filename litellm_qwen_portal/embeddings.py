"""Embeddings as LiteLLM asks for them, and as it wants them back."""

import base64
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from litellm.litellm_core_utils.core_helpers import process_response_headers
from litellm.types.utils import EmbeddingResponse, Usage

from litellm_qwen_portal.call import Call
from litellm_qwen_portal.errors import unreadable_answers
from qwen_portal.errors import QwenBadRequestError, QwenModelNotFoundError

_FORMATS = (None, "float", "base64")
# The core's hint, with this door's arguments.
_ELSEWHERE = (
    "Model Studio has: keep a key of it with `qwen-portal login studio --plan studio-intl`, and pass "
    "qwen_account='studio', or api_key= with qwen_plan='studio-intl'."
)


class EmbeddingCall(NamedTuple):
    """One call for embeddings.

    Attributes:
        call: Whose it is, and how patiently it waits.
        texts: What is to be embedded; the core says what is none.
        encoding: How the vectors are to be written: ``base64``, or as numbers.
    """

    call: Call
    texts: Any
    encoding: str | None

    @classmethod
    def read(cls, call: Call, given: Mapping[str, Any]) -> "EmbeddingCall":
        """Sort a handler's keyword arguments.

        Args:
            call: What they have in common with a chat's.
            given: As LiteLLM hands them over.

        Raises:
            QwenBadRequestError: The account's plan has no embeddings, the model no such vectors, or they are to be
                written in a way that OpenAI does not know.
        """
        texts, encoding = given["input"], call.params.get("encoding_format")
        if encoding not in _FORMATS:
            raise QwenBadRequestError(f"encoding_format is {encoding!r}.", hint="It is 'float' or 'base64'.")
        try:
            call.client().check_embeddings(model=call.model, dimensions=call.params.get("dimensions"))
        except QwenModelNotFoundError as exc:
            # for a 404 a Router leaves the deployment alone, and with it its chats
            raise QwenBadRequestError(exc.message, hint=_ELSEWHERE) from exc
        return cls(call, [texts] if isinstance(texts, str) else texts, encoding)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the client's ``embeddings``.

        What else a deployment has for its chats, such as ``enable_thinking``, stays here.
        """
        call = self.call
        return {
            "texts": self.texts,
            "model": call.model,
            "timeout": call.timeout,
            "dimensions": call.params.get("dimensions"),
            "extra_body": call.params.get("extra_body"),
            "extra_headers": call.headers,
        }

    def response(self, answer: dict[str, Any], response: EmbeddingResponse) -> EmbeddingResponse:
        """Fill LiteLLM's response.

        Args:
            answer: From the core's client.
            response: The empty one that LiteLLM made for this call.
        """
        with unreadable_answers():
            response.object = "list"
            # as for chats: LiteLLM looks the price up by the name in it
            response.model = self.call.model
            response.data = [self._written(row) for row in answer["data"]]
            response.usage = Usage(**answer["usage"])
        headers = dict(self.call.observation.headers)
        response._hidden_params["additional_headers"] = process_response_headers(headers)  # noqa: SLF001 - its place
        return response

    def _written(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.encoding != "base64":
            return row
        vector = row["embedding"]
        return {**row, "embedding": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()}
