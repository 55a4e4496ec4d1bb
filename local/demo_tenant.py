"""One demo tenant: made if it is missing, finished if it was begun."""

import contextlib
import secrets
from dataclasses import asdict
from typing import Any, Protocol

from chalicelib.auth import mail_tokens
from chalicelib.auth import service as auth
from chalicelib.auth import store as users
from chalicelib.conversations import listing
from chalicelib.conversations import service as conversations
from chalicelib.conversations.listing import ListConversations
from chalicelib.conversations.models import Cold
from chalicelib.core import clock
from chalicelib.core.config import settings
from chalicelib.core.http import PageQuery, Principal, Role
from chalicelib.core.table import tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.messages import service as messages
from chalicelib.messages import store as messages_store
from chalicelib.messages.models import Author, NewMessage
from chalicelib.tags import service as tags
from chalicelib.tags.models import TagExistsError
from chalicelib.teams import service as teams
from chalicelib.teams.models import ListTeams
from chalicelib.tenants import api_keys, invitations, members
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import SCOPES, ApiKey, Invitation, Member, Mode, Tenant
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Seen, Visitor
from chalicelib.widgets import service as widgets
from chalicelib.widgets.models import DomainExistsError, Widget
from local.demo_data import DemoTenant, Line, RoleName, Story

MINUTE = 60_000
FOUNDED = 12 * 1440  # minutes before the data is made; an invitation of then has expired, so none is mailed now
DOMAINS = ("127.0.0.1", "localhost")  # without a port: any port of this machine

# By their names they are found again; the last one's presence says that all conversations are in.
KEYS: tuple[tuple[str, str, Mode, list[str]], ...] = (
    ("api_key", "Demo: everything", "live", list(SCOPES)),
    ("api_key_read", "Demo: read only", "live", [scope for scope in SCOPES if scope.endswith(":read")]),
    ("api_key_test", "Demo: test data", "test", list(SCOPES)),
)


class Now(Protocol):
    """The clock that this sets to when things happened."""

    now: int | None


class TenantSeed:
    """Puts one tenant in, step by step, each of which may have been done before."""

    def __init__(self, plan: DemoTenant, time: Now, moment: int) -> None:
        self._plan, self._time = plan, time
        self._moment = time.now = moment  # when the data is made: all times of the plan are counted from here
        self._people: dict[RoleName, str] = {}
        self._teams: dict[str, str] = {}
        self._visitors: dict[int, Visitor] | None = None

    def run(self) -> dict[str, Any]:
        """Return what `demo.json` says about the tenant."""
        people = {"owner": self._owner_account()}
        tenant = self._tenant()
        self._owner = Principal("user", self._people["owner"], memberships={tenant.id: Role.OWNER})
        self._set(FOUNDED - 5)
        for role in ("admin", "agent", "viewer"):
            people[role] = self._join(tenant, role)
        widget = self._widget(tenant)
        self._sorted_by(tenant)
        complete = any(key.name == KEYS[-1][1] for key in self._keys(tenant))
        for story in self._plan.stories:
            self._tell(tenant, widget, story, complete=complete)
        self._time.now = self._moment
        return {
            "id": tenant.id,
            "name": tenant.name,
            "slug": tenant.slug,
            **people,
            **self._new_keys(tenant),
            "widget": {"id": widget.id, "client_token": widget.client_token},
            "webhook_loopback_allowed": settings().allow_loopback_webhooks,
        }

    def _owner_account(self) -> dict[str, str]:
        owner = self._plan.members["owner"]
        auth.create_owner(owner.email, owner.name)
        return self._account("owner", users.find_user_id(owner.email) or "", secrets.token_hex(8), new=False)

    def _account(self, role: RoleName, user_id: str, password: str, *, new: bool) -> dict[str, str]:
        """Return the account as `demo.json` has it; one that is not new gets this password first."""
        self._people[role] = user_id
        if not new:
            user = users.find_user(user_id)
            if user is None:
                raise LookupError(f"{self._plan.members[role].email} has neither been made nor found")
            reset = mail_tokens.Reset.of(user)
            auth.reset_password(mail_tokens.for_reset(reset, clock.now_s() + mail_tokens.RESET_S), password)
        return {"id": user_id, "email": self._plan.members[role].email, "password": password}

    def _set(self, ago: int) -> None:
        self._time.now = self._moment - ago * MINUTE

    def _tenant(self) -> Tenant:
        memberships = tenants.get_person(self._people["owner"]).memberships
        for tenant in tenants.list_tenants(list(memberships)):
            if tenant.name == self._plan.name:
                self._moment = tenant.created_at // MINUTE * MINUTE + FOUNDED * MINUTE
                return tenant
        self._set(FOUNDED)
        owner, plan = self._people["owner"], self._plan
        return tenants.create_tenant(owner, plan.name, language=plan.language, domain=DOMAINS[0]).tenant

    def _join(self, tenant: Tenant, role: RoleName) -> dict[str, str]:
        colleague, password = self._plan.members[role], secrets.token_hex(8)
        known = users.find_user_id(colleague.email)
        rows = members.list_members(tenant.id, PageQuery(limit=100)).rows
        found = {row.email: row for row in rows}.get(colleague.email)
        if isinstance(found, Member):
            return self._account(role, found.user_id, password, new=False)
        if not isinstance(found, Invitation):
            found = invitations.invite_member(tenant.id, self._owner, colleague.email, Role.named(role), None)
        joined = auth.accept_invitation(invitations.token_of(found), None if known else password, colleague.name)
        return self._account(role, joined.user.id, password, new=known is None)

    def _widget(self, tenant: Tenant) -> Widget:
        actor = self._owner.actor
        for domain in DOMAINS:
            with contextlib.suppress(DomainExistsError):
                widgets.add_domain(tenant.id, actor, domain)
        first = widgets.list_widgets(tenant.id, PageQuery(limit=100)).rows[-1]
        return widgets.update_widget(tenant.id, actor, first.id, {"color": self._plan.color})

    def _sorted_by(self, tenant: Tenant) -> None:
        """Make the tags and teams that are missing."""
        actor = self._owner.actor
        for tag in self._plan.tags:
            with contextlib.suppress(TagExistsError):
                tags.create_tag(tenant.id, actor, asdict(tag))
        self._teams = {team.name: team.id for team in teams.list_teams(tenant.id, ListTeams(limit=100)).rows}
        for team in self._plan.teams:
            if team.name not in self._teams:
                members = [self._people[role] for role in team.members]
                given = {"name": team.name, "description": team.description, "members": members}
                self._teams[team.name] = teams.create_team(tenant.id, actor, given).id

    def _team_of(self, story: Story) -> str | None:
        return next((self._teams[team.name] for team in self._plan.teams if team.tags & set(story.tags)), None)

    def _tell(self, tenant: Tenant, widget: Widget, story: Story, *, complete: bool) -> None:
        self._set(story.ago)
        visitor = self._known(tenant).get((self._moment - story.ago * MINUTE) // MINUTE)
        begun = self._begun(tenant, visitor) if visitor else None
        if complete:
            return
        visitor = visitor or self._arrive(tenant, widget, story)
        if story.talk:
            begun = begun or self._begin(visitor, story)
            self._set(max(story.ago - sum(line.after for line in story.talk) - 2, 1))
            self._finish(tenant, begun, visitor, story)

    def _known(self, tenant: Tenant) -> dict[int, Visitor]:
        """Return the visitors of an earlier try by the minute they first came. Read once: later ones are our own."""
        if self._visitors is None:
            found = visitors.list_visitors(tenant.id, PageQuery(limit=100)).rows
            self._visitors = {visitor.first_seen_at // MINUTE: visitor for visitor in found}
        return self._visitors

    def _begun(self, tenant: Tenant, visitor: Visitor) -> str | None:
        """Return the conversation an earlier try began, and let its news, if any, be dispatched now."""
        found = listing.list_conversations(tenant.id, ListConversations(visitor_id=visitor.id)).rows
        begun = found[0].id if found else None
        for aggregate in filter(None, (visitor.id, begun)):
            outbox.notify(tenant_rows(tenant.id), aggregate)
        return begun

    def _arrive(self, tenant: Tenant, widget: Widget, story: Story) -> Visitor:
        guest = story.guest
        seen = Seen(guest.page, guest.referrer, guest.agent, guest.ip, guest.locale)
        return visitors.create_visitor(tenant.id, widget.id, seen)

    def _begin(self, visitor: Visitor, story: Story) -> str:
        """Write a conversation with all its messages in one transaction; one for each would take too long."""
        guest = story.guest
        cold = Cold(page_url=guest.page, referrer_url=guest.referrer, user_agent=guest.agent, visitor_ip=guest.ip)
        number, _ = conversations.take_number(visitor.tenant_id)
        told = conversations.new_conversation(
            visitor.tenant_id, visitor.id, cold, number=number, widget_id=visitor.widget_id
        )
        ago, writes = story.ago, []
        for line in story.talk:
            ago -= line.after
            self._set(ago)
            new = NewMessage(self._author(visitor, line), line.text, line.private)
            message = messages.message_of(new, told, told.hot.seq + 1, told.hot.pos + 1)
            told = messages.said(told, message)
            writes.append(messages_store.creating(message))
        transact([*conversations.creating(told, {"type": "visitor", "id": visitor.id}), *writes])
        outbox.notify(tenant_rows(visitor.tenant_id), told.id)
        return told.id

    def _author(self, visitor: Visitor, line: Line) -> Author:
        if line.by == "visitor":
            return Author("visitor", visitor.id, None)
        return Author("agent", self._people[line.by], self._plan.members[line.by].name)

    def _finish(self, tenant: Tenant, conversation_id: str, visitor: Visitor, story: Story) -> None:
        place, actor, guest = (tenant.id, conversation_id), self._actor(story.assignee or "agent"), story.guest
        if guest.context:
            visitors.set_context(tenant.id, visitor.id, guest.context, Seen())
        if guest.name or guest.email:
            visitors.identify_visitor(tenant.id, visitor.id, guest.name, guest.email, lambda known: known)
        public = [line for line in story.talk if not line.private]
        if story.read and public[-1].by == "visitor":
            conversations.mark_read(*place, actor)
        wanted: dict[str, Any] = {"priority": story.priority, "subject": story.subject, "tags": list(story.tags)}
        wanted["assigned_to"] = self._people[story.assignee] if story.assignee else None
        wanted["team_id"] = self._team_of(story)
        if story.status == "snoozed":
            conversations.snooze_conversation(*place, self._moment + story.wakes_in * MINUTE, actor)
        else:
            wanted["status"] = story.status
        conversations.update_conversation(*place, wanted, actor, None)
        if story.rating:
            conversations.rate_own_conversation(*place, visitor.id, *story.rating)

    def _actor(self, role: RoleName) -> dict[str, str]:
        return {"type": "user", "id": self._people[role]}

    def _keys(self, tenant: Tenant) -> list[ApiKey]:
        return list(api_keys.list_keys(tenant.id, PageQuery(limit=100)).rows)

    def _new_keys(self, tenant: Tenant) -> dict[str, str]:
        """Replace the keys: the secrets of earlier ones are known to nobody."""
        names = {name for _, name, _, _ in KEYS}
        for key in self._keys(tenant):
            if key.name in names:
                api_keys.revoke_key(tenant.id, self._owner, key.id)
        made = {}
        for entry, name, mode, scopes in KEYS:
            made[entry] = api_keys.create_key(tenant.id, self._owner, name, scopes=scopes, mode=mode).secret
        return made
