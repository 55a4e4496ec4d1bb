"""What people do with teams. That a deleted one has no conversations any more is a job."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.core import clock, ids
from chalicelib.core.errors import InvalidError, PreconditionFailedError
from chalicelib.core.http import Page
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying
from chalicelib.jobs import service as jobs
from chalicelib.teams import store
from chalicelib.teams.models import (
    MAX_MEMBERS,
    ListTeams,
    Team,
    TeamMemberUnknownError,
    TeamNotFoundError,
    TeamOut,
    TooManyTeamsError,
)
from chalicelib.tenants import service as tenants

FOLLOW_JOB = "team.follow"  # takes a deleted team's conversations from it

Actor = dict[str, str]
Given = Mapping[str, Any]  # the fields that the caller sent


def find_team(tenant_id: str, team_id: str) -> Team | None:
    """Return a team or None."""
    return store.find(tenant_id, team_id) if ids.is_id("team", team_id) else None


def get_team(tenant_id: str, team_id: str) -> Team:
    """Return a team; raises TeamNotFoundError."""
    found = find_team(tenant_id, team_id)
    if found is None:
        raise TeamNotFoundError
    return found


def list_teams(tenant_id: str, query: ListTeams) -> Page[Team]:
    """List teams, newest first. One query, however many there are."""
    found = store.list_all(tenant_id)
    if query.member:
        found = [team for team in found if query.member in team.members]
    return page_of(found, query, tenant_id, "teams", lambda team: team.id)


def requiring_team(tenant_id: str, team_id: str) -> Write:
    """Return the condition that a team is there, for what is given to it; raises InvalidError for what is no id."""
    if not ids.is_id("team", team_id):
        raise no_such_team()
    return store.requiring(tenant_id, team_id)


def no_such_team(param: str = "team_id") -> InvalidError:
    """Return the error of a field that names no team."""
    return InvalidError.field(param, "There is no such team.", "not_found")


def create_team(tenant_id: str, actor: Actor, given: Given) -> Team:
    """Make a team. Raises TeamMemberUnknownError and TooManyTeamsError."""
    now = clock.now_ms()
    known = {name: value for name, value in given.items() if value is not None}
    team = _of_members(
        Team(tenant_id, ids.new("team"), created_at=now, updated_at=now, **{**known, "members": ()}), given
    )

    joining = _joining(None, team, "members")

    def attempt() -> Team:
        room = store.taking_room(tenant_id)
        record = tenants.recording(tenant_id, actor, "team.created", shown(team))
        try:
            _commit(tenant_id, [store.creating(team), room, *record], joining, "members", result=team)
        except ConditionFailedError as exc:
            raise (TooManyTeamsError if room in exc.failed else StaleError) from None
        return team

    return retrying(attempt)


def update_team(tenant_id: str, actor: Actor, team_id: str, given: Given, expected_version: int | None = None) -> Team:
    """Change the given fields. Raises TeamNotFoundError, TeamMemberUnknownError and PreconditionFailedError."""

    def attempt() -> Team:
        before, pos = _expected(tenant_id, team_id, expected_version)
        plain = {name: given[name] for name in ("name", "description") if name in given}
        told = "members" if "members" in given else "add_members"
        return _change(before, _of_members(replace(before, **plain), given), pos, actor, told)

    return retrying(attempt)


def delete_team(tenant_id: str, actor: Actor, team_id: str, expected_version: int | None = None) -> None:
    """Delete a team; a job takes its conversations from it. Raises TeamNotFoundError and PreconditionFailedError."""

    def attempt() -> None:
        before, pos = _expected(tenant_id, team_id, expected_version)
        job, starting = jobs.starting(tenant_id, FOLLOW_JOB, {"team_id": before.id}, actor)
        record = tenants.recording_at(tenant_id, pos, actor, "team.deleted", shown(before))
        writes = [store.deleting(before), store.returning_room(tenant_id), *starting, *record]
        try:
            tenants.commit(tenant_id, writes)
        except ConditionFailedError:
            raise StaleError from None
        jobs.started(job)

    retrying(attempt)


def leave_teams(tenant_id: str, user_id: str, actor: Actor) -> None:
    """Take somebody out of all teams. One query, and a read and a transaction for each team that they are in."""

    def leave(team_id: str) -> None:
        before, pos = store.find_for_change(tenant_id, team_id)
        if before:
            left = tuple(each for each in before.members if each != user_id)
            _change(before, replace(before, members=left), pos, actor)

    for team in store.list_all(tenant_id):
        if user_id in team.members:
            retrying(lambda team_id=team.id: leave(team_id))  # type: ignore[misc]


def shown(team: Team) -> dict[str, Any]:
    """Return a team as the API shows it."""
    return TeamOut.of(team).model_dump(mode="json")


def _of_members(team: Team, given: Given) -> Team:
    """Return the team with the members that are wanted."""
    wanted = list(given["members"]) if "members" in given else list(team.members)
    removed = set(given.get("remove_members", ()))
    members = tuple(each for each in dict.fromkeys([*wanted, *given.get("add_members", ())]) if each not in removed)
    if len(members) > MAX_MEMBERS:
        raise InvalidError.field("add_members", f"A team has at most {MAX_MEMBERS} members.", "too_many")
    return replace(team, members=members)


def _joining(before: Team | None, after: Team, param: str) -> list[Write]:
    """Return the conditions that who is new in a team is a member of the tenant; `param` has told who."""
    new = [each for each in after.members if not before or each not in before.members]
    if not all(ids.is_id("usr", each) for each in new):
        raise TeamMemberUnknownError(param=param)
    return [tenants.requiring_member(after.tenant_id, each) for each in new]


def _change(before: Team, after: Team, pos: int | None, actor: Actor, param: str = "members") -> Team:
    if after == before:
        return before
    after = replace(after, version=before.version + 1, updated_at=clock.now_ms())
    old, new = shown(before), shown(after)
    previous = {name: old[name] for name in new if old[name] != new[name] and name != "updated_at"}
    record = tenants.recording_at(before.tenant_id, pos, actor, "team.updated", new, previous)
    try:
        _commit(before.tenant_id, [store.changing(before, after), *record], _joining(before, after, param), param)
    except ConditionFailedError:
        raise StaleError from None
    return after


def _commit(
    tenant_id: str, writes: list[Write], joining: list[Write], param: str, *, result: Team | None = None
) -> None:
    """Commit; raises TeamMemberUnknownError, and ConditionFailedError for all else."""
    kept = {"result": result} if result else {}
    try:
        tenants.commit(tenant_id, [*writes, *joining], **kept)
    except ConditionFailedError as exc:
        if any(write in exc.failed for write in joining):
            raise TeamMemberUnknownError(param=param) from None
        raise


def _expected(tenant_id: str, team_id: str, expected_version: int | None) -> tuple[Team, int | None]:
    if not ids.is_id("team", team_id):
        raise TeamNotFoundError
    found, pos = store.find_for_change(tenant_id, team_id)
    if found is None:
        raise TeamNotFoundError
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found, pos
