"""Sends the hooks over HTTP, in whatever weather was asked for, and lets time pass."""

import heapq
import http.client
import itertools
import logging
import threading
import time
from urllib.parse import urlsplit

from local.stripe_double.double import StripeDouble
from local.stripe_double.hooks import Hook

TICK_S = 1.0
TIMEOUT_S = 10.0
log = logging.getLogger("local.stripe")


class HookSender:
    """One thread that posts what is due."""

    def __init__(self, double: StripeDouble) -> None:
        self._double = double
        self._stop = threading.Event()
        self._later: list[tuple[float, int, Hook]] = []  # what the weather holds up
        self._number = itertools.count()
        self._thread = threading.Thread(target=self._run, name="stripe-hooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop after the hook that is being sent, if it was started; the others are sent at the next start."""
        self._stop.set()
        self._double.account.news.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT_S)

    def _run(self) -> None:
        news = self._double.account.news
        while not self._stop.is_set():
            news.clear()
            try:
                self._double.run_due()
                self._send_due()
            except Exception:
                log.exception("sending hooks failed")
            if not self._stop.is_set():
                news.wait(TICK_S)

    def _send_due(self) -> None:
        for hook in self._double.hooks.due():
            copies, late = self._double.hooks.spoil(hook)
            if not copies:
                self._double.hooks.answered(hook, 200)
            for each in copies:
                heapq.heappush(self._later, (time.monotonic() + late, next(self._number), each))
        while self._later and self._later[0][0] <= time.monotonic() and not self._stop.is_set():
            hook = heapq.heappop(self._later)[2]
            self._double.hooks.answered(hook, post(hook))


def post(hook: Hook) -> int | None:
    """Post a hook and return the status of the answer, None if there was none."""
    parts = urlsplit(hook.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("POST", parts.path or "/", hook.body, hook.headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer.status
