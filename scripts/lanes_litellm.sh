#!/usr/bin/env bash
# Run tests/litellm against the built wheel on other versions of LiteLLM than the project's own venv has, each in a
# venv under .lanes: those of requirements/litellm-*.txt must pass, the newest that the index has is reported.
# Usage: lanes_litellm.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
failed=()

# install FOLDER PIP-ARGUMENT …
install() {
  local folder=$1
  shift
  "$python" -m venv --clear "$folder"
  "$folder/bin/python" -m pip install -qq --disable-pip-version-check "$@"
}

# lane FOLDER: the wheel, then the tests
lane() {
  "$1/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall dist/*.whl
  echo "=== litellm $("$1/bin/python" -c 'from importlib.metadata import version; print(version("litellm"))')"
  "$1/bin/python" -m pytest -q -p no:cacheprovider tests/litellm
}

for pins in requirements/litellm-*.txt; do
  folder=.lanes/$(basename "$pins" .txt)
  if ! cmp -s "$pins" "$folder/installed.txt"; then
    install "$folder" --require-hashes --no-deps -r "$pins"
    cp "$pins" "$folder/installed.txt" # last: it marks the installation as complete
  fi
  lane "$folder" || failed+=("$pins")
done

# Without pins, so that a change in LiteLLM is seen before the users see it; it says nothing about a change here.
newest=.lanes/litellm-newest
if install "$newest" "$(echo dist/*.whl)[litellm,emulator]" -r requirements/litellm.in && lane "$newest"; then
  echo "=== the newest litellm: ok"
else
  echo "=== the newest litellm: FAILED (reported, not counted)"
fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "=== failed: ${failed[*]}"
  exit 1
fi
