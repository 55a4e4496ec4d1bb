"""Files in messages: who may send which, who sees them, and that they go with their conversation."""

from typing import Any

import pytest

import app  # noqa: F401 - the composition root: jobs and consumers are registered
from chalicelib.files.cascades import FILES_A_STEP
from tests.support.chats import messages_of, new_chat, reply, unique
from tests.support.files import FILES, OWN_FILES, pdf, png, started, uploaded
from tests.support.identity import new_secret, proven, signed
from tests.support.people import new_email
from tests.support.queues import drain
from tests.support.tenants import new_tenant


@pytest.fixture
def owner(site):
    return site.owner.client


def problems(answer: Any) -> set[tuple[str, str]]:
    assert answer.status == 422, answer.text
    return {(each["param"], each["code"]) for each in answer.json["error"]["errors"]}


class TestAgents:
    def test_a_message_brings_files_and_need_not_have_words(self, owner, chat):
        conversation = chat.begin()
        first, second = uploaded(owner, png(4, 3), "a.png"), uploaded(owner, pdf(), "b.pdf")
        answer = owner.post(
            f"/v1/conversations/{conversation}/messages", {"attachments": [first["id"], second["id"], first["id"]]}
        )
        assert answer.status == 201, answer.text
        shown = answer.json["attachments"]
        assert [each["name"] for each in shown] == ["a.png", "b.pdf"]
        assert (shown[0]["width"], shown[1]["width"]) == (4, None)
        assert shown[0]["download_url"].startswith("https://files.test/files/")
        assert owner.get(f"/v1/conversations/{conversation}").json["last_message"] == "a.png"
        listed = chat.client.get(f"/widget/v1/conversations/{conversation}/messages").json["data"][-1]
        assert [each["id"] for each in listed["attachments"]] == [first["id"], second["id"]]
        assert owner.get(f"{FILES}/{first['id']}").json["conversation_id"] == conversation

    def test_the_preview_forgets_a_file_with_its_message_and_names_the_one_before(self, owner, chat):
        found = chat.begin("Hi")
        said = [reply(owner, found, "", attachments=[uploaded(owner, name=f"{n}.txt")["id"]]).json for n in range(3)]
        url = f"/v1/conversations/{found}"
        assert owner.get(url).json["last_message"] == "2.txt"
        assert owner.delete(f"{url}/messages/{said[2]['id']}").status == 204
        assert owner.get(url).json["last_message"] == "1.txt"
        assert owner.patch(f"{url}/messages/{said[1]['id']}", {"content": "Here it is"}).status == 200
        assert owner.get(url).json["last_message"] == "Here it is"
        for each in said[:2]:
            assert owner.delete(f"{url}/messages/{each['id']}").status == 204
        assert owner.get(url).json["last_message"] == "Hi"

    def test_a_visitor_sees_what_he_was_sent_and_not_what_a_note_has(self, owner, chat):
        conversation = chat.begin()
        sent, noted = uploaded(owner)["id"], uploaded(owner)["id"]
        assert reply(owner, conversation, attachments=[sent]).status == 201
        assert reply(owner, conversation, private=True, attachments=[noted]).status == 201
        assert chat.client.get(f"{OWN_FILES}/{sent}?download=1").status == 302
        assert chat.client.get(f"{OWN_FILES}/{noted}").status == 404
        assert reply(owner, conversation, attachments=[noted]).status == 201
        assert chat.client.get(f"{OWN_FILES}/{noted}").status == 200

    def test_every_file_that_cannot_be_sent_is_named(self, site, owner, chat):
        conversation, other = chat.begin(), chat.begin()
        elsewhere = uploaded(owner)["id"]
        assert reply(owner, other, attachments=[elsewhere]).status == 201
        bad = [
            elsewhere,
            started(owner, b"hello")["id"],
            uploaded(new_tenant().owner.client)["id"],
            uploaded(chat.client, url=OWN_FILES)["id"],
            "fil_x",
        ]
        assert problems(reply(owner, conversation, attachments=[uploaded(owner)["id"], *bad])) == {
            ("attachments.1", "attached_elsewhere"),
            ("attachments.2", "not_ready"),
            ("attachments.3", "not_found"),
            ("attachments.4", "not_found"),
            ("attachments.5", "not_found"),
        }

    def test_at_most_ten_and_not_nothing_at_all(self, owner, chat):
        conversation = chat.begin()
        url = f"/v1/conversations/{conversation}/messages"
        assert problems(owner.post(url, {"attachments": ["a"] * 11})) == {("attachments", "too_long")}
        assert problems(owner.post(url, {"attachments": []})) == {("content", "required")}
        assert problems(owner.post(url, {"content": " "})) == {("content", "required")}

    def test_a_conversation_can_begin_with_a_file(self, owner, chat):
        file_id = uploaded(owner)["id"]
        message = {"attachments": [file_id], "content": "Look"}
        answer = owner.post("/v1/conversations", {"visitor_id": chat.visitor_id, "message": message})
        assert answer.status == 201, answer.text
        assert messages_of(owner, answer.json["id"])[0]["attachments"][0]["id"] == file_id

    def test_the_same_file_is_sent_again_in_its_conversation_only(self, owner, chat):
        conversation, file_id = chat.begin(), uploaded(owner)["id"]
        for _ in range(2):
            assert reply(owner, conversation, attachments=[file_id]).status == 201

    def test_the_event_tells_of_the_files(self, services, owner, chat):
        from tests.support.clocks import later

        reply(owner, chat.begin(), attachments=[uploaded(owner)["id"]])
        drain(services)
        with later(20_000):
            events = owner.get("/v1/events?limit=100").json["data"]
        said = [event for event in events if event["type"] == "message.created"]
        assert said[0]["data"]["attachments"][0]["name"] == "note.txt"
        created = [event for event in events if event["type"] == "file.created"]
        assert created[0]["data"]["status"] == "ready"
        assert "download_url" not in created[0]["data"]


class TestVisitors:
    def test_a_visitor_sends_his_own_files_only(self, site, owner, chat):
        conversation, other = chat.begin(), new_chat(site)
        own = uploaded(chat.client, png(), "a.png", url=OWN_FILES)["id"]
        answer = chat.say(conversation, "", attachments=[own])
        assert (answer.status, answer.json["attachments"][0]["id"]) == (201, own)
        foreign = [uploaded(other.client, url=OWN_FILES)["id"], uploaded(owner)["id"]]
        assert problems(chat.say(conversation, "", attachments=foreign)) == {
            ("attachments.0", "not_found"),
            ("attachments.1", "not_found"),
        }

    def test_a_visitor_begins_with_a_file(self, chat):
        own = uploaded(chat.client, png(), "a.png", url=OWN_FILES)["id"]
        answer = chat.client.post("/widget/v1/conversations", {"message": {"attachments": [own]}})
        assert answer.status == 201, answer.text
        assert answer.json["message"]["attachments"][0]["id"] == own


class TestCost:
    def test_without_files_a_message_costs_what_it_did_and_links_cost_no_read(self, services, owner, chat):
        conversation = chat.begin()
        services.reset()
        reply(owner, conversation)
        assert [operation for _, operation in services.calls if operation != "get_item"][-3:] == [
            "query",
            "transact_write_items",
            "send_message",
        ]
        reply(owner, conversation, attachments=[uploaded(owner)["id"] for _ in range(10)])
        services.reset()
        assert len(messages_of(owner, conversation)[-1]["attachments"]) == 10
        assert {operation for service, operation in services.calls if service == "dynamodb"} <= {
            "query",
            "batch_get_item",
        }
        assert not [call for call in services.calls if call[0] == "s3"]


class TestConversationsEnd:
    def test_its_files_are_deleted_with_it_step_by_step(self, site, services, owner, chat):
        conversation, other = chat.begin(), chat.begin()
        sent = [uploaded(owner)["id"] for _ in range(FILES_A_STEP + 3)]
        for file_id in sent:
            assert reply(owner, conversation, attachments=[file_id]).status == 201
        kept = uploaded(owner)["id"]
        reply(owner, other, attachments=[kept])
        owner.delete(f"{FILES}/{sent[0]}")
        assert owner.delete(f"/v1/conversations/{conversation}").status == 204
        drain(services)
        assert {owner.get(f"{FILES}/{each}").status for each in sent} == {404}
        assert owner.get(f"{FILES}/{kept}").status == 200
        assert len(services.objects.present()) == 1
        assert owner.get(f"{FILES}/usage").json["files"] == 1

    def test_they_follow_a_merge_and_are_deleted_with_the_one_that_stays(self, site, services, owner, chat):
        gone, stays = chat.begin(), chat.begin()
        sent = [uploaded(owner)["id"] for _ in range(FILES_A_STEP + 1)]
        for file_id in sent:
            assert reply(owner, gone, attachments=[file_id]).status == 201
        assert owner.post(f"/v1/conversations/{gone}/merge", {"into": stays}).status == 202
        drain(services)
        shown = [each["id"] for message in messages_of(owner, stays) for each in message["attachments"]]
        assert shown == sent
        owner.delete(f"/v1/conversations/{stays}")
        drain(services)
        assert {owner.get(f"{FILES}/{each}").status for each in sent} == {404}
        assert not services.objects.present()

    def test_a_deleted_message_shows_none(self, owner, chat):
        conversation = chat.begin()
        said = reply(owner, conversation, attachments=[uploaded(owner)["id"]]).json
        assert owner.delete(f"/v1/conversations/{conversation}/messages/{said['id']}").status == 204
        assert messages_of(owner, conversation)[-1]["attachments"] == []


class TestOnAnotherDevice:
    def test_a_proven_visitor_gets_the_files_of_the_contacts_conversations(self, site, owner):
        token = signed(new_secret(site), unique(), email=new_email())
        phone = proven(new_chat(site), token)
        found = phone.begin()
        sent, noted = uploaded(owner, b"sent")["id"], uploaded(owner, b"noted")["id"]
        own = uploaded(phone.client, url=OWN_FILES)["id"]
        assert phone.say(found, attachments=[own]).status == 201
        assert reply(owner, found, attachments=[sent]).status == 201
        assert reply(owner, found, private=True, attachments=[noted]).status == 201
        laptop, stranger = proven(new_chat(site), token), new_chat(site)
        other = proven(new_chat(site), signed(new_secret(site), unique(), email=new_email()))
        for file_id, statuses in ((sent, [200, 404, 404]), (own, [200, 404, 404]), (noted, [404, 404, 404])):
            asked = [each.client.get(f"{OWN_FILES}/{file_id}").status for each in (laptop, stranger, other)]
            assert asked == statuses
