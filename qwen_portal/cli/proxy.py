"""``qwen-portal proxy``."""

import os
import socket
import time

import click

from qwen_portal.cli.proxy_guard import ThisMachineOnly
from qwen_portal.cli.proxy_ready import ready_announced
from qwen_portal.cli.table import account_in_use
from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.service.hosts import is_loopback
from qwen_portal.session import Session
from qwen_portal.storage.private_files import write_private

_MASTER_KEY = "LITELLM_MASTER_KEY"
# In the environment of the one run on this machine, never in a file that another run, on another address, could read.
_KEYLESS = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"
_ORIGINS = "LITELLM_CORS_ORIGINS"
_MODE = "LITELLM_MODE"
# Else LiteLLM waits for its price table from the network, seconds where there is none.
_LOCAL_PRICES = "LITELLM_LOCAL_MODEL_COST_MAP"

# JSON is YAML too, but a person is to read this and to change a copy of it.
_CONFIG = """\
# Made by `qwen-portal proxy`, anew at each start. For one of your own: qwen-portal proxy --config-only >my.yaml
# and then, with LITELLM_MASTER_KEY set: litellm --config my.yaml
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
    # Its health is that of the two above; older versions of LiteLLM ask coder-model once more.
    model_info:
      mode: chat
      health_check_model: qwen-portal/coder-model
      health_check_max_tokens: 1
      disable_background_health_check: true

litellm_settings:
  custom_provider_map:
    - {provider: qwen-portal, custom_handler: litellm_qwen_portal.handler}

router_settings:
  # Each model has one deployment: to rest it would only hide its error behind "no deployments available".
  disable_cooldowns: true

general_settings:
  # A look at /health asks each model for one token. With true, LiteLLM does so on its own, at your account's cost.
  background_health_checks: false
  health_check_skip_disabled_background_models: true
  # The key that clients send. Never start LiteLLM without it: it would answer everybody.
  master_key: os.environ/LITELLM_MASTER_KEY
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=4000, show_default=True, help="TCP port.")
@click.option("--config-only", is_flag=True, help="Print the configuration and start nothing.")
def command(host: str, port: int, *, config_only: bool) -> None:
    """Run a LiteLLM proxy, so that any OpenAI or Anthropic client can use your account.

    Clients use http://HOST:PORT/v1 (OpenAI) or http://HOST:PORT (Anthropic), the models coder-model, vision-model and
    qwen-portal/…, and as their key that of the variable LITELLM_MASTER_KEY. Without one the proxy answers anybody, so
    it listens on this machine alone. LiteLLM's prices are those that came with it; LITELLM_LOCAL_MODEL_COST_MAP=false
    has it fetch newer ones first.
    """
    since = time.monotonic()
    if config_only:
        click.echo(_CONFIG, nl=False)
        say(f"Set {_MASTER_KEY} before you start litellm with it; it is the key of your clients.")
        return
    guarded = bool(os.environ.get(_MASTER_KEY))
    if not guarded and not is_loopback(host):
        raise QwenError(
            f"A proxy on {host} without a key would let everybody use your account.",
            hint=f"Set {_MASTER_KEY} to a long random text, such as sk-$(openssl rand -hex 24), and give it to your "
            "clients as their API key.",
        )
    _check_free(host, port)
    run_server, options = _prepare(host, port, guarded=guarded)
    with ready_announced(host, port, since=since, guarded=guarded):
        run_server.main(options, prog_name="litellm", standalone_mode=False)


def _check_free(host: str, port: int) -> None:
    """Try to listen: LiteLLM would take another port without asking, or fail after seconds and end with 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as exc:
        raise QwenError(
            f"The proxy could not listen on {host}, port {port}: {exc.strerror or exc}.", hint="Choose another --port."
        ) from None


def _prepare(host: str, port: int, *, guarded: bool) -> tuple[click.Command, list[str]]:
    """Return LiteLLM's server and its options.

    Raises:
        QwenError: The extra is missing, or the configuration cannot be written.
    """
    if not guarded:
        # Else any web page in a browser on this machine could ask the proxy, and read what it answers.
        os.environ.setdefault(_ORIGINS, f"http://{f'[{host}]' if ':' in host else host}:{port}")
    # Else a .env of the current folder, whoever wrote it, would name the hosts that a bearer goes to.
    os.environ.setdefault(_MODE, "PRODUCTION")
    os.environ.setdefault(_LOCAL_PRICES, "True")
    from qwen_portal.http.network import tidy_variables

    tidy_variables()
    try:
        # it needs what the extra brings, and run_server would only print that
        from litellm.proxy.proxy_cli import run_server
        from litellm.proxy.proxy_server import app
    except ImportError as exc:
        raise QwenError(
            f"The proxy needs {exc.name or 'a package'}, which is not installed.",
            hint='Run: pip install "qwen-portal[proxy]"',
        ) from None
    session = Session()
    if account_in_use(session) is None:
        say("Nobody is signed in yet; the proxy answers with errors until `qwen-portal login`.")
    path = session.settings.home / "proxy.yaml"
    write_private(path, _CONFIG)
    say(f"The configuration is {path}.")
    options = ["--config", str(path), "--host", host, "--port", str(port)]
    if not guarded:
        say(f"No {_MASTER_KEY} is set: every program on this machine can use the account.")
        os.environ[_KEYLESS] = "true"
        if not os.environ.get(_MASTER_KEY):
            # an empty one is none; importing LiteLLM may have found one in .env
            os.environ.pop(_MASTER_KEY, None)
        app.add_middleware(ThisMachineOnly, origins=os.environ[_ORIGINS].split(","))
        # further processes would load the application without the line above
        options += ["--num_workers", "1"]
    return run_server, options
