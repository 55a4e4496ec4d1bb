"""What the app logs in a test; none of it may be a secret or an address, in any test."""

import logging
import re
from collections import deque

# By their shape, so that those of every test are found.
SECRETS = {
    "an API key": r"parley_(?:live|test)_[0-9A-Za-z]{20}",
    "a token": r"parley_(?:rt|ev|pr|ec|inv)_[0-9A-Za-z]{20}",
    "a JWT": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ",
    "a webhook's secret": r"whsec_[A-Za-z0-9+/]{20}",
    "a TOTP secret": r"\b[A-Z2-7]{32}\b",
    "a password": r"correct horse battery",
    "a credential": r"\b(?:[Bb]earer|[Bb]asic) [A-Za-z0-9._~+/=-]{8,}",
    "a link's token": r"[?&]token=",
    "an address": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[a-z]{2,}",
}
_ANY = re.compile("|".join(f"(?P<k{number}>{pattern})" for number, pattern in enumerate(SECRETS.values())))


class Watch(logging.Handler):
    """Keeps the newest lines of a test, as they would be printed, and whatever stands in one and must not."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: deque[str] = deque(maxlen=10_000)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. It raises nothing: the app would meet it."""
        line = self.format(record)
        self.lines.append(line)
        if kind := secret_in(line):
            self.found.append(f"{kind}: {line}")

    def forget(self) -> None:
        """Begin anew."""
        self.lines.clear()
        self.found.clear()


def secret_in(line: str) -> str | None:
    """Say what a line must not have, if it has such a thing."""
    match = _ANY.search(line)
    return list(SECRETS)[int(str(match.lastgroup)[1:])] if match else None


def watching() -> Watch:
    """Watch the app's logger, and what libraries warn of, which Lambda prints, too."""
    logger = logging.getLogger("parley")
    watch = Watch(logger.handlers[0].formatter)
    logger.addHandler(watch)
    libraries = Watch(logging.Formatter("%(name)s %(message)s"))
    libraries.setLevel(logging.WARNING)
    libraries.lines, libraries.found = watch.lines, watch.found
    logging.getLogger().addHandler(libraries)
    return watch
