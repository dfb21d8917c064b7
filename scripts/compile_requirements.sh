#!/bin/sh
# Resolve pyproject.toml and requirements/dev.in into requirements/dev.txt: one file for every supported Python
# and platform, with hashes and without the address of any index.  Usage: compile_requirements.sh UV [UV OPTION …]
set -eu
uv=$1
shift
resolved=$(mktemp)
trap 'rm -f "$resolved"' EXIT
if [ -f requirements/dev.txt ]; then
  cp requirements/dev.txt "$resolved" # uv keeps the pins it finds here unless --upgrade is given
fi

# A release must be a week old: a hijacked one is usually found within days.
"$uv" pip compile --quiet --no-config --no-header --no-emit-index-url --no-emit-find-links \
  --universal --python-version 3.11 --generate-hashes --exclude-newer "1 week" \
  --extra langchain --extra litellm --extra openai --extra notebook --extra emulator --extra proxy \
  --output-file "$resolved" "$@" pyproject.toml requirements/dev.in

{
  echo "# Made from pyproject.toml and requirements/dev.in by: make requirements"
  echo "# Moves the pins to newer releases: make requirements UPGRADE=--upgrade"
  cat "$resolved"
} >requirements/dev.txt.new
mv requirements/dev.txt.new requirements/dev.txt
