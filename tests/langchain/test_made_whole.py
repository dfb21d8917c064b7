"""Answers with holes and streams in odd pieces, as ChatQwenPortal hands them on; whole and streamed agree."""

from typing import Any

import pytest
from langchain_core.exceptions import ModelAuthenticationError, ModelError

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import QwenError, QwenPlanNotForProgramsError
from tests.langchain.ways import ALL, STREAMED, WHOLE, Way
from tests.reported import REFUSED, Refused, call, chunk, keep_key, stream_of, whole_of
from tests.reported_answers import STREAMED as STREAMS
from tests.reported_answers import WHOLE as ANSWERS
from tests.reported_answers import Meant
from tests.scripted import answering


def cases(table: dict[str, Any]) -> Any:
    """Make parameters of a table, each marked with its source."""
    return [pytest.param(each, id=name, marks=pytest.mark.reported(each.source)) for name, each in table.items()]


def assert_meant(meant: Meant, message: Any) -> None:
    """Compare a message with what was meant."""
    assert message.text == meant.text
    assert tuple((made["name"], made["args"]) for made in message.tool_calls) == meant.calls
    assert tuple(made["args"] for made in message.invalid_tool_calls) == meant.invalid
    assert message.response_metadata.get("finish_reason") == meant.reason
    usage = message.usage_metadata
    assert (None if usage is None else (usage["input_tokens"], usage["output_tokens"])) == meant.usage


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("meant", cases(ANSWERS))
def test_a_whole_answer_has_no_holes(meant: Meant, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """langchain#27325, #27632, #35990, #36052; lmstudio-bug-tracker#830; aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        assert_meant(meant, ask(ChatQwenPortal(max_retries=0), "Hi"))


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("meant", cases(STREAMS))
def test_a_stream_adds_up(meant: Meant, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """openclaw#127603, hermes-agent#5254, #8259, langchainjs#11054, aider#3693: see tests/reported_answers.py."""
    keep_key()
    with answering(meant.answer, monkeypatch):
        message = ask(ChatQwenPortal(max_retries=0), "Hi")
    assert_meant(meant, message)
    assert message.response_metadata.get("model_name", "m") == "m"


@pytest.mark.reported(next(iter(ANSWERS.values())).source)
@pytest.mark.parametrize("entry", [call([1]), call("5"), call('"x"'), call("a=1"), call("{}", name="")])
def test_whole_and_streamed_agree_about_what_is_invalid(entry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """langchain#36052, qwen-code#1448: no pydantic error, and the same arguments in both."""
    keep_key()
    with answering(lambda request: whole_of({"tool_calls": [entry]}), monkeypatch):
        whole = ChatQwenPortal().invoke("Hi")
    response = stream_of(chunk({"tool_calls": [entry]}), chunk({}, reason="stop"))
    with answering(lambda request: response, monkeypatch):
        streamed = STREAMED[0](ChatQwenPortal(), "Hi")
    assert not whole.tool_calls
    assert not streamed.tool_calls
    for message in (whole, streamed):
        (invalid,) = message.invalid_tool_calls
        assert (invalid["name"], invalid["id"]) == (entry["function"]["name"] or None, "c1")
    assert whole.invalid_tool_calls[0]["args"] == streamed.invalid_tool_calls[0]["args"]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("case", cases(REFUSED))
def test_a_refusal_is_of_both_worlds(case: Refused, ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """hermes-agent#58017, OpenKB#242, guidellm#743, lemonade#2826, langchain#37532, #39300: see tests/reported.py."""
    keep_key()
    with answering(case.answer, monkeypatch), pytest.raises(QwenError) as caught:
        ask(ChatQwenPortal(max_retries=0, on_quota="error"), "Hi")
    assert isinstance(caught.value, case.error)
    assert isinstance(caught.value, ModelError)
    assert case.words in str(caught.value)


@pytest.mark.reported(REFUSED["405"].source)
def test_a_plan_for_other_clients_is_an_authentication_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """goose#8005: both trees know it."""
    keep_key()
    with (
        answering(REFUSED["405"].answer, monkeypatch),
        pytest.raises(QwenPlanNotForProgramsError) as caught,
    ):
        ChatQwenPortal().invoke("Hi")
    assert isinstance(caught.value, ModelAuthenticationError)


@pytest.mark.parametrize("ask", ALL)
def test_what_langchain_cannot_read_is_typed(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that only langchain-openai looks at, of a type that it does not expect."""
    keep_key()

    def unreadable(*_: Any, **__: Any) -> None:
        raise TypeError("unhashable type")

    monkeypatch.setattr("langchain_openai.chat_models.base._convert_dict_to_message", unreadable)
    monkeypatch.setattr("langchain_openai.chat_models.base._convert_delta_to_message_chunk", unreadable)
    response = whole_of({"content": "4"}) if ask in WHOLE else stream_of(chunk({"content": "4"}, reason="stop"))
    with (
        answering(Meant("", response).answer, monkeypatch),
        pytest.raises(QwenError, match="LangChain cannot read the answer: TypeError: unhashable type") as caught,
    ):
        ask(ChatQwenPortal(), "Hi")
    assert isinstance(caught.value, ModelError)
