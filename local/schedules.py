"""The app's schedules, run at their rate or cron times as EventBridge does."""

import logging
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chalice.app import ScheduleExpression

from local.context import LambdaContext
from local.kinds import ChaliceApp, Handler

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
log = logging.getLogger("local.schedules")


class Times(Protocol):
    """When a schedule is due."""

    def next_after(self, moment: datetime) -> datetime: ...


@dataclass(frozen=True)
class Rate:
    """Every so often, counted from the start."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        return moment + self.period


@dataclass(frozen=True)
class Cron:
    """AWS's six fields, in UTC, each as the set of its values."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 1 is Sunday
    years: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """The first minute after this moment that all fields have; ValueError when there is none in ten years."""
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(3660):
            if self._has_day(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        found = day.replace(hour=hour, minute=minute)
                        if found > moment:
                            return found
            day += timedelta(days=1)
        raise ValueError("this schedule is never due")

    def _has_day(self, day: datetime) -> bool:
        weekday = day.isoweekday() % 7 + 1
        return day.day in self.days and day.month in self.months and weekday in self.weekdays and day.year in self.years


def parse(expression: str | ScheduleExpression) -> Times:
    """Read `rate(5 minutes)`, `cron(0 3 * * ? *)` or Chalice's objects. ValueError for what is not understood."""
    text = expression if isinstance(expression, str) else expression.to_string()
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text):
        return Rate(timedelta(**{found[2] + "s": int(found[1])}))
    if found := re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", text):
        return Cron(
            _field(found[1], 0, 59),
            _field(found[2], 0, 23),
            _field(found[3], 1, 31),
            _field(found[4], 1, 12, _MONTHS),
            _field(found[5], 1, 7, _DAYS),
            _field(found[6], 1970, 2199),
        )
    raise ValueError(f"not a schedule: {text}")


def _field(text: str, low: int, high: int, names: list[str] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in {"*", "?"}:
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if last else (high if step else start)
        if not low <= start <= end <= high:
            raise ValueError(f"not within {low}-{high}: {text}")
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str, names: list[str] | None) -> int:
    return names.index(text) + 1 if names and text in names else int(text)


@dataclass
class _Entry:
    name: str
    times: Times
    handler: Handler
    function: str
    due: datetime


class SchedulePump:
    """Runs each schedule in a thread of its own when it is due; never at the start."""

    def __init__(
        self, chalice_app: ChaliceApp, *, stage: str, region: str, now: Callable[[], datetime] | None = None
    ) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._region = region
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._entries = []
        for source in chalice_app.event_sources:
            expression = getattr(source, "schedule_expression", None)
            if expression is not None:
                times = parse(expression)
                function = f"{chalice_app.app_name}-{stage}-{source.name}"
                handler = chalice_app.handler_map[source.name]
                self._entries.append(_Entry(source.name, times, handler, function, times.next_after(self._now())))

    def start(self) -> None:
        if self._entries:
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def run_due(self) -> list[threading.Thread]:
        """Start whatever is due now and say in which threads; what was missed meanwhile runs once."""
        now = self._now()
        started = []
        for entry in self._entries:
            if entry.due <= now:
                thread = threading.Thread(
                    target=self._call, args=(entry, entry.due), name=f"schedule-{entry.name}", daemon=True
                )
                thread.start()
                started.append(thread)
                entry.due = entry.times.next_after(entry.due)
                if entry.due <= now:  # the machine slept
                    entry.due = entry.times.next_after(now)
        return started

    def _run(self) -> None:
        while not self._stop.is_set():
            self.run_due()
            wait = min(entry.due for entry in self._entries) - self._now()
            self._stop.wait(max(0.05, wait.total_seconds()))

    def _call(self, entry: _Entry, due: datetime) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._region,
            "resources": [f"arn:aws:events:{self._region}:000000000000:rule/{entry.function}"],
            "detail": {},
        }
        try:
            entry.handler(event, LambdaContext(entry.function))
        except Exception:
            log.exception("%s failed", entry.function)
