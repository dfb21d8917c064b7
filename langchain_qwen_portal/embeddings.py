"""Embeddings, which the portal has none of: the error says where they are."""

from langchain_qwen_portal.errors import translated
from qwen_portal.errors import QwenModelNotFoundError


class QwenPortalEmbeddings:
    """Nothing but an error at construction, found where one would look for embeddings.

    Raises:
        QwenModelNotFoundError: Always; its hint names the service and the client that have embeddings.
    """

    def __init__(self, *_: object, **__: object) -> None:
        with translated():
            raise QwenModelNotFoundError(
                "The portal offers no embeddings, and neither do the coding plans.",
                hint="Model Studio does: keep a key of it with `qwen-portal login studio --plan studio-intl`, then "
                'call qwen_portal.openai_client("studio").embeddings.create(model="text-embedding-v4", input=[…]).',
            )
