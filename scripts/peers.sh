#!/bin/sh
# Compare ChatQwenPortal with its peers, each in an environment of its own.  Usage: peers.sh PYTHON WHEEL [PEERS OPTION …]
set -eu
python=$1 wheel=$2
shift 2
for name in openai deepseek xai qwq litellm; do
  scripts/pinned_environment.sh "$python" ".peers/$name" "requirements/peer-$name.txt"
done
scripts/pinned_environment.sh "$python" .peers/qwen-portal requirements/lane-langchain-openai3.txt
.peers/qwen-portal/bin/python -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall "$wheel"
exec "$python" benchmarks/peers.py --environments .peers "$@"
