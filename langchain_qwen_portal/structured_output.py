"""Answers of a schema's form: by a forced tool call, in JSON mode, or by the service, where the model keeps to it."""

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_qwen_portal.model_state import PortalState
from langchain_qwen_portal.payload import schema_format
from qwen_portal import QwenError
from qwen_portal.service.models import model_on


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

        Args:
            schema: A Pydantic class, TypedDict class, JSON schema or OpenAI tool.
            method: ``function_calling`` forces a tool call. ``json_mode`` asks for JSON; the prompt must say "json" and
                describe the schema. ``json_schema`` has the service keep to the schema, for the models that do, as the
                account's plan has them now; for others it is ``function_calling``.
            include_raw: Whether to return ``{"raw", "parsed", "parsing_error"}``.
            strict: Passed on in the tool definition or the format; not for ``json_mode``. A format is strict if
                nothing is said.
            **kwargs: Bound to every call.
        """
        if method == "json_schema" and (schema is None or not self._keeps_to_schemas(self.model_name)):
            method = "function_calling"
        if method != "json_schema":
            return super().with_structured_output(
                schema, method=method, include_raw=include_raw, strict=strict, **kwargs
            )
        # JSON mode's parsers read the text; the parent's own for schemas want what OpenAI's client has parsed
        ours: dict[str, Any] = {
            "response_format": schema_format(schema, strict=strict is not False),
            "ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": schema},
        }
        return super().with_structured_output(schema, method="json_mode", include_raw=include_raw, **ours, **kwargs)

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
        return True if self._keeps_to_schemas(model) else None

    def _keeps_to_schemas(self, model: str) -> bool:
        try:
            return model_on(self._client().plan(), model).json_schema
        except QwenError:
            # The call that follows reports what is wrong with the settings.
            return False
