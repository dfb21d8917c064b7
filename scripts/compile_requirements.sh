#!/bin/sh
# Resolve every requirements/*.in that has pins beside it, with hashes and without the address of any index: dev.txt, the
# lanes (other versions of LangChain and openai), the peers and the fuzzer.  Usage: compile_requirements.sh UV [UV OPTION …]
set -eu
uv=$1
shift
resolved=$(mktemp)
trap 'rm -f "$resolved"' EXIT

# pins NAME [UV OPTION …]: requirements/NAME.in and what else is named into requirements/NAME.txt
pins() {
  name=$1
  shift
  if [ -f "requirements/$name.txt" ]; then
    cp "requirements/$name.txt" "$resolved" # uv keeps the pins it finds here unless --upgrade is given
  else
    : >"$resolved"
  fi
  # A release must be a week old: a hijacked one is usually found within days.
  "$uv" pip compile --quiet --no-config --no-header --no-emit-index-url --no-emit-find-links \
    --universal --python-version 3.11 --generate-hashes --exclude-newer "1 week" \
    --output-file "$resolved" "$@" "requirements/$name.in"
  {
    echo "# Made by: make requirements"
    echo "# Moves the pins to newer releases: make requirements UPGRADE=--upgrade"
    cat "$resolved"
  } >"requirements/$name.txt.new"
  mv "requirements/$name.txt.new" "requirements/$name.txt"
}

package="pyproject.toml --extra emulator"
pins dev --extra langchain --extra litellm --extra openai --extra notebook --extra proxy --extra socks $package "$@"
pins lane-langchain-floors --resolution lowest-direct --extra langchain $package "$@"
for name in lane-langchain-openai2 lane-langchain-openai3; do
  pins $name --extra langchain $package "$@"
done
for name in lane-litellm-1.91.0 lane-litellm-1.100.0 lane-litellm-1.110.2; do
  pins $name --extra litellm $package "$@"
done
pins fuzz pyproject.toml "$@"
for name in peer-openai peer-deepseek peer-xai peer-qwq peer-litellm peer-tokens; do
  pins $name "$@"
done
