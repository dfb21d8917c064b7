"""API keys: which plan takes which, and the account that a key from the environment makes."""

from qwen_portal.account.record import ENV_LABEL, Account
from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.secrets import Secret, printable
from qwen_portal.service.plans import KEY_PLANS, PLANS, Plan, find_plan, plans_of_key
from qwen_portal.settings import Settings


def environment_account(settings: Settings) -> Account | None:
    """Return the account that QWEN_PORTAL_API_KEY makes, or ``None``.

    Raises:
        QwenError: The key's plan is not said.
        QwenHostNotAllowedError: An argument names the address that the environment's key would go to.
    """
    if settings.api_key is None:
        return None
    if settings.plan is None and settings.base_url is None:
        msg = "An API key is given (QWEN_PORTAL_API_KEY or api_key=), but not which plan it is of."
        raise QwenError(msg, hint=f"Set QWEN_PORTAL_PLAN to one of {', '.join(KEY_PLANS)}, or QWEN_PORTAL_BASE_URL.")
    place = settings.plan or settings.base_url or ""
    # the hosts of the catalogue are the vendor's; a workspace or another address may be anybody's
    if place not in PLANS and ("plan" if settings.plan else "base_url") in settings.argued:
        raise QwenHostNotAllowedError(
            f"The address {printable(place, limit=120)!r} came without api_key=: the environment's key never goes to "
            "an address that an argument names.",
            hint="Pass api_key= too, or set QWEN_PORTAL_PLAN or QWEN_PORTAL_BASE_URL if you trust the address.",
        )
    plan = key_plan(place)
    if settings.base_url is None:
        check_key(settings.api_key, plan)
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
            "Each key works at its own plan's address only.",
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
