"""Short texts for people: a label as a shell takes it, a duration in words."""

# in minutes
_HOUR, _DAY, _YEAR = 60, 24 * 60, 365 * 24 * 60


def format_duration(seconds: float) -> str:
    """Say how long something lasts in words: ``"30 min"``, ``"5 h 12 min"``, ``"12 days"``."""
    minutes = max(1, round(seconds / 60))
    if minutes < 2 * _HOUR:
        return f"{minutes} min"
    if minutes < 2 * _DAY:
        return f"{minutes // _HOUR} h {minutes % _HOUR} min"
    return f"{minutes // _DAY} days" if minutes < 2 * _YEAR else "more than 2 years"


def shell_quote(label: str) -> str:
    """Write a label as a shell takes it, for a command that is shown."""
    import shlex

    # a label may begin as an option does
    return f"-- {shlex.quote(label)}" if label.startswith("-") else shlex.quote(label)
