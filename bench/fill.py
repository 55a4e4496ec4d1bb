"""Tenants of a given size, made fast: the rows come from the app's own code, the engine's bulk import takes them.

Every conversation is opened by `messages.opening`, four for each visitor; an interceptor at the app's one door to AWS
collects what it would have written. What the dispatcher does afterwards is done to the rows here.
"""

import base64
import gzip
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.inprocess import TABLE
from chalicelib.contacts import service as contacts
from chalicelib.core import aws, clock, ids
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.items import to_attributes
from chalicelib.core.table import tenant_rows
from chalicelib.events import counters
from chalicelib.messages import opening
from chalicelib.messages.models import Author, NewMessage
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Seen
from local.engines import Engine, aws_client, create_table, find_dynoxide, start_dynoxide

PER_VISITOR = 4
POOL = 25  # conversations of each tenant that requests go to: as many in a large one as in a small one, each with a
# visitor of its own, because what a function has leased of a visitor's rate limit serves all that he does
FIRST_NAMES = ("Ana", "Bea", "Cem", "Dana", "Eli", "Fay", "Gus", "Hana")
DAYS = 30  # over which the conversations are spread
Row = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """A tenant with `size` conversations and as many contacts; `pool` are (visitor id, conversation id) all over it."""

    tenant_id: str
    size: int
    widget_id: str
    pool: Sequence[tuple[str, str]]


def build(folder: Path, sizes: Sequence[int]) -> tuple[Engine, list[Filled]]:
    """Start an engine on a new database file with a tenant of each size; the caller stops it."""
    source = folder / "export" / TABLE / "data"
    source.mkdir(parents=True)
    with gzip.open(source / "rows.json.gz", "wt", compresslevel=1) as out:
        filled = [_fill(out, size) for size in sizes]
    schema, database = folder / "schema.json", folder / "bench.sqlite"
    schema.write_text(json.dumps([_table_description()], default=str))
    command = [str(find_dynoxide()), "import", "--source", str(folder / "export")]
    command += ["--schema", str(schema), "--output", str(database)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return start_dynoxide(database), filled


class _Recorder:
    """Answers the app's calls from memory and keeps the rows that it puts."""

    def __init__(self) -> None:
        self._put: dict[tuple[str, str], Row] = {}
        self._visitor: Row = {}
        self._number = 0

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:  # noqa: ARG002 - a protocol
        if operation == "transact_write_items":
            # The one update among them takes from the visitor's flood limit: a bucket no later request looks at.
            for put in (each["Put"]["Item"] for each in params["TransactItems"] if "Put" in each):
                self._put[put["pk"]["S"], put["sk"]["S"]] = put
                if put["sk"]["S"] == "meta" and put["pk"]["S"].partition("#")[2].startswith("vis_"):
                    self._visitor = put
            return {}
        if operation == "batch_get_item":  # the visitor, and whether the conversation has been opened before: it hasn't
            return {"Responses": {TABLE: [self._visitor]}, "UnprocessedKeys": {}}
        if operation == "update_item":
            self._number += 1  # the conversation's, of all and of its month
            asked = params["ExpressionAttributeNames"].values()
            return {"Attributes": {name: {"N": str(self._number)} for name in asked}}
        if operation == "query":  # custom attributes that are defined: none
            return {"Items": []}
        return {}

    def take(self) -> Iterator[Row]:
        """Yield and forget what was put, as it is once the dispatcher has seen it."""
        for (_, sk), row in self._put.items():
            if sk == "meta":
                del row["p_pk"], row["p_sk"]
                row["dpos"] = row["pos"]
                if "seq" in row:
                    row["dseq"] = row["seq"]
            yield row
        self._put.clear()


def _fill(out: IO[str], size: int) -> Filled:
    tenant_id, widget_id = ids.new("tn"), ids.new("wgt")
    recorder, counts = _Recorder(), Counter[tuple[str, str, str]]()
    rows, visitor_id = tenant_rows(tenant_id), ""
    step = max(1, size // (POOL * PER_VISITOR)) * PER_VISITOR
    pool: list[tuple[str, str]] = []
    begin = clock.now_ms() - DAYS * 86_400_000
    before, aws.interceptors[:] = aws.interceptors[:], [recorder]
    try:
        for number in range(size):
            at = begin + number * DAYS * 86_400_000 // size
            with clock.reading(lambda at=at: at):  # type: ignore[misc]  # the default binds the loop's value
                if number % PER_VISITOR == 0:
                    visitor_id = _arrive(tenant_id, widget_id, number)
                    counts[(*counters.adding(rows, visitor_id, {"visitors": 1}).key, "visitors")] += 1
                conversation_id = _open(tenant_id, visitor_id, number)
                contact_id = _know(tenant_id, number)
            counts[(*counters.adding(rows, conversation_id, {"conv_open": 1}).key, "conv_open")] += 1
            counts[(*counters.adding(rows, contact_id, {"contacts": 1}).key, "contacts")] += 1
            for row in recorder.take():
                _write(out, row)
            if number % step == 0 and len(pool) < POOL:
                pool.append((visitor_id, conversation_id))
    finally:
        aws.interceptors[:] = before
    _write_counters(out, counts)
    return Filled(tenant_id, size, widget_id, pool)


def _arrive(tenant_id: str, widget_id: str, number: int) -> str:
    seen = Seen(
        page_url=f"https://www.example.com/products/{number}",
        referrer_url="https://search.example/",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ip="203.0.113.7",
        locale="en",
    )
    return visitors.create_visitor(tenant_id, widget_id, seen).id


def _open(tenant_id: str, visitor_id: str, number: int) -> str:
    said = NewMessage(
        Author("visitor", visitor_id, None), f"Hi, I have a question about order {number}.", client_msg_id=f"c{number}"
    )
    new = opening.NewConversation(visitor_id, {"type": "visitor", "id": visitor_id}, said)
    return opening.open_conversation(tenant_id, new).conversation.id


def _know(tenant_id: str, number: int) -> str:
    """Make a contact; every tenant has the same first names, and last names that nobody shares."""
    given = {"name": f"{FIRST_NAMES[number % len(FIRST_NAMES)]} Lee{number:06d}", "email": f"c{number}@example.com"}
    return contacts.create_contact(tenant_id, given, {"type": "system", "id": "bench"}).id


def _write_counters(out: IO[str], counts: Mapping[tuple[str, str, str], int]) -> None:
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for (pk, sk, name), count in counts.items():
        rows.setdefault((pk, sk), {})[name] = count
    for (pk, sk), values in rows.items():
        _write(out, to_attributes({"pk": pk, "sk": sk, **values}))


def _write(out: IO[str], row: Row) -> None:
    out.write(json.dumps({"Item": row}, separators=(",", ":"), default=lambda raw: base64.b64encode(raw).decode()))
    out.write("\n")


def _table_description() -> dict[str, Any]:
    engine = start_dynoxide()
    try:
        create_table(engine.endpoint, TABLE)
        table: dict[str, Any] = aws_client("dynamodb", engine.endpoint).describe_table(TableName=TABLE)["Table"]
    finally:
        engine.stop()
    return {"Table": table}
