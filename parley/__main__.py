"""`python -m parley`."""

import logging
import os
from typing import Any

import typer
from typer.core import TyperGroup

from parley.commands import billing, deliveries, events, keys, people, queues, rows, tenants, upkeep

QUEUES, CUSTOMERS = "Queues and deliveries", "Tenants"

_ORDER = ("queues", "events", "deliveries", "tenants", "billing", "keys")  # what is looked for in a hurry


class _Group(TyperGroup):
    """Lists what is used most first, rather than commands before groups."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the context of Typer's own click
        names = super().list_commands(ctx)
        return [*_ORDER, *(name for name in names if name not in _ORDER)]


cli = typer.Typer(
    cls=_Group,
    add_completion=False,
    name="python -m parley",
    help="Run a Parley installation: its queues, deliveries, billing, tenants and keys. docs/cli.md has examples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None if os.environ.get("NO_COLOR") else "rich",
)
cli.add_typer(queues.group, name="queues", rich_help_panel=QUEUES)
cli.add_typer(events.group, name="events", rich_help_panel=QUEUES)
cli.add_typer(deliveries.group, name="deliveries", rich_help_panel=QUEUES)
cli.add_typer(tenants.group, name="tenants", rich_help_panel=CUSTOMERS)
cli.add_typer(billing.group, name="billing", rich_help_panel=CUSTOMERS)
cli.add_typer(keys.group, name="keys", rich_help_panel=CUSTOMERS)
cli.add_typer(rows.group, name="rows", rich_help_panel=upkeep.PANEL)
people.add_to(cli)
upkeep.add_to(cli)


def main() -> None:
    """Run the command line. The services' own logs are for CloudWatch; PARLEY_DEBUG=1 shows them, too."""
    if not os.environ.get("PARLEY_DEBUG"):
        logging.disable(logging.CRITICAL)
    cli()


if __name__ == "__main__":
    main()
