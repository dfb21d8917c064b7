"""Qwen's portal as a LiteLLM provider: importing this package registers ``qwen-portal/…``.

Example:
    >>> import litellm, litellm_qwen_portal
    >>> litellm.completion(model="qwen-portal/coder-model", messages=[{"role": "user", "content": "What is 2+2?"}])

``qwen_account="work"`` chooses the account, per call or in a Router deployment's ``litellm_params``. An ``api_key=`` is
used as it is, with ``qwen_plan=`` or ``api_base=``. A proxy's configuration names ``litellm_qwen_portal.handler``.
"""

try:
    from litellm_qwen_portal.handler import QwenPortalLLM
    from litellm_qwen_portal.registration import handler, register
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "litellm":
        raise
    hint = 'litellm_qwen_portal needs its extra: pip install "qwen-portal[litellm]"'
    raise ModuleNotFoundError(hint, name=missing.name) from missing

register()

__all__ = ["QwenPortalLLM", "handler", "register"]
