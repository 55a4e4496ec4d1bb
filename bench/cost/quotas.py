"""Which quota a load meets first: for each, the load in messages a second at which it binds, or why it doesn't."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.cost.bill import Bill, Counts, invocations, read

MIX = "medium"  # the tenant whose month says what goes with a message
PENDING_SHARDS = 64
BATCH = 10


@dataclass(frozen=True)
class Limit:
    """A row of the page."""

    text: str
    load: str
    why: str


class Loads:
    """What a message brings with it, on the whole and by itself."""

    def __init__(self, bill: Bill) -> None:
        self.bill = bill
        self.message: Counts = {name: n / 1_000_000 for name, n in bill.messages().items()}
        month, number = bill.month(MIX), bill.messages_of(MIX)
        self.all: Counts = {name: n / number for name, n in month.items()}

    def seconds(self, used: Counts, *, only: str = "") -> float:
        """Return the seconds that functions run."""
        return sum(self.bill.seconds(used, name) for name in invocations(used) if only in {"", name})


def limits(bill: Bill) -> Iterator[Limit]:
    """Return the rows, in the order of the quotas' file, then our own limits."""
    loads = Loads(bill)
    for name, quota in read("quotas.toml").items():
        load, why = _ROWS[name](loads, quota["value"])
        text = quota["text"] + ("" if quota["raisable"] else " (fixed)")
        yield Limit(text, load, why)
    yield from _queues(loads)
    yield from _own(loads)
    yield from _set(loads)


def _requests(loads: Loads, value: float) -> tuple[str, str]:
    return _rate(
        value / loads.all["requests"]
    ), f"{loads.all['requests']:.1f} requests a message, asking for news included"


def _concurrency(loads: Loads, value: float) -> tuple[str, str]:
    seconds = loads.seconds(loads.all)
    return _rate(value / seconds), f"functions run {seconds * 1000:.0f} ms a message, everything around it included"


def _scaling(loads: Loads, value: float) -> tuple[str, str]:
    seconds = loads.seconds(loads.all, only="api")
    return (
        f"{value / seconds:,.0f} more each second",
        "a quicker rise is answered 429 for its first seconds, and clients repeat",
    )


def _table(loads: Loads, value: float) -> tuple[str, str]:
    written = sum(n for name, n in loads.all.items() if name == "write/table")
    return _rate(
        value / written
    ), f"{written:.1f} units of the table a message, everything around it included; each index apart"


def _partition(loads: Loads, value: float) -> tuple[str, str]:
    written = loads.message["write/table"]
    return (
        f"{value / written:,.0f} in one conversation",
        f"{written:.0f} units a message, in the conversation's partition; a tenant's indexes are in the table below",
    )


def _in_flight(loads: Loads, _value: float) -> tuple[str, str]:
    most = max(loads.bill.measured["deployed"]["queues"].values()) * BATCH
    return "never", f"functions hold at most {most} messages of a queue at a time; what waits is not in flight"


def _mails(loads: Loads, value: float) -> tuple[str, str]:
    each = loads.all["mails"]
    return _rate(value / each), f"one mail in {1 / each:.0f} messages"


def _flushes(_loads: Loads, _value: float) -> tuple[str, str]:
    return "never", "revocations within ten seconds share a flush, and without one the cache forgets after 60 s"


def _segments(loads: Loads, value: float) -> tuple[str, str]:
    calls = sum(invocations(loads.all).values())
    # One of the gateway, and two of each function: Lambda's and the function's own.
    segments = loads.bill.assumed["traced_share"] * (loads.all["requests"] + 2 * calls)
    return _rate(value / segments), f"{segments:.1f} a message; what is more is not traced, and nothing else happens"


_ROWS: dict[str, Callable[[Loads, float], tuple[str, str]]] = {
    "gateway_requests": _requests,
    "lambda_concurrency": _concurrency,
    "lambda_new_account": _concurrency,
    "lambda_scaling": _scaling,
    "table_start": _table,
    "table": _table,
    "partition": _partition,
    "in_flight": _in_flight,
    "mails": _mails,
    "flushes": _flushes,
    "trace_segments": _segments,
}


def _queues(loads: Loads) -> Iterator[Limit]:
    """What each queue's function gets through at its cap: batches of ten, one record after the other but webhooks."""
    acts, caps = loads.bill.measured["acts"], loads.bill.measured["deployed"]["queues"]
    for name, act, what in (
        ("dispatch_events", "visitor send", "messages"),
        ("remind", "agent send", "answers"),
        ("send_mail", "unread answer mailed", "mails"),
    ):
        seconds = loads.bill.seconds(acts[act], name)
        yield Limit(
            f"`{name}`: at most {caps[name]} at a time (`app.py`)",
            f"{caps[name] / seconds:,.0f} {what} a second",
            f"{seconds * 1000:.0f} ms each; what is more waits in the queue",
        )
    hook, lasts = acts["visitor send, one webhook"], loads.bill.seconds
    computing = lasts({name: n for name, n in hook.items() if name.startswith("cpu_ms/")}, "deliver_webhooks")
    batch = lasts(hook, "deliver_webhooks") + computing * (BATCH - 1)
    cap = caps["deliver_webhooks"]
    yield Limit(
        f"`deliver_webhooks`: at most {cap} batches of {BATCH} at a time (`app.py`)",
        f"{cap * BATCH / batch:,.0f} deliveries a second",
        f"a batch waits for its receivers together: {batch * 1000:.0f} ms",
    )


def _own(loads: Loads) -> Iterator[Limit]:
    bound = 6000
    asks = {name: loads.bill.measured["acts"][f"minute of an open {name}"]["requests"] for name in ("chat", "inbox")}
    yield Limit(
        f"Our own: {bound:,} requests a minute of a tenant's visitors (`PARLEY_TENANT_VISITOR_REQUESTS`)",
        f"{bound / asks['chat']:,.0f} open chats of a tenant",
        f"each asks {asks['chat']:.0f} times a minute",
    )
    yield Limit(
        f"Our own: {bound:,} requests a minute of a tenant's agents and keys (`PARLEY_TENANT_REQUESTS`)",
        f"{bound / asks['inbox']:,.0f} open inboxes of a tenant",
        f"each asks {asks['inbox']:.0f} times a minute",
    )
    pending = loads.message["write/pending"]
    yield Limit(
        f"`pending` index: {PENDING_SHARDS} partitions for all tenants together",
        _rate(PENDING_SHARDS * 1000 / pending),
        f"{pending:.0f} units a message",
    )
    yield Limit(
        "API Gateway: an answer within 29 s, functions of the API within 28 s",
        "never by load",
        "a write that meets others gives up after 5 s with 503",
    )


def _set(loads: Loads) -> Iterator[Limit]:
    """What a region's settings let through by default."""
    has = loads.bill.measured["deployed"]["settings"]
    inbox = loads.bill.measured["acts"]["minute of an open inbox"]["requests"]
    yield Limit(
        f"Our own: {has['ApiRate']:,} requests a second of a region, bursts of {has['ApiBurst']:,} (`api_rate`, "
        "`api_burst` of its file)",
        _rate(has["ApiRate"] / loads.all["requests"]),
        f"{loads.all['requests']:.1f} requests a message; the gateway answers the others 429",
    )
    yield Limit(
        f"Our own: {has['FirewallRate']:,} requests of an address in five minutes (`firewall_rate`)",
        f"{has['FirewallRate'] / 5 / inbox:,.0f} open inboxes behind one address",
        f"each asks {inbox:.0f} times a minute",
    )


def _rate(value: float) -> str:
    return f"{value:,.0f} a second" if value >= 10 else f"{value:.1f} a second"
