"""The model as an object that is copied, changed, cached and configured: nothing in it outlives its reason."""

import contextlib
from collections.abc import Mapping
from typing import Any, Self

from langchain_core.caches import BaseCache
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import ModelProfile
from langchain_core.outputs import ChatResult

from langchain_qwen_portal.calls import PortalCalls
from langchain_qwen_portal.errors import translated
from langchain_qwen_portal.profiles import DerivedProfile, model_profile
from langchain_qwen_portal.response_cache import FullAnswers
from qwen_portal.service.models import name_on

# What the profile was looked up by.
_IDENTITY = frozenset({"model_name", "account", "openai_api_key", "plan", "openai_api_base", "store"})
# LangChain keeps the model's written form, which response caches compare.
_KEPT = "_serialized"
# Who pays, and how patiently: none of it changes what is answered.
_NOT_IN_CACHE_KEY = ("account", "store", "on_quota", "max_retries", "request_timeout")


class PortalState(PortalCalls):
    """Keeps profile and written form true when a field changes after construction."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._forget({name})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the model; a changed model name or account brings its own profile."""
        copied = super().model_copy(update=update, deep=deep)
        copied._forget(set(update or ()))  # noqa: SLF001 - of the same class
        return copied

    def _forget(self, changed: set[str]) -> None:
        self.__dict__.pop(_KEPT, None)
        if changed & _IDENTITY and (self.profile is None or isinstance(self.profile, DerivedProfile)):
            # A profile is a convenience: no setting that cannot be read fails an assignment over it.
            with contextlib.suppress(Exception):
                self.__dict__["profile"] = self._resolve_model_profile()

    def _resolve_model_profile(self) -> ModelProfile | None:
        return model_profile(self.model_name, self._client().plan())

    def _generate_with_cache(self, *args: Any, **kwargs: Any) -> ChatResult:
        return super(PortalState, self._cautious())._generate_with_cache(*args, **kwargs)

    async def _agenerate_with_cache(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await super(PortalState, self._cautious())._agenerate_with_cache(*args, **kwargs)

    def _cautious(self) -> Self:
        """Return the model with a response cache that keeps ordinary answers alone; without a cache, itself."""
        cache = self.cache if isinstance(self.cache, BaseCache) else get_llm_cache()
        if cache is None or self.cache is False:
            return self
        return self.model_copy(update={"cache": FullAnswers(cache)})

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Return a response cache's key: without the account, with the model that stands behind the name.

        So accounts share answers as long as their plans mean the same model by it.
        """
        with translated():
            name = name_on(self._client().plan(), self.model_name)
        nameless = self.model_copy(update=dict.fromkeys(_NOT_IN_CACHE_KEY))
        key = super(PortalState, nameless)._get_llm_string(stop=stop, **kwargs)
        return f"{key}---{name}"
