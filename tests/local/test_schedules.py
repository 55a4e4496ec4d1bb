"""Schedules run when EventBridge would run them."""

from datetime import UTC, datetime, timedelta

import pytest
from chalice.app import Chalice, Cron, Rate

from local.schedules import SchedulePump, parse

START = datetime(2026, 3, 14, 10, 30, 30, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", "2026-03-14 10:31:30"),
        ("rate(5 hours)", "2026-03-14 15:30:30"),
        (Rate(2, unit=Rate.DAYS), "2026-03-16 10:30:30"),
        ("cron(* * * * ? *)", "2026-03-14 10:31:00"),
        ("cron(0 3 * * ? *)", "2026-03-15 03:00:00"),
        ("cron(15 10 ? * MON-FRI *)", "2026-03-16 10:15:00"),
        ("cron(0 0 1 JAN,JUL ? *)", "2026-07-01 00:00:00"),
        ("cron(0/20 10 * * ? *)", "2026-03-14 10:40:00"),
        ("cron(0 12 29 2 ? *)", "2028-02-29 12:00:00"),
        ("cron(0 8 ? * 1 *)", "2026-03-15 08:00:00"),
        (Cron(0, 3, "*", "*", "?", "*"), "2026-03-15 03:00:00"),
    ],
)
def test_the_next_time(expression, due):
    assert parse(expression).next_after(START) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["rate(0.5 hours)", "cron(* * * *)", "cron(99 * * * ? *)", "cron(0 0 L * ? *)", "daily"]
)
def test_what_is_not_understood_is_an_error(expression):
    with pytest.raises(ValueError, match=r".+"):
        parse(expression)


def test_a_schedule_that_never_comes_is_an_error():
    with pytest.raises(ValueError, match="never"):
        parse("cron(0 0 31 2 ? *)").next_after(START)


class TestPump:
    def make(self):
        app, seen, now = Chalice("toy", configure_logs=False, env={}), [], [START]

        @app.schedule(Rate(1, unit=Rate.MINUTES), name="sweep")
        def sweep(event):
            seen.append(event.to_dict())

        @app.schedule("rate(1 minute)", name="broken")
        def broken(_event):
            raise ValueError

        return SchedulePump(app, stage="local", region="eu-west-1", now=lambda: now[0]), seen, now

    def run_due(self, pump):
        for thread in pump.run_due():
            thread.join(10)

    def test_nothing_runs_at_the_start(self):
        pump, seen, _ = self.make()
        self.run_due(pump)
        assert seen == []

    def test_it_runs_at_its_rate_and_a_failing_neighbour_does_not_matter(self):
        pump, seen, now = self.make()
        for _ in range(3):
            now[0] += timedelta(minutes=1)
            self.run_due(pump)
            self.run_due(pump)
        assert [event["time"] for event in seen] == [f"2026-03-14T10:{m}:30Z" for m in (31, 32, 33)]
        assert seen[0]["detail-type"] == "Scheduled Event"
        assert seen[0]["resources"] == ["arn:aws:events:eu-west-1:000000000000:rule/toy-local-sweep"]

    def test_what_was_missed_runs_once(self):
        pump, seen, now = self.make()
        now[0] += timedelta(hours=1)
        self.run_due(pump)
        self.run_due(pump)
        assert len(seen) == 1
