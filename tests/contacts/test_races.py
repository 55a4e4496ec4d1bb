"""Contacts changed by many at once, on the real engine."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

import app
from tests.support.answers import rows
from tests.support.chats import messages_of, new_chat, new_site, unique
from tests.support.contacts import (
    CONTACTS,
    add_note,
    contact,
    conversations_of,
    found,
    link_conversation,
    merge,
    new_company,
    new_contact,
    notes_of,
    rows_left,
    unique_email,
)
from tests.support.faults import injected
from tests.support.queues import deliver, drain, take
from tests.support.settings import changed
from tests.support.tenants import Organisation
from tests.support.threads import at_once

THREADS = 16


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


def again(send):
    """Do what a client does: send the same again while the answer is 503."""
    while (answer := send()).status == 503:
        pass
    return answer


@pytest.mark.parametrize("field", ["email", "external_id"])
def test_of_many_creations_with_one_address_or_id_one_succeeds(services, owner, field):
    value = unique_email()
    answers = at_once(THREADS, lambda: again(lambda: owner.post(CONTACTS, {"name": "Kim", field: value})))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: THREADS - 1}
    (winner,) = (answer.json["id"] for answer in answers if answer.status == 201)
    assert all(winner in answer.text for answer in answers)
    drain(services)
    page = owner.get(f"{CONTACTS}?limit=1").json["pagination"]
    assert (page["total"], page["has_more"]) == (1, False)


def test_32_upserts_at_once_make_one_contact(services, owner):
    body = {"external_id": "42", "email": unique_email(), "name": "Kim"}
    answers = at_once(32, lambda: again(lambda: owner.put(CONTACTS, body)))
    assert sorted(answer.status for answer in answers) == [200] * 31 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    drain(services)
    assert [row["number"] for row in rows(owner, f"{CONTACTS}?limit=5")] == [answers[0].json["number"]]


def test_many_changes_at_once_leave_words_and_guards_of_the_last_only(tenant, owner):
    made = new_contact(owner, "start")["id"]
    names = iter(range(THREADS))

    def change():
        number = next(names)
        body = {"name": f"name{number:02} common", "email": f"mail{number}@example.com"}
        return again(lambda: owner.patch(f"{CONTACTS}/{made}", body))

    assert {answer.status for answer in at_once(THREADS, change)} == {200}
    last = contact(owner, made)
    assert found(owner, "common") == {last["name"]}
    for number in range(THREADS):
        mine = last["email"] == f"mail{number}@example.com"
        assert bool(owner.get(f"{CONTACTS}?email=mail{number}@example.com").json["data"]) == mine
        assert bool(found(owner, f"name{number:02} common")) == (last["name"] == f"name{number:02} common")
        assert (owner.post(CONTACTS, {"email": f"mail{number}@example.com"}).status == 409) == mine


def test_notes_written_at_once_are_all_there_and_counted(owner):
    made = new_contact(owner)["id"]
    numbers = iter(range(THREADS))

    def write():
        text = str(next(numbers))
        return again(lambda: owner.post(f"{CONTACTS}/{made}/notes", {"content": text}))

    assert {answer.status for answer in at_once(THREADS, write)} == {201}
    assert set(notes_of(owner, made)) == {str(number) for number in range(THREADS)}


def test_one_merge_asked_for_many_times_at_once_is_one_job(services, owner):
    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
    answers = at_once(THREADS, lambda: again(lambda: merge(owner, source, target)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    drain(services)
    assert [row["id"] for row in owner.get(CONTACTS).json["data"]] == [target]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_company_that_changes_is_followed_by_who_takes_it_over_in_a_merge(services, owner, deleted):
    """The job walks a company's contacts by their ids: the older one takes its place behind the job's back."""
    company = new_company(owner, "Acme")["id"]
    target = new_contact(owner, "Target")["id"]
    first, source = (new_contact(owner, name, company_id=company)["id"] for name in ("First", "Source"))
    drain(services)
    url, begun = f"/v1/companies/{company}", list[str]()

    def meanwhile(_service, operation, params, proceed):
        answer = proceed()
        # The job has dealt with the first contact.
        if operation == "transact_write_items" and f"#{first}'" in str(params) and not begun:
            begun.append(merge(owner, source, target).json["id"])
        return answer

    changed_ = owner.delete(url) if deleted else owner.patch(url, {"name": "Zeta"})
    assert changed_.status in {200, 204}
    with injected(meanwhile):
        drain(services)
    assert owner.get(f"/v1/jobs/{begun[0]}").json["status"] == "completed"
    assert found(owner, "acme") == set()
    assert found(owner, "zeta") == (set() if deleted else {"First", "Target"})
    assert contact(owner, target)["company_id"] == (None if deleted else company)


def test_two_contacts_merged_into_each_other_at_once_leave_one(services, owner):
    pair = [new_contact(owner, name)["id"] for name in "AB"]
    turns = iter([pair, pair[::-1]] * 8)

    def one():
        source, target = next(turns)
        return again(lambda: merge(owner, source, target))

    answers = at_once(THREADS, one)
    assert {answer.status for answer in answers} == {202, 409}
    drain(services)
    (left,) = owner.get(CONTACTS).json["data"]
    assert contact(owner, pair[0])["id"] == contact(owner, pair[1])["id"] == left["id"]
    assert owner.get(CONTACTS).json["pagination"]["total"] == 1


def test_a_merge_while_messages_and_notes_arrive_loses_none(services, tenant, owner):
    chat = new_chat(tenant)
    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
    ours = [link_conversation(tenant.id, chat.visitor_id, source) for _ in range(4)]
    for number in range(25):
        add_note(owner, source, f"s{number}")

    def talk(conversation_id):
        for _ in range(8):
            key = unique()
            assert again(lambda key=key: chat.say(conversation_id, key, client_msg_id=key)).status == 201
        return [row["content"] for row in messages_of(owner, conversation_id)]

    def note():
        return [again(lambda: owner.post(f"{CONTACTS}/{target}/notes", {"content": "t"})).status for _ in range(8)]

    def work():
        merge(owner, source, target)
        drain_twice(services)

    with changed(VISITOR_BURST="1000"), ThreadPoolExecutor(8) as pool:
        talking = [pool.submit(talk, each) for each in ours]
        noting, working = pool.submit(note), pool.submit(work)
        said = [future.result(timeout=120) for future in talking]
        assert set(noting.result(timeout=120)) == {201}
        working.result(timeout=120)
    drain(services)
    assert [len(texts) for texts in said] == [9] * 4
    assert all(
        texts == [row["content"] for row in messages_of(owner, each)] for each, texts in zip(ours, said, strict=True)
    )
    assert conversations_of(owner, target) == set(ours)
    assert conversations_of(owner, source) == conversations_of(owner, target) - set(ours)
    assert sorted(notes_of(owner, target)) == sorted([*["t"] * 8, *(f"s{number}" for number in range(25))])
    assert rows_left(tenant.id, source) == ["meta"]


@dataclass
class Meanwhile:
    """Something that happens between what a request read and its transaction, once."""

    happens: Callable[[], object]
    done: bool = False

    def __call__(self, service, operation, params, proceed):
        if operation == "transact_write_items" and not self.done:
            self.done = True
            self.happens()
        return proceed()


def rename(owner, services, company, name):
    assert owner.patch(f"/v1/companies/{company}", {"name": name}).status == 200
    drain(services)


def test_a_change_made_while_its_company_gets_a_new_name_keeps_neither_old_words_nor_loses_new_ones(services, owner):
    company = new_company(owner, "First")["id"]
    made = new_contact(owner, "Kim", company_id=company)["id"]
    drain(services)
    with injected(Meanwhile(lambda: rename(owner, services, company, "Second"))):
        assert owner.patch(f"{CONTACTS}/{made}", {"name": "Kay"}).status == 200
    assert (found(owner, "first"), found(owner, "second"), found(owner, "kim")) == (set(), {"Kay"}, set())


def test_a_contact_made_while_its_company_gets_a_new_name_has_the_new_one(services, owner):
    company = new_company(owner, "First")["id"]
    drain(services)
    with injected(Meanwhile(lambda: rename(owner, services, company, "Second"))):
        assert owner.post(CONTACTS, {"name": "Kim", "company_id": company}).status == 201
    assert (found(owner, "first"), found(owner, "second")) == (set(), {"Kim"})


@pytest.mark.parametrize("gone", [True, False])
def test_a_contact_made_while_its_company_is_deleted_is_refused(services, owner, gone):
    company = new_company(owner)["id"]
    happens = Meanwhile(lambda: owner.delete(f"/v1/companies/{company}") if gone else None)
    with injected(happens):
        answer = owner.post(CONTACTS, {"name": "Kim", "company_id": company})
    assert answer.status == (422 if gone else 201)


def test_a_note_written_while_the_contact_is_merged_is_refused_rather_than_lost(services, owner):
    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]

    def happens():
        merge(owner, source, target)
        drain(services)

    with injected(Meanwhile(happens)):
        answer = owner.post(f"{CONTACTS}/{source}/notes", {"content": "x"})
    assert (answer.status, answer.code) == (409, "contact_merged")


@pytest.mark.parametrize("what", ["note", "conversation"])
@pytest.mark.parametrize("end", ["merged", "deleted"])
def test_what_is_moved_while_its_new_owner_is_merged_or_deleted_ends_where_that_one_did(
    services, tenant, owner, what, end
):
    first, second, third = (new_contact(owner, name)["id"] for name in "ABC")
    note = what == "note"
    linked = "" if note else link_conversation(tenant.id, new_chat(tenant).visitor_id, first)
    if note:
        add_note(owner, first, "from A")
    drain(services)
    merge(owner, first, second)
    bodies = take(services, "events")
    moves = f"#{first}" if note else f"#f#con#{first}"

    def happens():
        if end == "merged":
            merge(owner, second, third)
        else:
            owner.delete(f"{CONTACTS}/{second}")
        drain(services)

    @dataclass
    class AtTheMove(Meanwhile):
        def __call__(self, service, operation, params, proceed):
            writes = [write["Delete"]["Key"] for write in params.get("TransactItems", ()) if "Delete" in write]
            if any(key["pk"]["S"].endswith(moves) for key in writes):
                return super().__call__(service, operation, params, proceed)
            return proceed()

    step = AtTheMove(happens)
    with injected(step):
        assert deliver(app.dispatch_events, bodies) == []
    assert step.done
    drain(services)
    left = third if end == "merged" else None
    if note:
        assert (notes_of(owner, third) if left else rows_left(tenant.id, second)) == (["from A"] if left else ["meta"])
    else:
        assert owner.get(f"/v1/conversations/{linked}").json["contact_id"] == left
        assert conversations_of(owner, third) == ({linked} if left else set())
    for each in (first, second):
        assert rows_left(tenant.id, each) == ["meta"]


def test_a_list_entry_without_its_conversation_does_not_stop_the_others(services, tenant, owner):
    from chalicelib.core import ids
    from chalicelib.core.table import run, tenant_rows

    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
    rows_ = tenant_rows(tenant.id)
    run(rows_.putting(f"f#con#{source}", ids.new("conv"), {}))
    elsewhere = link_conversation(tenant.id, new_chat(tenant).visitor_id, None)
    run(rows_.putting(f"f#con#{source}", elsewhere, {}))
    ours = link_conversation(tenant.id, new_chat(tenant).visitor_id, source)
    merge(owner, source, target)
    drain(services)
    assert conversations_of(owner, target) == {ours}
    assert conversations_of(owner, source) == set()
    assert owner.get(f"/v1/conversations/{elsewhere}").json["contact_id"] is None


def drain_twice(services):
    """Deliver what waits to two functions at once, as SQS may."""
    for _ in range(50):
        bodies = take(services, "events")
        if not bodies:
            return
        failed = at_once(2, partial(deliver, app.dispatch_events, bodies))
        assert failed == [[], []]


def test_jobs_delivered_to_several_functions_at_once_do_each_step_once(services, tenant, owner):
    chat = new_chat(tenant)
    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
    ours = [link_conversation(tenant.id, chat.visitor_id, source) for _ in range(30)]
    for number in range(30):
        add_note(owner, source, str(number))
    drain(services)
    job = merge(owner, source, target).json["id"]
    bodies = take(services, "events")
    assert at_once(4, lambda: deliver(app.dispatch_events, bodies)) == [[]] * 4
    drain(services)
    assert owner.get(f"/v1/jobs/{job}").json["progress"]["done"] == 60
    assert conversations_of(owner, target) == set(ours)
    assert len(notes_of(owner, target)) == 30
    versions = {owner.get(f"/v1/conversations/{each}").headers["ETag"] for each in ours}
    assert versions == {'"3"'}  # created, first message, moved


def test_a_company_renamed_while_contacts_come_and_go_ends_consistent(services, owner):
    company = new_company(owner, "First")["id"]
    ours = [new_contact(owner, f"Kim {number}", company_id=company)["id"] for number in range(10)]
    turns = iter(range(THREADS))

    def act():
        turn = next(turns)
        if turn % 4 == 0:
            return again(lambda: owner.patch(f"/v1/companies/{company}", {"name": f"Name{turn}"})).status
        if turn % 4 == 1:
            return again(lambda: owner.post(CONTACTS, {"name": f"Kim new{turn}", "company_id": company})).status
        return again(lambda: owner.patch(f"{CONTACTS}/{ours[turn % 10]}", {"name": f"Kim other{turn}"})).status

    assert set(at_once(THREADS, act)) <= {200, 201}
    drain(services)
    last = owner.get(f"/v1/companies/{company}").json["name"]
    assert len(found(owner, f"kim {last}")) == len(rows(owner, f"{CONTACTS}?company_id={company}&limit=100")) == 14
    for turn in range(0, THREADS, 4):
        assert bool(found(owner, f"Name{turn}")) == (last.startswith(f"Name{turn}"))
