"""Does a request cost the same in a tenant of 100, 10,000 and 100,000 conversations and contacts? It must."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import fill
from bench.fill import Filled
from bench.inprocess import Caller, OnlyTable, set_environment
from bench.report import Figure

LIMIT = 1.3
SIZES = (100, 10_000, 100_000)
ROUNDS = 300
QUICK_SIZES = (10, 50, 200)
QUICK_ROUNDS = 5
ORIGIN = "https://www.example.com"
OPERATIONS = ("conversation list", "thread", "visitor send", "contact list", "contact search")


def run(*, quick: bool) -> list[Figure]:
    """Fill, measure and return ratios; a quick run's are too few to be judged."""
    set_environment()
    from chalicelib.auth.keys import new_key_set
    from chalicelib.core import aws

    sizes, rounds = (QUICK_SIZES, QUICK_ROUNDS) if quick else (SIZES, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        print(
            f"filling tenants with {', '.join(f'{size:,}' for size in sizes)} conversations and contacts …", flush=True
        )
        start = time.monotonic()
        engine, tenants = fill.build(Path(folder), sizes)
        print(f"filled in {time.monotonic() - start:.0f} s", flush=True)
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = engine.endpoint
        aws._client.cache_clear()  # noqa: SLF001 - made while filling, before there was an endpoint
        aws.interceptors[:] = [only_table := OnlyTable(json.dumps(new_key_set()))]
        try:
            found = _measure(tenants, rounds)
            return _figures(tenants, found, _count(tenants, rounds, only_table), judged=not quick)
        finally:
            aws.interceptors.clear()
            engine.stop()


class _Tenant:
    """One tenant's agent and visitors, and the requests they make."""

    def __init__(self, filled: Filled) -> None:
        from app import app
        from chalicelib.core.http import Principal, Role

        owner = Principal("user", "usr_bench", memberships={filled.tenant_id: Role.OWNER})
        self._agent = Caller(app, owner.to_context())
        self._talks = []
        for visitor_id, conversation_id in filled.pool:
            visitor = Principal(
                "visitor", visitor_id, origin=ORIGIN, widget_id=filled.widget_id, tenant_space=filled.tenant_id
            )
            self._talks.append((Caller(app, visitor.to_context(), ORIGIN), conversation_id))
        self._size = filled.size

    def time(self, operation: str, number: int) -> float:
        """Do one operation, the `number`-th of the run, and return its seconds."""
        visitor, conversation_id = self._talks[number % len(self._talks)]
        if operation == "conversation list":
            seconds, answer = self._agent.timed("GET", "/v1/conversations")
            if answer["pagination"]["total"] != self._size:
                raise RuntimeError(f"the list says {answer['pagination']['total']}, not {self._size}")
        elif operation == "contact list":
            seconds, answer = self._agent.timed("GET", "/v1/contacts")
            if answer["pagination"]["total"] != self._size:
                raise RuntimeError(f"the list says {answer['pagination']['total']}, not {self._size}")
        elif operation == "contact search":
            wanted = number * 37 % self._size
            first = fill.FIRST_NAMES[wanted % len(fill.FIRST_NAMES)]
            seconds, answer = self._agent.timed("GET", f"/v1/contacts?search={first}+lee{wanted:06d}")
            if [row["email"] for row in answer["data"]] != [f"c{wanted}@example.com"]:
                raise RuntimeError(f"the search for contact {wanted} found {answer['data']}")
        elif operation == "thread":
            seconds, _ = self._agent.timed("GET", f"/v1/conversations/{conversation_id}/thread")
        else:
            said = {"content": "Where is my order? I ordered a week ago.", "client_msg_id": f"n{number}"}
            url = f"/widget/v1/conversations/{conversation_id}/messages"
            seconds, _ = visitor.timed("POST", url, said)
        return seconds


def _measure(tenants: Sequence[Filled], rounds: int) -> dict[tuple[str, int], list[float]]:
    """Return the seconds of each request by operation and size; a round has one of each, in changing order."""
    callers = [(filled.size, _Tenant(filled)) for filled in tenants]
    found: dict[tuple[str, int], list[float]] = {(name, size): [] for name in OPERATIONS for size, _ in callers}
    warm_up = max(1, rounds // 10)
    for number in range(warm_up + rounds):
        callers = callers[1:] + callers[:1]
        for operation in OPERATIONS:
            for size, tenant in callers:
                seconds = tenant.time(operation, number)
                if number >= warm_up:
                    found[operation, size].append(seconds)
    return found


def _count(tenants: Sequence[Filled], rounds: int, only_table: OnlyTable) -> dict[str, str]:
    """Return how many calls of DynamoDB each operation makes at each size, and how many units they take."""
    callers, found = [_Tenant(filled) for filled in tenants], {}
    for operation in OPERATIONS:
        counted = []
        for tenant in callers:
            calls, units = only_table.calls, only_table.units
            tenant.time(operation, 2 * rounds)  # a number that the measured rounds have not used
            counted.append((only_table.calls - calls, only_table.units - units))
        calls_made = ", ".join(str(calls) for calls, _ in counted)
        found[operation] = f"calls {calls_made}; units {', '.join(f'{units:g}' for _, units in counted)}"
    return found


def _figures(
    tenants: Sequence[Filled], found: dict[tuple[str, int], list[float]], costs: dict[str, str], *, judged: bool
) -> list[Figure]:
    sizes = [filled.size for filled in tenants]
    figures = []
    for operation in OPERATIONS:
        medians = [statistics.median(found[operation, size]) for size in sizes]
        times = ", ".join(f"{median * 1000:.2f}" for median in medians)
        for size, median in zip(sizes[1:], medians[1:], strict=True):
            last = size == sizes[-1]
            name = f"{operation}, {size:,} beside {sizes[0]:,}"
            note = f"medians {times} ms; {costs[operation]}" if last else ""
            figures.append(Figure(name, median / medians[0], "x", LIMIT if last and judged else None, note))
    return figures
