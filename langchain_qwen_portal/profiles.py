"""Model profiles: what a model can do, in LangChain's words; the facts are the core's."""

from typing import Any, cast

from langchain_core.language_models import ModelProfile

from qwen_portal.service.models import model_id, model_on
from qwen_portal.service.plans import Plan


class DerivedProfile(dict[str, Any]):
    """A profile that was looked up, not given by the user.

    ``configurable_fields`` builds a new model from all fields of an old one; the type tells the new one that the
    profile it was handed is the old model's.
    """


def model_profile(model: str, plan: Plan) -> ModelProfile | None:
    """Describe a model on a plan.

    Args:
        model: Model id, with or without ``qwen-portal/``.
        plan: The account's plan.

    Returns:
        LangChain's profile, or ``None`` for a model whose limits the catalogue does not have.
    """
    row = model_on(plan, model)
    if row.context is None:
        return None
    images = "image" in row.inputs
    profile = DerivedProfile(
        name=model_id(model),
        max_input_tokens=row.context,
        max_output_tokens=row.output,
        text_inputs=True,
        image_inputs=images,
        image_url_inputs=images,
        image_tool_message=images,
        pdf_inputs=False,
        pdf_tool_message=False,
        audio_inputs=False,
        video_inputs="video" in row.inputs,
        text_outputs=True,
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        reasoning_output=row.thinks != "never",
        reasoning_effort_levels=list(row.efforts),
        tool_calling=True,
        tool_choice=row.can_be_forced,
        tool_call_streaming=True,
        # Where no schema is kept to, agents ask through a tool.
        structured_output=row.json_schema,
        temperature=True,
        attachment=images,
    )
    return cast("ModelProfile", profile)
