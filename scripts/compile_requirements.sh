#!/bin/sh
# Resolve pyproject.toml and requirements/*.in into requirements/*.txt: one file for every supported Python and
# platform, with hashes and without the address of any index.  Usage: compile_requirements.sh UV [UV OPTION …]
set -eu
uv=$1
shift
upgrade="$*"
resolved=$(mktemp)
trap 'rm -f "$resolved"' EXIT

# resolve NAME SOURCE [UV OPTION …]: requirements/NAME.txt from pyproject.toml and SOURCE
resolve() {
  name=$1
  source=$2
  shift 2
  : >"$resolved"
  if [ -f "requirements/$name.txt" ]; then
    cp "requirements/$name.txt" "$resolved" # uv keeps the pins it finds here unless --upgrade is given
  fi
  # A release must be a week old: a hijacked one is usually found within days.
  # shellcheck disable=SC2086 # options, each a word
  "$uv" pip compile --quiet --no-config --no-header --no-emit-index-url --no-emit-find-links \
    --universal --python-version 3.11 --generate-hashes --exclude-newer "1 week" \
    --output-file "$resolved" $upgrade "$@" pyproject.toml "$source"
  {
    echo "# Made from pyproject.toml and $source by: make requirements"
    echo "# Moves the pins to newer releases: make requirements UPGRADE=--upgrade"
    cat "$resolved"
  } >"requirements/$name.txt.new"
  mv "requirements/$name.txt.new" "requirements/$name.txt"
}

resolve dev requirements/dev.in \
  --extra langchain --extra litellm --extra openai --extra notebook --extra emulator --extra proxy

# The lanes of scripts/lanes_litellm.sh.
for source in requirements/litellm-*.in; do
  resolve "$(basename "$source" .in)" "$source" --extra litellm --extra emulator
done
