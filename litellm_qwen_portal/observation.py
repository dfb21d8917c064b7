"""Notes on one call for LiteLLM's records: where it was asked, and the answer's headers."""

from collections.abc import Mapping
from typing import Any

from qwen_portal import AsyncPortalClient, PortalClient
from qwen_portal.http.exchange import Exchange


class Observation:
    """Notes each request of one call; the last one counts.

    Args:
        logging_obj: LiteLLM's record of the call.
    """

    def __init__(self, logging_obj: Any) -> None:
        self._logging_obj = logging_obj
        self._exchange: Exchange | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer, or of the refusal."""
        return {} if self._exchange is None else self._exchange.response_headers

    def note(self, exchange: Exchange) -> None:
        """Take note of a request that is about to be sent."""
        self._exchange = exchange
        # Where LiteLLM's own providers put it; the account, and with it the address, is chosen after the call began.
        details = getattr(self._logging_obj, "model_call_details", None)
        if isinstance(details, dict):
            details.setdefault("litellm_params", {})["api_base"] = exchange.request.url


class ObservedClient(PortalClient):
    """A client for one call.

    Args:
        observation: Who takes note.
        **options: Of the client.
    """

    def __init__(self, observation: Observation, **options: Any) -> None:
        super().__init__(**options)
        self._observation = observation

    def about_to_send(self, exchange: Exchange) -> None:
        """Tell who takes note."""
        self._observation.note(exchange)


class AsyncObservedClient(AsyncPortalClient):
    """The same for event loops.

    Args:
        observation: Who takes note.
        **options: Of the client.
    """

    def __init__(self, observation: Observation, **options: Any) -> None:
        super().__init__(**options)
        self._observation = observation

    def about_to_send(self, exchange: Exchange) -> None:
        """Tell who takes note."""
        self._observation.note(exchange)
