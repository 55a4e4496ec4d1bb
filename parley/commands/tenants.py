"""`tenants`: finding them, what there is to know of one, suspending and erasing."""

from typing import Annotated, Any

import typer

from parley import moments
from parley.errors import CommandError
from parley.output import Column
from parley.scans import Scan
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="Tenants of an installation.")
Named = Annotated[str, typer.Argument(metavar="tn_…|SLUG")]

COLUMNS = [
    Column("tenant", lambda row: row["id"], width=29),
    Column("created", lambda row: row["created_at"][:10], width=10),
    Column("members", lambda row: row["members"], right=True),
    Column("status", lambda row: row["status"]),
    Column("slug", lambda row: row["slug"]),
    Column("name", lambda row: row["name"]),
]


@command(group, "list")
def list_tenants(
    here: Session,
    limit: Annotated[int, typer.Option(min=1, help="Stop when there are so many, to a page of the table.")] = 100,
    max_units: Annotated[int, typer.Option(min=1, help="Stop when so many read units are used.")] = 10_000,
    begin: Annotated[str | None, typer.Option("--from", help="Go on where an earlier run stopped.")] = None,
) -> None:
    """List tenants, in no order. This reads the whole table, as far as the limits let it, and says what that costs.

    To look for one, `tenants find` needs no such thing.
    """
    here.enter()
    from chalicelib.core import ids
    from chalicelib.tenants import service

    values = {":sk": "meta", ":kind": "#tenant"}
    scan = Scan(here, "Reading", "sk = :sk AND contains(pk, :kind)", values, max_units=max_units, begin=begin)
    found: list[str] = []
    for page in scan.pages():
        keys = [row["pk"].partition("#") for row in page]
        found += [tenant_id for tenant_id, _, kind in keys if kind == "tenant" and ids.is_id("tn", tenant_id)]
        if len(found) >= limit:
            break
    rows = sorted((_row(tenant) for tenant in service.list_tenants(found)), key=lambda row: str(row["id"]))
    here.out.rows(rows, COLUMNS, none="No tenant was met.", next=scan.next, read_units=scan.units)
    more = f"; there is more: --from {scan.next}" if scan.next else ", to the end of the table"
    here.out.note(f"{len(rows)} tenants, {scan.units:,.0f} read units used{more}")


@command(group, "find")
def find(here: Session, tenant: Named) -> None:
    """Print the id and slug of a tenant, which may be another region's. Exit code 1: there is none."""
    here.enter()
    from chalicelib.tenants import service

    found = service.get_tenant(tenant_id_of(tenant))
    here.out.done(f"{found.id}  {found.slug}", id=found.id, slug=found.slug, name=found.name)


@command(group, "show")
def show(here: Session, tenant: Named) -> None:
    """Show a tenant: settings, owners and admins, and its plan with what it has paid."""
    here.enter()
    import app  # noqa: F401 - binds how storage and webhooks are measured
    from chalicelib.billing import service as billing
    from chalicelib.core.config import settings
    from chalicelib.tenants import service

    found = service.get_tenant(tenant_id_of(tenant))
    record = _row(found) | {
        "language": found.language,
        "updated_at": moments.of_ms(found.updated_at),
        "api_keys": found.keys,
        "admins": [
            {"id": each.user_id, "email": each.email, "role": each.role.label} for each in service.list_admins(found.id)
        ],
    }
    if settings().billing:
        account, usage = billing.get_usage(found.id)
        record |= {
            "plan": account.plan,
            "subscription": account.status,
            "customer_id": account.customer_id,
            "seats_paid": account.quantity,
            "conversations_this_month": usage.conversations,
            "storage_bytes": usage.storage,
            "webhooks": usage.webhooks,
            "looked_at": moments.of_ms(account.synced_at),
        }
    if here.out.as_json:
        here.out.document(record)
        return
    people = "\n".join(f"{each['email']} ({each['role']}, {each['id']})" for each in record["admins"])
    here.out.record(record | {"admins": people})


@command(group, "suspend", asks=True)
def suspend(here: Session, tenant: Named) -> None:
    """Let no credential of a tenant work, and send nothing in its name, until it is resumed. Its data is kept."""
    here.enter()
    from chalicelib.tenants import service, standing

    found = service.get_tenant(tenant_id_of(tenant))
    here.ask(f"Suspend {found.name} ({found.slug}, {found.id})? Within a minute nobody of it gets in.")
    _say_status(here, standing.suspend_tenant(found.id))


@command(group, "resume", asks=True)
def resume(here: Session, tenant: Named) -> None:
    """Undo a suspension. Webhooks that came due meanwhile are sent within an hour."""
    here.enter()
    from chalicelib.tenants import service, standing

    found = service.get_tenant(tenant_id_of(tenant))
    here.ask(f"Let {found.name} ({found.slug}, {found.id}) go on?")
    _say_status(here, standing.resume_tenant(found.id))


@command(group, "delete", asks=True)
def delete(
    here: Session,
    tenant: Named,
    confirm: Annotated[str, typer.Option(metavar="SLUG", help="The tenant's slug, typed out.")],
) -> None:
    """Erase a tenant with all its data, for good; again, it tells how far that is.

    Nothing of it works from now on. The erasing begins after three minutes, goes on by itself, and can't be stopped.
    """
    here.enter()
    import app  # noqa: F401 - knows what kinds of jobs do
    from chalicelib.tenants import service, standing
    from chalicelib.tenants.erasing import start_erasing

    found = service.get_tenant(tenant_id_of(tenant))
    if found.status != "erasing":
        here.ask(f"ERASE {found.name} ({found.slug}, {found.id}) with its {found.members} members, for good?")
    job = start_erasing(found.id, standing.OPERATOR, confirm)
    here.out.done(
        f"{found.id} is being erased: {job.id}, stage {job.stage} of {job.stages}, {job.done} rows so far.",
        id=found.id, job_id=job.id, stage=job.stage, stages=job.stages, rows=job.done,
    )  # fmt: skip


def _say_status(here: Session, tenant: Any) -> None:  # noqa: ANN401 - as `_row`
    here.out.done(f"{tenant.id} ({tenant.name}) is {tenant.status}.", id=tenant.id, status=tenant.status)


def tenant_id_of(named: str) -> str:
    """Return a tenant's id, given that or a slug. Raises CommandError where this region has no such tenant."""
    from chalicelib.core import ids, regions
    from chalicelib.core.config import settings
    from chalicelib.core.errors import NotFoundError
    from chalicelib.directory import service as directory
    from chalicelib.tenants import service

    if not ids.is_id("tn", named):
        found = service.find_tenant_id(named)
        if found is None:
            region = directory.find_region(named)
            elsewhere = f" It is in {region}." if region and region != settings().region else ""
            raise CommandError(f"No tenant here has the slug {named}.{elsewhere}")
        return found
    regions.require_home(named)
    try:
        return service.get_tenant(named).id
    except NotFoundError:
        raise CommandError(f"There is no tenant {named} here.") from None


def _row(tenant: Any) -> dict[str, Any]:  # noqa: ANN401 - a Tenant, whose module needs settings
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "created_at": moments.of_ms(tenant.created_at),
        "members": tenant.members,
        "status": tenant.status,
    }
