"""A peer: LiteLLM's authenticator of GitHub Copilot, which keeps its tokens in a file; the chat goes over httpx.

It has no way to say that a token was refused, and its long-lived token is not spent by a refresh: so it can lose no
sign-in here, and what is compared is how it handles its files, how often it asks, and what becomes of a 401.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from litellm._logging import verbose_logger
from litellm.llms.github_copilot.authenticator import Authenticator
from litellm.llms.github_copilot.common_utils import GithubCopilotError

from tests.soak.peer_httpx import Httpx, Tokens
from tests.soak.workload import COPILOT_PATH, SignIn


class AuthenticatorTokens:
    """One authenticator, and folder, for each account.

    Args:
        url: The sign-in host.
        sign_ins: The accounts.
        home: A folder.
    """

    def __init__(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> None:
        os.environ["GITHUB_COPILOT_API_KEY_URL"] = f"{url}{COPILOT_PATH}"
        self._folders = {each.label: home / each.label for each in sign_ins}
        self._authenticators: dict[str, Authenticator] = {}
        for each in sign_ins:
            folder = self._folders[each.label]
            folder.mkdir()
            (folder / "access-token").write_text(each.refresh_token, "utf-8")
            os.environ["GITHUB_COPILOT_TOKEN_DIR"] = str(folder)
            self._authenticators[each.label] = Authenticator()

    def get(self, label: str, refused: str | None = None) -> str:
        """Return what it has, or asks for."""
        return self._authenticators[label].get_api_key()

    def forget(self, label: str) -> None:
        """Remove the short-lived token."""
        (self._folders[label] / "api-key.json").unlink(missing_ok=True)


class Copilot(Httpx):
    """Chat over httpx with the tokens of the authenticator."""

    def tokens(self, url: str, sign_ins: Sequence[SignIn], home: Path) -> Tokens:
        """Open the place for tokens."""
        # LiteLLM would print each failed refresh; the records are read all the same
        verbose_logger.handlers.clear()
        self._authenticators = AuthenticatorTokens(url, sign_ins, home)
        return self._authenticators

    def is_due(self, error: BaseException) -> bool:
        """Whether an error is one that it raises on purpose, or httpx."""
        return isinstance(error, GithubCopilotError) or super().is_due(error)

    def ask_anew(self, label: str) -> None:
        """Ask for another token now."""
        self._authenticators.forget(label)
        self._authenticators.get(label)
