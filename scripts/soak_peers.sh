#!/bin/sh
# Soak three peers with the same faults as this package, one after the other.  Usage: soak_peers.sh PYTHON SECONDS
# What they lose or leak is printed, and is no failure of ours.
set -eu
python=$(realpath -s "$1") seconds=$2
scripts/pinned_environment.sh "$python" .peers/tokens requirements/peer-tokens.txt
for peer in httpx msal copilot; do
  .peers/tokens/bin/python tests/soak "$seconds" --workload "$peer" --service-python "$python" --seed "${SEED:-1}" || true
done
