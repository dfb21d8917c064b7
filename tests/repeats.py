"""How often a test repeats what may strike or not: a few times in `make test`, 200 times in `make torture`."""

import os

TRIES = int(os.environ.get("TORTURE", "5"))
