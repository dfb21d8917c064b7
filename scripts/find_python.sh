#!/bin/sh
# Print the first Python on PATH that is new enough and can make a virtual environment; nothing if there is none.
for python in python3 python3.13 python3.12 python3.11; do
  if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "$python"
    exit 0
  fi
done
