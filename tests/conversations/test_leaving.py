"""What happens to the conversations of somebody who may not answer any more."""

import pytest

from chalicelib.conversations import leaving
from tests.support.answers import rows
from tests.support.chats import new_chat, new_site
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.crashes import AFTER, SWEEP_MS, Scenario, enumerated
from tests.support.queues import drain
from tests.support.tenants import Organisation, Someone, new_member


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def given_to(tenant: Organisation, agent: Someone, count: int = 2) -> list[str]:
    """Begin conversations in different statuses and assign them."""
    chat, owner = new_chat(tenant), tenant.owner.client
    found = [chat.begin() for _ in range(count)]
    for each in found:
        assert owner.post(f"/v1/conversations/{each}/assign", {"assigned_to": agent.user_id}).status == 200
    assert owner.post(f"/v1/conversations/{found[0]}/close").status == 200
    return found


def assignees(tenant: Organisation, found: list[str]) -> set[str | None]:
    return {tenant.owner.client.get(f"/v1/conversations/{each}").json["assigned_to"] for each in found}


def test_who_is_removed_has_no_conversations(services, tenant):
    agent, other = new_member(tenant, "agent"), new_member(tenant, "agent")
    found, others = given_to(tenant, agent, 3), given_to(tenant, other)
    assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
    drain(services)
    assert assignees(tenant, found) == {None}
    assert assignees(tenant, others) == {other.user_id}
    with later(SWEEP_MS):
        events = rows(tenant.owner.client, "/v1/events?type=conversation.assigned&limit=100")
    taken = [event for event in events if event["data"]["assigned_to"] is None]
    assert {event["data"]["id"] for event in taken} == set(found)
    assert {event["previous"]["assigned_to"] for event in taken} == {agent.user_id}


def test_it_waits_until_the_index_has_what_was_assigned_just_before(services, tenant):
    agent = new_member(tenant, "agent")
    given_to(tenant, agent)
    assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
    services.delays.clear()
    drain(services)
    assert services.delays.count(leaving.SETTLE_S) == 2  # the tenant's, and its test data's


def test_who_becomes_a_viewer_has_none_and_who_becomes_an_admin_keeps_them(services, tenant):
    agent = new_member(tenant, "agent")
    found, url = given_to(tenant, agent), f"{tenant.url}/members/{agent.user_id}"
    assert tenant.owner.client.patch(url, {"role": "admin"}).status == 200
    drain(services)
    assert assignees(tenant, found) == {agent.user_id}
    assert tenant.owner.client.patch(url, {"role": "viewer"}).status == 200
    drain(services)
    assert assignees(tenant, found) == {None}


def test_who_is_an_agent_again_before_the_job_begins_keeps_them(services, tenant):
    agent = new_member(tenant, "agent")
    found, url = given_to(tenant, agent), f"{tenant.url}/members/{agent.user_id}"
    drain(services)
    for role in ("viewer", "agent"):
        assert tenant.owner.client.patch(url, {"role": role}).status == 200
    drain(services)
    assert assignees(tenant, found) == {agent.user_id}


def test_it_is_done_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        agent = new_member(tenant, "agent")
        found = given_to(tenant, agent)

        def act() -> Answer:
            return tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}")

        def check() -> None:
            assert assignees(tenant, found) == {None}
            with later(SWEEP_MS + 60_000):
                types = [row["type"] for row in rows(tenant.owner.client, "/v1/events?limit=100")]
            assert types.count("job.created") == types.count("job.completed") == 1
            assert types.count("conversation.assigned") == 2 * len(found)

        return Scenario(tenant.id, act, check, frozenset({204, 404}))

    assert enumerated(scenario, services, AFTER) >= 20
