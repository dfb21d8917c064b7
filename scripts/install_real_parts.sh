#!/usr/bin/env bash
# Install what `make test-real` runs against: the Secret Service from apt; the qwen CLI, Codex and Claude Code from npm into
# .real/node.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need gnome-keyring-daemon gnome-keyring
need dbus-run-session dbus
need dbus-send dbus
need secret-tool libsecret-tools
need curl curl
need node nodejs
need npm npm

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "test-real needs these Debian packages or their like, and there is no apt-get: ${missing[*]}" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Without a lock file, because one would hold a registry's address; the version in package.json is exact.
if ! cmp -s tests/real/package.json .real/node/package.json || [ ! -x .real/node/node_modules/.bin/qwen ] ||
  [ ! -x .real/node/node_modules/.bin/codex ]; then
  rm -rf .real/node
  mkdir -p .real/node
  mapfile -t programs < <(
    node -p 'Object.entries(require("./tests/real/package.json").dependencies).map(e => e.join("@")).join("\n")'
  )
  npm install --prefix .real/node --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
    "${programs[@]}"
  cp tests/real/package.json .real/node/package.json # last: it marks the installation as complete
fi
