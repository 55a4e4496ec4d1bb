"""The restore drill: a region's table is lost under load, and made again as it was at one moment before.

DynamoDB exports a table as it was at any moment of the last 35 days. Here SQLite's online backup of the engine's file
is that moment, and what is written from it has the shape of DynamoDB's export: a line of JSON for each item.
"""

import base64
import gzip
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kill import drain, truth
from bench.kill.load import Agent, Ledger, Person, Said, Visitor
from bench.site import Site
from bench.stack import Stack, dynoxide_endpoint
from local.engines import Engine, aws_client, create_table, start_dynoxide
from local.environment import TABLE

VISITORS, AGENTS = 6, 2
BEFORE_SECONDS, AFTER_SECONDS = 6.0, 1.0  # of load, around the moment
MOMENTS, BETWEEN_SECONDS = 5, 0.3  # the first is taken at which something was on its way
EXPORT = "export.json.gz"
BATCH = 25  # items in one BatchWriteItem
_FILE = "dynamodb.sqlite"


@dataclass
class Drill:
    """What was acknowledged before the moment, and what came of it."""

    acknowledged: dict[str, Said]
    all_acknowledged: int
    items: int = 0
    without_event: int = 0  # acknowledged messages in the restored table whose event was not dispatched yet
    seconds: float = 0.0  # from the loss to the last dispatched event


def load_and_export(site: Site, folder: Path) -> Drill:
    """Let people talk, export the table at a moment while they do, and let them go on for a second.

    Returns what they had been told by then; the export is in `folder`.
    """
    ledger = Ledger()
    people: list[Person] = [Visitor(f"v{number}", site.visitor(), ledger, "drill") for number in range(VISITORS)]
    people += [Agent(f"a{number}", site.agent(), ledger, "drill") for number in range(AGENTS)]
    enough = threading.Event()
    with ThreadPoolExecutor(len(people)) as pool:
        talking = [pool.submit(person.run, threading.Event(), enough) for person in people]
        try:
            time.sleep(BEFORE_SECONDS)
            moments = [_moment(ledger, site.stack.data / _FILE, folder / f"moment{n}.sqlite") for n in range(MOMENTS)]
            time.sleep(AFTER_SECONDS)
        finally:
            enough.set()
    for each in talking:
        each.result()
    if ledger.problems:
        raise RuntimeError(truth.brief(ledger.problems))
    # No process is started while threads run, so which moment will do is seen now: one with an event on its way.
    for acknowledged, copy in moments:
        drill = Drill(acknowledged, len(ledger.said))
        if _export(drill, copy, folder / EXPORT):
            return drill
    raise RuntimeError("nothing was on its way at any moment: the drill would prove nothing")


def lose_and_restore(drill: Drill, lost: Stack, restored: Stack, export: Path, *, sweep: bool = True) -> list[str]:
    """Kill the stack, start one on a table made from the export and with empty queues, and return what is wrong.

    Keys and files are no part of the table and are still there. The port, which is in tokens and links, is the same.
    """
    began = time.monotonic()
    lost.kill()
    restored.data.mkdir(parents=True)
    shutil.copy2(lost.data / "secrets.json", restored.data)
    _import(export, restored.data / _FILE)
    restored.port, restored.settings = lost.port, lost.settings
    restored.start()
    endpoint = dynoxide_endpoint(restored.pid)
    drill.without_event = len(list(_without_event(drill, endpoint)))
    drain.connect(restored)
    problems = [f"{each} is pending for ever" for each in drain.drain()] if sweep else []
    drill.seconds = time.monotonic() - began
    problems += truth.read(endpoint, TABLE).problems()
    problems += _lost(drill, endpoint)
    problems += _without_event(drill, endpoint)
    return problems


def _moment(ledger: Ledger, table: Path, copy: Path) -> tuple[dict[str, Said], Path]:
    """Copy the table as it is at one moment; returns what had been acknowledged before, and the copy."""
    with ledger.lock:
        acknowledged = dict(ledger.said)
    with closing(sqlite3.connect(table, timeout=30)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)  # in one step, so nothing is written in between
    time.sleep(BETWEEN_SECONDS)
    return acknowledged, copy


def _export(drill: Drill, copy: Path, export: Path) -> bool:
    """Write the table of a copy as DynamoDB exports it; False when every event had been dispatched by then."""
    engine = _engine(copy)
    try:
        with gzip.open(export, "wt") as out:
            for item in _items(engine):
                out.write(json.dumps({"Item": item}, default=_base64) + "\n")
                drill.items += 1
        return any(_without_event(drill, engine.endpoint))
    finally:
        engine.stop()


def _import(export: Path, file: Path) -> None:
    engine = _engine(file)
    try:
        create_table(engine.endpoint, TABLE)
        client = aws_client("dynamodb", engine.endpoint)
        with gzip.open(export, "rt") as lines:
            items = [_from_line(line) for line in lines]
        for start in range(0, len(items), BATCH):
            wanted = {TABLE: [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]}
            while wanted:
                wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems", {})
    finally:
        engine.stop()


def _engine(file: Path) -> Engine:
    return start_dynoxide(file, file.with_suffix(".log"))


def _items(engine: Engine) -> Iterator[dict[str, Any]]:
    client = aws_client("dynamodb", engine.endpoint)
    for page in client.get_paginator("scan").paginate(TableName=TABLE):
        yield from page["Items"]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_line(line: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(line)["Item"]
    return {
        name: {"B": base64.b64decode(value["B"])} if "B" in value else value  # none is inside a list or a map
        for name, value in item.items()
    }


def _lost(drill: Drill, endpoint: str) -> Iterator[str]:
    """Name messages acknowledged before the moment that are not there as they were acknowledged."""
    found = {row["id"]: (each.id, row["seq"]) for each, row in _messages(endpoint)}
    for client_msg_id, said in drill.acknowledged.items():
        if found.get(said.message_id) != (said.conversation_id, said.seq):
            yield f"{client_msg_id} was acknowledged before the moment and is not in the restored table"


def _without_event(drill: Drill, endpoint: str) -> Iterator[str]:
    """Name messages acknowledged before the moment whose event the dispatcher has not dealt with."""
    wanted = {said.message_id for said in drill.acknowledged.values()}
    for conversation, row in _messages(endpoint):
        if row["id"] in wanted and row["pos"] > conversation.meta["dpos"]:
            yield f"{row['id']} has no event: {conversation.id} is dispatched up to {conversation.meta['dpos']}"


def _messages(endpoint: str) -> Iterator[tuple[truth.Conversation, dict[str, Any]]]:
    for conversation in truth.read(endpoint, TABLE).conversations.values():
        for row in conversation.messages:
            yield conversation, row
