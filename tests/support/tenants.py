"""Users, tenants, members and keys for tests: users straight into the table, all else through the API."""

from dataclasses import dataclass, replace
from typing import Any

from tests.support.client import Client


@dataclass(frozen=True)
class Someone:
    """A signed-in user."""

    user_id: str
    email: str
    client: Client


@dataclass(frozen=True)
class Organisation:
    """A tenant with its owner; `url` is the tenant's."""

    id: str
    owner: Someone
    created: dict[str, Any]  # the answer that created it

    @property
    def url(self) -> str:
        """The tenant's address."""
        return f"/v1/tenants/{self.id}"


def anonymous() -> Client:
    """Return a client without a credential."""
    from app import app

    return Client(app)


def new_user(name: str = "Ada Lovelace", email: str | None = None) -> Someone:
    """Make a verified user who is signed in; without the mails and password hashing of the API's own way."""
    from chalicelib.auth import sessions, store
    from chalicelib.auth.models import User
    from chalicelib.core import clock, regions, table
    from chalicelib.tenants import service

    user_id = regions.new_id("usr")
    user = User(user_id, email or f"{user_id.lower()}@people.test", name, None, 1, clock.now_ms())
    table.transact([*store.creating_user(user), service.new_person_write(user.id, user.email, user.name)])
    return Someone(user.id, user.email, anonymous().using(sessions.start(user).access_token))


def new_tenant(owner: Someone | None = None, name: str = "Acme", **more: object) -> Organisation:
    """Create a tenant; `more` goes into the body."""
    owner = owner or new_user()
    answer = owner.client.post("/v1/tenants", {"name": name, **more})
    assert answer.status == 201, answer.text
    tenant_id = answer.json["id"]
    client = owner.client.using(X_Tenant_ID=tenant_id)
    return Organisation(tenant_id, Someone(owner.user_id, owner.email, client), answer.json)


def signed_in_again(tenant: Organisation) -> Organisation:
    """Return the tenant with a new session of its owner's, because the one before has run out."""
    from chalicelib.auth import sessions, store

    user = store.find_user(tenant.owner.user_id)
    assert user is not None
    client = anonymous().using(sessions.start(user).access_token, X_Tenant_ID=tenant.id)
    return replace(tenant, owner=replace(tenant.owner, client=client))


def new_member(tenant: Organisation, role: str, someone: Someone | None = None) -> Someone:
    """Let a user, new unless given, be invited as `role` and accept."""
    someone = someone or new_user(name=role.capitalize())
    token = invitation_token(tenant, invite(tenant, someone.email, role))
    join(token, someone)
    return Someone(someone.user_id, someone.email, someone.client.using(X_Tenant_ID=tenant.id))


def invite(tenant: Organisation, email: str, role: str = "agent") -> str:
    """Invite an address as the owner; returns the invitation's id."""
    answer = tenant.owner.client.post(f"{tenant.url}/members", {"email": email, "role": role})
    assert answer.status == 201, answer.text
    invitation_id: str = answer.json["id"]
    return invitation_id


def invitation_token(tenant: Organisation, invitation_id: str) -> str:
    """Return the token that the invitation's newest mail carries."""
    from chalicelib.tenants import invitations, store

    _, found = store.find_invitation(tenant.id, invitation_id)
    assert found is not None
    return invitations.token_of(found)


def join(token: str, someone: Someone) -> None:
    """Accept an invitation as a user who exists."""
    from chalicelib.core.table import retrying
    from chalicelib.tenants import service

    def attempt() -> None:
        opened = service.find_invitation(token)
        person = service.get_person(someone.user_id)
        service.commit(opened.tenant.id, service.accepting(opened, person.user_id, person.email, person.name, person))

    retrying(attempt)


def new_key(tenant: Organisation, **body: object) -> Client:
    """Create an API key as the owner; returns a client that uses it."""
    answer = tenant.owner.client.post("/v1/api-keys", body)
    assert answer.status == 201, answer.text
    return anonymous().using(answer.json["secret"])
