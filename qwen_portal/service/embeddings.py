"""The models that turn texts into vectors; the rows are in :mod:`qwen_portal.service.catalogue`."""

from qwen_portal.service.catalogue import EMBEDDING_ROWS
from qwen_portal.service.rows import EmbeddingModel

EMBEDDING_MODELS: dict[str, EmbeddingModel] = {row.id: row for row in EMBEDDING_ROWS}
DEFAULT_EMBEDDING_MODEL = EMBEDDING_ROWS[0].id
