"""The models that turn texts into vectors."""

from typing import NamedTuple


class EmbeddingModel(NamedTuple):
    """One of them.

    Attributes:
        id: What a request calls it.
        dimensions: The lengths of vectors that can be asked for.
        texts: Texts in one request at most.
        tokens: Tokens of one text at most.
    """

    id: str
    dimensions: tuple[int, ...]
    texts: int
    tokens: int


_ROWS = (
    EmbeddingModel("text-embedding-v4", (1024, 2048, 1536, 768, 512, 256, 128, 64), texts=10, tokens=8_192),
    EmbeddingModel("text-embedding-v3", (1024, 768, 512, 256, 128, 64), texts=10, tokens=8_192),
    EmbeddingModel("text-embedding-v2", (1536,), texts=25, tokens=2_048),
)
EMBEDDING_MODELS: dict[str, EmbeddingModel] = {row.id: row for row in _ROWS}
DEFAULT_EMBEDDING_MODEL = _ROWS[0].id
