"""Times as an operator reads them, in UTC like the logs: moments, and how long ago."""

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def of_ms(milliseconds: int | None) -> str | None:
    """Return a time in milliseconds as RFC 3339 in UTC, to the second; None for none."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(seconds: int | None) -> str | None:
    """Return how long something has lasted, in its largest unit: `5 min`, `3 h`."""
    if seconds is None:
        return None
    return next((f"{seconds // size} {unit}" for size, unit in _UNITS if seconds >= size), "0 s")


def short(moment: str | None) -> str | None:
    """Return an RFC 3339 time without its year and `Z`: `11-28 15:02:11`."""
    return moment[5:19].replace("T", " ") if moment else None


def minute(moment: str | None) -> str | None:
    """Return an RFC 3339 time to the minute: `11-28 15:02`."""
    return moment[5:16].replace("T", " ") if moment else None
