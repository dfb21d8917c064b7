"""No token in what a proxy writes or keeps: its debug log, its error bodies, the payload of its spend log."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import litellm
import pytest
from litellm import exceptions
from litellm.integrations.custom_logger import CustomLogger

import litellm_qwen_portal
from qwen_portal.emulator import Emulator
from tests.canaries import KEY as QWEN_KEY
from tests.canaries import assert_none_in
from tests.litellm.ways import acall, achunks
from tests.real.litellm_proxy import KEY, Proxy, environment, replicas, sign_in

pytestmark = pytest.mark.real

BODY: dict[str, Any] = {"model": "coder-model", "messages": [{"role": "user", "content": "What is 2+2?"}]}


def ask(proxy: Proxy, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Send a request with the master key."""
    authorized = {"Authorization": f"Bearer {KEY}"} | headers
    return httpx.post(f"{proxy.url}{path}", json=body, headers=authorized, timeout=120, trust_env=False)


def test_a_talkative_proxy_tells_no_token(tmp_path: Path) -> None:
    """Answers, streams, errors and a refresh, with LiteLLM's most detailed log and ours."""
    shown: list[str] = []
    with Emulator() as emulator:
        variables = environment(emulator, tmp_path / "state", LITELLM_LOG="DEBUG", QWEN_PORTAL_LOG="debug")
        sign_in(variables)
        emulator.revoke()
        with replicas(1, tmp_path, variables, "--detailed_debug") as (proxy,):
            for scenario in (None, "error-500", "input-range", "cut", "quota", "ended"):
                if scenario is not None:
                    emulator.scenario(scenario)
                shown += [
                    ask(proxy, "/v1/chat/completions", BODY).text,
                    ask(proxy, "/v1/chat/completions", BODY | {"stream": True}).text,
                    ask(proxy, "/v1/messages", BODY | {"max_tokens": 10}).text,
                ]
                if scenario is not None:
                    emulator.scenario(scenario, on=False)
            log = proxy.log.read_text("utf-8", "replace")
        tokens = emulator.issued_tokens()
        assert len(emulator.log("refresh")) >= 1
    assert "What is 2+2?" in log
    assert len(tokens) >= 4
    for text in (log, *shown):
        assert_none_in(text, tokens)


class Spending(CustomLogger):
    """Makes the rows that a proxy with a database would keep."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[str] = []

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an answer."""
        self._keep(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """After an error; a proxy keeps a row of it too."""
        # what a proxy makes of it: it has no first token
        self._keep(kwargs | {"completion_start_time": end_time}, response_obj or {}, start_time, end_time)

    def _keep(self, kwargs: Any, response: Any, start: datetime, end: datetime) -> None:
        from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

        row = get_logging_payload(kwargs=kwargs, response_obj=response, start_time=start, end_time=end)
        self.rows.append(json.dumps(row, default=repr))


# LiteLLM's proxy is imported by the first row, and uses what pydantic and others will remove.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_spend_log_holds_no_token(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's rows for answers, streams and failures; a key that a call brings is not in them either."""
    litellm_qwen_portal.register()
    spending = Spending()
    monkeypatch.setattr(litellm, "callbacks", [spending])
    acall(BODY["messages"])
    acall(BODY["messages"], api_key=QWEN_KEY, api_base=signed_in.base_url)
    achunks(BODY["messages"], api_key=QWEN_KEY, api_base=signed_in.base_url)
    assert len(spending.rows) == 3
    signed_in.scenario("error-500")
    for ask_for in (acall, achunks):
        with pytest.raises(exceptions.InternalServerError):
            ask_for(BODY["messages"], api_key=QWEN_KEY, api_base=signed_in.base_url, max_retries=0)
    assert len(spending.rows) == 5
    assert all("coder-model" in row for row in spending.rows)
    for row in spending.rows:
        assert_none_in(row)
        assert_none_in(row, signed_in.issued_tokens())
