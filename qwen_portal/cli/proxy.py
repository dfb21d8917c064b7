"""``qwen-portal proxy``."""

import os

import click

from qwen_portal.cli.table import account_in_use
from qwen_portal.errors import QwenError
from qwen_portal.files import write_private
from qwen_portal.hosts import is_loopback
from qwen_portal.session import Session

_MASTER_KEY = "LITELLM_MASTER_KEY"

# JSON is YAML too, but a person is to read this and to change a copy of it.
_CONFIG = """\
# Made by `qwen-portal proxy`, anew at each start. For one of your own: qwen-portal proxy --config-only >my.yaml
# and then: litellm --config my.yaml
model_list:
  - model_name: coder-model
    litellm_params: {model: qwen-portal/coder-model}
    model_info: {mode: chat, health_check_max_tokens: 1}
  - model_name: vision-model
    litellm_params: {model: qwen-portal/vision-model}
    model_info: {mode: chat, health_check_max_tokens: 1}
  # Any other model of the account's plan, such as qwen-portal/qwen3-coder-plus.
  - model_name: qwen-portal/*
    litellm_params: {model: qwen-portal/*}
    model_info: {mode: chat, health_check_model: qwen-portal/coder-model, health_check_max_tokens: 1}

litellm_settings:
  custom_provider_map:
    - {provider: qwen-portal, custom_handler: litellm_qwen_portal.handler}

router_settings:
  # Each model has one deployment: to rest it would only hide its error behind "no deployments available".
  disable_cooldowns: true

general_settings:
  # A look at /health asks each model for one token. With true, LiteLLM does so on its own, at your account's cost.
  background_health_checks: false
"""
_WITH_KEY = f"  master_key: os.environ/{_MASTER_KEY}\n"
_WITHOUT_KEY = """\
  # Nobody but this machine's users can reach it; LiteLLM would not start without this.
  dangerously_permit_weak_or_unset_master_key: true
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=4000, show_default=True, help="TCP port.")
@click.option("--config-only", is_flag=True, help="Print the configuration and start nothing.")
def command(host: str, port: int, *, config_only: bool) -> None:
    """Run a LiteLLM proxy, so that any OpenAI or Anthropic client can use your account.

    Clients use http://HOST:PORT/v1 (OpenAI) or http://HOST:PORT (Anthropic), the models coder-model, vision-model and
    qwen-portal/…, and as their key that of the variable LITELLM_MASTER_KEY. Without one the proxy answers anybody, so
    it listens on this machine alone.
    """
    guarded = bool(os.environ.get(_MASTER_KEY))
    at_home = is_loopback(host)
    config = _CONFIG + (_WITHOUT_KEY if at_home and not guarded else _WITH_KEY)
    if config_only:
        click.echo(config, nl=False)
        return
    if not guarded and not at_home:
        raise QwenError(
            f"A proxy on {host} without a key would let everybody use your account.",
            hint=f"Set {_MASTER_KEY} to a long random text, such as sk-$(openssl rand -hex 24), and give it to your "
            "clients as their API key.",
        )
    if not guarded:
        # Else any web page in a browser on this machine could ask the proxy, and read what it answers.
        os.environ.setdefault("LITELLM_CORS_ORIGINS", f"http://{host}:{port}")
    _start(config, host, port)


def _start(config: str, host: str, port: int) -> None:
    try:
        import litellm.proxy.proxy_server  # noqa: F401 - it needs what the extra brings, and run_server would only print
        from litellm.proxy.proxy_cli import run_server
    except ImportError as exc:
        raise QwenError(
            f"The proxy needs {exc.name or 'a package'}, which is not installed.",
            hint='Run: pip install "qwen-portal[proxy]"',
        ) from None
    session = Session()
    if account_in_use(session) is None:
        click.echo("Nobody is signed in yet; the proxy answers with errors until `qwen-portal login`.", err=True)
    path = session.settings.home / "proxy.yaml"
    write_private(path, config)
    click.echo(f"The configuration is {path}.", err=True)
    run_server.main(
        ["--config", str(path), "--host", host, "--port", str(port)], prog_name="litellm", standalone_mode=False
    )
