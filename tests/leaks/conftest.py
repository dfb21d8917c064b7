"""What the tests of this folder share."""

from tests.leaks.heard import heard
from tests.litellm.conftest import own_litellm

__all__ = ["heard", "own_litellm"]
