"""The command line: ``qwen-portal``. Stdout is data, stderr is talk."""

import gc
import sys


def main() -> None:
    """Run the command line and exit."""
    # What is imported from here on lives as long as the process. Searching it for garbage, now and at the exit, takes
    # a tenth of the time of `--help` and `status`; the collector starts when the command's module is there.
    gc.disable()
    from qwen_portal.cli.root import cli

    gc.freeze()
    for stream in (sys.stdout, sys.stderr):
        # a model's answer may hold what this terminal's encoding lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    cli(prog_name="qwen-portal")
