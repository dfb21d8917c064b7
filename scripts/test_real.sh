#!/usr/bin/env bash
# Run a command (pytest -m real) beside a real Secret Service, in a HOME that is thrown away afterwards, with the
# installed qwen CLI first on PATH. A skipped test counts as failed: here every part must be there.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d)
log=$(mktemp)
trap 'rm -rf "$home" "$log"' EXIT
mkdir -m 700 "$home/runtime"

# The variables that lead to the user's own keyring, session bus or folders must not reach the tests.
status=0
env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_STATE_HOME -u GNOME_KEYRING_CONTROL \
  -u DBUS_SESSION_BUS_ADDRESS -u DISPLAY -u WAYLAND_DISPLAY \
  HOME="$home" XDG_RUNTIME_DIR="$home/runtime" PATH="$PWD/.real/node/node_modules/.bin:$PATH" \
  scripts/ci_keyring.sh "$@" 2>&1 | tee "$log" || status=$?

if [ "$status" -eq 0 ] && grep -q '^SKIPPED' "$log"; then
  echo "test-real: tests were skipped (see SKIPPED above); a missing part must fail here" >&2
  status=1
fi
exit "$status"
