"""Other products' variables change nothing and leak nowhere."""

import pytest

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

FOREIGN = {
    "OPENAI_API_KEY": "sk-foreign-canary",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/foreign-canary",
    "OPENAI_API_BASE": "http://127.0.0.1:9/foreign-canary",
    "OPENAI_ORG_ID": "org-foreign-canary",
    "OPENAI_ORGANIZATION": "org-foreign-canary",
    "OPENAI_PROJECT_ID": "project-foreign-canary",
    "OPENAI_PROXY": "http://127.0.0.1:9",
    "OPENAI_CUSTOM_HEADERS": "x-foreign: foreign-canary",
    "LANGSMITH_GATEWAY": "true",
    "LANGSMITH_API_KEY": "lsv2_foreign-canary",
    "LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S": "0.000001",
    "LC_OUTPUT_VERSION": "responses/v1",
}


@pytest.mark.parametrize("ask", ALL)
def test_variables_of_others_do_not_matter(ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to our service, by chat completions, without a trace of them."""
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    model = ChatQwenPortal()
    assert ask(model, "What is 2+2?").text == "2+2 = 4"
    (entry,) = signed_in.chats()
    assert entry.path == "/v1/chat/completions"
    assert "foreign" not in f"{entry.headers} {entry.body} {model!r}"


@pytest.mark.parametrize("ask", ALL)
def test_langchains_own_output_version_counts(ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """LC_OUTPUT_VERSION=v1 is LangChain's, for all its models: content becomes blocks."""
    monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
    content = ask(ChatQwenPortal(), "What is 2+2?").content
    assert isinstance(content, list)


def test_no_client_of_openais_is_made(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call works where OpenAI's client cannot even be constructed."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("OpenAI's client was made")

    monkeypatch.setattr("openai.OpenAI.__init__", refuse)
    monkeypatch.setattr("openai.AsyncOpenAI.__init__", refuse)
    assert ChatQwenPortal().invoke("What is 2+2?").text == "2+2 = 4"
