"""`keys`: a tenant's API keys, through the HTTP API; and the installation's signing keys."""

from typing import Annotated

import typer
from rich.text import Text

from parley import moments
from parley.errors import CommandError
from parley.output import Column, joined
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="API keys of a tenant; the installation's signing keys.")
signing = typer.Typer(no_args_is_help=True, help="The keys that tokens are signed with.")
group.add_typer(signing, name="signing")
Key = Annotated[str, typer.Argument(metavar="key_…")]

KEYS = [
    Column("key", lambda row: row["id"], width=30),
    Column("name", lambda row: row["name"]),
    Column("ends in", lambda row: row["hint"], width=7),
    Column("mode", lambda row: row["mode"], width=4),
    Column("last used", lambda row: moments.minute(row["last_used_at"]), width=11),
    Column("expires", lambda row: (row["expires_at"] or "")[:10]),
]
SIGNING = [
    Column("key", lambda row: row["kid"], width=30),
    Column("created", lambda row: row["created_at"][:10], width=10),
    Column("signs from", lambda row: moments.short(row["active_from"]), width=14),
    Column("state", lambda row: Text(row["state"], "green" if row["state"] == "signs" else "")),
]


@command(group, "list", by_key=True)
def list_keys(here: Session) -> None:
    """List a tenant's API keys. Their secrets are nowhere."""
    rows = list(here.api().rows("/v1/api-keys"))
    here.out.rows(rows, KEYS, none="There are no keys.")


@command(group, "rotate", by_key=True, asks=True)
def rotate(
    here: Session,
    key: Key,
    overlap: Annotated[int, typer.Option(min=0, max=86_400, help="Seconds that the old secret goes on working.")] = 0,
) -> None:
    """Give an API key a new secret, which is printed this once."""
    api = here.api()
    found = api.get(f"/v1/api-keys/{key}")
    until = f"for {overlap} more seconds" if overlap else "no longer"
    here.ask(f"Give {key} ({found['name']}, …{found['hint']}) a new secret? The old one then works {until}.")
    issued = api.post(f"/v1/api-keys/{key}/rotate", {"expire_previous_in": overlap})
    here.out.done(issued["secret"], **issued)


@command(group, "revoke", by_key=True, asks=True)
def revoke(here: Session, key: Key) -> None:
    """Revoke an API key, at once and for good."""
    api = here.api()
    found = api.get(f"/v1/api-keys/{key}")
    used = f"last used {moments.short(found['last_used_at'])}" if found["last_used_at"] else "never used"
    here.ask(f"Revoke {key} ({found['name']}, …{found['hint']}, {used})? What uses it stops working.")
    api.delete(f"/v1/api-keys/{key}")
    here.out.done(f"{key} is revoked.", id=key, revoked=True)


@command(signing, "show")
def show(here: Session) -> None:
    """Show the signing keys, without their private parts: which signs now, which will, which may only be read."""
    here.enter()
    from chalicelib.auth import keys
    from chalicelib.core import clock

    now, signs = clock.now_ms(), keys.signing_key().kid
    rows = [
        {
            "kid": key["kid"],
            "created_at": moments.of_ms(key["created_at"]),
            "active_from": moments.of_ms(key["active_from"]),
            "state": "signs" if key["kid"] == signs else "next" if key["active_from"] > now else "verifies only",
        }
        for key in sorted(keys.stored_keys(), key=lambda key: key["active_from"], reverse=True)
    ]
    here.out.rows(rows, SIGNING, none="There are no keys: `keys signing create`.")


@command(signing, "rotate", asks=True)
def rotate_signing(here: Session) -> None:
    """Add a signing key, which signs in ten minutes, when every function knows it. Tokens that are out stay good.

    A schedule does this every 90 days. By hand: when a key may have leaked, and then end sessions, too.
    """
    here.enter()
    from chalicelib.auth import keys
    from chalicelib.core import clock

    coming = [key["kid"] for key in keys.stored_keys() if key["active_from"] > clock.now_ms()]
    if coming:
        raise CommandError(f"{joined(coming)} was just added and does not sign yet: there is nothing to add.")
    here.ask(f"Add a signing key to {here.place.name}, which signs in ten minutes?")
    keys.rotate()
    kid = max(keys.stored_keys(), key=lambda key: int(key["active_from"]))["kid"]
    here.out.done(f"{kid} signs in ten minutes.", kid=kid)


@command(signing, "create")
def create(here: Session) -> None:
    """Put the first signing key and the pepper into a new stack's empty secret, which `make deploy` does by itself.

    Keys that are there are never replaced: exit code 1.
    """
    from infra import create_keys

    if here.place.local:
        raise CommandError("The local stack makes its keys itself.")
    secret = f"parley-{here.place.aws_stage}-keys"
    if not create_keys.fill(secret, here.place.aws_region):
        raise CommandError(f"{secret} has keys already. They are rotated, never replaced: `keys signing rotate`.")
    here.out.done(f"{secret} has its first keys.", secret=secret)
