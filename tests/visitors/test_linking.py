"""An agent's word on who a visitor is, blocking, and what follows from both."""

from typing import Any

import pytest

from chalicelib.contacts import service as contacts
from chalicelib.core import ids
from chalicelib.core.table import tenant_rows
from tests.support.answers import without_request_id
from tests.support.chats import Chat, conversation, new_chat, new_site, reply, unique
from tests.support.clocks import later
from tests.support.contacts import CONTACTS, conversations_of, merge, merged, new_contact, rows_left
from tests.support.identity import new_secret, proven, signed
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member

URL = "/v1/visitors"
OPERATIONS = [("identify", {"contact_id": None}), ("block", None), ("unblock", None)]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant) -> Chat:
    return new_chat(tenant)


def link(client, chat: Chat, contact_id: str | None):
    return client.post(f"{URL}/{chat.visitor_id}/identify", {"contact_id": contact_id})


def events(client, type_: str) -> list[dict[str, Any]]:
    with later(60_000):
        return [row for row in client.get("/v1/events?limit=100").json["data"] if row["type"] == type_]


@pytest.mark.parametrize(("end", "body"), OPERATIONS)
class TestEveryOperation:
    def test_anonymous_visitors_viewers_and_reading_keys_are_refused(self, tenant, chat, end, body):
        url = f"{URL}/{chat.visitor_id}/{end}"
        assert anonymous().post(url, body).status == 401
        assert chat.client.post(url, body).code == "wrong_credential"
        assert new_member(tenant, "viewer").client.post(url, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["visitors:read"]).post(url, body).code == "insufficient_scope"
        assert new_member(tenant, "agent").client.post(url, body).status == 200

    def test_another_tenants_is_like_a_missing_one(self, owner, chat, end, body):
        stranger = new_site().owner.client
        answers = [
            without_request_id(stranger.post(f"{URL}/{each}/{end}", body))
            for each in (chat.visitor_id, ids.new("vis"), "x")
        ]
        assert answers[0] == answers[1] == answers[2]
        assert stranger.post(f"{URL}/{chat.visitor_id}/{end}", body).status == 404


class TestLink:
    def test_conversations_follow_to_and_fro(self, services, owner, chat):
        ana, bea = new_contact(owner, "Ana")["id"], new_contact(owner, "Bea")["id"]
        ours = {chat.begin(), chat.begin()}
        for now, others in ((ana, bea), (bea, ana)):
            answer = link(owner, chat, now)
            assert (answer.status, answer.json["contact_id"], answer.json["verified"]) == (200, now, False)
            drain(services)
            assert conversations_of(owner, now) == ours
            assert conversations_of(owner, others) == set()
        assert link(owner, chat, None).json["contact_id"] is None
        drain(services)
        assert conversations_of(owner, bea) == set()
        assert {conversation(owner, each)["contact_id"] for each in ours} == {None}
        assert len(events(owner, "visitor.identified")) == 3
        assert len(events(owner, "conversation.updated")) == 6

    def test_the_same_again_is_no_event(self, services, tenant, owner, chat):
        ana = new_contact(owner, "Ana")["id"]
        link(owner, chat, ana)
        drain(services)
        services.reset()
        assert link(owner, chat, ana).json["contact_id"] == ana
        assert services.units == 0

    def test_more_conversations_than_a_slice_of_the_job(self, services, owner, chat):
        ana = new_contact(owner, "Ana")["id"]
        ours = {chat.begin() for _ in range(30)}
        link(owner, chat, ana)
        drain(services)
        assert conversations_of(owner, ana) == ours

    @pytest.mark.parametrize("contact_id", ["x", "con_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    def test_a_missing_contact_is_named(self, owner, chat, contact_id):
        answer = link(owner, chat, contact_id)
        assert (answer.status, answer.params) == (422, {"contact_id"})

    def test_another_tenants_contact_is_missing(self, owner, chat):
        other = new_contact(new_site().owner.client)["id"]
        assert link(owner, chat, other).status == 422

    @pytest.mark.parametrize(("body", "param"), [({}, "contact_id"), ({"contact_id": 7}, "contact_id")])
    def test_bad_fields_are_named(self, owner, chat, body, param):
        answer = owner.post(f"{URL}/{chat.visitor_id}/identify", body)
        assert (answer.status, answer.params) == (422, {param})

    def test_canned_responses_use_the_contacts_name_first(self, services, owner, chat):
        chat.client.post("/widget/v1/identify", {"name": "kim", "email": "kim@claimed.example"})
        found, body = chat.begin(), {"shortcut": "/a", "content": "{{visitor.name}} <{{visitor.email}}>"}
        canned = owner.post("/v1/canned-responses", body).json["id"]
        url = f"/v1/conversations/{found}/canned-responses/{canned}/render"
        assert owner.post(url).json["content"] == "kim <kim@claimed.example>"
        link(owner, chat, new_contact(owner, "Kim Lee")["id"])
        drain(services)
        assert owner.post(url).json["content"] == "Kim Lee <kim@claimed.example>"


class TestMerge:
    def test_visitors_and_what_they_open_follow(self, services, tenant, owner, chat):
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        link(owner, chat, source)
        other = new_chat(tenant)
        link(owner, other, source)
        drain(services)
        assert merge(owner, source, target).status == 202
        between = chat.begin()  # the job has not begun
        agents = owner.post("/v1/conversations", {"visitor_id": other.visitor_id}).json
        assert conversation(owner, between)["contact_id"] == agents["contact_id"] == target
        drain(services)
        for each in (chat, other):
            assert owner.get(f"{URL}/{each.visitor_id}").json["contact_id"] == target
        assert conversations_of(owner, target) == {between, agents["id"]}
        assert rows_left(tenant.id, source) == ["meta"]
        assert {row for row in rows_left(tenant.id, target) if row.startswith("vis_")} == {
            chat.visitor_id,
            other.visitor_id,
        }

    def test_a_deletion_leaves_visitors_unknown(self, services, tenant, owner, chat):
        made = new_contact(owner)["id"]
        link(owner, chat, made)
        drain(services)
        assert owner.delete(f"{CONTACTS}/{made}").status == 204
        between = chat.begin()
        assert conversation(owner, between)["contact_id"] is None
        drain(services)
        assert owner.get(f"{URL}/{chat.visitor_id}").json["contact_id"] is None
        assert rows_left(tenant.id, made) == ["meta"]

    def test_a_link_to_a_contact_merged_in_that_moment_is_to_the_one_that_stays(
        self, services, tenant, owner, chat, monkeypatch
    ):
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        requiring, done = contacts.requiring_contact, list[int]()

        def meanwhile(*args, **more):
            if not done:
                done.append(merge(owner, source, target).status)
            return requiring(*args, **more)

        monkeypatch.setattr(contacts, "requiring_contact", meanwhile)
        assert link(owner, chat, source).json["contact_id"] == target
        assert done == [202]


class TestBlock:
    def blocked(self, answer) -> bool:
        return (answer.status, answer.code) == (403, "blocked")

    def test_a_blocked_visitor_neither_opens_nor_writes_and_reads_on(self, services, owner, chat):
        found = chat.begin()
        answer = owner.post(f"{URL}/{chat.visitor_id}/block")
        assert (answer.status, answer.json["blocked"]) == (200, True)
        assert self.blocked(chat.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}}))
        drain(services)
        assert self.blocked(chat.say(found))
        assert reply(owner, found, "Goodbye.").status == 201
        assert chat.heard(found)[-1] == "Goodbye."
        opened = owner.post("/v1/conversations", {"visitor_id": chat.visitor_id, "message": {"content": "One thing"}})
        assert self.blocked(chat.say(opened.json["id"]))
        assert owner.post(f"{URL}/{chat.visitor_id}/block").status == 200
        assert owner.post(f"{URL}/{chat.visitor_id}/unblock").json["blocked"] is False
        assert chat.begin()
        drain(services)
        assert chat.say(found).status == chat.say(opened.json["id"]).status == 201
        assert len(events(owner, "visitor.blocked")) == len(events(owner, "visitor.unblocked")) == 1

    def test_what_was_said_before_is_still_answered(self, services, owner, chat):
        found, key = chat.begin(), unique()
        first = chat.say(found, client_msg_id=key)
        owner.post(f"{URL}/{chat.visitor_id}/block")
        drain(services)
        assert chat.say(found, client_msg_id=key).json == first.json

    def test_a_blocked_contact_is_blocked_on_all_devices(self, services, tenant, owner):
        secret = new_secret(tenant)
        phone, desk = proven(new_chat(tenant), signed(secret)), proven(new_chat(tenant), signed(secret))
        found, bystander = phone.begin(), new_chat(tenant)
        others = bystander.begin()
        drain(services)
        known = conversation(owner, found)["contact_id"]
        assert owner.post(f"{CONTACTS}/{known}/block").json["blocked"] is True
        for chat in (phone, desk):
            assert self.blocked(chat.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}}))
        drain(services)
        for chat in (phone, desk):
            assert self.blocked(chat.say(found))
        fresh = new_chat(tenant)
        earlier = fresh.begin()
        late = proven(fresh, signed(secret))
        assert self.blocked(late.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}}))
        drain(services)
        assert self.blocked(late.say(earlier))
        assert self.blocked(late.say(found))
        assert bystander.say(others).status == 201
        owner.post(f"{CONTACTS}/{known}/unblock")
        drain(services)
        assert phone.say(found).status == late.say(earlier).status == 201
        assert desk.begin()

    def test_a_visitor_blocked_himself_stays_so_when_his_contact_is_unblocked(self, services, owner, chat):
        known, found = new_contact(owner)["id"], chat.begin()
        link(owner, chat, known)
        for url in (f"{URL}/{chat.visitor_id}/block", f"{CONTACTS}/{known}/block", f"{CONTACTS}/{known}/unblock"):
            assert owner.post(url).status == 200
            drain(services)
        assert self.blocked(chat.say(found))
        owner.post(f"{URL}/{chat.visitor_id}/unblock")
        drain(services)
        assert chat.say(found).status == 201

    def test_merging_into_an_unblocked_contact_opens_the_conversations(self, services, owner, chat):
        source, target, found = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"], chat.begin()
        link(owner, chat, source)
        owner.post(f"{CONTACTS}/{source}/block")
        drain(services)
        assert self.blocked(chat.say(found))
        merged(owner, services, source, target)
        assert chat.say(found).status == 201

    def test_a_message_does_not_undo_it(self, services, tenant, owner, chat):
        found = chat.begin()
        owner.post(f"{URL}/{chat.visitor_id}/block")
        drain(services)
        reply(owner, found)
        owner.post(f"/v1/conversations/{found}/close")
        row = tenant_rows(tenant.id).get(found, "meta")
        assert row is not None
        assert row["bl"] is True
