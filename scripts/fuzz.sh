#!/bin/sh
# Fuzz the targets of tests/fuzz, one after the other, in an environment with atheris. An input that fails ends its target
# and is kept in .fuzz.  Usage: fuzz.sh PYTHON SECONDS [TARGET …]
set -u
python=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- event_decoder refusal_reader host_rule foreign_json
failed=""

scripts/pinned_environment.sh "$python" .fuzz/environment requirements/fuzz.txt || {
  echo "fuzz: atheris could not be installed. It has wheels for CPython from 3.11 on, on Linux; this is" \
    "$("$python" -c 'import platform; print(platform.python_implementation(), platform.python_version(), platform.platform())')." >&2
  exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for target in "$@"; do
  echo "== $target: $seconds s"
  log=.fuzz/$target.log
  TMPDIR=$scratch PYTHONPATH=$PWD .fuzz/environment/bin/python -m tests.fuzz.run "$target" "$seconds" .fuzz >"$log" 2>&1 ||
    { failed="$failed $target"; grep -v '^#' "$log" | tail -n 60; }
  grep -E '^(Done|stat::(number_of|average|slowest))' "$log"
done

[ -z "$failed" ] || { echo "== found something:$failed (the inputs are in .fuzz)" >&2; exit 1; }
