#!/bin/sh
# Make an environment of exactly the pinned versions, unless it is there already.
# Usage: pinned_environment.sh PYTHON FOLDER REQUIREMENTS
set -eu
python=$1 folder=$2 requirements=$3
[ "$folder/pins.stamp" -nt "$requirements" ] && exit 0
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r "$requirements"
touch "$folder/pins.stamp"
