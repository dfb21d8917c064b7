"""The container recipe of docs/litellm.md as plain processes: read-only root, no root rights, no keyring, a volume."""

import os
import secrets
import shlex
import sys
from pathlib import Path

import openai
import pytest

from qwen_portal.emulator import Emulator
from tests.real.litellm_proxy import KEY, PORTAL, environment, free_port, running

pytestmark = pytest.mark.real

# Neither root nor a user of this machine, as in the recipe.
USER = "10001"
# The recipe's tmpfs is /tmp; here the tests' own files lie there.
TEMPORARY = "/var/tmp"  # noqa: S108 - a mount of its own
# A container's files are readable by its user; those of this checkout may lie in a folder of root's.
AS_USER = [
    *("setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--no-new-privs"),
    *("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"),
]


def in_container(volume: Path, script: str) -> list[str]:
    """Return the command that runs a shell script where only the volume and a tmpfs can be written to.

    It exits with 77 if the root can be written to after all.
    """
    where = shlex.quote(str(volume))
    prepare = (
        f"mount --make-rprivate / && mount --bind {where} {where} && mount -t tmpfs none {TEMPORARY} && "
        "mount -o bind,remount,ro / && cd / && "
        f"for place in / /tmp {shlex.quote(sys.prefix)}; do ! touch $place/written 2>/dev/null || exit 77; done"
    )
    command = ["unshare", "--mount", "sh", "-c", f"{prepare} && exec {shlex.join(AS_USER)} sh -c {shlex.quote(script)}"]
    return command if os.geteuid() == 0 else ["sudo", "--preserve-env", *command]


def test_the_recipe_runs_on_a_read_only_root(tmp_path: Path) -> None:
    """Sign in on the volume, start the proxy for everybody with a master key, and ask it."""
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    tmp_path.chmod(0o755)
    home = f"/nonexistent-{secrets.token_hex(4)}"
    port = free_port()
    with Emulator() as emulator:
        variables = environment(emulator, volume / "state", HOME=home, TMPDIR=TEMPORARY, PYTHONDONTWRITEBYTECODE="1")
        start = shlex.join([*PORTAL, "proxy", "--host", "0.0.0.0", "--port", str(port)])  # noqa: S104 - the recipe's
        script = f"{shlex.join([*PORTAL, 'login', '--no-browser', '--no-qr'])} && exec {start}"
        with (
            running(in_container(volume, script), port, tmp_path / "log", variables) as proxy,
            openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            answer = client.chat.completions.create(
                model="coder-model", messages=[{"role": "user", "content": "What is 2+2?"}]
            )
        assert "4" in (answer.choices[0].message.content or "")
        assert {str(path.stat().st_uid) for path in volume.rglob("*")} == {USER}
        assert all(path.stat().st_mode & 0o077 == 0 for path in volume.rglob("*") if path.is_file())
        assert emulator.chats()[-1].status == 200
