"""The soak as a program: ``python tests/soak SECONDS``."""

import os
import sys
from pathlib import Path

# At the end: the soak is found in the checkout, the package where it is installed.
sys.path.append(str(Path(__file__).parents[2]))

from tests.soak.memory import TUNABLES
from tests.soak.run import main

if "GLIBC_TUNABLES" not in os.environ:
    # glibc reads them when a program starts
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "GLIBC_TUNABLES": TUNABLES})  # noqa: S606 - itself
code = main()
sys.stdout.flush()
# At once: the interpreter would wait for threads that hang.
os._exit(code)
