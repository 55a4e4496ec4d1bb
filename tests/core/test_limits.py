"""Time limits that depend on one another, in the code and in what is deployed."""

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import aws, dynamodb, table, writes
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.errors import ContentionError, UnavailableError
from chalicelib.core.ids import new
from chalicelib.core.table import StaleError, retrying, tenant_rows
from chalicelib.events import dispatcher, log_store
from tests.support.faults import conflict, injected, no_answer, server_error, throttled

ROOT = Path(__file__).parents[2]
CLOCKS_AND_INDEXES_MS = 3000  # how much clocks may differ and an index may lag


class SlowTime:
    """A clock that only calls and pauses move, each by as much as it may take."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowTime:
    slow = SlowTime()
    for module in (dynamodb, writes):
        monkeypatch.setattr(module, "time", slow)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    return slow


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (no_answer, UnavailableError),
        (conflict, ContentionError),
        (throttled, UnavailableError),
        (server_error, UnavailableError),
    ],
)
def test_a_commit_ends_before_the_log_shows_its_time(services, slow, fault, error):
    ended = list[float]()

    def worst(service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        del service, params, proceed
        slow.now += aws.WORST_CALL_SECONDS if slow.now > dynamodb.MAX_SECONDS - 0.1 else 0.01
        ended.append(slow.now)
        raise fault(operation)

    rows = tenant_rows(new("tn"))
    with injected(worst), pytest.raises(UnavailableError) as raised:
        table.transact([rows.putting("limits", "-", {})])
    assert type(raised.value) is error  # contention says that nothing was changed
    assert len(ended) > 3
    assert ended[-1] > dynamodb.MAX_SECONDS
    assert ended[-1] <= writes.LATEST_COMMIT_SECONDS


@pytest.mark.parametrize("seconds", [0.01, 1.5])
def test_who_finds_others_faster_each_time_is_told_so_after_some_seconds(slow, seconds):
    ended = list[float]()

    def attempt() -> None:
        slow.now += seconds
        ended.append(slow.now)
        raise StaleError

    with pytest.raises(ContentionError):
        retrying(attempt)
    assert 3 < len(ended) <= dynamodb.MAX_ATTEMPTS
    assert ended[-1] <= dynamodb.MAX_SECONDS + dynamodb.MAX_PAUSE_SECONDS + seconds


def test_the_log_waits_for_the_slowest_commit():
    assert log_store.SETTLE_MS >= writes.LATEST_COMMIT_SECONDS * 1000 + CLOCKS_AND_INDEXES_MS


def test_the_worst_call_is_what_the_client_is_configured_for(services):
    config = aws._client("dynamodb").meta.config
    a_try = config.connect_timeout + config.read_timeout
    tries = config.retries["total_max_attempts"]
    assert tries * a_try + tries - 1 == aws.WORST_CALL_SECONDS  # botocore waits at most a second before the second


def deployed(function: str) -> dict[str, Any]:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    found: dict[str, Any] = config["stages"]["prod"]["lambda_functions"][function]
    return found


def test_a_whole_batch_of_busy_aggregates_fits_into_the_dispatchers_time():
    from app import app

    sources: list[Any] = app.event_sources
    (batch,) = (source.batch_size for source in sources if source.name == "dispatch_events")
    timeout = deployed("dispatch_events")["lambda_timeout"]
    # Each may overrun by the round it has begun: a third of the time is left for those.
    assert batch * dispatcher.MAX_SECONDS <= timeout * 2 / 3
