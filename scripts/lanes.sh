#!/bin/sh
# Run tests on other versions of a framework or of Python, each in an environment of its own. Pinned lanes gate, the newest
# of everything is reported. LangChain: the oldest that pyproject.toml allows, the last openai 2.x, the last openai 3.x.
# LiteLLM: 1.91.0, 1.100.0 and 1.110.2 (without its proxy). `python` is the whole suite on every other CPython that this machine has.
# Usage: [LANGCHAIN_TESTS=PATH] lanes.sh PYTHON WHEEL [LANE | frameworks | python …]
set -u
python=$1 wheel=$2
shift 2
failed=""
frameworks="langchain-floors langchain-openai2 langchain-openai3 langchain-newest
            litellm-1.91.0 litellm-1.100.0 litellm-1.110.2 litellm-newest"
versions="3.11 3.12 3.13 3.14"

# run LANE TEST …: those tests in the lane's environment
run() {
  lane=$1
  shift
  ".lanes/$lane/bin/python" -m pip list --disable-pip-version-check | grep -E "^(openai|langchain|litellm|httpx)"
  PYTHONSAFEPATH=1 TESTED_WHEEL_DIR=$(dirname "$wheel") ".lanes/$lane/bin/python" -m pytest "$@" -q -r fE -p no:cacheprovider
}

# tests LANE: run what the lane is there for
tests() {
  case $1 in
    # deepagents is not about these versions; it is pinned with the other development dependencies.
    langchain-*)
      run "$1" tests/face/test_openai_client.py "${LANGCHAIN_TESTS:-tests/langchain}" \
        --ignore tests/langchain/test_deep_agents.py --benchmark-disable
      ;;
    # The cache of 1.110 imports LiteLLM's proxy, whose distribution litellm-proxy not every index has.
    litellm-1.110.2) run "$1" tests/litellm --deselect tests/litellm/test_bridges.py::test_caching ;;
    litellm-*) run "$1" tests/litellm ;;
    python-*) run "$1" tests -m "not real" -n logical --dist worksteal --benchmark-disable ;;
  esac
}

# newest LANE: without pins, so that a change there is seen before the users see it; it says nothing about a change here
newest() {
  "$python" -m venv --clear ".lanes/$1" &&
    ".lanes/$1/bin/python" -m pip install -qq --disable-pip-version-check --upgrade --upgrade-strategy eager \
      "${wheel}[${1%-newest},emulator]" -r "requirements/lane-$1.in" &&
    tests "$1"
}

# pinned LANE PYTHON REQUIREMENTS
pinned() {
  scripts/pinned_environment.sh "$2" ".lanes/$1" "requirements/$3.txt" &&
    ".lanes/$1/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall "$wheel" &&
    tests "$1"
}

# cpython VERSION: print where this machine has it, on PATH or among pyenv's; a shim of pyenv's may stand for nothing
cpython() {
  for found in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    "$found" -c "import ensurepip, sys, venv; sys.exit(sys.implementation.name != 'cpython')" 2>/dev/null || continue
    echo "$found"
    return
  done
}

# pythons: print the lanes of the versions that this machine has beside the one that everything else runs on
pythons() {
  own=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  for version in $versions; do
    [ "$version" = "$own" ] && continue
    if [ -n "$(cpython "$version")" ]; then
      echo "python-$version"
    else
      echo "== lane python-$version: this machine has none; not tried" >&2
    fi
  done
}

[ $# -gt 0 ] || set -- frameworks python
wanted=""
for name in "$@"; do
  case $name in
    frameworks) wanted="$wanted $frameworks" ;;
    python) wanted="$wanted $(pythons)" ;;
    *) wanted="$wanted $name" ;;
  esac
done

# shellcheck disable=SC2086 # names, each a word
for lane in $wanted; do
  echo "== lane $lane"
  case $lane in
    *-newest) newest "$lane" || echo "== lane $lane: does not pass; it reports and does not gate" ;;
    python-*) pinned "$lane" "$(cpython "${lane#python-}")" dev || failed="$failed $lane" ;;
    *) pinned "$lane" "$python" "lane-$lane" || failed="$failed $lane" ;;
  esac
done

[ -z "$failed" ] || { echo "== lanes that do not pass:$failed"; exit 1; }
