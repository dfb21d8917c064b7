"""What LiteLLM offers beyond chat and the service does not: refused with a 4xx, which no Router repeats."""

from collections.abc import Awaitable, Callable
from typing import Any

import litellm
import pytest
from litellm import exceptions

from qwen_portal import QwenBadRequestError
from qwen_portal.emulator import Emulator
from tests.litellm.ways import MODEL, run


def through(work: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    """Make a plain call of an async one."""
    return lambda: run(work)


WISHES: dict[str, Callable[[], Any]] = {
    "embedding": lambda: litellm.embedding(model=MODEL, input=["Hello"]),
    "aembedding": through(lambda: litellm.aembedding(model=MODEL, input=["Hello"])),
    "image_generation": lambda: litellm.image_generation(model=MODEL, prompt="A river"),
    "aimage_generation": through(lambda: litellm.aimage_generation(model=MODEL, prompt="A river")),
    "image_edit": lambda: litellm.image_edit(model=MODEL, image=b"x", prompt="Bluer"),
    "aimage_edit": through(lambda: litellm.aimage_edit(model=MODEL, image=b"x", prompt="Bluer")),
}


@pytest.mark.parametrize("wish", WISHES)
def test_what_the_service_has_not_is_a_bad_request(signed_in: Emulator, wish: str) -> None:
    """It is refused here, without a request, and the text says who has it; the portal has no embeddings."""
    with pytest.raises(exceptions.BadRequestError, match="Model Studio") as caught:
        WISHES[wish]()
    assert caught.value.status_code == 400
    assert isinstance(caught.value.__cause__, QwenBadRequestError)
    assert not signed_in.chats()
