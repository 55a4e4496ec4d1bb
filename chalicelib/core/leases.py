"""Rate limits that are shared by all processes but do not cost a write per request.

A limit's requests of one minute are numbered by a counter in the table. A process takes the next few of them at once, a
lease, and gives them out by itself; only when they are used up does it go back. As nothing is served that has not been
taken before, no more than the limit is ever served; what is lost instead is what a process has taken and does not use
until the minute is over.
"""

import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.core import clock, log, table
from chalicelib.core.frozen import frozen

EXACT_BELOW = 100  # smaller limits are taken one by one
REST_MS = 5000  # how long a store that failed is not asked
_MANY = 2000  # callers remembered before those of past windows are forgotten


@frozen
class Policy:
    """So many requests in each window of so many seconds, for each subject."""

    name: str
    limit: int
    window_s: int = 60

    @property
    def largest_lease(self) -> int:
        """How many requests a process takes at most at once."""
        return 1 if self.limit < EXACT_BELOW else max(4, self.limit // 100)

    def window(self, subject: str, now_s: int) -> int:
        """Return the second in which the subject's window began: others' begin at others, else all come at once."""
        return now_s - (now_s + zlib.crc32(subject.encode())) % self.window_s


@frozen
class Standing:
    """Where a subject stands after a request: what is left as far as this process knows, and for how many seconds."""

    policy: Policy
    admitted: bool
    remaining: int
    reset_s: int


@dataclass
class Lease:
    """What one process holds of one subject's window. Pure arithmetic: asking the table is `Leases`' business."""

    policy: Policy
    window: int = -1
    used: int = 0  # in this window, by this process
    used_before: int = 0  # in the one before
    held: int = 0  # taken and not used yet
    free: int = 0  # not taken by anybody, as of the last time the table was asked

    def enter(self, window: int) -> None:
        """Go on to another window, whose requests are all free as far as is known; those held of this one are lost."""
        if window != self.window:
            follows = window - self.window == self.policy.window_s
            self.used_before = self.used if follows else 0
            self.window, self.used, self.held, self.free = window, 0, 0, self.policy.limit

    def wanted(self) -> int:
        """Return how many to take next: as many as were needed lately, and fewer when few are left."""
        needed = max(1, self.used, self.used_before - self.used)
        return min(needed, self.policy.largest_lease, max(1, self.free // 16))

    def grant(self, asked: int, count: int) -> None:
        """Take what of the `asked` is within the limit, when these have brought the counter to `count`."""
        self.held += max(0, min(asked, self.policy.limit - (count - asked)))
        self.free = max(0, self.policy.limit - count)

    @property
    def must_ask(self) -> bool:
        """Whether only the table knows if another request may be served."""
        return self.held == 0 and self.free > 0

    def use(self) -> bool:
        """Use one of those held; False if there is none."""
        admitted = self.held > 0
        self.held -= admitted
        self.used += admitted
        return admitted

    def standing(self, now_s: int, *, admitted: bool) -> Standing:
        """Return what to tell the caller."""
        return Standing(self.policy, admitted, self.held + self.free, self.window + self.policy.window_s - now_s)


@dataclass
class _Slot:
    lease: Lease
    lock: threading.Lock = field(default_factory=threading.Lock)


def count_in_table(name: str, asked: int, expires_s: int) -> int:
    """Add to a counter and return what it says then. One update.

    One whose answer was lost may be made again by the client below and count twice: fewer are served then, never more.
    """
    write = table.LIMITS.updating(name, "-", add={"n": asked}, set_={"exp": expires_s})
    count: int = table.run(write, returning=True)["n"]
    return count


class Leases:
    """All leases of one process; `count` adds to a counter that all processes share."""

    def __init__(self, count: Callable[[str, int, int], int] = count_in_table) -> None:
        self._count = count
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._lock = threading.Lock()
        self._ask_again_ms = 0
        self._failing = False

    def take(self, policy: Policy, subject: str) -> Standing:
        """Count one request of a subject: no call while the lease lasts or after the limit is reached, else one update.

        A store that fails admits everybody: a limit protects the service and must not be what takes it down.
        """
        now_s = clock.now_s()
        slot = self._slot(policy, subject)
        with slot.lock:
            lease = slot.lease
            lease.enter(policy.window(subject, now_s))
            if lease.must_ask and not self._renew(lease, subject):
                return lease.standing(now_s, admitted=True)
            return lease.standing(now_s, admitted=lease.use())

    def _slot(self, policy: Policy, subject: str) -> _Slot:
        with self._lock:
            found = self._slots.get((policy.name, subject))
            if found is None or found.lease.policy != policy:
                if len(self._slots) >= _MANY:
                    self._forget_past()
                found = self._slots[policy.name, subject] = _Slot(Lease(policy))
            return found

    def _forget_past(self) -> None:
        # What was used in the window before is forgotten with it: that costs a few small leases, nothing else.
        now_s = clock.now_s()
        self._slots = {
            key: slot for key, slot in self._slots.items() if slot.lease.window + slot.lease.policy.window_s > now_s
        }

    def _renew(self, lease: Lease, subject: str) -> bool:
        """Take more from the table; False if it could not be asked. One update, or none while the store has trouble."""
        if clock.now_ms() < self._ask_again_ms:
            return False
        asked, policy = lease.wanted(), lease.policy
        name = f"rate#{policy.name}#{subject}#{lease.window}"
        try:
            count = self._count(name, asked, lease.window + 2 * policy.window_s)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the request it would have stopped goes on
            self._ask_again_ms = clock.now_ms() + REST_MS
            if not self._failing:
                log.error("rate_limit_store_failed", exc=exc)
            self._failing = True
            return False
        self._failing = False
        lease.grant(asked, count)
        return True
