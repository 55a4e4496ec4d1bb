"""What counted things cost: an act, a million messages, a tenant's month, an idle region; what could run instead."""

import math
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MILLION = 1_000_000
GB = 1e9

Counts = Mapping[str, float]
Lines = dict[str, float]  # dollars by what they are for
S3_READS = ("get_object", "head_object")
CALLED_BY_GATEWAY = ("api", "authorize")
ALIKE = frozenset({"Firewall", "X-Ray", "Logs", "Mail", "Data out"})  # that containers would pay for as well


def read(name: str) -> dict[str, Any]:
    """Return one of this folder's TOML files."""
    return tomllib.loads((HERE / name).read_text())


@dataclass(frozen=True)
class Bill:
    """Prices of one region, what is taken for granted, and what was measured."""

    prices: Mapping[str, Any]
    assumed: Mapping[str, Any]
    measured: Mapping[str, Any]
    region: str

    def price(self, name: str, quantity: float) -> float:
        """Return what so much of something costs."""
        entry = self.prices["prices"][name]
        return float(quantity * entry[self.region] / entry["per"])

    def of(self, used: Counts, traces: float | None = None) -> Lines:
        """Return the bill of what was counted; of so many traces, if not of the usual share."""
        calls, requests = invocations(used), used.get("requests", 0)
        gb_seconds = sum(self.seconds(used, name) * self.memory_mb(name) / 1024 for name in calls)
        sent = used.get("bytes_out", 0) + requests * self.assumed["header_bytes"]
        s3 = {name.partition("/")[2]: n for name, n in used.items() if name.startswith("s3/")}
        files_read = sum(n for name, n in s3.items() if name in S3_READS)
        if traces is None:
            traces = self.assumed["traced_share"] * sum(self.traceable(used).values())
        return {
            "API Gateway": self.price("request", requests),
            "Firewall": self.price("firewall_request", requests * self.measured["deployed"]["firewalls"]),
            "Lambda": self.price("invocation", sum(calls.values())) + self.price("gb_second", gb_seconds),
            "DynamoDB writes": self.price("write_unit", units(used, "write")),
            "DynamoDB reads": self.price("read_unit", units(used, "read")),
            "SQS": self.price("queue_request", used.get("sqs", 0)),
            "Logs": self.logs(used),
            "X-Ray": self.price("trace", traces),
            "Data out": self.price("out_gb", sent / GB),
            "Mail": self.price("mail", used.get("mails", 0)),
            "S3": self.price("file_read", files_read) + self.price("file_write", sum(s3.values()) - files_read),
        }

    def logs(self, used: Counts) -> float:
        """Return what the lines of functions, of Lambda around them, and of the gateway cost, kept for their days."""
        kept = self.measured["deployed"]["settings"]["LogDays"] * 24 / self.assumed["hours_a_month"]
        lines = self.assumed["lambda_log"]
        each = len(lines["always"]) + self.assumed["traced_share"] * len(lines["traced"])
        gb = used.get("log_bytes", 0) + used.get("bytes_access_log", 0) + sum(invocations(used).values()) * each
        gb /= GB
        return self.price("log_gb", gb) + self.price("log_kept_gb", gb * kept * self.assumed["log_compressed"])

    def traceable(self, used: Counts) -> Counts:
        """Return how often a trace may begin, by where: API Gateway decides for what it calls, the others for each."""
        if not self.measured["deployed"]["traced"]:
            return {}
        others = {name: n for name, n in invocations(used).items() if name not in CALLED_BY_GATEWAY}
        return {"requests": used.get("requests", 0), **others}

    def first_traces(self, month: Counts) -> float:
        """Return what X-Ray takes in a month for the first of each second, beyond the usual share.

        A month's load comes at random within the busy hours.
        """
        seconds, share = self.assumed["busy_hours_a_month"] * 3600, self.assumed["traced_share"]
        with_any = (1 - math.exp(-n / seconds) for n in self.traceable(month).values())
        return self.price("trace", (1 - share) * seconds * sum(with_any))

    def seconds(self, used: Counts, function: str) -> float:
        """Return how long a function ran: its CPU time, longer where it has less than a vCPU, and its waiting."""
        slower: float = max(1.0, self.assumed["vcpu_memory_mb"] / self.memory_mb(function))
        begin = f"calls/{function}/"
        latency: Mapping[str, float] = self.assumed["latency_ms"]
        waits = (n * latency[name[len(begin) :]] for name, n in used.items() if name.startswith(begin))
        return (used.get(f"cpu_ms/{function}", 0) * slower + sum(waits)) / 1000

    def memory_mb(self, function: str) -> int:
        """Return what a function has been given."""
        return int(self.measured["deployed"]["functions"][function])

    def act(self, name: str) -> Lines:
        """Return what an act costs."""
        return self.of(self.measured["acts"][name])

    def messages(self) -> Counts:
        """Return what a million messages take that come and are answered, and nothing around them."""
        return self.total({"visitor send": MILLION / 2, "agent send": MILLION / 2})

    def month(self, size: str) -> Counts:
        """Return what a tenant's month takes, its storage included."""
        tenant, usual = self.assumed["tenants"][size], self.assumed["behaviour"]
        conversations, each = tenant["conversations"], usual["messages_a_conversation"]
        used = self.total(
            {
                "widget's configuration": conversations * usual["page_views_a_conversation"],
                "visitor session": conversations * usual["sessions_a_conversation"],
                "open conversation": conversations,
                "visitor send": conversations * (each / 2 - 1),
                "agent send": conversations * each / 2,
                "mark read": conversations * usual["threads_read_a_conversation"],
                "thread of 10": conversations * usual["threads_read_a_conversation"],
                "close conversation": conversations,
                "unread answer mailed": conversations * usual["mails_a_conversation"],
                "file of 100 kB": conversations * usual["files_a_conversation"],
                "minute of an open chat": conversations * usual["visitor_minutes_a_conversation"],
                "minute of an open inbox": tenant["agents"] * usual["agent_hours_a_month"] * 60,
                "a browser's preflight": conversations * usual["preflights_a_conversation"]
                + tenant["agents"] * usual["agent_hours_a_month"] * usual["preflights_an_agent_hour"],
            }
        )
        hooks = conversations * each * tenant["webhooks"]
        for what, n in self.total({"visitor send, one webhook": hooks, "visitor send": -hooks}).items():
            used[what] += n
        stored = self.measured["acts"]["stored by a message"]["stored_bytes"]
        used["stored"] = conversations * each * usual["months_kept"] * stored
        used["files"] = conversations * usual["files_a_conversation"] * usual["months_kept"] * 100_000
        return used

    def of_month(self, size: str) -> Lines:
        """Return the bill of a tenant's month."""
        used = self.month(size)
        lines = self.of(used)
        lines["DynamoDB storage"] = self.price("stored_gb", used["stored"] / GB)
        lines["DynamoDB storage"] += self.price("backup_gb", used["stored"] / GB)
        lines["S3"] += self.price("file_gb", used["files"] / GB)
        return lines

    def messages_of(self, size: str) -> int:
        """Return how many messages a tenant's month has."""
        return int(
            self.assumed["tenants"][size]["conversations"] * self.assumed["behaviour"]["messages_a_conversation"]
        )

    def watching(self) -> Lines:
        """Return what a region's firewall, alarms, dashboard and metrics cost in a month, whatever happens."""
        has, metrics = self.measured["deployed"], self.metrics_at_rest()
        alarms = f"alarms ({has['alarms']}), which read {has['alarm_metrics']} metrics"
        return {
            f"firewall: web ACL ({has['firewalls']})": self.price("firewall", has["firewalls"]),
            f"firewall: rules of it ({has['firewall_rules']})": self.price("firewall_rule", has["firewall_rules"]),
            alarms: self.price("alarm", has["alarm_metrics"]),
            f"dashboards ({has['dashboards']})": self.price("dashboard", has["dashboards"]),
            f"metrics of our own: {', '.join(metrics)}": self.price("metric", len(metrics)),
        }

    def metrics_at_rest(self) -> list[str]:
        """Return the metrics of our own that have values even then."""
        runs = self.total({_at_rest(name): 1 for name in self.measured["deployed"]["seconds_between_runs"]})
        return sorted(name.partition("/")[2] for name in runs if name.startswith("metric/"))

    def working(self, without: frozenset[str] = frozenset()) -> Lines:
        """Return what a region's queues, secrets, keys and schedules cost in a month in which nobody does anything.

        Some kinds of cost may be left out of what the schedules do.
        """
        has, seconds = self.measured["deployed"], self.assumed["hours_a_month"] * 3600
        acts = {_at_rest(name): seconds / every for name, every in has["seconds_between_runs"].items()}
        used, queues = self.total(acts), len(has["queues"])
        polls = seconds / self.assumed["poll_seconds"] * self.assumed["pollers_a_queue"] * queues
        asked = sum(n for name, n in used.items() if name.startswith("calls/") and name.endswith("/secretsmanager"))
        # Each function asks for the table's key as often as it works, but after some minutes only.
        often = seconds / self.assumed["key_kept_seconds"]
        users = (n for name, n in invocations(used).items() if f"calls/{name}/dynamodb" in used)
        keys = sum(min(n, often) for n in users) * has["tables_with_key_in_kms"]
        return {
            f"Lambda's polls of {queues} empty queues": self.price("queue_request", polls),
            f"secrets ({has['secrets']}), and reading them": self.price("secret", has["secrets"])
            + self.price("secret_request", asked),
            f"KMS keys ({has['keys']}), and asking for the table's": self.price("key", has["keys"])
            + self.price("key_request", keys),
            **{f"`{name.partition(': ')[2]}`": self._run(name, without) * n for name, n in acts.items()},
        }

    def _run(self, name: str, without: frozenset[str]) -> float:
        """Return what a run of a schedule costs when nothing else happens; X-Ray then has each second's first."""
        used = self.measured["acts"][name]
        lasts = math.ceil(self.seconds(used, name.partition(": ")[2]))
        firsts = {where: min(n, max(1, lasts)) for where, n in self.traceable(used).items()}
        rest = sum(self.traceable(used).values()) - sum(firsts.values())
        return total(self.of(used, sum(firsts.values()) + self.assumed["traced_share"] * rest), without)

    def idle(self) -> Lines:
        """Return what a region costs in a month in which nobody does anything."""
        return {**self.watching(), **self.working()}

    def alone(self, size: str) -> float:
        """Return what a region costs in a month with this one tenant in it."""
        month = self.month(size)
        metrics = sum(n > 0 for name, n in month.items() if name.startswith("metric/"))
        return sum(
            [total(self.idle()), total(self.of_month(size)), self.first_traces(month), self.price("metric", metrics)]
        )

    def alternative(self) -> Lines:
        """Return what containers, a database and a cache cost that run all the time, used or not."""
        wanted, hours = self.assumed["alternative"], self.assumed["hours_a_month"]
        containers = self.price("vcpu_hour", wanted["vcpu"]) + self.price("gb_hour", wanted["memory_gb"])
        return {
            "containers": containers * hours * wanted["containers"],
            "load balancer": self.price("balancer_hour", hours),
            "database": self.price("database_hour", hours) + self.price("database_gb", wanted["database_gb"]),
            "cache": self.price("cache_hour", hours) * wanted["caches"],
        }

    def total(self, times: Mapping[str, float]) -> defaultdict[str, float]:
        """Return what so many of each act take together."""
        used: defaultdict[str, float] = defaultdict(float)
        for name, number in times.items():
            for what, n in self.measured["acts"][name].items():
                used[what] += n * number
        return used


def _at_rest(schedule: str) -> str:
    return f"at rest: {schedule}"


def invocations(used: Counts) -> Counts:
    """Return how often each function was called."""
    return {name.partition("/")[2]: n for name, n in used.items() if name.startswith("invocations/")}


def units(used: Counts, kind: str) -> float:
    """Return all read or write units, of the table and its indexes."""
    return sum(n for name, n in used.items() if name.startswith(f"{kind}/"))


def total(lines: Lines, without: frozenset[str] = frozenset()) -> float:
    """Return the sum of a bill, or of some of its lines."""
    return sum(usd for name, usd in lines.items() if name not in without)


def dearest_first(lines: Lines) -> list[tuple[str, float]]:
    """Return a bill's lines, the largest sums first."""
    return sorted(lines.items(), key=lambda line: -line[1])
