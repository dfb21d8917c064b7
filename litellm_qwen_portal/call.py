"""One call as LiteLLM hands it to a custom handler, sorted into what the core's client takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from litellm_qwen_portal.messages import normalise
from litellm_qwen_portal.observation import AsyncObservedClient, Observation, ObservedClient
from litellm_qwen_portal.proxied import refuse_choices
from litellm_qwen_portal.thinking import map_thinking
from litellm_qwen_portal.unoffered import without_unoffered
from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.errors import QwenBadRequestError, QwenHostNotAllowedError
from qwen_portal.secrets import Secret, printable
from qwen_portal.service.hosts import ArgumentUrl

# The core sets it itself.
_OURS = ("stream",)
# As many as a client of the core makes by itself.
_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    A client of the core is made for each: it holds nothing but settings (tokens and connections belong to the
    process), and a changed environment counts at once.

    Attributes:
        model: Model id without the provider's prefix.
        messages: OpenAI-style messages; none where texts are to be embedded.
        params: What else goes to the core: OpenAI's parameters, ``extra_body``, ``output_cap``, ``allow_images``.
        headers: Extra request headers.
        timeout: Seconds for the whole answer.
        max_retries: The core's own repeats of a request that failed in passing. LiteLLM sets it to 0 where it repeats
            itself (in a Router, and in the repeats that ``num_retries`` makes), so that the two never multiply.
        account: Account label; pins the call to that account.
        api_key: A key used as it is.
        plan: The key's plan.
        base_url: Where the key goes, if not to its plan's address.
        merge_reasoning: Whether a stream's reasoning belongs into its text.
        observation: What is known of its requests and their answers.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    timeout: float | None
    max_retries: int
    account: str | None
    api_key: Secret | None
    plan: str | None
    base_url: str | None
    merge_reasoning: bool
    observation: Observation

    @classmethod
    def read(cls, given: Mapping[str, Any], observation: Observation) -> Self:
        """Sort a handler's keyword arguments.

        Args:
            given: As LiteLLM hands them over.
            observation: Takes note of the call's requests.

        Raises:
            QwenHostNotAllowedError: ``api_base`` came without ``api_key``.
            QwenBadRequestError: OpenAI's web search or sound is asked for, an argument has a value that it cannot
                have, or the client of a proxy names an account.
        """
        litellm_params = given.get("litellm_params") or {}
        refuse_choices(litellm_params)
        params = {name: value for name, value in given["optional_params"].items() if name not in _OURS}
        headers = {**(given.get("headers") or {}), **(params.pop("extra_headers", None) or {})}
        api_key, api_base = Secret.wrapped(given.get("api_key")), given.get("api_base")
        if api_base and not api_key:
            raise QwenHostNotAllowedError(
                f"api_base={printable(str(api_base), limit=120)!r} came without api_key=: the token of a signed-in "
                "account never goes to an address that a call names.",
                hint="Pass api_key= too, or set QWEN_PORTAL_BASE_URL if you trust the address with your sign-in.",
            )
        params = without_unoffered(params, given)
        account, plan = params.pop("qwen_account", None), params.pop("qwen_plan", None)
        return cls(
            model=given["model"],
            messages=normalise(given.get("messages") or ()),
            # the second place is that of calls for embeddings
            max_retries=_count(params.pop("max_retries", litellm_params.get("max_retries"))),
            params=map_thinking(params),
            headers=headers,
            timeout=_seconds(given.get("timeout")),
            account=_name("qwen_account", account),
            api_key=api_key,
            plan=_name("qwen_plan", plan),
            base_url=ArgumentUrl(api_base) if api_base else None,
            observation=observation,
            merge_reasoning=bool(litellm_params.get("merge_reasoning_content_in_choices")),
        )

    def client(self) -> PortalClient:
        """Make the client for threads."""
        return ObservedClient(self.observation, **self._client_options())

    def async_client(self) -> AsyncPortalClient:
        """Make the client for event loops."""
        return AsyncObservedClient(self.observation, **self._client_options())

    def _client_options(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "api_key": self.api_key,
            "plan": self.plan,
            "base_url": self.base_url,
            "max_retries": self.max_retries,
        }

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the client's ``chat`` and ``stream``."""
        return {
            **self.params,
            "messages": self.messages,
            "model": self.model,
            "timeout": self.timeout,
            "extra_headers": self.headers,
        }

    def announce(self, logging_obj: Any, name: str, content: Any) -> None:
        """Tell LiteLLM's pre-call callbacks what is about to be sent; the bearer is put on below and is not in it.

        Args:
            logging_obj: LiteLLM's record of the call.
            name: The field that holds what is asked: ``messages`` or ``input``.
            content: What is asked.
        """
        logging_obj.pre_call(
            input=content,
            api_key=None,
            additional_args={
                "complete_input_dict": {"model": self.model, name: content, **self.params},
                "headers": dict(self.headers),
            },
        )


def _name(what: str, value: Any) -> str | None:
    # YAML reads a label such as 2026 as a number
    if value is None or isinstance(value, str) or type(value) is int:
        return None if value is None else str(value)
    raise QwenBadRequestError(f"{what} is {value!r}.", hint="It takes a text; in YAML put it in quotes.")


def _count(value: Any) -> int:
    if value is None:
        return _RETRIES
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        count = -1
    if count < 0:
        raise QwenBadRequestError(f"max_retries is {value!r}.", hint="It takes a whole number, 0 or more.")
    return count


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not seconds > 0:
        raise QwenBadRequestError(f"timeout is {value!r}.", hint="It takes a number of seconds above 0.")
    return seconds
