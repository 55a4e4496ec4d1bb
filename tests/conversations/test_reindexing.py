"""Conversations that are older than the search, and the job that lets them be found."""

import pytest

from chalicelib.conversations.reindexing import start_indexing
from chalicelib.core import ids
from chalicelib.core.table import run, tenant_rows
from tests.support.answers import rows
from tests.support.chats import new_chat, new_site
from tests.support.crashes import AFTER, Scenario, enumerated
from tests.support.operator import parley
from tests.support.queues import drain
from tests.support.tenants import Organisation


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def old_ones(tenant: Organisation, count: int) -> list[str]:
    """Begin conversations with a subject and take away what they are searched by."""
    chat, owner, found = new_chat(tenant), tenant.owner.client, []
    for number in range(count):
        found.append(chat.begin())
        assert owner.patch(f"/v1/conversations/{found[-1]}", {"subject": f"Zebra n{number:03d}"}).status == 200
    table = tenant_rows(tenant.id)
    gone = [("w#ze", f"zebra#{each}") for each in found]
    gone += [("w#n0", f"n{number:03d}#{each}") for number, each in enumerate(found)]
    gone += [(f"u#conv-no#{number + 1}", "-") for number in range(count)]
    for place in gone:
        assert table.get(*place)
        run(table.deleting(*place))
    return found


def by(tenant: Organisation, q: str) -> set[str]:
    return {row["id"] for row in rows(tenant.owner.client, f"/v1/conversations?q={q}&limit=100")}


def test_every_conversation_is_found_again(services, tenant):
    found = old_ones(tenant, 20)
    assert tenant.owner.client.post(f"/v1/conversations/{found[3]}/close").status == 200
    assert tenant.owner.client.delete(f"/v1/conversations/{found[4]}").status == 204
    drain(services)
    assert by(tenant, "zebra") == by(tenant, "%2317") == set()
    job = start_indexing(tenant.id)
    drain(services)
    shown = tenant.owner.client.get(f"/v1/jobs/{job.id}").json
    assert (shown["status"], shown["progress"]["done"]) == ("completed", 19)
    assert by(tenant, "zebra") == set(found) - {found[4]}
    assert by(tenant, "%2317") == {found[16]}


def test_an_operator_starts_it_for_tenants_that_are_there(services, tenant):
    found, stranger = old_ones(tenant, 1), ids.new("tn")
    done = parley("search-index", tenant.created["slug"], stranger, "--json", code=1)
    (row,) = done.json["data"]
    assert (row["tenant_id"], row["job_id"][:4]) == (tenant.id, "job_")
    assert stranger in done.err
    drain(services)
    assert by(tenant, "zebra") == set(found)


def test_a_subject_that_changes_meanwhile_leaves_no_word_behind(services, tenant):
    (found,) = old_ones(tenant, 1)
    start_indexing(tenant.id)
    assert tenant.owner.client.patch(f"/v1/conversations/{found}", {"subject": "Giraffe"}).status == 200
    drain(services)
    assert by(tenant, "zebra") == set()
    assert by(tenant, "giraffe") == {found}


def test_all_are_found_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        found = old_ones(tenant, 9)

        def act() -> None:
            start_indexing(tenant.id)

        def check() -> None:
            assert by(tenant, "zebra") == set(found)
            assert [by(tenant, f"%23{number + 1}") for number in range(9)] == [{each} for each in found]

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 8
