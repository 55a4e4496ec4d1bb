"""The demo data: what `demo.json` promises holds, and what a kill leaves half done is finished by the next start."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import clock
from local import demo
from local.demo import Past, seed
from local.demo_data import Colleague, DemoTenant
from local.demo_data_acme import ACME
from local.demo_data_globex import GLOBEX
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.people import new_email

BASE = "http://127.0.0.1:8000"
ROLES = ("owner", "admin", "agent", "viewer")
CALLS = 760  # of the table, by both tenants together: 704 when this was written, and each is 3 ms of a first start
WRITES = {"put_item", "update_item", "delete_item", "transact_write_items"}


def own(plan: DemoTenant, stories: int | None = None) -> DemoTenant:
    """Return the plan with people nobody else in this table has."""
    members = {role: Colleague(each.name, new_email()) for role, each in plan.members.items()}
    return replace(plan, members=members, stories=plan.stories[slice(stories)])


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "demo.json").read_text())
    return found


def everything(client: Client, path: str) -> list[dict[str, Any]]:
    answer = client.get(f"{path}?limit=100")
    assert answer.status == 200, answer.text
    assert answer.json["pagination"]["total"] == len(answer.json["data"])
    rows: list[dict[str, Any]] = answer.json["data"]
    return rows


def counted(client: Client, path: str) -> int:
    """Return the total that the counters tell: a page that is the last would prove it by itself."""
    total: int = client.get(f"{path}?limit=1").json["pagination"]["total"]
    return total


@pytest.fixture
def seeded(client: Client, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(demo, "TENANTS", (own(ACME), own(GLOBEX)))
    before = len(services.calls)
    seed(tmp_path, BASE)
    made = sum(service == "dynamodb" for service, *_ in services.calls[before:])
    assert made <= CALLS, f"{made} calls: what came in anew makes every first start slower"
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    return read(tmp_path)


def test_the_file_has_the_documented_keys_and_none_of_features_that_do_not_exist(seeded):
    assert seeded.keys() == {"base_url", "mail_url", "tenants"}
    assert (seeded["base_url"], seeded["mail_url"]) == (BASE, f"{BASE}/_local/mail")
    for tenant, name in zip(seeded["tenants"], ("Acme", "Globex"), strict=True):
        keys = {"api_key", "api_key_read", "api_key_test"}
        assert tenant.keys() == {"id", "name", "slug", *ROLES, *keys, "widget", "webhook_loopback_allowed"}
        assert tenant["name"] == name
        assert tenant["slug"].startswith(name.lower())
        assert all(tenant[role].keys() == {"id", "email", "password"} for role in ROLES)
        assert tenant["widget"].keys() == {"id", "client_token", "origin"}


def test_every_credential_in_it_works(seeded, client):
    for tenant in seeded["tenants"]:
        for role in ROLES:
            person = tenant[role]
            tokens = client.post("/v1/auth/login", {"email": person["email"], "password": person["password"]}).json
            me = client.using(tokens["access_token"]).get("/v1/auth/me").json
            assert me["memberships"] == [{"tenant_id": tenant["id"], "role": role}]
            assert me["id"] == person["id"]
        reader, tester = client.using(tenant["api_key_read"]), client.using(tenant["api_key_test"])
        assert everything(reader, "/v1/conversations")
        assert reader.post("/v1/domains", {"domain": "www.example.com"}).code == "insufficient_scope"
        assert everything(tester, "/v1/conversations") == []
        assert client.using(tenant["api_key"]).post("/v1/domains", {"domain": "www.example.com"}).status == 201
        widget = tenant["widget"]
        answer = client.post("/widget/v1/sessions", {"client_token": widget["client_token"]}, Origin=widget["origin"])
        assert (answer.status, answer.json["widget"]["id"]) == (201, widget["id"])


def test_the_conversations_look_like_those_of_a_tenant_at_work(seeded, client):
    for tenant in seeded["tenants"]:
        agent = client.using(tenant["api_key"])
        found = everything(agent, "/v1/conversations")
        assert len(found) >= 12
        assert {each["status"] for each in found} == {"open", "pending", "snoozed", "closed"}
        for status in ("open", "pending", "snoozed", "closed"):
            shown = agent.get(f"/v1/conversations?status={status}&limit=1").json["pagination"]["total"]
            assert shown == sum(each["status"] == status for each in found) >= 2
        activity = [each["last_message_at"] for each in found]
        assert activity == sorted(activity, reverse=True)
        assert clock.rfc3339(clock.now_ms() - 600_000) < activity[0] <= clock.rfc3339(clock.now_ms())
        assert activity[-1] < clock.rfc3339(clock.now_ms() - 5 * 86_400_000)
        assert any(each["unread_count"] for each in found)
        assert not any(each["unread_count"] for each in found if each["status"] != "open")
        assert any(each["assigned_to"] is None for each in found if each["status"] == "open")
        assert sum(each["rating"] is not None for each in found) >= 3
        assert len({tag for each in found for tag in each["tags"]}) >= 5
        threads = [agent.get(f"/v1/conversations/{each['id']}/thread").json["messages"] for each in found]
        assert any(message["private"] for thread in threads for message in thread)
        assert any(set(message["content"]) & set("äöüß") for thread in threads for message in thread)
        assert {message["author"]["name"] for thread in threads for message in thread} - {None}
        visitors = everything(agent, "/v1/visitors")
        assert len(visitors) > len(found)
        assert any(each["context"] and each["email"] for each in visitors)


def test_a_second_time_nothing_is_added_and_the_new_credentials_work(seeded, client, tmp_path):
    before = [shape(client, tenant) for tenant in seeded["tenants"]]
    (tmp_path / "demo.json").unlink()
    seed(tmp_path, BASE)
    again = read(tmp_path)["tenants"]
    assert [shape(client, tenant) for tenant in again] == before
    assert [each["id"] for each in again] == [each["id"] for each in seeded["tenants"]]
    owner = again[0]["owner"]
    assert client.post("/v1/auth/login", {"email": owner["email"], "password": owner["password"]}).status == 200
    assert client.using(seeded["tenants"][0]["api_key"]).get("/v1/conversations").status == 401


def shape(client: Client, tenant: dict[str, Any]) -> dict[str, Any]:
    """What is in a tenant, without what chance has made."""
    admin = client.using(tenant["api_key"])
    found = everything(admin, "/v1/conversations")
    threads = [everything(admin, f"/v1/conversations/{each['id']}/messages") for each in found]
    kept = ("status", "subject", "tags", "priority", "unread_count", "message_count", "last_message", "visitor_id")
    return {
        "conversations": [{name: each[name] for name in kept} for each in found],
        "messages": [[message["content"] for message in thread] for thread in threads],
        "visitors": sorted(each["id"] for each in everything(admin, "/v1/visitors")),
        "members": sorted(each["role"] for each in everything(admin, f"/v1/tenants/{tenant['id']}/members")),
        "keys": sorted(each["name"] for each in everything(admin, "/v1/api-keys")),
        "totals": [counted(admin, path) for path in ("/v1/conversations", "/v1/visitors")],
        "domains": sorted(each["domain"] for each in everything(admin, "/v1/domains")),
    }


class Killed(BaseException):
    """No handler may stop this, as none can stop a SIGKILL."""


class KillBefore:
    """Ends the process, so to speak, before its n-th write."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, service: str, operation: str, params: Any, proceed: Any) -> Any:
        if service == "dynamodb" and operation in WRITES:
            self.left -= 1
            if self.left < 0:
                raise Killed
        return proceed()


def test_killed_at_any_moment_it_is_finished_by_the_next_start(client, services, tmp_path, monkeypatch):
    from chalicelib.core import aws

    def without_chance(found: dict[str, Any]) -> dict[str, Any]:
        visitors = len(found["visitors"])
        rows = [{name: value for name, value in row.items() if name != "visitor_id"} for row in found["conversations"]]
        return {**found, "visitors": visitors, "conversations": rows}

    expected, survived = None, False
    for number in [10_000, *range(0, 200, 7)]:
        services.queues.clear()
        # Two conversations, one of them with a note and a rating, and somebody who only looked.
        plan = own(replace(ACME, stories=(ACME.stories[1], ACME.stories[9], ACME.stories[-2])))
        monkeypatch.setattr(demo, "TENANTS", (plan,))
        kill = KillBefore(number)
        aws.interceptors.append(kill)
        try:
            seed(tmp_path, BASE)
            survived = True
        except Killed:
            assert not (tmp_path / "demo.json").exists()
            survived = False
        finally:
            aws.interceptors.remove(kill)
        if not survived:
            seed(tmp_path, BASE)
        found = without_chance(shape(client, read(tmp_path)["tenants"][0]))
        (tmp_path / "demo.json").unlink()
        if number == 10_000:
            expected = found
            continue
        assert found == expected, f"killed before write {number}"
        if survived:
            break
    assert survived, "it has more writes than were tried"


def test_only_the_seeding_thread_lives_in_the_past():
    past = Past()
    past.now = 1_000
    seen: list[int] = []
    with clock.reading(past):
        other = threading.Thread(target=lambda: seen.append(clock.now_ms()))
        other.start()
        other.join()
        assert (clock.now_ms(), clock.now_ms()) == (1_000, 1_001)
    assert abs(seen[0] - time.time() * 1000) < 60_000


@pytest.mark.parametrize("plan", [ACME, GLOBEX], ids=lambda plan: plan.name)
def test_a_plan_is_in_order_and_never_reaches_into_the_future(plan):
    begins = [story.ago for story in plan.stories]
    assert begins == sorted(set(begins), reverse=True)
    for story in plan.stories:
        assert sum(line.after for line in story.talk) < story.ago
        assert not story.talk or story.talk[0].by == "visitor"
        assert (story.status == "snoozed") == (story.wakes_in > 0)


def test_another_port_brings_the_addresses_up_to_date(tmp_path):
    document = {"base_url": "http://127.0.0.1:1", "mail_url": "-", "tenants": [{"id": "tn_x", "widget": {"id": "w"}}]}
    (tmp_path / "demo.json").write_text(json.dumps(document))
    demo.refresh(tmp_path, "http://127.0.0.1:2")
    found = json.loads((tmp_path / "demo.json").read_text())
    assert found["base_url"] == found["tenants"][0]["widget"]["origin"] == "http://127.0.0.1:2"
    assert found["mail_url"] == "http://127.0.0.1:2/_local/mail"
    assert found["tenants"][0]["id"] == "tn_x"
