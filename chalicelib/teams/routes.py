"""`/v1/teams`."""

from chalicelib.core.http import Api, Call, Page, Role
from chalicelib.teams import service
from chalicelib.teams.models import (
    CreateTeam,
    ListTeams,
    Team,
    TeamMemberUnknownError,
    TeamOut,
    TooManyTeamsError,
    UpdateTeam,
)

api = Api("Teams")


@api.get("/v1/teams", scope="teams:read", query=ListTeams, answer=TeamOut, paged=True)
def list_teams(call: Call, query: ListTeams) -> Page[Team]:
    """List teams, newest first."""
    mine = query.model_copy(update={"member": call.principal.id}) if query.member == "me" else query
    return service.list_teams(call.tenant_id, mine)


@api.post(
    "/v1/teams",
    role=Role.ADMIN,
    scope="teams:write",
    body=CreateTeam,
    answer=TeamOut,
    status=201,
    errors=(TeamMemberUnknownError, TooManyTeamsError),
)
def create_team(call: Call, body: CreateTeam) -> Team:
    """Create a team."""
    return service.create_team(call.tenant_id, call.principal.actor, body.given())


@api.get("/v1/teams/{team_id}", scope="teams:read", answer=TeamOut)
def retrieve_team(call: Call, team_id: str) -> Team:
    """Retrieve a team."""
    return service.get_team(call.tenant_id, team_id)


@api.patch(
    "/v1/teams/{team_id}",
    role=Role.ADMIN,
    scope="teams:write",
    body=UpdateTeam,
    answer=TeamOut,
    errors=(TeamMemberUnknownError,),
)
def update_team(call: Call, body: UpdateTeam, team_id: str) -> Team:
    """Change a team: its name, its description, or who is in it."""
    return service.update_team(call.tenant_id, call.principal.actor, team_id, body.given(), call.if_match)


@api.delete("/v1/teams/{team_id}", role=Role.ADMIN, scope="teams:write")
def delete_team(call: Call, team_id: str) -> None:
    """Delete a team. Its conversations stay; a job takes them from it."""
    service.delete_team(call.tenant_id, call.principal.actor, team_id, call.if_match)
