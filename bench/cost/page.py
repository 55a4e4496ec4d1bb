"""Writes the computed part of docs/cost.md: from the recorded measurement, the prices and what is taken for granted."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from bench.cost import quotas
from bench.cost.bill import ALIKE, HERE, MILLION, Bill, Lines, dearest_first, read, total, units

PAGE = HERE.parents[1] / "docs" / "cost.md"
RECORD = HERE / "measured.json"
BEGIN, END = "<!-- computed: begin -->\n", "<!-- computed: end -->\n"
INDEXES = ("table", "activity", "owner", "log", "pending")
SIZES = ("small", "medium", "large")


def rendered() -> str:
    """Return the page as it must be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + computed(json.loads(RECORD.read_text())) + END + rest.partition(END)[2]


def computed(measured: dict[str, Any]) -> str:
    """Return everything between the markers."""
    prices, assumed = read("prices.toml"), read("assumptions.toml")
    bills = [Bill(prices, assumed, measured, region) for region in prices["regions"]]
    parts = [
        "\n### What an act takes\n\n" + _acts(measured["acts"]),
        "### What an act costs\n\nDollars a million.\n\n" + _costs(bills),
        "### A million messages\n\n" + _messages(bills),
        "### A tenant's month\n\n" + _months(bills),
        "### A region in which nothing happens\n\n" + _idle(bills),
        "### Beside what runs all the time\n\n" + _alternative(bills),
        "### At what load quotas bind\n\n" + _quotas(bills[0]),
        "### One tenant's index\n\n" + _partitions(measured),
        "### The prices\n\n" + _prices(prices),
    ]
    return "\n".join(parts) + "\n"


def _acts(acts: dict[str, dict[str, float]]) -> str:
    rows = []
    for name, used in acts.items():
        if name == "stored by a message":
            continue
        written = ", ".join(f"{index} {used[key]:g}" for index in INDEXES if (key := f"write/{index}") in used)
        functions = [key.partition("/")[2] for key in used if key.startswith("invocations/")]
        cpu = ", ".join(f"{name} {used[f'cpu_ms/{name}']:.0f}" for name in functions)
        other = [f"{int(used[key])} {text}" for key, text in (("mails", "mail"),) if key in used]
        other += [f"{int(n)} {key.partition('/')[2]}" for key, n in used.items() if key.startswith("s3/")]
        calls = sum(n for key, n in used.items() if key.startswith("calls/") and key.endswith("/dynamodb"))
        cells = (used.get("requests", 0), calls, units(used, "read"), units(used, "write"))
        counts = [f"{cell:g}" for cell in cells]
        row = [name, *counts, written, f"{used.get('sqs', 0):g}", cpu, _kb(used), _logged(used)]
        rows.append([*row, ", ".join(other)])
    head = ["", "requests", "table calls", "read units", "write units", "… of which", "SQS", "functions, CPU ms"]
    head += ["bytes in, out", "logged by us, by the gateway", "other"]
    stored = acts["stored by a message"]["stored_bytes"]
    return _table(head, rows) + f"\nA message leaves {stored:,.0f} bytes in the table and its indexes.\n"


def _kb(used: dict[str, float]) -> str:
    return f"{used.get('bytes_in', 0):,.0f}, {used.get('bytes_out', 0):,.0f}" if "requests" in used else ""


def _logged(used: dict[str, float]) -> str:
    return f"{used.get('log_bytes', 0):,.0f}, {used.get('bytes_access_log', 0):,.0f}"


def _costs(bills: Sequence[Bill]) -> str:
    names = [name for name in bills[0].measured["acts"] if name != "stored by a message" and "at rest" not in name]
    rows = []
    for name in names:
        lines = bills[0].act(name)
        dearest = ", ".join(f"{what} {usd * MILLION:.2f}" for what, usd in dearest_first(lines)[:3] if usd > 0)
        rows.append([name, *(f"{total(bill.act(name)) * MILLION:.2f}" for bill in bills), dearest])
    return _table(["", *_regions(bills), f"mostly ({bills[0].region})"], rows)


def _messages(bills: Sequence[Bill]) -> str:
    alone = [bill.of(bill.messages()) for bill in bills]
    whole = [_whole(bill) for bill in bills]
    rows = [
        ["half of them answers, and nothing else", *(f"**{total(lines):.2f}**" for lines in alone)],
        ["with all that a medium tenant does around them", *(f"**{usd:.2f}**" for usd in whole)],
    ]
    parts = _lines(bills, alone, summed=False)
    return _table(["dollars", *_regions(bills)], rows) + "\nThe first, in its parts:\n\n" + parts


def _whole(bill: Bill) -> float:
    return total(bill.of_month("medium")) / bill.messages_of("medium") * MILLION


def _months(bills: Sequence[Bill]) -> str:
    tenants = bills[0].assumed["tenants"]
    rows = [
        ["agents", *(f"{tenants[size]['agents']:,}" for size in SIZES)],
        ["conversations", *(f"{tenants[size]['conversations']:,}" for size in SIZES)],
        ["messages", *(f"{bills[0].messages_of(size):,}" for size in SIZES)],
        ["webhook endpoints", *(f"{tenants[size]['webhooks']:,}" for size in SIZES)],
    ]
    for bill in bills:
        months = [bill.of_month(size) for size in SIZES]
        rows.append([f"**dollars a month, {bill.region}**", *(f"**{total(month):,.2f}**" for month in months)])
        if bill is bills[0]:
            names = [name for name, _ in dearest_first(months[-1])]
            rows += [[f"… {name}", *(f"{month[name]:,.2f}" for month in months)] for name in names]
    polls = {size: _asking(bills[0], size) for size in SIZES}
    rows.append(["… of all, asking for news", *(f"{polls[size]:.0%}" for size in SIZES)])
    alone = [
        [f"a region with this tenant alone, {bill.region}", *(f"{bill.alone(size):,.2f}" for size in SIZES)]
        for bill in bills
    ]
    return _table(["", *SIZES], [*rows, *alone])


def _idle(bills: Sequence[Bill]) -> str:
    has = bills[0].measured["deployed"]
    known = {f"`{name}`": f"`{name}`, every {_period(every)}" for name, every in has["seconds_between_runs"].items()}
    lines = [{known.get(name, name): usd for name, usd in bill.idle().items()} for bill in bills]
    more = len(has["metrics"]) - len(bills[0].metrics_at_rest())
    a_second = bills[0].price("trace", bills[0].assumed["hours_a_month"] * 3600)
    return (
        "Dollars a month. A schedule's line has all that its runs take, and the canary's what its requests bring about."
        f"\n\n{_lines(bills, lines)}\nOnce something happens, up to {more} more metrics of our own have values (at "
        f"most {bills[0].price('metric', more):.2f}), and X-Ray takes the first trace of every second that has one, of "
        f"the API and of each of the {len(has['queues'])} queues' functions: at most {a_second:.2f} each, if no second "
        "is without. Both are in the table above, in the lines of a region with one tenant alone.\n"
    )


def _period(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = seconds / length
            return unit if number == 1 else f"{number:g} {unit}s"
    return f"{seconds:g} s"


def _asking(bill: Bill, size: str) -> float:
    usual, tenant = bill.assumed["behaviour"], bill.assumed["tenants"][size]
    chats = tenant["conversations"] * usual["visitor_minutes_a_conversation"]
    inboxes = tenant["agents"] * usual["agent_hours_a_month"] * 60
    asked = bill.of(bill.total({"minute of an open chat": chats, "minute of an open inbox": inboxes}))
    return total(asked) / total(bill.of_month(size))


def _alternative(bills: Sequence[Bill]) -> str:
    wanted, fixed = bills[0].assumed["alternative"], [bill.alternative() for bill in bills]
    idle = [total(bill.working(ALIKE)) for bill in bills]
    months = [total(bill.of_month("medium"), ALIKE) for bill in bills]
    left = [total(lines) - rest for lines, rest in zip(fixed, idle, strict=True)]
    each = bills[0].messages_of("medium")
    said = (
        f"{wanted['containers']} containers of {wanted['vcpu']} vCPU and {wanted['memory_gb']} GB, a load balancer, "
        f"PostgreSQL with {wanted['database_gb']} GB in two zones and {wanted['caches']} Redis nodes. Dollars a month, "
        "used or not. What both would pay alike is left out on both sides: firewall, alarms, dashboard, traces, logs, "
        "mail and data out.\n\n"
    )
    rows = [
        ["Parley's region at rest", *(f"{rest:,.2f}" for rest in idle)],
        ["a medium tenant's month", *(f"{usd:,.2f}" for usd in months)],
        [
            "medium tenants with which Parley costs as much",
            *(f"{a / b:,.0f}" for a, b in zip(left, months, strict=True)),
        ],
        [
            "… who send so many messages a month",
            *(f"{a / b * each / MILLION:,.1f} million" for a, b in zip(left, months, strict=True)),
        ],
    ]
    return said + _lines(bills, fixed) + "\n" + _table(["", *_regions(bills)], rows)


def _quotas(bill: Bill) -> str:
    rows = [[each.text, each.load, each.why] for each in quotas.limits(bill)]
    return _table(["quota", "binds at", "because"], rows)


def _partitions(measured: dict[str, Any]) -> str:
    shards = [str(each) for each in measured["shards"]]
    rows = [
        [f"{name} ({each['units']:g} units a message)", *(f"{each['rates'][n]:,}" for n in shards)]
        for name, each in measured["partitions"].items()
    ]
    return _table(["messages a second, `IndexShards` =", *shards], rows)


def _prices(prices: dict[str, Any]) -> str:
    regions, entries = prices["regions"], prices["prices"].values()
    rows = []
    for each in entries:
        amount = f"{each['per']:,}" if each["per"] > 1 else "1"
        cells = [f"{each[region]:.10f}".rstrip("0").rstrip(".") for region in regions]
        found = dict.fromkeys(_found(prices, each, region) for region in regions)
        rows.append([each["what"], amount, *cells, ", ".join(found), f"aws.amazon.com/{each['page']}/pricing"])
    head = ["", "for", *regions, "found in", "page to check it on"]
    kinds = Counter(_found(prices, each, region).split()[0] for each in entries for region in regions)
    said = (
        f"In dollars, compared in {prices['as_of']} with stored copies and what others have published, not with AWS's "
        f"pages as they are: do that before you rely on one. Of {kinds.total()} figures, {kinds['list']} are in a copy "
        f"of AWS's price list, calculator or bill for that region (*list*, and the year), {kinds['any']} where AWS "
        f"names no region, or all (*any*), {kinds['others']} in others' own tables (*others*), and {kinds['nobody']} "
        f"nowhere (*nobody*); where regions differ, the first is {regions[0]}'s. "
        "`bench/cost/prices.toml` has each place.\n\n"
    )
    return said + _table(head, rows)


def _found(prices: dict[str, Any], each: dict[str, Any], region: str) -> str:
    name: str = each["source"][region]
    if name == "nobody":
        return name
    source = prices["sources"][name]
    return f"{source['kind']} {source['year'] or 'undated'}"


def _lines(bills: Sequence[Bill], each: Sequence[Lines], *, summed: bool = True) -> str:
    names = [name for name, usd in dearest_first(each[0]) if usd > 0]
    rows = [[name, *(f"{lines[name]:,.2f}" for lines in each)] for name in names]
    if summed:
        rows.append(["**together**", *(f"**{total(lines):,.2f}**" for lines in each)])
    return _table(["", *_regions(bills)], rows)


def _regions(bills: Sequence[Bill]) -> list[str]:
    return [bill.region for bill in bills]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    line = partial("| {} |".format)
    lines = [line(" | ".join(head)), "|" + "---|" * len(head)]
    return "\n".join([*lines, *(line(" | ".join(row)) for row in rows)]) + "\n"
