"""Conversations under crashes: the process dies before or after each AWS call, then everything is tried again."""

from chalicelib.core.table import tenant_rows
from tests.support.chats import messages_of, new_chat, new_site, reply, unique
from tests.support.clocks import later
from tests.support.crashes import AFTER, SWEEP_MS, Scenario, enumerated
from tests.support.tenants import Organisation

URL = "/v1/conversations"


def types_of(tenant: Organisation) -> list[str]:
    with later(SWEEP_MS + 60_000):
        return [row["type"] for row in tenant.owner.client.get("/v1/events?limit=100").json["data"]]


def test_an_edit_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        chat = new_chat(tenant)
        found = chat.begin("hunter2")
        (said,) = messages_of(tenant.owner.client, found)

        def act():
            url = f"/widget/v1/conversations/{found}/messages/{said['id']}"
            assert chat.client.patch(url, {"content": "better"}).status == 200

        def check():
            assert [row["content"] for row in messages_of(tenant.owner.client, found)] == ["better"]
            assert tenant.owner.client.get(f"{URL}/{found}").json["last_message"] == "better"
            assert types_of(tenant).count("message.updated") == 1

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 5


def test_a_merge_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        target, source = chat.begin("t1"), chat.begin("s1")
        chat.say(source, "s2", client_msg_id="c")
        reply(owner, source, "s3", private=True)
        key = unique()

        def act():
            answer = owner.post(f"{URL}/{source}/merge", {"into": target}, Idempotency_Key=key)
            assert answer.status == 202, answer.text
            assert chat.say(source, "s2", client_msg_id="c").status == 201

        def check():
            shown = messages_of(owner, target)
            assert [row["content"] for row in shown] == ["t1", "s1", "s2", "s3"]
            assert [row["seq"] for row in shown] == [1, 2, 3, 4]
            rows = tenant_rows(tenant.id).query(source, consistent=True).items
            assert not [row["sk"] for row in rows if row["sk"].startswith(("m#", "id#"))]
            assert owner.get(f"{URL}/{source}").json == owner.get(f"{URL}/{target}").json
            page = owner.get(f"{URL}?status=open&limit=1").json
            assert (page["pagination"]["total"], page["data"][0]["id"]) == (1, target)
            types = types_of(tenant)
            counted = [types.count(each) for each in ("conversation.merged", "message.moved", "message.created")]
            assert counted == [1, 3, 1]

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 10


def test_a_bulk_update_changes_each_conversation_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        found = [chat.begin() for _ in range(2)]
        key, body = unique(), {"filter": {"status": "open"}, "set": {"status": "closed", "add_tags": ["done"]}}

        def act():
            answer = owner.post(f"{URL}/bulk", body, Idempotency_Key=key)
            assert answer.status == 202, answer.text
            jobs.append(answer.json["id"])

        def check():
            page = owner.get(f"{URL}?status=closed&limit=1").json
            assert page["pagination"]["total"] == 2
            assert {row["id"] for row in owner.get(f"{URL}?tag=done").json["data"]} == set(found)
            types = types_of(tenant)
            assert [types.count(f"conversation.{what}") for what in ("closed", "updated")] == [2, 2]
            assert len(set(jobs)) == 1
            assert owner.get(f"/v1/jobs/{jobs[0]}").json["result"] == {"updated": 2}

        jobs: list[str] = []

        def recall(held):
            jobs[:] = held

        return Scenario(tenant.id, act, check, remember=jobs.copy, recall=recall)

    assert enumerated(scenario, services, AFTER) >= 10


def test_a_deletion_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        found, other = chat.begin(), chat.begin()
        chat.say(found)
        owner.patch(f"{URL}/{found}", {"tags": ["a"]})

        def act():
            assert owner.delete(f"{URL}/{found}").status in {204, 404}

        def check():
            rows = tenant_rows(tenant.id).query(found, consistent=True).items
            assert [row["sk"] for row in rows] == ["e#0000000005", "meta"]
            page = owner.get(f"{URL}?status=open&limit=1").json
            assert [row["id"] for row in page["data"]] == [other]
            assert page["pagination"]["total"] == 1
            types = types_of(tenant)
            assert types.count("conversation.deleted") == types.count("job.completed") == 1

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 10
