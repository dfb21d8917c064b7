#!/bin/sh
# Run the tests of a door on other versions of its framework, each in an environment of its own. Pinned lanes gate, the
# newest of everything is reported. LangChain: the oldest that pyproject.toml allows, the last openai 2.x, the last openai
# 3.x. LiteLLM: 1.91.0, 1.100.0 and 1.110.2 (without its proxy).
# Usage: [LANGCHAIN_TESTS=PATH] lanes.sh PYTHON WHEEL [LANE …]
set -u
python=$1 wheel=$2
shift 2
failed=""
all="langchain-floors langchain-openai2 langchain-openai3 langchain-newest
     litellm-1.91.0 litellm-1.100.0 litellm-1.110.2 litellm-newest"

run() {
  case $1 in
    # deepagents is not about these versions; it is pinned with the other development dependencies.
    langchain-*)
      tests="tests/face/test_openai_client.py ${LANGCHAIN_TESTS:-tests/langchain}
             --ignore tests/langchain/test_deep_agents.py --benchmark-disable"
      ;;
    litellm-*) tests=tests/litellm ;;
  esac
  .lanes/"$1"/bin/python -m pip list --disable-pip-version-check | grep -E "^(openai|langchain|litellm|httpx)"
  # shellcheck disable=SC2086 # options, each a word
  PYTHONSAFEPATH=1 ".lanes/$1/bin/python" -m pytest $tests -q -r fE -p no:cacheprovider
}

# newest LANE: without pins, so that a change there is seen before the users see it; it says nothing about a change here
newest() {
  "$python" -m venv --clear ".lanes/$1" &&
    ".lanes/$1/bin/python" -m pip install -qq --disable-pip-version-check --upgrade --upgrade-strategy eager \
      "$wheel[${1%-newest},emulator]" -r "requirements/lane-$1.in" &&
    run "$1"
}

pinned() {
  scripts/pinned_environment.sh "$python" ".lanes/$1" "requirements/lane-$1.txt" &&
    ".lanes/$1/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall "$wheel" &&
    run "$1"
}

# shellcheck disable=SC2086 # names, each a word
for lane in ${*:-$all}; do
  echo "== lane $lane"
  case $lane in
    *-newest) newest "$lane" || echo "== lane $lane: does not pass; it reports and does not gate" ;;
    *) pinned "$lane" || failed="$failed $lane" ;;
  esac
done

[ -z "$failed" ] || { echo "== lanes that do not pass:$failed"; exit 1; }
