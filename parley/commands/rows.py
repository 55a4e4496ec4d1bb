"""`rows`: what layouts rows have, and bringing those that earlier releases wrote to this one's."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from parley.commands.tenants import tenant_id_of
from parley.output import Column
from parley.scans import Scan
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="Rows that earlier releases wrote: docs/upgrading.md.")

KINDS = [
    Column("kind", lambda row: row["kind"]),
    Column("read up to", lambda row: row["newest"], right=True),
    Column("written", lambda row: row["writes"], right=True),
]
COUNTS = [
    Column("kind", lambda row: row["kind"]),
    Column("to", lambda row: row["to"], right=True),
    Column("old", lambda row: row["old"], right=True),
    Column("rewritten", lambda row: row["rewritten"], right=True),
]


@command(group, "versions")
def versions(here: Session) -> None:
    """List the kinds of rows that have more than one layout: up to which this release reads, and which it writes."""
    rows = [{"kind": each.name, "newest": each.newest, "writes": each.writes} for each in _layouts(here)]
    here.out.rows(rows, KINDS, none="Every kind of row has one layout.")


@command(group, "upgrade", asks=True)
def upgrade(
    here: Session,
    tenant: Annotated[str, typer.Option(metavar="all|tn_…|SLUG", help="Whose rows; one is read like all.")] = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    rate: Annotated[int, typer.Option(min=1, help="Rewrite at most so many rows a second.")] = 100,
    max_units: Annotated[int | None, typer.Option(min=1, help="Stop when so many read units are used.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="Go on where an earlier run stopped.")] = None,
) -> None:
    """Rewrite the rows that have an earlier layout than is written. This reads the whole table, once.

    A row that somebody changes meanwhile is read again; doing it all again is harmless.
    """
    layouts = [each for each in _layouts(here) if each.writes > 1]
    if not layouts:
        here.out.rows([], COUNTS, none="Every kind of row is written in its first layout: there is nothing to do.")
        return
    tenant_id = None if tenant == "all" else tenant_id_of(tenant)
    if not dry_run:
        names = ", ".join(f"{each.name} to {each.writes}" for each in layouts)
        here.ask(f"Rewrite old rows of {tenant_id or 'all tenants and people'} ({names}), {rate} a second?")
    run = _Run(here, layouts, tenant_id, None if dry_run else rate)
    scan = Scan(here, "Rewriting", *_filter(layouts, tenant_id), max_units=max_units, begin=begin)
    _work_through(run, scan, begin)
    rows = [
        {"kind": each.name, "to": each.writes, "old": run.old[each.name], "rewritten": run.rewritten[each.name]}
        for each in layouts
    ]
    here.out.rows(rows, COUNTS, none="", next=scan.next, read_units=scan.units, write_units=run.units)
    more = f"; there is more: --from {scan.next}" if scan.next else ", to the end of the table"
    here.out.note(f"{scan.units:,.0f} read and {run.units:,.0f} write units used{more}")


class _Run:
    """What was found and done so far; with no rate, nothing is done."""

    def __init__(self, here: Session, layouts: list[Any], tenant_id: str | None, rate: int | None) -> None:
        self.here, self.layouts, self.tenant_id, self.rate = here, layouts, tenant_id, rate
        self.old, self.rewritten = Counter[str](), Counter[str]()
        self.units = 0.0

    def take(self, page: list[dict[str, Any]]) -> None:
        """Count a page's old rows, and rewrite them."""
        from chalicelib.core import upgrades

        for layout, row in self._old(page):
            self.old[layout.name] += 1
            if self.rate is None:
                continue
            begun = time.monotonic()
            used = upgrades.rewrite(_key(row), row)
            self.units += used
            self.rewritten[layout.name] += used > 0  # none: somebody else has rewritten or deleted it
            time.sleep(max(0.0, 1 / self.rate - (time.monotonic() - begun)))

    def _old(self, page: list[dict[str, Any]]) -> Iterator[tuple[Any, dict[str, Any]]]:
        from chalicelib.core import upgrades

        for row in page:  # the scan's filter knows a row's kind by its sort key only
            layout = upgrades.layout_of(_key(row))
            scope = row["pk"].partition("#")[0]
            if layout and upgrades.is_old(row) and self.tenant_id in (None, scope.partition("~")[0]):
                yield layout, row


def _work_through(run: _Run, scan: Scan, begin: str | None) -> None:
    behind = begin  # the last page that is done: where to go on when this is stopped
    try:
        for page in scan.pages():
            run.take(page)
            behind = scan.next
    except BaseException:
        if behind:
            run.here.out.note(f"Go on with --from {behind}")
        raise


def _filter(layouts: list[Any], tenant_id: str | None) -> tuple[str, dict[str, Any]]:
    """Return what lets through rows with the sort keys of some kinds and without their layouts, and few others."""
    kinds, values = list[str](), dict[str, Any]()
    of_tenant = "begins_with(pk, :tenant) AND " if tenant_id else ""  # in each kind: DynamoDB refuses doubled brackets
    if tenant_id:
        values[":tenant"] = tenant_id
    for number, each in enumerate(layouts):
        is_kind = f"begins_with(sk, :sk{number})" if each.sk.endswith("…") else f"sk = :sk{number}"
        values |= {f":sk{number}": each.sk.removesuffix("…"), f":lv{number}": each.writes}
        kinds.append(f"({of_tenant}{is_kind} AND (attribute_not_exists(lv) OR lv < :lv{number}))")
    return " OR ".join(kinds), values


def _key(row: dict[str, Any]) -> Any:  # noqa: ANN401 - a Key, whose module needs settings
    from chalicelib.core.dynamodb import Key

    return Key(row["pk"], row["sk"])


def _layouts(here: Session) -> list[Any]:
    """Return the layouts that app.py registers."""
    here.enter()
    import app  # noqa: F401 - registers them
    from chalicelib.core import upgrades

    return upgrades.registered()
