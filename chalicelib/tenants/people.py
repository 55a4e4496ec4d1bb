"""What tenants know of the people who belong to them: members' rows follow a person's name and address.

No job: a person belongs to at most a hundred tenants, each row is compared before it is written, and the event is
delivered again until all of them have followed.
"""

from dataclasses import replace

from chalicelib.core.errors import NotFoundError
from chalicelib.core.table import ConditionFailedError, StaleError, retrying
from chalicelib.events.models import Event, NewEvent
from chalicelib.tenants import store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import Member, Person
from chalicelib.tenants.schemas import MemberOut

_CHANGES = {"user.updated", "user.email_changed"}


def on_event(event: Event) -> None:
    """Consume an event. What it says is read anew, so that two out of turn end alike."""
    if event.type not in _CHANGES:
        return
    person = store.find_person(event.data["id"])
    if person is None:
        return
    for tenant_id, member in store.list_memberships(person).items():
        if _following(member, person) != member:
            _follow(tenant_id, person.user_id)


def _follow(tenant_id: str, user_id: str) -> None:
    def attempt() -> None:
        person = store.find_person(user_id)
        try:
            tenant, rows = store.find_tenant_and_rows(tenant_id, user_id)
        except NotFoundError:
            return
        if person is None or user_id not in rows:
            return
        before = store.member_from_item(rows[user_id])
        after = _following(before, person)
        if after == before:
            return
        previous = {name: getattr(before, name) for name in ("email", "name") if _differs(name, before, after)}
        shown = MemberOut.of(after).model_dump(mode="json")
        event = NewEvent("member.updated", shown, {"type": "user", "id": user_id}, previous)
        writes = [*store.changing_tenant(tenant, event), store.renaming(tenant_id, before, after)]
        try:
            commit(tenant_id, [*writes, store.requiring_person(person)])
        except ConditionFailedError:
            raise StaleError from None

    retrying(attempt)


def _following(member: Member, person: Person) -> Member:
    """Return the member under the person's name and address; who has no name keeps the invitation's."""
    after = replace(member, email=person.email, name=person.name or member.name)
    return after if after == member else replace(after, version=member.version + 1)


def _differs(name: str, before: Member, after: Member) -> bool:
    return bool(getattr(before, name) != getattr(after, name))
