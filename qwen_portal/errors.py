"""Every error of the package, in one tree.

    QwenError
    ├── QwenOAuthError                    the sign-in went wrong
    │   ├── QwenLoginTimeoutError         nobody confirmed the code in time
    │   └── QwenLoginDeniedError          the person refused
    ├── QwenRefreshTokenInvalidError      the refresh token is dead: sign in again
    ├── QwenTokenExpiredError             expired, and the refresh failed for a passing reason
    ├── QwenTokenNotAvailableError        nobody is signed in
    ├── QwenStoreError                    the place that keeps the sign-in failed
    │   ├── QwenStoreLockedError
    │   └── QwenStoreUnavailableError
    ├── QwenHostNotAllowedError           a bearer must not go to this host
    └── QwenAPIError                      the chat service refused or broke off
        ├── QwenAuthenticationError
        │   ├── QwenServiceEndedError     the free tier refuses even fresh tokens
        │   └── QwenPlanNotForProgramsError   the plan serves none but the clients that it names
        ├── QwenQuotaExceededError
        ├── QwenRateLimitError
        ├── QwenContextLengthError
        ├── QwenContentFilterError
        ├── QwenModelNotFoundError
        ├── QwenBadRequestError
        ├── QwenServerError
        ├── QwenTimeoutError
        ├── QwenConnectionError
        └── QwenStreamError

Each says what happened; ``.hint`` says which command or setting helps.
"""

from typing import Any, ClassVar

# The plans whose terms allow scripts and backends, as the catalogue has them, besides the first to name.
_OTHER_PLANS = "studio, studio-us, studio-hk, qwencloud, studio:WORKSPACE@REGION"


class QwenError(Exception):
    """Base of all errors of this package.

    Args:
        message: What happened, in one or two sentences.
        hint: The command or setting that helps; a default per class.
        kind: ``"firewall"`` when a web page answered instead of the service, ``"key"`` when the service knows no such
            API key, else ``None``.

    Attributes:
        exit_code: What the command line exits with: 1 error, 3 keyring unavailable or locked,
            4 sign-in needed, 5 quota or rate, 6 network.
    """

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.kind = kind

    def __str__(self) -> str:
        """Join what happened and what to do."""
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, so that an error crosses a process pool whole."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[QwenError], args: tuple[Any, ...], state: dict[str, Any]) -> QwenError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class QwenOAuthError(QwenError):
    """The sign-in host refused, or answered something that is not a sign-in."""

    default_hint = "Try `qwen-portal login` again."


class QwenLoginTimeoutError(QwenOAuthError):
    """The device code expired before anybody confirmed it."""

    default_hint = "Run `qwen-portal login` again and confirm the new code in time."


class QwenLoginDeniedError(QwenOAuthError):
    """The person refused the sign-in in the browser."""

    default_hint = "Run `qwen-portal login` again if that was not intended."


class QwenRefreshTokenInvalidError(QwenError):
    """The refresh token is dead; only a new sign-in helps."""

    exit_code = 4
    default_hint = "Run `qwen-portal login` to sign in again."


class QwenTokenExpiredError(QwenError):
    """The access token expired and could not be renewed just now; the sign-in is kept."""

    exit_code = 6
    default_hint = "Try again in a minute; the sign-in is kept."


class QwenTokenNotAvailableError(QwenError):
    """Nobody is signed in for this account; no request starts a sign-in by itself."""

    exit_code = 4
    default_hint = "Run `qwen-portal login`."


class QwenStoreError(QwenError):
    """The place that keeps the sign-in could not be read or written."""

    exit_code = 3
    default_hint = "See `qwen-portal status`; QWEN_PORTAL_STORE chooses another place."


class QwenStoreLockedError(QwenStoreError):
    """The keyring is locked, or another process holds the account's lock."""

    default_hint = "Unlock the keyring and try again."


class QwenStoreUnavailableError(QwenStoreError):
    """There is no usable keyring, or it does not answer."""

    default_hint = (
        "`qwen-portal login --insecure-storage`, or QWEN_PORTAL_STORE=file, keeps the sign-in in a file only you can "
        "read; QWEN_PORTAL_STORE=memory keeps it for this process alone."
    )


class QwenHostNotAllowedError(QwenError):
    """A bearer was about to go to a host that is neither Qwen's nor named by the user."""

    default_hint = "If you trust this host, name it in QWEN_PORTAL_ALLOWED_HOSTS or QWEN_PORTAL_BASE_URL."


class QwenAPIError(QwenError):
    """The chat service refused a request, failed, or broke off.

    Args:
        message: What happened.
        hint: What helps.
        kind: As for :class:`QwenError`.
        status: HTTP status, if one was received.
        code: The service's error code, such as ``"insufficient_quota"``.
        request_id: The service's id of this request.
        retry_after: Seconds the service asked to wait, if it did.
        partial_text: Text received before a stream broke off.
        partial_tool_calls: Tool calls received so far, as OpenAI's ``tool_calls`` entries.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kind: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        partial_text: str = "",
        partial_tool_calls: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.partial_text = partial_text
        self.partial_tool_calls = partial_tool_calls or []


class QwenAuthenticationError(QwenAPIError):
    """The service refused the token or key."""

    exit_code = 4
    default_hint = "Run `qwen-portal status --check`, then `qwen-portal login`."


class QwenServiceEndedError(QwenAuthenticationError):
    """The free OAuth tier refuses even a token that was issued a moment ago."""

    default_hint = (
        "An API key of a plan that serves programs works with the same code: `qwen-portal login --plan studio-intl` "
        f"(or {_OTHER_PLANS})."
    )


class QwenPlanNotForProgramsError(QwenAuthenticationError):
    """The key's plan serves none but the coding tools that it knows by name; this package does not pass for one."""

    default_hint = (
        "Plans that serve programs take a key of their own: `qwen-portal login --plan studio-intl` "
        f"(or {_OTHER_PLANS})."
    )


class QwenQuotaExceededError(QwenAPIError):
    """The account's quota is used up.

    Attributes:
        resets_at: When it comes back, in seconds since the epoch, where the service said so.
    """

    exit_code = 5
    resets_at: float | None = None
    default_hint = "Wait for the quota to come back, or use another account: `qwen-portal accounts use NAME`."


class QwenRateLimitError(QwenAPIError):
    """Too many requests in a short time."""

    exit_code = 5
    default_hint = "Wait a little and send fewer requests at once."


class QwenContextLengthError(QwenAPIError):
    """The prompt is longer than the model takes."""

    default_hint = "Shorten the messages, or start a new conversation."


class QwenContentFilterError(QwenAPIError):
    """The service's moderation refused the prompt or the answer."""

    default_hint = "Rephrase the message; the service's moderation also has false alarms."


class QwenModelNotFoundError(QwenAPIError):
    """The service does not offer this model."""

    default_hint = "See `qwen-portal models`."


class QwenBadRequestError(QwenAPIError):
    """The request is one that the service cannot take."""

    default_hint = "Change what the message names; the same request again gets the same answer."


class QwenServerError(QwenAPIError):
    """The service failed on its side."""

    exit_code = 6
    default_hint = "Try again in a minute."


class QwenTimeoutError(QwenAPIError):
    """No answer, or no further chunk, came in time."""

    exit_code = 6
    default_hint = "Try again, stream the answer, or raise QWEN_PORTAL_TIMEOUT (seconds)."


class QwenConnectionError(QwenAPIError):
    """The host could not be reached, or the connection broke.

    Attributes:
        sent: ``False`` where the request surely never reached the host, so that repeating it is safe.
    """

    exit_code = 6
    sent: bool = True
    default_hint = "Check the network and the proxy variables (HTTPS_PROXY, NO_PROXY)."


class QwenStreamError(QwenAPIError):
    """A streamed answer broke off or reported an error; what came before is in ``partial_text``."""

    exit_code = 6
    default_hint = "Try again; what was received is in the error's partial_text."
