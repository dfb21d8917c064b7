"""Answers of a schema's form: by a forced tool call, in JSON mode, or by the service, as the model can."""

import functools
from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel

from langchain_qwen_portal.model_state import PortalState
from langchain_qwen_portal.payload import schema_format
from qwen_portal import QwenError
from qwen_portal.service.models import model_on
from qwen_portal.service.rows import Model


class StructuredOutput(PortalState):
    """A model whose ``with_structured_output`` asks as the model that stands behind its name can answer."""

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_mode", "json_schema"] = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Make a runnable that answers with the schema's data.

        What a model can do is looked up now, as the account's plan has it.

        Args:
            schema: A Pydantic class, TypedDict class, JSON schema or OpenAI tool.
            method: ``function_calling`` forces a tool call. ``json_mode`` asks for JSON; the prompt must say "json" and
                describe the schema. ``json_schema`` has the service keep to the schema. The first and the last stand
                in for each other: a model that always thinks, and so cannot be forced, is sent the schema, and one
                that keeps to none is forced. Who can do neither is offered the tool, and an answer in text is read as
                JSON.
            include_raw: Whether to return ``{"raw", "parsed", "parsing_error"}``.
            strict: Passed on in the tool definition or the format; not for ``json_mode``. A format is strict if
                nothing is said.
            **kwargs: Bound to every call.
        """
        row = self._row(self.model_name)
        keeps = row is not None and row.json_schema
        is_free = row is not None and not row.can_be_forced
        if method == "json_schema" and (schema is None or not keeps):
            method = "function_calling"
        elif method == "function_calling" and schema is not None and is_free and keeps:
            method = "json_schema"
        if method == "json_schema":
            # JSON mode's parsers read the text; the parent's own for schemas want what OpenAI's client has parsed
            ours: dict[str, Any] = {
                "response_format": schema_format(schema, strict=strict is not False),
                "ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": schema},
            }
            return super().with_structured_output(schema, method="json_mode", include_raw=include_raw, **ours, **kwargs)
        if method == "function_calling" and schema is not None and is_free:
            called = super().with_structured_output(schema, method=method, include_raw=True, strict=strict, **kwargs)
            read = called | RunnableLambda(functools.partial(_or_text, schema=schema))
            return read if include_raw else read | RunnableLambda(_parsed)
        return super().with_structured_output(schema, method=method, include_raw=include_raw, strict=strict, **kwargs)

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, response_format: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, and a schema of the answer beside them, as agents do.

        Args:
            tools: In any of LangChain's forms.
            tool_choice: Which of them is to be called; the parent's.
            response_format: A Pydantic class, TypedDict class, JSON schema or format; strict, if it does not say
                otherwise, for a model that keeps to schemas. (The parent says that it is not.)
            **kwargs: The parent's, or bound to every call.
        """
        bound = super().bind_tools(tools, tool_choice=tool_choice, **kwargs)
        if response_format is None:
            return bound
        return bound.bind(response_format=schema_format(response_format, strict=self._strictness(self.model_name)))

    def _strictness(self, model: str) -> bool | None:
        """Return what is said of strictness where the user says nothing."""
        row = self._row(model)
        return True if row is not None and row.json_schema else None

    def _row(self, model: str) -> Model | None:
        try:
            return model_on(self._client().plan(), model)
        except QwenError:
            # The call that follows reports what is wrong with the settings.
            return None


def _or_text(answer: dict[str, Any], *, schema: Any) -> dict[str, Any]:
    """Read the text where a tool that was offered was not called."""
    if answer["parsed"] is not None or answer["parsing_error"] is not None:
        return answer
    is_class = isinstance(schema, type) and issubclass(schema, BaseModel)
    parser: BaseOutputParser[Any] = PydanticOutputParser(pydantic_object=schema) if is_class else JsonOutputParser()
    text = answer["raw"].text
    try:
        return {**answer, "parsed": parser.parse(text)}
    except OutputParserException:
        error = OutputParserException(
            "The model answered in text that is not of the schema: it always thinks, and cannot be made to call a "
            "tool. Describe the schema in the prompt, or take a model whose profile has tool_choice or "
            "structured_output.",
            llm_output=text,
        )
        return {**answer, "parsing_error": error}


def _parsed(answer: dict[str, Any]) -> Any:
    if answer["parsing_error"] is not None:
        raise answer["parsing_error"]
    return answer["parsed"]
