"""Contacts under crashes: the process dies before or after each AWS call, then everything is tried again."""

from tests.support.chats import new_chat, new_site, unique
from tests.support.clocks import later
from tests.support.contacts import (
    CONTACTS,
    add_note,
    contact,
    conversations_of,
    found,
    link_conversation,
    new_contact,
    notes_of,
    rows_left,
)
from tests.support.crashes import AFTER, SWEEP_MS, Scenario, enumerated
from tests.support.identity import new_secret, signed
from tests.support.tenants import Organisation, new_key, new_tenant


def types_of(tenant: Organisation) -> list[str]:
    with later(SWEEP_MS + 60_000):
        return [row["type"] for row in tenant.owner.client.get("/v1/events?limit=100").json["data"]]


def test_a_contact_is_created_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_tenant()
        key, body = unique(), {"name": "Kim Lee", "email": "kim@example.com", "external_id": "7"}

        def act():
            return new.post(CONTACTS, body, Idempotency_Key=key)

        def check():
            (row,) = tenant.owner.client.get(f"{CONTACTS}?search=kim").json["data"]
            for query in ("", "?email=kim@example.com", "?external_id=7"):
                page = tenant.owner.client.get(CONTACTS + query).json
                assert page["data"] == [row]
                assert page["pagination"]["total"] == 1
            assert types_of(tenant).count("contact.created") == 1

        new = new_key(tenant)
        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 8


def test_a_merge_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        source = new_contact(owner, "Jürgen", email="j@example.com", external_id="j")["id"]
        target = new_contact(owner, "Ana", email="a@example.com")["id"]
        ours = {link_conversation(tenant.id, chat.visitor_id, source) for _ in range(2)}
        for number in range(2):
            add_note(owner, source, f"s{number}")
        add_note(owner, target, "t")
        key = unique()

        def act():
            return owner.post(f"{CONTACTS}/{source}/merge", {"into": target}, Idempotency_Key=key)

        def check():
            stays = contact(owner, source)
            assert stays.items() >= {"id": target, "other_emails": ["j@example.com"], "external_id": "j"}.items()
            assert sorted(notes_of(owner, target)) == ["s0", "s1", "t"]
            assert conversations_of(owner, target) == ours
            assert rows_left(tenant.id, source) == ["meta"]
            assert found(owner, "jurg") == set()
            assert owner.get(CONTACTS).json["pagination"]["total"] == 1
            types = types_of(tenant)
            assert [types.count(f"contact.{what}") for what in ("merged", "updated")] == [1, 1]
            assert [types.count(f"job.{what}") for what in ("created", "completed")] == [1, 1]
            assert types.count("conversation.updated") == 2

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 45


def test_a_deletion_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        made = new_contact(owner, "Kim", email="kim@example.com")["id"]
        ours = link_conversation(tenant.id, chat.visitor_id, made)
        add_note(owner, made)

        def act():
            return owner.delete(f"{CONTACTS}/{made}")

        def check():
            assert rows_left(tenant.id, made) == ["meta"]
            assert owner.get(f"/v1/conversations/{ours}").json["contact_id"] is None
            page = owner.get(CONTACTS).json
            assert (page["data"], page["pagination"]["total"]) == ([], 0)
            types = types_of(tenant)
            assert types.count("contact.deleted") == types.count("job.completed") == 1
            assert types.count("conversation.updated") == 1

        return Scenario(tenant.id, act, check, frozenset({204, 404}))

    assert enumerated(scenario, services, AFTER) >= 25


def test_a_proof_is_taken_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        ours = {chat.begin(), chat.begin()}
        token, key = signed(new_secret(tenant), "u-1", email="kim@example.com"), unique()

        def act():
            body = {"identity_token": token}
            return chat.client.post("/widget/v1/identify", body, Idempotency_Key=key)

        def check():
            (row,) = owner.get(f"{CONTACTS}?external_id=u-1").json["data"]
            assert owner.get(f"{CONTACTS}?email=kim@example.com").json["data"] == [row]
            assert owner.get(CONTACTS).json["pagination"]["total"] == 1
            assert owner.get(f"/v1/visitors/{chat.visitor_id}").json["contact_id"] == row["id"]
            assert [each for each in rows_left(tenant.id, row["id"]) if each != "meta"] == [chat.visitor_id]
            assert conversations_of(owner, row["id"]) == ours
            types = types_of(tenant)
            assert types.count("contact.created") == types.count("visitor.identified") == 1
            assert types.count("job.completed") == 1
            assert types.count("conversation.updated") == 2

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 15


def test_a_block_reaches_every_conversation_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        made = new_contact(owner)["id"]
        owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": made})
        ours, key = [chat.begin(), chat.begin()], unique()

        def act():
            return owner.post(f"{CONTACTS}/{made}/block", Idempotency_Key=key)

        def check():
            for each in ours:
                assert chat.say(each).code == "blocked"
            types = types_of(tenant)
            assert types.count("contact.blocked") == 1
            assert types.count("job.completed") == 2  # of the link, and of the block

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 10


def test_visitors_follow_a_merge_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner = tenant.owner.client
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        chats = [new_chat(tenant), new_chat(tenant)]
        for chat in chats:
            owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": source})
        key = unique()

        def act():
            return owner.post(f"{CONTACTS}/{source}/merge", {"into": target}, Idempotency_Key=key)

        def check():
            for chat in chats:
                assert owner.get(f"/v1/visitors/{chat.visitor_id}").json["contact_id"] == target
            assert rows_left(tenant.id, source) == ["meta"]
            assert set(rows_left(tenant.id, target)) == {"meta", *(chat.visitor_id for chat in chats)}
            assert types_of(tenant).count("visitor.updated") == 2

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 25
