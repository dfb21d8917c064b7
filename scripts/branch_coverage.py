"""Fail if too few of the packages' branches are covered, counted without the lines.

`coverage report` mixes both in one figure, in which many straight lines hide untested branches.

    coverage json -q -o - | python scripts/branch_coverage.py --at-least 90
"""

import argparse
import json
import sys


def main() -> int:
    """Read a coverage JSON report from stdin; return the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-least", type=float, required=True, metavar="PERCENT")
    wanted = parser.parse_args().at_least

    totals = json.load(sys.stdin)["totals"]
    covered, branches = totals["covered_branches"], totals["num_branches"]
    percent = 100 * covered / branches if branches else 100.0
    print(f"Branches alone: {covered} of {branches} covered, {percent:.1f} % (at least {wanted:g} % wanted)")
    return 0 if percent >= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
