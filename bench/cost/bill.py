"""What counted things cost: an act, a million messages, a tenant's month, an idle region; what could run instead."""

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

    def of(self, used: Counts) -> Lines:
        """Return the bill of what was counted."""
        invocations = {name.partition("/")[2]: n for name, n in used.items() if name.startswith("invocations/")}
        gb_seconds = sum(self.seconds(used, name) * self.memory_mb(name) / 1024 for name in invocations)
        sent = used.get("bytes_out", 0) + used.get("requests", 0) * self.assumed["header_bytes"]
        logged = used.get("log_bytes", 0) + sum(invocations.values()) * self.assumed["lambda_log_bytes"]
        s3 = {name.partition("/")[2]: n for name, n in used.items() if name.startswith("s3/")}
        files_read = sum(n for name, n in s3.items() if name in S3_READS)
        return {
            "API Gateway": self.price("request", used.get("requests", 0)),
            "Lambda": self.price("invocation", sum(invocations.values())) + self.price("gb_second", gb_seconds),
            "DynamoDB writes": self.price("write_unit", units(used, "write")),
            "DynamoDB reads": self.price("read_unit", units(used, "read")),
            "SQS": self.price("queue_request", used.get("sqs", 0)),
            "Logs": self.price("log_gb", logged / GB),
            "Data out": self.price("out_gb", sent / GB),
            "Mail": self.price("mail", used.get("mails", 0)),
            "S3": self.price("file_read", files_read) + self.price("file_write", sum(s3.values()) - files_read),
        }

    def seconds(self, used: Counts, function: str) -> float:
        """Return how long a function ran: its CPU time, longer where it has less than a vCPU, and its waiting."""
        slower: float = max(1.0, self.assumed["vcpu_memory_mb"] / self.memory_mb(function))
        begin = f"calls/{function}/"
        latency: Mapping[str, float] = self.assumed["latency_ms"]
        waits = (n * latency[name[len(begin) :]] for name, n in used.items() if name.startswith(begin))
        return (used.get(f"cpu_ms/{function}", 0) * slower + sum(waits)) / 1000

    def memory_mb(self, function: str) -> int:
        """Return what a function has been given."""
        memory = self.measured["deployed"]["memory_mb"]
        return int(memory.get(function, memory["*"]))

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

    def idle(self) -> Lines:
        """Return what a region costs in a month in which nobody does anything."""
        deployed, seconds = self.measured["deployed"], self.assumed["hours_a_month"] * 3600
        runs = {f"at rest: {name}": seconds / every for name, every in deployed["seconds_between_runs"].items()}
        lines = {f"schedules: {name}": usd for name, usd in self.of(self.total(runs)).items() if usd}
        polls = seconds / self.assumed["poll_seconds"] * self.assumed["pollers_a_queue"] * len(deployed["concurrency"])
        lines["Lambda's polls of empty queues"] = self.price("queue_request", polls)
        for name in ("secret", "alarm", "dashboard"):
            if count := deployed[f"{name}s"]:
                lines[f"{name}s ({count})"] = self.price(name, count)
        return lines

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


def units(used: Counts, kind: str) -> float:
    """Return all read or write units, of the table and its indexes."""
    return sum(n for name, n in used.items() if name.startswith(f"{kind}/"))


def total(lines: Lines) -> float:
    """Return the sum of a bill."""
    return sum(lines.values())


def dearest_first(lines: Lines) -> list[tuple[str, float]]:
    """Return a bill's lines, the largest sums first."""
    return sorted(lines.items(), key=lambda line: -line[1])
