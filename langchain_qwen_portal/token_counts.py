"""LangChain's three methods that count tokens, by estimate or by the user's own tokenizer, without the network."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langchain_openai.chat_models.base import BaseChatOpenAI

from langchain_qwen_portal.token_estimate import estimate_message_tokens, estimate_tokens


class TokenCounts(BaseChatOpenAI):
    """A chat model that counts without OpenAI's tokenizer."""

    def get_token_ids(self, text: str) -> list[int]:
        """Return a text's token ids by ``custom_get_token_ids``; Qwen's vocabulary is not part of this package.

        Raises:
            NotImplementedError: No ``custom_get_token_ids`` was given.
        """
        if self.custom_get_token_ids is None:
            raise NotImplementedError(
                "Token ids need Qwen's vocabulary: pass custom_get_token_ids. get_num_tokens() estimates without it."
            )
        return self.custom_get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """Estimate a text's length in tokens; exact with ``custom_get_token_ids``."""
        return estimate_tokens(text) if self.custom_get_token_ids is None else len(self.get_token_ids(text))

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        **_: Any,
    ) -> int:
        """Estimate what messages, images and tool definitions come to in tokens, without the network."""
        return estimate_message_tokens(messages, tools, count=self.get_num_tokens)
