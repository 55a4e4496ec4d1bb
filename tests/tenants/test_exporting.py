"""Exporting a tenant: everything the API shows of it, each thing once, and nothing else."""

import json
import re
from collections import Counter
from typing import Any

import pytest

import app
from chalicelib.core import aws
from chalicelib.core.http import Route
from chalicelib.files import outputs
from chalicelib.jobs import service as jobs
from chalicelib.tenants import exporting
from chalicelib.tenants.exporting import LISTS
from chalicelib.tenants.standing import suspend_tenant
from tests.support import objects
from tests.support.answers import rows
from tests.support.canned_responses import new_canned_response
from tests.support.chats import new_chat, new_site, new_test_site, reply
from tests.support.clocks import later
from tests.support.contacts import add_note, merged, new_company, new_contact, rows_left
from tests.support.crashes import AFTER, Scenario, enumerated
from tests.support.csv_files import ended
from tests.support.files import png, uploaded
from tests.support.identity import new_secret, rotated
from tests.support.queues import drain
from tests.support.settings import changed
from tests.support.tags import new_team
from tests.support.tenant_exports import Line, export_of, exported, lines_of, text_of
from tests.support.tenants import (
    Organisation,
    anonymous,
    invitation_token,
    invite,
    new_key,
    new_member,
    new_tenant,
    new_user,
    signed_in_again,
)
from tests.support.webhooks import new_webhook

# What is read but not in the file. A new route is put here, with the reason, or into `exporting.LISTS`.
LEFT_OUT = {
    "/v1/auth/me": "a person's own, in no tenant",
    "/v1/auth/sessions": "a person's own, in no tenant",
    "/v1/tenants": "the caller's tenants, of which this is one",
    "/v1/tenants/{tenant_id}/members/me/notifications": "the caller's own choice of mails",
    "/v1/widgets/{widget_id}/identity-secret": "of a secret; the widget tells the rest",
    "/v1/conversations/{conversation_id}/thread": "the conversation and its messages in another form",
    "/v1/conversations/{conversation_id}/transcript": "the conversation and its messages in another form",
    "/v1/files/usage": "counted from the files",
    "/v1/events": "what changed in the last 30 days; the file has what it has come to",
    "/v1/webhooks/{webhook_id}/deliveries": "copies of events, kept for 30 days",
    "/v1/billing/plans": "this installation's, not the tenant's",
    "/v1/billing/invoices": "at Stripe, where the portal has all of them",
    "/v1/billing/usage": "counted from the rest",
    "/v1/jobs/{job_id}": "work that is done, kept for 30 days",
}


def filled(services: Any) -> tuple[Organisation, list[str]]:
    """A tenant with something of everything, and the secrets that have been given out."""
    tenant = new_site()
    owner = tenant.owner.client
    chat = new_chat(tenant, page_url="https://www.example.com/prices")
    assert chat.client.post("/widget/v1/page-views", {"url": "https://www.example.com/", "title": "Home"}).status < 300
    invitation = invite(tenant, "guest@example.com")
    key = owner.post("/v1/api-keys", {"name": "Sync"}).json
    hook = new_webhook(owner)
    secrets = [invitation_token(tenant, invitation), key["secret"], hook["secret"], new_secret(tenant)]
    secrets += [owner.post(f"/v1/api-keys/{key['id']}/rotate").json["secret"]]
    secrets += [rotated(owner, tenant.created["default_widget"]["id"])]
    secrets += [owner.token, chat.client.token]
    new_team(owner, members=[tenant.owner.user_id])
    new_canned_response(owner)
    owner.post("/v1/custom-attributes", {"key": "plan", "label": "Plan", "type": "text"})
    company = new_company(owner)["id"]
    contacts = [new_contact(owner, name, company_id=company)["id"] for name in ("Ana Ferreira", "Kim", "Kim Lee")]
    for text in ("Called back.", "Wants a quote.", "Got it."):
        add_note(owner, contacts[0], text)
    merged(owner, services, contacts[2], contacts[1])
    one, two, three = (chat.begin(text) for text in ("Prices?", "Are you there?", "Delete me."))
    file = uploaded(owner, png())["id"]
    reply(owner, one, "See this.", attachments=[file])
    reply(owner, one, "Wants a discount.", private=True)
    assert owner.patch(f"/v1/conversations/{one}", {"tags": ["pricing"], "subject": "Prices"}).status == 200
    assert owner.post(f"/v1/conversations/{two}/merge", {"into": one}).status == 202
    assert owner.delete(f"/v1/conversations/{three}").status == 204
    chat.say(chat.begin("Hello again."))
    drain(services)
    return tenant, secrets


def small_steps(monkeypatch: pytest.MonkeyPatch, reads: int = 4) -> None:
    """Let a step read little, and a part of the file be small."""
    monkeypatch.setattr(exporting, "READS_A_STEP", reads)
    monkeypatch.setattr(exporting, "A_PAGE", 2)
    monkeypatch.setattr(exporting, "A_PAGE_WITH_LISTS", 2)
    for module, name in ((outputs, "PART_BYTES"), (objects, "LEAST_PART")):
        monkeypatch.setattr(module, name, 1000)


def shown(tenant: Organisation) -> list[Line]:
    """What the API shows of a tenant, as lines."""
    owner, found = tenant.owner.client, list[Line]()
    for name, path in LISTS.items():
        own = path.replace("{tenant_id}", tenant.id)
        if name in {"tenant", "subscription"}:
            answer = owner.get(own)
            found += [{"object": name, **answer.json}] if answer.status == 200 else []
            continue
        above = next((each for each in LISTS if re.fullmatch(re.escape(LISTS[each]) + r"/{\w+}/[\w-]+", path)), None)
        owners = [line["id"] for line in found if line["object"] == above] if above else [""]
        for each in owners:
            id_name = re.findall(r"{(\w+)}", path)[0] if above else ""
            more = {id_name: each} if above else {}
            url = re.sub(r"{\w+}", each, own)
            found += [{"object": name, **more, **row} for row in rows(owner, f"{url}?limit=100")]
    return [without_links(line) for line in found]


def without_links(line: Line) -> Line:
    files = [{**each, "download_url": None} for each in line.get("attachments", [])]
    return line | ({"attachments": files} if files else {}) | ({"download_url": None} if "download_url" in line else {})


def in_any_order(lines: list[Line]) -> list[str]:
    """Return lines to compare, without what depends on when they are asked for."""
    moving = {"visitor": {"online"}, "subscription": {"updated_at"}}
    kept = [{name: line[name] for name in line.keys() - moving.get(line["object"], set())} for line in lines]
    return sorted(json.dumps(line, sort_keys=True) for line in kept)


def finished(tenant: Organisation, services: Any) -> dict[str, Any]:
    owner = tenant.owner.client
    return ended(owner, services, owner.post(export_of(tenant)))


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


class TestStarting:
    def test_only_an_owner_may(self, tenant):
        url = export_of(tenant)
        assert anonymous().post(url).status == 401
        assert new_chat(tenant).client.post(url).code == "wrong_credential"
        assert new_member(tenant, "admin").client.post(url).code == "insufficient_role"
        assert new_key(tenant, name="k").post(url).code == "insufficient_scope"
        assert new_user().client.post(url).status == 404
        answer = tenant.owner.client.post(url)
        assert (answer.status, answer.json["kind"], answer.json["status"]) == (202, "tenant.export", "pending")
        assert answer.json["created_by"] == tenant.owner.user_id

    def test_only_owners_get_the_file(self, services, tenant):
        job = finished(tenant, services)
        url = f"/v1/jobs/{job['id']}"
        assert job["download_url"].startswith("https://files.test/exports/")
        assert new_member(tenant, "owner").client.get(url).json["download_url"]
        for caller in (new_member(tenant, "admin").client, new_key(tenant, name="k")):
            assert caller.get(url).json["result"] == job["result"]
            assert caller.get(url).json["download_url"] is None
        assert new_tenant().owner.client.get(url).status == 404

    def test_one_runs_at_a_time(self, services, tenant):
        owner, url = tenant.owner.client, export_of(tenant)
        first = owner.post(url).json["id"]
        assert new_member(tenant, "owner").client.post(url).json["id"] == first
        drain(services)
        assert owner.post(url).json["id"] != first

    def test_of_two_at_once_one_starts(self, services, tenant):
        owner, url = tenant.owner.client, export_of(tenant)
        others: list[str] = []

        def between(_service, operation, _params, proceed):
            if operation == "transact_write_items" and not others:
                others.append("")
                others[0] = owner.post(url).json["id"]
            return proceed()

        aws.interceptors.append(between)
        assert owner.post(url).json["id"] == others[0]
        aws.interceptors.remove(between)
        log = rows(owner, f"{tenant.url}/audit-log?limit=100")
        assert [row["action"] for row in log].count("tenant.export_started") == 1

    def test_it_stands_in_the_audit_log(self, services, tenant):
        finished(tenant, services)
        entry = tenant.owner.client.get(f"{tenant.url}/audit-log").json["data"][0]
        assert (entry["action"], entry["actor"]) == (
            "tenant.export_started",
            {"type": "user", "id": tenant.owner.user_id},
        )

    def test_a_suspended_tenants_owner_may_and_gets_the_file(self, services, tenant):
        suspend_tenant(tenant.id)
        drain(services)
        assert tenant.owner.client.get("/v1/conversations").code == "tenant_suspended"
        assert [line["status"] for line in exported(tenant, services) if line["object"] == "tenant"] == ["suspended"]

    def test_one_that_is_being_erased_is_not_exported(self, services, tenant):
        owner = tenant.owner.client
        owner.send("DELETE", tenant.url, {"confirm": tenant.created["slug"]}, {})
        assert owner.post(export_of(tenant)).code == "tenant_suspended"


class TestTheFile:
    def test_it_has_what_the_api_shows_each_once_and_no_secret(self, services, monkeypatch):
        full, secrets = filled(services)
        small_steps(monkeypatch)
        parts = []

        def count(_service, operation, _params, proceed):
            if operation == "upload_part":
                parts.append(operation)
            return proceed()

        aws.interceptors.append(count)
        with changed(BILLING="stripe"):
            job = finished(full, services)
            wanted = shown(full)
        aws.interceptors.remove(count)
        assert len(parts) > 3
        lines = lines_of(services, job)
        assert in_any_order(lines) == in_any_order(wanted)
        counted = Counter(line["object"] for line in lines)
        assert job["result"] == counted
        assert job["progress"]["done"] == len(lines)
        assert set(counted) == set(LISTS)
        text = text_of(services, job)
        assert [secret for secret in secrets if secret in text or secret.rpartition(".")[2] in text] == []
        assert "Signature=" not in text
        assert [line["content"] for line in lines if line["object"] == "message" and line["private"]] == [
            "Wants a discount."
        ]

    def test_nothing_of_others_or_of_test_data_is_in_it(self, services, tenant):
        key, chat = new_test_site(tenant)
        other = new_site()
        for client, talk in ((key, chat), (other.owner.client, new_chat(other))):
            found = talk.begin("canary begun")
            reply(client, found, "canary answered")
            contact = new_contact(client, "canary contact")["id"]
            add_note(client, contact, "canary noted")
            new_canned_response(client, "canary canned")
            uploaded(client, png(), "canary.png")
        assert new_chat(tenant).begin("ours")
        drain(services)
        text = text_of(services, finished(tenant, services))
        assert "ours" in text
        assert "canary" not in text
        assert other.id not in text

    def test_what_happens_meanwhile_doubles_and_drops_nothing(self, services, tenant, monkeypatch):
        """Between any two steps a conversation has news, and others are closed and deleted."""
        owner, chat = tenant.owner.client, new_chat(tenant)
        kept = [chat.begin() for _ in range(3)]
        doomed = [chat.begin() for _ in range(2)]
        moved: list[str] = []
        drain(services)
        small_steps(monkeypatch, reads=1)

        def meanwhile(_service, operation, params, proceed):
            answer = proceed()
            if operation == "put_object" and params["Key"].startswith("pieces/"):
                moved.append(kept[len(moved) % 3])
                with later(61_000 * len(moved)):  # then it moves in the list of conversations
                    assert chat.say(moved[-1], "news").status == 201
                assert owner.post(f"/v1/conversations/{kept[1]}/close").status in {200, 409}
                if doomed:
                    assert owner.delete(f"/v1/conversations/{doomed.pop()}").status == 204
            return answer

        job = owner.post(export_of(tenant)).json
        aws.interceptors.append(meanwhile)
        drain(services)
        aws.interceptors.remove(meanwhile)
        lines = lines_of(services, owner.get(f"/v1/jobs/{job['id']}").json)
        ids = Counter((line["object"], line.get("id")) for line in lines)
        assert set(ids.values()) == {1}
        assert {id_ for kind, id_ in ids if kind == "conversation"} == set(kept)

    def test_it_is_kept_for_a_day(self, services, tenant):
        job = finished(tenant, services)
        with later(25 * 3_600_000):
            assert signed_in_again(tenant).owner.client.get(f"/v1/jobs/{job['id']}").json["download_url"] is None

    def test_pieces_are_gone_in_the_end(self, services, tenant):
        job = finished(tenant, services)
        assert [key for key in services.objects.present() if not key.startswith("exports/")] == []
        assert rows_left(tenant.id, job["id"]) == ["meta"]
        assert services.objects.uploads == {}


def test_a_tenant_that_is_erased_meanwhile_leaves_nothing(services, tenant):
    owner = tenant.owner.client
    owner.post(export_of(tenant))
    owner.send("DELETE", tenant.url, {"confirm": tenant.created["slug"]}, {})
    drain(services)
    assert [key for key in services.objects.present() if tenant.id in key] == []


def test_everything_is_in_it_once_wherever_the_process_dies(services, monkeypatch):
    # All kinds are read alike: two of them, in two steps, take the job through everything it does.
    few = ("conversation", "message")
    monkeypatch.setattr(exporting, "LISTS", {name: LISTS[name] for name in few})
    monkeypatch.setattr(exporting, "READS_A_STEP", 2)
    monkeypatch.setattr(exporting, "A_PAGE", 1)

    def scenario():
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        chat.say(chat.begin("One"), "Two")
        drain(services)
        started = []

        def act():
            answer = owner.post(export_of(tenant))
            started.append(answer.json["id"])
            return answer

        def check():
            job = owner.get(f"/v1/jobs/{started[-1]}").json
            assert (job["status"], job["result"]) == ("completed", {"conversation": 1, "message": 2})
            wanted = [line for line in shown(tenant) if line["object"] in few]
            assert in_any_order(lines_of(services, job)) == in_any_order(wanted)
            assert rows_left(tenant.id, job["id"]) == ["meta"]
            assert [key for key in services.objects.present() if key.startswith("pieces/")] == []

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) >= 40


def test_a_worker_that_comes_late_changes_nothing(services, tenant, monkeypatch):
    """One has read, then another takes the step, which has news in it, and only then the first puts its piece away."""
    owner, chat = tenant.owner.client, new_chat(tenant)
    found = chat.begin("Hi")
    drain(services)
    small_steps(monkeypatch, reads=100)
    job_id = owner.post(export_of(tenant)).json["id"]
    taken: list[str] = []

    def late(_service, operation, params, proceed):
        if operation == "put_object" and not taken:
            taken.append(params["Key"])
            assert chat.say(found, "news").status == 201
            assert jobs.take_first_steps(jobs.get_job(tenant.id, job_id), 1).steps == 1
        return proceed()

    aws.interceptors.append(late)
    drain(services)
    aws.interceptors.remove(late)
    lines = lines_of(services, owner.get(f"/v1/jobs/{job_id}").json)
    assert [line["content"] for line in lines if line["object"] == "message"] == ["Hi", "news"]
    assert len(taken) == 1


class TestCompleteness:
    def test_every_route_that_reads_is_in_it_or_left_out_for_a_reason(self):
        """A new kind of object has a list, or a route that shows one; this fails until somebody has decided."""
        read = {route.path for api in app.APIS for route in api.routes if reads_of_a_tenant(route)}
        one_of = {path for path in read if re.sub(r"/{\w+}$", "", path) in {*LISTS.values(), *LEFT_OUT}}
        assert read - one_of - set(LISTS.values()) == LEFT_OUT.keys() - one_of
        assert not LEFT_OUT.keys() & set(LISTS.values())
        assert set(LISTS.values()) <= read

    def test_every_answer_that_is_kept_is_shown_by_an_exported_list(self):
        """What a POST creates is what some list of the file shows."""
        lists = {route.answer for api in app.APIS for route in api.routes if route.path in LISTS.values()}
        made = {
            route.answer
            for api in app.APIS
            for route in api.routes
            if route.status == 201 and route.answer and not route.public and "visitor" not in route.kinds
        }
        unknown = {answer.__name__ for answer in made if not any(issubclass(answer, each) for each in lists if each)}
        assert unknown == {"StartedOut", "EnrolmentOut"}  # a form to upload a file with, and a person's second factor

    def test_no_object_has_a_field_that_the_lines_own_would_hide(self):
        answers = [route.answer for api in app.APIS for route in api.routes if route.path in LISTS.values()]
        assert [answer for answer in answers if answer and "object" in answer.model_fields] == []


def reads_of_a_tenant(route: Route) -> bool:
    return route.method == "GET" and not route.public and "visitor" not in route.kinds
