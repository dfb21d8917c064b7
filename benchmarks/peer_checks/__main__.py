"""Check rows in this environment: ``python -m benchmarks.peer_checks [ROW …]``; without rows, list them as JSON."""

import json
import sys

from benchmarks.peer_checks import failures, manners, reports, rows, service, talk

del failures, manners, reports, talk  # imported to declare their rows


def main() -> None:
    """Run what was asked for."""
    if sys.argv[1:]:
        rows.run(sys.argv[1:], service.calm)
    else:
        print(json.dumps([[each.name, each.title, each.environment] for each in rows.ROWS.values()]))


main()
