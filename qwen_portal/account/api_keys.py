"""API keys: which plan takes which, and the account that a key makes which is not kept."""

from collections.abc import Iterable

from qwen_portal.account.record import ARGUMENT_LABEL, ENV_LABEL, Account
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.secrets import Secret, printable
from qwen_portal.service.plans import KEY_PLANS, PLANS, Plan, find_plan, plans_alike, plans_of_key, terms_of
from qwen_portal.settings import Settings
from qwen_portal.text import shell_quote


def given_account(settings: Settings) -> Account | None:
    """Return the account that ``api_key=`` or QWEN_PORTAL_API_KEY makes, or ``None``.

    Raises:
        QwenError: The key's plan is not said.
        QwenHostNotAllowedError: An argument names the address that the environment's key would go to.
    """
    if settings.api_key is None:
        return None
    if settings.plan is None and settings.base_url is None:
        plans = f"one of {', '.join(KEY_PLANS)}"
        if settings.key_is_argument:
            hint = f"Pass plan= (LiteLLM: qwen_plan=), {plans}, or an address (base_url=; LiteLLM: api_base=)."
            raise QwenError("An API key came as api_key=, but not which plan it is of.", hint=hint)
        msg = "An API key is set in QWEN_PORTAL_API_KEY, but not which plan it is of."
        raise QwenError(msg, hint=f"Set QWEN_PORTAL_PLAN to {plans}, or QWEN_PORTAL_BASE_URL.")
    place = settings.plan or settings.base_url or ""
    # the hosts of the catalogue are the vendor's; a workspace or another address may be anybody's
    if place not in PLANS and ("plan" if settings.plan else "base_url") in settings.argued:
        raise QwenHostNotAllowedError(
            f"The address {printable(place, limit=120)!r} came without api_key=: the environment's key never goes to "
            "an address that an argument names.",
            hint="Pass api_key= too, or set QWEN_PORTAL_PLAN or QWEN_PORTAL_BASE_URL if you trust the address.",
        )
    try:
        plan = key_plan(place)
    except QwenError as exc:
        named = "plan= or QWEN_PORTAL_PLAN" if settings.key_is_argument else "QWEN_PORTAL_PLAN"
        exc.message = f"{named}: {exc.message[0].lower()}{exc.message[1:]}"
        raise
    if settings.base_url is None:
        check_key(settings.api_key, plan)
    if settings.key_is_argument:
        return Account(ARGUMENT_LABEL, "argument", plan, active=True, store="argument", key=settings.api_key)
    return Account(ENV_LABEL, "env", plan, active=True, store="environment", key=settings.api_key)


def check_key(key: Secret, plan: Plan) -> None:
    """Refuse a key that is known to be of another plan, before it is kept or sent to the wrong host.

    Raises:
        QwenError: It begins as the keys of other plans do; the hint names them.
    """
    if belongs_to := plans_of_key(key, plan):
        raise QwenError(
            f"This key is not of the plan {plan.name!r}: keys of that begin with {' or '.join(map(repr, plan.keys))}.",
            hint=f"It begins as the keys of {', '.join(belongs_to)} do: name one of these as the plan. "
            f"Each key works at its own plan's address only. {terms_of(belongs_to)}".rstrip(),
        )


def key_plan(name: str) -> Plan:
    """Look up a plan that takes API keys.

    Raises:
        QwenError: No such plan, or the portal, which takes a sign-in; the message lists them.
    """
    plan = find_plan(name)
    if plan.is_oauth:
        msg = "The plan 'oauth' takes a sign-in, not an API key."
        raise QwenError(msg, hint=f"Plans for keys: {', '.join(KEY_PLANS)}, or an https URL.")
    return plan


def whose_key(account: Account) -> str:
    """Name an account's key, for messages."""
    given = {"env": "the API key in QWEN_PORTAL_API_KEY", "argument": "the API key that came as api_key="}
    return given.get(account.kind, f"the API key of account {account.label!r}")


def hint_for_refused(account: Account, keys: Iterable[Secret]) -> str:
    """Say what to do about a key that its service refused: most often it is of another plan or region.

    Args:
        account: Whose key it is.
        keys: What was sent: the key.
    """
    alike = dict.fromkeys((account.plan.name, *(name for key in keys for name in plans_alike(key, account.plan))))
    *others, last = alike
    plans = f"{', '.join(others)} or {last}" if others else last
    if account.kind == "env":
        return f"Set QWEN_PORTAL_API_KEY to the whole key, and QWEN_PORTAL_PLAN to the plan that it is of: {plans}."
    if account.kind == "argument":
        return f"Pass the whole key as api_key=, and as plan= (LiteLLM: qwen_plan=) the plan that it is of: {plans}."
    return (
        "Copy the key, or a new one, from the console of its plan and keep it under that plan: "
        f"`qwen-portal login --plan PLAN {shell_quote(account.label)}`, PLAN being {plans}."
    )
