#!/bin/sh
# Soak three peers with the same faults as this package, one after the other.  Usage: soak_peers.sh PYTHON SECONDS
# What they lose or leak is printed, and is no failure of ours. A peer that hangs ends its run; so each runs once more
# and reads every stream to its end, which shows what becomes of its tokens.
set -eu
python=$1 seconds=$2
scripts/pinned_environment.sh "$python" .peers/tokens requirements/peer-tokens.txt
for peer in httpx msal copilot; do
  for option in "" --patient; do
    .peers/tokens/bin/python tests/soak "$seconds" --workload "$peer" --service-python "$python" --seed "${SEED:-1}" \
      --every 60 --json ".peers/soak-$peer$option.json" $option 2>".peers/soak-$peer$option.log" || true
  done
done
