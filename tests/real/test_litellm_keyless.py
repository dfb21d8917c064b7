"""``qwen-portal proxy`` without a key: this machine's programs are served, web pages are not, and no file opens it."""

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from qwen_portal.emulator import Emulator
from tests.real.litellm_proxy import PORTAL, environment, free_port, running, sign_in

pytestmark = pytest.mark.real

BODY: dict[str, Any] = {"model": "coder-model", "messages": [{"role": "user", "content": "What is 2+2?"}]}


def test_programs_are_served_and_web_pages_are_not(tmp_path: Path) -> None:
    """No page can spend the quota or read an answer; the file that is left asks for the key."""
    port = free_port()
    with Emulator() as emulator:
        variables = environment(emulator, tmp_path / "state", LITELLM_MASTER_KEY="", NUM_WORKERS="2")
        sign_in(variables)
        command = [*PORTAL, "proxy", "--port", str(port)]
        with running(command, port, tmp_path / "log", variables) as proxy:
            url = f"{proxy.url}/v1/chat/completions"
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Host": f"evil.example:{port}"},
                {"Sec-Fetch-Site": "cross-site"},
            ):
                # what a page may send without asking first
                simple = headers | {"Content-Type": "text/plain"}
                answer = httpx.post(url, content=json.dumps(BODY), headers=simple, timeout=120, trust_env=False)
                assert answer.status_code == 403, headers
            assert not emulator.chats()
            with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="none", max_retries=0) as client:
                assert "4" in (client.chat.completions.create(**BODY).choices[0].message.content or "")
    assert "master_key: os.environ/LITELLM_MASTER_KEY" in (tmp_path / "state" / "proxy.yaml").read_text("utf-8")
