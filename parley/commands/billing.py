"""`billing`: whether what we hold is what Stripe has, and the plans at Stripe."""

from typing import Annotated, Any

import typer

from parley.commands.tenants import tenant_id_of
from parley.errors import CommandError, Exit
from parley.output import Column, joined
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="Subscriptions and plans at Stripe.")

COLUMNS = [
    Column("tenant", lambda row: row["tenant_id"], width=29),
    Column("field", lambda row: row["field"]),
    Column("we hold", lambda row: row["held"]),
    Column("Stripe has", lambda row: row["true"]),
    Column("", lambda row: {True: "healed", False: "NOT healed"}.get(row["healed"], "")),
]


@command(group, "drift", asks=True)
def drift(
    here: Session,
    tenant: Annotated[list[str] | None, typer.Option(metavar="tn_…|SLUG", help="Only this one; may be repeated.")] = (
        None
    ),
    heal: Annotated[bool, typer.Option("--heal", help="Reconcile the tenants that differ.")] = False,
) -> int:
    """Compare every tenant that is a customer at Stripe with what Stripe has: plan, state, seats, periods and limits.

    Exit code 1: something differs (with --heal: still differs). A tenant that differs is read again before it is told.
    """
    _enter(here)
    from chalicelib.billing import drift as billing
    from chalicelib.core.errors import NotFoundError, UnavailableError

    ids = [tenant_id_of(each) for each in tenant] if tenant else list(billing.list_customers())
    differing: dict[str, list[Any]] = {}
    unread: list[str] = []
    with here.out.progress("Comparing with Stripe", len(ids)) as bar:
        for tenant_id in ids:
            try:
                if found := billing.find_differences(tenant_id):
                    differing[tenant_id] = found
            except UnavailableError:
                unread.append(tenant_id)
            except NotFoundError:  # gone since it was listed
                if tenant:
                    raise
            bar.advance(bar.task_ids[0])
    healed = _heal(here, list(differing)) if heal and differing else {}
    rows = [
        {
            "tenant_id": tenant_id,
            "field": each.field,
            "held": each.held,
            "true": each.true,
            "healed": healed.get(tenant_id),
        }
        for tenant_id, found in differing.items()
        for each in found
    ]
    compared = len(ids) - len(unread)
    none = f"As Stripe has them: {compared} of {compared} tenants." if ids else "No tenant is a customer at Stripe yet."
    here.out.rows(rows, COLUMNS, none=none, compared=compared, unread=unread)
    if unread:
        raise CommandError(f"Stripe did not answer for {joined(unread)}: run it again for them.", Exit.FAILED)
    return Exit.DONE if all(healed.get(each) for each in differing) else Exit.NO


def _heal(here: Session, tenant_ids: list[str]) -> dict[str, bool]:
    """Reconcile each; tell whether it is then as Stripe has it."""
    from chalicelib.billing import drift as billing
    from chalicelib.billing.sync import sync
    from chalicelib.core.errors import UnavailableError

    here.ask(f"Bring {len(tenant_ids)} tenants to what Stripe has: {joined(tenant_ids)}?")
    healed = {}
    with here.out.progress("Reconciling", len(tenant_ids)) as bar:
        for tenant_id in tenant_ids:
            try:
                sync(tenant_id)
                healed[tenant_id] = not billing.find_differences(tenant_id)
            except UnavailableError:
                healed[tenant_id] = False
            bar.advance(bar.task_ids[0])
    return healed


@command(group, "plans")
def plans(here: Session) -> None:
    """Put the plans of chalicelib/billing/plans.py into Stripe, as far as it lacks them. Repeating it is harmless."""
    _enter(here)
    from chalicelib.billing.offering import offer_plans

    made = offer_plans()
    here.out.done("\n".join(f"made  {each}" for each in made) or "Stripe has all of them.", made=made)


def _enter(here: Session) -> None:
    here.enter()
    from chalicelib.core.config import settings

    if not settings().billing:
        raise CommandError(f"In {here.place.name} nobody pays: PARLEY_BILLING is not `stripe`.", Exit.USAGE)
