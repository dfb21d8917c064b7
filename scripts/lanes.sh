#!/bin/sh
# Run LangChain's suites and our LangChain tests on other versions, each in an environment of its own: the oldest that
# pyproject.toml allows, the last openai 2.x, the last openai 3.x. Pinned lanes gate; the newest of everything reports.
# Usage: [LANE_TESTS=PATH] lanes.sh PYTHON WHEEL [LANE …]
set -u
python=$1 wheel=$2
shift 2
failed=""

# deepagents is not about these versions; it is pinned with the other development dependencies.
run() {
  PYTHONSAFEPATH=1 ".lanes/$1/bin/python" -m pytest "${LANE_TESTS:-tests/langchain}" --ignore tests/langchain/test_deep_agents.py -q -r fE --benchmark-disable
}

for lane in "${@:-floors openai2 openai3 newest}"; do
  for name in $lane; do
    echo "== lane $name"
    if [ "$name" = newest ]; then
      {
        "$python" -m venv --clear .lanes/newest &&
          .lanes/newest/bin/python -m pip install -qq --disable-pip-version-check --upgrade --upgrade-strategy eager \
            "$wheel[langchain,emulator]" -r requirements/lane-newest.in &&
          .lanes/newest/bin/python -m pip list --disable-pip-version-check | grep -E "^(openai|langchain|httpx)" &&
          run newest
      } || echo "== lane newest: does not pass; it reports and does not gate"
    else
      {
        scripts/pinned_environment.sh "$python" ".lanes/$name" "requirements/lane-$name.txt" &&
          ".lanes/$name/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps \
            --force-reinstall "$wheel" &&
          run "$name"
      } || failed="$failed $name"
    fi
  done
done

[ -z "$failed" ] || { echo "== lanes that do not pass:$failed"; exit 1; }
