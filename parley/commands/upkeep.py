"""What is done once, after an installation has got something new: a directory, or the search."""

from typing import Annotated

import typer

from parley.commands.tenants import tenant_id_of
from parley.errors import CommandError, Exit
from parley.output import Column
from parley.scans import Scan
from parley.session import Session, command

PANEL = "Once, after an update"
slugs = typer.Typer(no_args_is_help=True, help="The slugs of a region's tenants in the directory.")

JOBS = [Column("tenant", lambda row: row["tenant_id"], width=29), Column("job", lambda row: row["job_id"], width=30)]


def add_to(group: typer.Typer) -> None:
    """Register the commands."""
    group.add_typer(slugs, name="slugs", rich_help_panel=PANEL)
    command(group, "search-index", panel=PANEL)(search_index)


def search_index(here: Session, tenant: Annotated[list[str], typer.Argument(metavar="tn_…|SLUG…")]) -> None:
    """Let conversations that are older than the search be found by it.

    Starts a job for each tenant, which goes on by itself; GET /v1/jobs/{job_id} tells its people how far it is.
    """
    here.enter()
    import app  # noqa: F401 - knows what kinds of jobs do
    from chalicelib.conversations.reindexing import start_indexing

    rows, missing = [], []
    for named in tenant:
        try:
            tenant_id = tenant_id_of(named)
        except CommandError as exc:
            missing.append(str(exc))
            continue
        rows.append({"tenant_id": tenant_id, "job_id": start_indexing(tenant_id).id})
    here.out.rows(rows, JOBS, none="No job was started.")
    if missing:
        raise CommandError(" ".join(missing))


@command(slugs, "settle")
def settle(here: Session) -> None:
    """Put the slugs of a region's tenants into the directory, once it has got one, and tell which another region has.

    It reads the whole table. It may run again, and while tenants change. Exit code 1: another region has some.
    """
    here.enter()
    from chalicelib.core.config import settings
    from chalicelib.tenants.slugs import settle_now

    if not settings().directory_table:
        raise CommandError("There is no directory here: PARLEY_DIRECTORY_TABLE names none.", Exit.USAGE)
    prefix = "G#slug#"
    scan = Scan(here, "Reading slugs", "begins_with(pk, :prefix)", {":prefix": prefix})
    ours, lost = 0, list[str]()
    for row in (row for page in scan.pages() for row in page):
        if settle_now(row["tenant"]):
            ours += 1
        else:
            lost.append(row["pk"].removeprefix(prefix))
    here.out.done(f"{ours} slugs are in the directory as this region's.", settled=ours, lost=lost)
    if lost:
        raise CommandError(f"Another region's: {', '.join(lost)}. Give their tenants other slugs.")
