"""Embeddings through a real ``litellm --config`` process, as OpenAI's own client asks for them."""

from pathlib import Path

import openai
import pytest

from qwen_portal.emulator import Emulator
from tests.embeddings.ways import asked
from tests.real.litellm_proxy import KEY, environment, replicas

pytestmark = pytest.mark.real

MODEL = "qwen-portal/text-embedding-v4"
TEXTS = [f"Text number {n}" for n in range(12)]
# "Hello" and " there" in the tokens of OpenAI's tools, such as LangChain's OpenAIEmbeddings sends.
TOKENS = [[9906], [1070]]


def test_openais_client_gets_vectors_through_a_proxy(tmp_path: Path) -> None:
    """The wildcard of ``qwen-portal proxy`` serves them: split by ten, in base64, refused with a 400."""
    with Emulator() as service:
        key = {"QWEN_PORTAL_API_KEY": "sk-studio", "QWEN_PORTAL_BASE_URL": f"{service.url}/compatible-mode/v1"}
        with (
            replicas(1, tmp_path, environment(service, tmp_path / "state", **key)) as (proxy,),
            openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            packed = client.embeddings.create(model=MODEL, input=TEXTS, dimensions=64)
            plain = client.embeddings.create(model=MODEL, input=TEXTS, dimensions=64, encoding_format="float")
            assert [len(request.body["input"]) for request in asked(service)] == [10, 2] * 2
            assert packed.usage.prompt_tokens == plain.usage.prompt_tokens == 36
            for one, other in zip(packed.data, plain.data, strict=True):
                assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
            service.clear_log()
            for wrong in ({"input": TOKENS}, {"dimensions": 1000}, {"extra_body": {"qwen_account": "other"}}):
                with pytest.raises(openai.BadRequestError):
                    client.embeddings.create(**({"model": MODEL, "input": "Hello"} | wrong))
            assert asked(service) == []
