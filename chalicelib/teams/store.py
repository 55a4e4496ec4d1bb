"""Rows of teams: `team`/`team_…`, with the user ids of its members, and how many teams there are."""

from dataclasses import fields
from typing import Any

from chalicelib.core.items import Item
from chalicelib.core.table import Write, tenant_rows
from chalicelib.teams.models import MAX_TEAMS, Team
from chalicelib.tenants import service as tenants

PK = "team"
QUOTA = "quota"

_STORED = tuple(each.name for each in fields(Team) if each.name not in {"tenant_id", "id"})


def find(tenant_id: str, team_id: str) -> Team | None:
    """Read one as it is now."""
    return from_item(tenant_rows(tenant_id).get(PK, team_id, consistent=True))


def find_for_change(tenant_id: str, team_id: str) -> tuple[Team | None, int | None]:
    """Read one as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, PK, team_id)
    return from_item(row), pos


def list_all(tenant_id: str) -> list[Team]:
    """Read all of a tenant's: a hundred fit into one query."""
    found = tenant_rows(tenant_id).query(PK, limit=MAX_TEAMS)
    return [team for row in found.items if (team := from_item(row))]


def creating(team: Team) -> Write:
    """Return the write of a new team."""
    return tenant_rows(team.tenant_id).putting(PK, team.id, _item(team), absent=True)


def taking_room(tenant_id: str) -> Write:
    """Return the write that counts one more, as long as there is room."""
    return tenant_rows(tenant_id).updating(QUOTA, PK, add={"n": 1}, at_most={"n": MAX_TEAMS - 1})


def returning_room(tenant_id: str) -> Write:
    """Return the write that counts one less."""
    return tenant_rows(tenant_id).updating(QUOTA, PK, add={"n": -1})


def changing(before: Team, after: Team) -> Write:
    """Return the write of what changed, for as long as it is at the version that was read."""
    old, new = _item(before), _item(after)
    changed: dict[str, Any] = {name: new.get(name) for name in new if old.get(name) != new.get(name)}
    return tenant_rows(after.tenant_id).updating(PK, after.id, set_=changed, when={"version": before.version})


def deleting(team: Team) -> Write:
    """Return the deletion, at the version that was read."""
    return tenant_rows(team.tenant_id).deleting(PK, team.id, when={"version": team.version})


def requiring(tenant_id: str, team_id: str) -> Write:
    """Return the condition that a team is there."""
    return tenant_rows(tenant_id).checking(PK, team_id, exists=True)


def from_item(row: Item | None) -> Team | None:
    """Read a row."""
    if row is None:
        return None
    stored: dict[str, Any] = {name: row[name] for name in _STORED if name in row}
    stored["members"] = tuple(row.get("members", ()))
    return Team(tenant_id=row["pk"].partition("#")[0], id=row["sk"], **stored)


def _item(team: Team) -> Item:
    return {name: getattr(team, name) for name in _STORED} | {"members": list(team.members) or None}
