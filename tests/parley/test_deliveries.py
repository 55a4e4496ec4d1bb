"""`deliveries`, over HTTP with a tenant's key."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

import app
from tests.support.clocks import later
from tests.support.operator import Done, parley
from tests.support.queues import drain
from tests.support.receivers import Receiver
from tests.support.schedules import tick
from tests.support.serving import serving
from tests.support.settings import changed
from tests.support.tenants import Organisation, new_tenant
from tests.support.webhooks import new_webhook

SOME_DAYS = ("--since", "2020-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00Z")


@pytest.fixture
def tenant(services) -> Iterator[Organisation]:
    """A tenant whose key is in the environment, and the API on a port."""
    with serving(app.app, {}) as url, changed(API_URL=url, ALLOW_LOOPBACK_WEBHOOKS="1"):
        found = new_tenant()
        secret = found.owner.client.post("/v1/api-keys", {"name": "operator"}).json["secret"]
        with changed(API_KEY=secret):
            yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def send_test(tenant: Organisation, webhook: dict[str, str], services: object) -> str:
    """Send a test to an endpoint; returns the delivery's id."""
    answer = tenant.owner.client.post(f"/v1/webhooks/{webhook['id']}/test")
    assert answer.status == 200
    drain(services)  # type: ignore[arg-type]
    found: str = answer.json["id"]
    return found


def lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


class TestTail:
    def test_the_newest_come_last_and_a_limit_takes_the_newest(self, tenant, receiver, services):
        webhook = new_webhook(tenant.owner.client, receiver.url, ["webhook.test"])
        ids = [send_test(tenant, webhook, services) for _ in range(3)]
        assert [row["id"] for row in lines(parley("deliveries", "tail", "--json"))] == ids
        assert [row["id"] for row in lines(parley("deliveries", "tail", "--json", "--limit", "2"))] == ids[1:]
        shown = parley("deliveries", "tail").out.splitlines()
        assert shown[-1].split()[2:5] == ["delivered", "1×", "200"]

    def test_failed_ones_alone_of_one_endpoint(self, tenant, receiver, services):
        client = tenant.owner.client
        good, bad = (new_webhook(client, receiver.url, ["conversation.closed"]) for _ in range(2))
        send_test(tenant, good, services)
        receiver.always = (500, {}, b"")
        failed = send_test(tenant, bad, services)
        (row,) = lines(parley("deliveries", "tail", "--failed", "--json"))
        assert (row["id"], row["webhook_id"], row["last_status"]) == (failed, bad["id"], 500)
        nothing = parley("deliveries", "tail", "--failed", "--endpoint", good["id"])
        assert nothing.out == "Nothing has failed.\n"

    def test_following_shows_what_is_new_and_what_changes(self, tenant, receiver, services, monkeypatch):
        webhook = new_webhook(tenant.owner.client, receiver.url, ["conversation.closed"])
        receiver.always = (500, {}, b"")
        first, happened = send_test(tenant, webhook, services), list[str]()

        def until_the_next_look(_seconds: float) -> None:
            happened.append("a look")
            if len(happened) == 2:
                happened.append(send_test(tenant, webhook, services))
            if len(happened) > 4:
                raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", until_the_next_look)
        done = parley("deliveries", "tail", "--follow", "--json", code=130)
        assert [row["id"] for row in lines(done)] == [first, happened[2]]


class TestShow:
    def test_it_shows_what_was_sent_and_every_try(self, tenant, receiver, services):
        webhook = new_webhook(tenant.owner.client, receiver.url, ["conversation.closed"])
        receiver.always = (200, {}, b"thanks")
        found = send_test(tenant, webhook, services)
        shown = parley("deliveries", "show", found).out
        assert "thanks" in shown
        assert f'"id": "{webhook["id"]}"' in shown
        whole = parley("deliveries", "show", found, "--endpoint", webhook["id"], "--json").json
        assert [each["status"] for each in whole["log"]] == [200]

    def test_where_several_endpoints_have_it_one_has_to_be_chosen(self, tenant, receiver, services):
        first, second = (new_webhook(tenant.owner.client, receiver.url, ["*"]) for _ in range(2))
        drain(services)
        shared = {
            row["id"]
            for row in lines(parley("deliveries", "tail", "--json", "--endpoint", first["id"]))
            if row["id"] in parley("deliveries", "tail", "--endpoint", second["id"]).out
        }
        error = parley("deliveries", "show", shared.pop(), code=2).err
        assert first["id"] in error
        assert second["id"] in error

    def test_one_that_is_not_there(self, tenant, receiver):
        new_webhook(tenant.owner.client, receiver.url)
        assert "No endpoint of this tenant" in parley("deliveries", "show", "dlv_0", code=1).err


class TestReplay:
    def test_it_asks_and_sends_again_what_is_named(self, tenant, receiver, services):
        webhook = new_webhook(tenant.owner.client, receiver.url, ["conversation.closed"])
        found = send_test(tenant, webhook, services)
        assert "say --yes" in parley("deliveries", "replay", found, code=2).err
        drain(services)
        assert len(receiver.got) == 1
        parley("deliveries", "replay", found, "--yes")
        drain(services)
        assert [event["id"] for event in receiver.events] == [receiver.events[0]["id"]] * 2

    def test_a_range_is_a_job_that_it_waits_for(self, tenant, receiver, services, monkeypatch):
        webhook = new_webhook(tenant.owner.client, receiver.url, ["tenant.*"])
        tenant.owner.client.patch(tenant.url, {"name": "Renamed"})
        drain(services)
        assert receiver.types().count("tenant.updated") == 1
        monkeypatch.setattr(time, "sleep", lambda _seconds: drain(services))
        with later(60_000):  # the log ends some seconds before now
            done = parley("deliveries", "replay", "--endpoint", webhook["id"], *SOME_DAYS, "--yes", "--json")
        with later(240_000):
            tick(app.sweep_deliveries)
            drain(services)
        assert done.json["status"] == "completed"
        assert receiver.types().count("tenant.updated") == 2

    @pytest.mark.parametrize("arguments", [[], ["dlv_0", *SOME_DAYS], list(SOME_DAYS)])
    def test_either_deliveries_or_a_whole_range(self, tenant, arguments):
        assert "--endpoint, --since and --until" in parley("deliveries", "replay", *arguments, code=2).err
