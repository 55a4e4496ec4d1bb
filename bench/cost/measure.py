"""Runs the acts on the real engine and returns what each took."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.cost import acts, storage
from bench.cost.meter import CountingStream, Meter
from bench.inprocess import TABLE, set_environment

Counts = dict[str, float]
NO_LIMIT = ("USER", "KEY", "VISITOR", "TENANT", "TENANT_VISITOR")


def measure(access_log: str, only: Sequence[str] = ()) -> dict[str, Counts]:
    """Do every act, or only some, on an engine of its own; returns what each took by its name.

    `access_log` is the gateway's format.
    """
    set_environment()
    os.environ["PARLEY_ALLOW_LOOPBACK_WEBHOOKS"] = "1"
    _limit("0")  # no request counts: what counting costs is in the people's minutes
    from chalicelib.auth.keys import new_key_set
    from chalicelib.core import aws, clock
    from local.engines import create_table, start_dynoxide

    engine = start_dynoxide()
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = engine.endpoint
    aws._client.cache_clear()  # noqa: SLF001 - it may know another engine
    meter = Meter(json.dumps(new_key_set()), access_log, _consumers())
    aws.interceptors[:] = [meter]
    try:
        create_table(engine.endpoint, TABLE)
        with clock.reading(meter.now), _log_counted(meter), acts.receiver() as port:
            return _measure(meter, port, only)
    finally:
        aws.interceptors.clear()
        engine.stop()


def _measure(meter: Meter, port: int, only: Sequence[str]) -> dict[str, Counts]:
    from chalicelib.core.config import settings

    found: dict[str, Counts] = {}
    world = acts.World(meter, "Quiet")

    def take(wanted: Mapping[str, acts.Act]) -> None:
        for name, act in wanted.items():
            if not only or name in only:
                found[name] = acts.measured(world, act)

    take(acts.acts(world, acts.World(meter, "Told", port)))
    meter.forward(1000)
    meter.drain()
    take({f"at rest: {name}": act for name, act in acts.schedules(world).items()})
    _limit("")
    settings.cache_clear()
    take(acts.minutes(world))
    if not only:
        found["stored by a message"] = {"stored_bytes": storage.stored_bytes(world)}
    return found


def _limit(requests: str) -> None:
    for name in NO_LIMIT:
        os.environ[f"PARLEY_{name}_REQUESTS"] = requests
        if not requests:
            del os.environ[f"PARLEY_{name}_REQUESTS"]


def _consumers() -> dict[str, tuple[str, Callable[..., Any]]]:
    """Return the queues' functions by the queues' URLs."""
    from app import app

    stage = os.environ["PARLEY_STAGE"]
    found = {}
    for source in app.event_sources:
        if queue := getattr(source, "queue", None):
            name = str(queue).replace("${Stage}", stage).removeprefix(f"parley-{stage}-")
            found[name] = (source.name, app.handler_map[source.name])
    return found


class _log_counted:  # noqa: N801 - used as a block
    """Counts what the app logs instead of printing it."""

    def __init__(self, meter: Meter) -> None:
        (self._handler,) = logging.getLogger("parley").handlers
        self._meter = meter

    def __enter__(self) -> None:
        self._before = self._handler.setStream(CountingStream(self._meter.used, self._handler.stream))  # type: ignore[attr-defined]

    def __exit__(self, *_error: object) -> None:
        self._handler.setStream(self._before)  # type: ignore[attr-defined]
