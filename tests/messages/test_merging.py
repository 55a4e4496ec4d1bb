"""Merging conversations: one thread afterwards, and nobody reads what he should not."""

from itertools import pairwise
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.table import tenant_rows
from tests.support.answers import rows, without_request_id
from tests.support.chats import Chat, conversation, messages_of, new_chat, new_site, reply, unique
from tests.support.clocks import later
from tests.support.contacts import link_conversation, new_contact
from tests.support.faults import injected
from tests.support.files import uploaded
from tests.support.queues import drain, take
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once

URL = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def merge(client: Any, source: str, into: str) -> Any:
    return client.post(f"{URL}/{source}/merge", {"into": into})


def merged(client: Any, services: Any, source: str, into: str) -> None:
    answer = merge(client, source, into)
    assert answer.status == 202, answer.text
    drain(services)
    job = client.get(f"/v1/jobs/{answer.json['id']}").json
    assert (job["kind"], job["status"]) == ("conversation.merge", "completed")


def texts(client: Any, found: str) -> list[str]:
    shown = messages_of(client, found)
    assert [row["seq"] for row in shown] == list(range(1, len(shown) + 1))
    return [row["content"] for row in shown]


class TestMerge:
    def test_anonymous_callers_visitors_viewers_and_reading_keys_are_refused(self, tenant, chat):
        source, target = chat.begin(), chat.begin()
        assert merge(anonymous(), source, target).status == 401
        assert merge(chat.client, source, target).code == "wrong_credential"
        assert merge(new_member(tenant, "viewer").client, source, target).code == "insufficient_role"
        key = new_key(tenant, scopes=["conversations:read"])
        assert merge(key, source, target).code == "insufficient_scope"

    def test_another_tenants_is_like_a_missing_one_on_either_side(self, owner, chat):
        source, foreign = chat.begin(), new_chat(new_site()).begin()
        answers = [merge(owner, each, source) for each in (foreign, ids.new("conv"), "x")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1
        answers = [merge(owner, source, each) for each in (foreign, ids.new("conv"), "x", "")]
        assert {(answer.status, answer.json["error"]["errors"][0]["code"]) for answer in answers} == {
            (422, "not_found")
        }

    @pytest.mark.parametrize(("body", "params"), [({}, {"into"}), ({"into": 1, "x": 2}, {"into", "x"})])
    def test_bad_input_names_every_field(self, owner, chat, body, params):
        assert owner.post(f"{URL}/{chat.begin()}/merge", body).params == params

    def test_not_into_itself(self, owner, chat):
        found = chat.begin()
        assert merge(owner, found, found).params == {"into"}

    def test_messages_follow_in_order_with_id_author_and_time(self, services, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        with later(60_000):
            chat.say(source, "s2")
            reply(owner, source, "s3", private=True)
            reply(owner, target, "t2")
        before = messages_of(owner, source)
        merged(owner, services, source, target)
        assert texts(owner, target) == ["t1", "t2", "s1", "s2", "s3"]
        moved = messages_of(owner, target)[2:]
        ours = {"seq", "conversation_id"}
        for old, new in zip(before, moved, strict=True):
            assert {name for name in old if old[name] != new[name]} == ours
        assert chat.heard(target) == ["t1", "t2", "s1", "s2"]
        assert conversation(owner, target)["message_count"] == 5

    def test_the_one_that_goes_answers_the_one_that_stays(self, services, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        assert merge(owner, source, target).status == 202
        for path in ("", "/thread"):
            assert owner.get(f"{URL}/{source}{path}").json == owner.get(f"{URL}/{target}{path}").json
        assert [row["id"] for row in rows(owner, f"{URL}?limit=9")] == [target]
        assert [row["id"] for row in rows(chat.client, "/widget/v1/conversations?limit=9")] == [target]
        drain(services)
        assert chat.own(source)["id"] == target
        assert chat.heard(source, after_seq=1) == chat.heard(target) == ["t1", "s1"]
        assert texts(owner, source) == ["t1", "s1"]
        for method, path, body in [
            ("PATCH", "", {"subject": "x"}),
            ("POST", "/close", None),
            ("POST", "/assign", {"assigned_to": None}),
            ("DELETE", "", None),
        ]:
            answer = owner.send(method, f"{URL}/{source}{path}", body)
            assert (answer.status, answer.code) == (409, "conversation_merged")
            assert target in answer.text

    def test_who_merges_each_one_into_the_next_can_still_reach_the_first(self, services, owner, chat):
        chain = [chat.begin(str(number)) for number in range(13)]
        for source, target in pairwise(chain):
            merged(owner, services, source, target)
        assert owner.get(f"{URL}/{chain[0]}").json["id"] == chain[-1]
        assert chat.say(chain[0]).json["conversation_id"] == chain[-1]

    def test_what_is_said_in_the_one_that_goes_is_said_in_the_one_that_stays(self, services, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        merge(owner, source, target)
        assert chat.say(source, "late").json["conversation_id"] == target
        assert reply(owner, source, "answer").json["conversation_id"] == target
        drain(services)
        assert texts(owner, target) == ["t1", "late", "answer", "s1"]
        assert chat.client.post(f"/widget/v1/conversations/{source}/rate", {"score": 5}).json["id"] == target

    def test_a_message_is_found_by_its_id_wherever_it_came_from(self, services, owner, chat):
        first, second, third = (chat.begin(text) for text in ("1", "2", "3"))
        said = reply(owner, first, "mine").json["id"]
        merged(owner, services, first, second)
        merged(owner, services, second, third)
        assert owner.patch(f"{URL}/{third}/messages/{said}", {"content": "changed"}).status == 200
        assert owner.delete(f"{URL}/{first}/messages/{said}").status == 204
        assert texts(owner, third) == ["3", "2", "1", ""]
        assert owner.patch(f"{URL}/{third}/messages/{ids.new_numbered('msg', 4)}", {"content": "x"}).status == 404

    def test_a_repeated_message_is_the_first_one_before_during_and_after(self, services, owner, chat):
        target, source, key = chat.begin("t1"), chat.begin("s1", client_msg_id="first"), unique()
        said = chat.say(source, "once", client_msg_id=key).json["id"]
        assert merge(owner, source, target).status == 202
        for each in (source, target):
            assert chat.say(each, "once", client_msg_id=key).json["id"] == said
        drain(services)
        for each in (source, target):
            assert chat.say(each, "once", client_msg_id=key).json["id"] == said
        again = chat.client.post("/widget/v1/conversations", {"message": {"content": "s1", "client_msg_id": "first"}})
        assert (again.status, again.json["conversation"]["id"], again.json["message"]["content"]) == (201, target, "s1")
        assert texts(owner, target) == ["t1", "s1", "once"]

    def test_it_is_done_once_however_often_it_is_asked_for(self, services, owner, chat):
        target, source, third = chat.begin("t1"), chat.begin("s1"), chat.begin("x")
        answers = at_once(8, lambda: merge(owner, source, target))
        assert {answer.status for answer in answers} <= {202, 503}
        assert len({answer.json["id"] for answer in answers if answer.status == 202}) == 1
        assert merge(owner, third, target).code == "merge_in_progress"
        drain(services)
        assert merge(owner, source, target).json["id"] == answers[0].json["id"]
        assert merge(owner, source, third).code == merge(owner, third, source).code == "conversation_merged"
        assert texts(owner, target) == ["t1", "s1"]

    def test_values_tags_and_counts_are_joined(self, services, tenant, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        owner.patch(f"{URL}/{target}", {"subject": "Ours", "tags": ["a"], "custom_attributes": {"x": 1, "y": 1}})
        body = {
            "subject": "Theirs",
            "summary": "s",
            "tags": ["b"],
            "priority": "high",
            "assigned_to": tenant.owner.user_id,
        }
        owner.patch(f"{URL}/{source}", {**body, "custom_attributes": {"y": 2, "z": 2}})
        owner.post(f"{URL}/{target}/close")
        with later(60_000):
            chat.say(source, "the newest")
        merged(owner, services, source, target)
        wanted = {
            "subject": "Ours",
            "summary": "s",
            "tags": ["a", "b"],
            "priority": "high",
            "assigned_to": tenant.owner.user_id,
            "custom_attributes": {"x": 1, "y": 1, "z": 2},
            "status": "open",
            "unread_count": 3,
            "last_message": "the newest",
        }
        shown = conversation(owner, target)
        assert {name: shown[name] for name in wanted} == wanted
        for each in ("tag=b", "assigned_to=me", "status=open"):
            assert [row["id"] for row in rows(owner, f"{URL}?limit=9&{each}")] == [target]

    def test_events_tell_of_it(self, services, tenant, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        merged(owner, services, source, target)
        with later(60_000):
            log = rows(owner, "/v1/events?limit=100")
        (gone,) = [event for event in log if event["type"] == "conversation.merged"]
        assert (gone["data"]["id"], gone["data"]["merged_into"]) == (source, target)
        (moved,) = [event for event in log if event["type"] == "message.moved"]
        assert moved["data"] == messages_of(owner, target)[1]
        assert moved["previous"] == {"conversation_id": source, "seq": 1}

    def test_an_edited_text_does_not_stay_behind(self, services, tenant, owner, chat):
        target, source = chat.begin("t1"), chat.begin("s1")
        said = reply(owner, source, "x").json["id"]
        owner.patch(f"{URL}/{source}/messages/{said}", {"content": "hunter2"})
        merged(owner, services, source, target)
        owner.delete(f"{URL}/{target}/messages/{said}")
        everything = [
            tenant_rows(tenant.id).query(each, limit=1000, consistent=True).items for each in (source, target)
        ]
        assert "hunter2" not in str(everything)


class TestWhose:
    def test_conversations_of_different_visitors_are_refused(self, tenant, owner, chat):
        other = new_chat(tenant).begin("private")
        answer = merge(owner, other, chat.begin())
        assert (answer.status, answer.code, answer.params) == (422, "different_visitors", {"into"})

    def test_those_of_one_contact_are_merged_and_only_the_visitor_of_the_one_that_stays_reads_it(
        self, services, tenant, owner, chat
    ):
        contact, other = new_contact(owner)["id"], new_chat(tenant)
        target = link_conversation(tenant.id, chat.visitor_id, contact)
        source = link_conversation(tenant.id, other.visitor_id, contact)
        other.say(source, "from the phone", client_msg_id="c")
        merged(owner, services, source, target)
        assert "from the phone" in chat.heard(target)
        for each in (source, target):
            assert other.client.get(f"/widget/v1/conversations/{each}/messages").status == 404
            assert other.say(each, "x").status == 404

    def test_a_first_message_repeated_begins_anew_rather_than_show_another_visitors_conversation(
        self, services, tenant, owner, chat
    ):
        contact, other = new_contact(owner)["id"], new_chat(tenant)
        target = link_conversation(tenant.id, chat.visitor_id, contact)
        source = other.begin("mine", client_msg_id="c")
        rows_ = tenant_rows(tenant.id)
        from chalicelib.core.table import run

        run(rows_.updating(source, "meta", set_={"con": contact}))
        run(rows_.putting(f"f#con#{contact}", source, {}))
        merged(owner, services, source, target)
        assert other.begin("mine", client_msg_id="c") not in {source, target}


class TestMeanwhile:
    def test_more_messages_than_a_step_takes_while_people_talk(self, services, owner, chat):
        target, source = chat.begin("t"), chat.begin("s0")
        for number in range(1, 40):
            reply(owner, source, f"s{number}")
        merge(owner, source, target)
        turns = iter(range(9))

        def act() -> int:
            turn = next(turns)
            if turn == 8:
                drain(services)
                return 201
            status: int = chat.say(source, f"late{turn}", client_msg_id=unique()).status
            return status

        assert set(at_once(9, act)) == {201}
        drain(services)
        shown = texts(owner, target)
        assert sorted(shown) == sorted(["t", *(f"s{n}" for n in range(40)), *(f"late{n}" for n in range(8))])
        assert [each for each in shown if each.startswith("s")] == [f"s{n}" for n in range(40)]

    def test_an_edit_of_what_is_still_to_be_moved_waits(self, services, owner, chat):
        target, source = chat.begin("t"), chat.begin("s")
        said = reply(owner, source).json["id"]
        merge(owner, source, target)
        for each in (source, target):
            answer = owner.patch(f"{URL}/{each}/messages/{said}", {"content": "x"})
            assert (answer.status, answer.code) == (409, "merge_in_progress")
        drain(services)
        assert owner.patch(f"{URL}/{source}/messages/{said}", {"content": "x"}).status == 200

    @pytest.mark.parametrize("with_file", [True, False])
    def test_a_merge_of_the_target_before_the_files_are_there_takes_them_along(
        self, services, tenant, owner, chat, with_file
    ):
        first, second, third = (chat.begin(text) for text in ("1", "2", "3"))
        file = uploaded(owner)["id"]
        if with_file:
            assert reply(owner, first, "here", attachments=[file]).status == 201
        drain(services)
        again: list[Any] = []

        def merging_on(_service, operation, params, proceed):
            # The first look at the files: all messages are in the second conversation by now.
            if operation == "query" and f"#f#fil#{first}" in str(params) and not again:
                again.append(None)
                again.append(merge(owner, second, third))
            return proceed()

        answer = merge(owner, first, second)
        with injected(merging_on):
            drain(services)
        assert again[1].status == 202, again[1].text
        for job in (answer, again[1]):
            assert owner.get(f"/v1/jobs/{job.json['id']}").json["status"] == "completed"
        assert texts(owner, third) == (["3", "2", "1", "here"] if with_file else ["3", "2", "1"])
        left = [tenant_rows(tenant.id).query(f"f#fil#{each}").items for each in (first, second, third)]
        assert [[row["sk"] for row in rows_] for rows_ in left] == [[], [], [file] if with_file else []]
        assert owner.delete(f"{URL}/{third}").status == 204
        drain(services)
        assert owner.get(f"/v1/files/{file}").status == (404 if with_file else 200)

    def test_a_target_that_is_deleted_takes_all_with_it(self, services, tenant, owner, chat):
        target, source = chat.begin("t"), chat.begin("s")
        merge(owner, source, target)
        bodies = take(services, "events")
        assert owner.delete(f"{URL}/{target}").status == 204
        services.queues["events"].extend(bodies)
        drain(services)
        assert owner.get(f"{URL}/{source}").status == owner.get(f"{URL}/{target}").status == 404
        for each in (source, target):
            left = [row["sk"] for row in tenant_rows(tenant.id).query(each, consistent=True).items]
            assert not [key for key in left if key.startswith("m#")]

    def test_a_message_sent_while_it_is_merged_is_in_the_one_that_stays(self, services, owner, chat):
        target, source = chat.begin("t"), chat.begin("s")
        done: list[int] = []

        def meanwhile(service: str, operation: str, params: Any, proceed: Any) -> Any:
            if operation == "transact_write_items" and not done:
                done.append(1)
                merged(owner, services, source, target)
            return proceed()

        with injected(meanwhile):
            assert chat.say(source, "late").json["conversation_id"] == target
        assert texts(owner, target) == ["t", "s", "late"]

    def test_two_merged_into_each_other_at_once_leave_one(self, services, owner, chat):
        pair = [chat.begin("a"), chat.begin("b")]
        turns = iter([pair, pair[::-1]] * 4)
        answers = at_once(8, lambda: merge(owner, *next(turns)))
        assert {answer.status for answer in answers} <= {202, 409, 503}
        drain(services)
        assert len(rows(owner, f"{URL}?limit=9")) == 1
        assert sorted(texts(owner, pair[0])) == ["a", "b"]


def test_another_tenants_conversation_is_no_target_for_a_stranger(chat):
    assert merge(new_tenant().owner.client, chat.begin(), chat.begin()).status == 404
