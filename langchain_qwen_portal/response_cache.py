"""A response cache of the user's that is told of ordinary answers alone."""

from collections.abc import Sequence
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.outputs import ChatGeneration, Generation

from qwen_portal.quota.attempts import TAG


class FullAnswers(BaseCache):
    """Keeps no answer that stands in for another one because a quota was spent: the quota comes back, the cache stays.

    Args:
        cache: Where the others are kept.
    """

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Look an answer up."""
        return self._cache.lookup(prompt, llm_string)

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep an answer, if it is an ordinary one."""
        if not _stands_in(return_val):
            self._cache.update(prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:
        """Empty the cache."""
        self._cache.clear(**kwargs)

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Look an answer up."""
        return await self._cache.alookup(prompt, llm_string)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep an answer, if it is an ordinary one."""
        if not _stands_in(return_val):
            await self._cache.aupdate(prompt, llm_string, return_val)

    async def aclear(self, **kwargs: Any) -> None:
        """Empty the cache."""
        await self._cache.aclear(**kwargs)


def _stands_in(generations: Sequence[Generation]) -> bool:
    return any(isinstance(each, ChatGeneration) and TAG in each.message.response_metadata for each in generations)
