"""A team, inside and on the wire."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.core.errors import ConflictError, InvalidError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import PageQuery, Request, Response
from chalicelib.core.http.schema import OMITTED, Name, Timestamp

MAX_TEAMS = 100  # of a tenant: read whole
MAX_MEMBERS = 90  # of a team: a transaction has 100 writes, one for each that joins


class TeamNotFoundError(NotFoundError):
    """No such team in this tenant."""


class TooManyTeamsError(ConflictError):
    code = "too_many_teams"
    default_message = f"A tenant has at most {MAX_TEAMS} teams."


class TeamMemberUnknownError(InvalidError):
    """Who is not a member of the tenant can't be in a team of it."""

    code = "not_a_member"
    default_message = "A team has members of this tenant, by their user ids."


@frozen
class Team:
    """A team. Times are milliseconds."""

    tenant_id: str
    id: str
    name: str
    created_at: int
    updated_at: int
    description: str | None = None
    members: tuple[str, ...] = ()  # user ids, in the order in which they joined
    version: int = 1


def _distinct(user_ids: list[str]) -> list[str]:
    return list(dict.fromkeys(user_ids))


UserId = Annotated[str, StringConstraints(min_length=1, max_length=40)]
UserIds = Annotated[
    list[UserId],
    Field(max_length=MAX_MEMBERS, examples=[["usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"]]),
    AfterValidator(_distinct),
]


class ListTeams(PageQuery):
    """Which teams."""

    member: str | None = Field(
        default=None, min_length=1, max_length=40, description="Those that somebody is in: a user id, or `me`."
    )


class CreateTeam(Request):
    """A new team."""

    name: Name = Field(examples=["Sales"])
    description: str | None = Field(default=None, max_length=500, examples=["Offers and large orders."])
    members: UserIds = Field(default=OMITTED, description="User ids of members.")


class UpdateTeam(Request):
    """The fields to change; absent ones stay."""

    name: Name = Field(default=OMITTED, examples=["Sales EMEA"])
    description: str | None = Field(default=None, max_length=500, examples=["Offers and large orders."])
    members: UserIds = Field(default=OMITTED, description="Replaces all members.")
    add_members: UserIds = OMITTED
    remove_members: UserIds = OMITTED


class TeamOut(Response):
    """A group of members whom conversations can be given to."""

    id: str = Field(examples=["team_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    name: str = Field(examples=["Sales"])
    description: str | None = Field(examples=["Offers and large orders."])
    members: list[str] = Field(description="User ids.", examples=[["usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"]])
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, team: Team) -> "TeamOut":
        """Show a team."""
        return cls.model_validate(
            {**{name: getattr(team, name) for name in cls.model_fields}, "members": list(team.members)}
        )
