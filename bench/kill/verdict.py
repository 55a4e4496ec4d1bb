"""Compares what the clients were told with what the API says and with what the table holds."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bench.caller import Caller
from bench.kill.load import Ledger
from bench.kill.truth import Truth

SETTLE_SECONDS = 21  # `GET /v1/events` ends 20 s before now


def told(ledger: Ledger, agent: Caller) -> Iterator[str]:
    """Every acknowledged message is there once, where and as it was acknowledged, and `seq` has no gap."""
    found: dict[str, dict[str, Any]] = {}
    for conversation_id in sorted({said.conversation_id for said in ledger.said.values()} | set(ledger.conversations)):
        rows = list(_pages(agent, f"/v1/conversations/{conversation_id}/messages?limit=100"))
        numbers = [row["seq"] for row in rows]
        if numbers != list(range(1, len(rows) + 1)) or not rows:
            yield f"{conversation_id} shows the messages {numbers}"
        for row in rows:
            if row["client_msg_id"] in found:
                yield f"{row['client_msg_id']} is there twice"
            found[row["client_msg_id"]] = row
    for client_msg_id, said in ledger.said.items():
        if client_msg_id not in found:
            yield f"{client_msg_id} was acknowledged and is not there"
            continue
        row = found[client_msg_id]
        if (row["conversation_id"], row["id"], row["seq"]) != (said.conversation_id, said.message_id, said.seq):
            yield f"{client_msg_id} was acknowledged as {said} and is {row['id']} at {row['seq']}"


def listed(truth: Truth, agent: Caller) -> Iterator[str]:
    """Every conversation is listed once, and `pagination.total` says how many there are."""
    for status in ("open", "closed", ""):
        query = f"&status={status}" if status else ""
        wanted = truth.statuses[status] if status else len(truth.conversations)
        shown = Counter(row["id"] for row in _pages(agent, f"/v1/conversations?limit=100{query}"))
        if max(shown.values(), default=1) > 1 or len(shown) != wanted:
            yield f"{shown.total()} conversations are listed as {status or 'any'}, {len(shown)} of {wanted} in truth"
        total = agent.must("GET", f"/v1/conversations?limit=1{query}")["pagination"]["total"]
        if total != wanted:
            yield f"the total of {status or 'all'} is {total}, and there are {wanted}"


def logged(truth: Truth, agent: Caller, quiet_since: float) -> Iterator[str]:
    """Every message and every conversation has its event in `GET /v1/events`, once."""
    time.sleep(max(0.0, quiet_since + SETTLE_SECONDS - time.monotonic()))
    seen: Counter[tuple[str, str]] = Counter()
    ids: Counter[str] = Counter()
    for event in _pages(agent, "/v1/events?limit=100&order=asc"):
        seen[event["type"], event["data"].get("id", "")] += 1
        ids[event["id"]] += 1
    if repeated := [event_id for event_id, count in ids.items() if count > 1]:
        yield f"events are listed twice: {repeated[:5]}"
    wanted = {("message.created", each) for each in truth.message_ids()}
    wanted |= {("conversation.created", each) for each in truth.conversations}
    for type_, id_ in wanted:
        if seen[type_, id_] != 1:
            yield f"the log has {type_} of {id_} {seen[type_, id_]} times"
    for type_, id_ in seen.keys() - wanted:
        if type_ in {"message.created", "conversation.created"}:
            yield f"the log has {type_} of {id_}, which does not exist"


def _pages(agent: Caller, path: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = agent.must("GET", path + cursor)
        yield from page["data"]
        if not page["pagination"]["has_more"]:
            return
        cursor = f"&cursor={page['pagination']['next_cursor']}"
