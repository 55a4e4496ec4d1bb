"""Erasing a tenant: nothing of it is left, whatever there was, and nothing of anybody else's is touched."""

import json

import pytest

import app
from chalicelib.core import aws, log
from chalicelib.core.table import GUARDS, USERS
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import JobNotFoundError
from chalicelib.tenants import erasing
from tests.support.canned_responses import new_canned_response
from tests.support.chats import new_chat, new_site, new_test_site, reply, unique
from tests.support.contacts import CONTACTS, merged, new_company, new_contact
from tests.support.files import png, posted, uploaded
from tests.support.operator import parley
from tests.support.queues import deliver, drain, take
from tests.support.tables import everything, everything_of
from tests.support.tenants import invite, new_key, new_member, new_tenant, new_user
from tests.support.webhooks import new_webhook


def erase(tenant, confirm=None):
    return tenant.owner.client.send("DELETE", tenant.url, {"confirm": confirm or tenant.created["slug"]}, {})


def filled(services):
    """A tenant with something of everything, live and in test data."""
    tenant = new_site()
    owner = tenant.owner.client
    new_member(tenant, "agent")
    invite(tenant, new_user().email)
    new_key(tenant, name="k")
    assert owner.post("/v1/widgets", {"name": "w"}, Idempotency_Key=unique()).status == 201
    gone = new_webhook(owner)
    assert owner.delete(f"/v1/webhooks/{gone['id']}").status == 204
    new_webhook(owner)
    for client, chat in ((owner, new_chat(tenant)), new_test_site(tenant)):
        one, two = (chat.begin(client_msg_id=unique()) for _ in range(2))
        drain(services)
        reply(client, one)
        assert client.patch(f"/v1/conversations/{one}", {"subject": "Blue shoes", "tags": ["a"]}).status == 200
        assert client.post(f"/v1/conversations/{two}/merge", {"into": one}).status == 202
        assert client.delete(f"/v1/conversations/{chat.begin()}").status == 204
        new_canned_response(client)
        contact = new_contact(client, name="Kim Li", email=f"{unique().lower()}@example.com", external_id=unique())
        merged(client, services, contact["id"], new_contact(client, name="Kim L")["id"])
        company = new_company(client, name="Acme")
        client.patch(f"{CONTACTS}/{contact['id']}", {"company_id": company["id"]})
        uploaded(client, png())
        posted(services, client, png(), "never completed.png", "image/png")
        drain(services)
    return tenant


@pytest.fixture
def full(services):
    return filled(services)


@pytest.fixture
def tenant(services):
    tenant = new_site()
    new_chat(tenant).begin()
    drain(services)
    return tenant


def begin(tenant, services):
    """Begin to erase a tenant, and see to its event, but not to the job yet."""
    answer = erase(tenant)
    bodies = take(services, "events")
    assert deliver(app.dispatch_events, [body for body in bodies if body.endswith("#tenant")]) == []
    return answer


def left_of(tenant, services):
    """What names the tenant anywhere, but for counters of rates, which forget it within a day."""
    rows = [row for row in everything() if tenant.id in json.dumps(row, default=str)]
    about = [row for row in rows if not row["pk"].startswith("R#")]
    return about + [key for key in services.objects.present() if tenant.id in key]


class TestErasing:
    def test_nothing_is_left_of_it_and_nothing_else_is_touched(self, services, full, tenant):
        before = everything_of(tenant.id)
        assert len({row["pk"].partition("#")[2].partition("_")[0] for row in everything_of(full.id)}) > 20
        answer = erase(full)
        assert (answer.status, answer.json["kind"], answer.json["status"]) == (202, "tenant.erase", "pending")
        drain(services)
        assert left_of(full, services) == []
        assert everything_of(tenant.id) == before

    def test_it_waits_until_no_request_is_on_its_way(self, services, tenant):
        drain(services)
        services.delays.clear()
        erase(tenant)
        assert sorted(services.delays) == [0, erasing.SETTLE_S]

    def test_people_and_the_slug_are_free_again(self, services, tenant):
        owner, slug = tenant.owner, tenant.created["slug"]
        other = new_tenant(owner)
        erase(tenant)
        drain(services)
        assert [row["id"] for row in owner.client.get("/v1/tenants").json["data"]] == [other.id]
        assert "off" not in (USERS.get(owner.user_id, "person") or {})
        assert owner.client.get(tenant.url).status == 404
        assert GUARDS.get(f"slug#{slug}", "-") is None
        assert new_tenant(slug=slug).created["slug"] == slug

    def test_the_owner_sees_how_far_it_is_and_nothing_else(self, services, tenant):
        key = new_key(tenant, name="k2")
        job = begin(tenant, services).json
        assert tenant.owner.client.get(f"/v1/jobs/{job['id']}").json["status"] == "pending"
        assert erase(tenant).json["id"] == job["id"]
        assert tenant.owner.client.get("/v1/conversations").code == "tenant_suspended"
        assert key.get("/v1/conversations").code == "tenant_suspended"

    def test_another_job_is_not_shown_meanwhile(self, services, tenant):
        exported = tenant.owner.client.post("/v1/contacts/export").json["id"]
        drain(services)
        begin(tenant, services)
        assert tenant.owner.client.get(f"/v1/jobs/{exported}").code == "tenant_suspended"

    @pytest.mark.parametrize("confirm", ["", "acme", "no"])
    def test_without_the_slug_nothing_happens(self, services, tenant, confirm):
        answer = tenant.owner.client.send("DELETE", tenant.url, {"confirm": confirm}, {})
        assert (answer.status, answer.params) == (422, {"confirm"})
        assert tenant.owner.client.get(tenant.url).json["status"] == "active"

    def test_only_an_owner_may(self, services, tenant):
        body = {"confirm": tenant.created["slug"]}
        for caller, status in ((new_member(tenant, "admin").client, 403), (new_key(tenant, name="k3"), 403)):
            assert caller.send("DELETE", tenant.url, body, {}).status == status
        assert new_user().client.send("DELETE", tenant.url, body, {}).status == 404

    def test_whoever_dies_meanwhile_only_delays_it(self, services, full, monkeypatch):
        """The answer of every eightieth call of the table or the bucket is lost, and steps are small."""
        monkeypatch.setattr(erasing, "ROWS_A_STEP", 60)
        erase(full)
        calls = iter(range(10**9))

        def dying(service, _operation, _params, proceed):
            answer = proceed()
            if service in {"dynamodb", "s3"} and next(calls) % 80 == 79:
                raise ConnectionError
            return answer

        aws.interceptors.append(dying)
        for _ in range(200):
            bodies = take(services, "events")
            if not bodies:
                break
            services.queues["events"].extend(deliver(app.dispatch_events, bodies))
        aws.interceptors.remove(dying)
        drain(services)
        assert left_of(full, services) == []


class TestTheOperatorsCommand:
    def test_it_begins_and_then_tells_how_far_it_is(self, services, tenant, monkeypatch):
        logged = []
        monkeypatch.setattr(log, "info", lambda message, **fields: logged.append((message, fields)))
        arguments = ["tenants", "delete", tenant.id, "--confirm", tenant.created["slug"]]
        parley(*arguments, code=2)  # asks, and nobody is there
        assert "stage 0 of" in parley(*arguments, "--yes").out
        drain(services)
        assert [fields["by"] for message, fields in logged if message == "tenant_erased"] == ["operator"]
        parley(*arguments, "--yes", code=1)
        assert left_of(tenant, services) == []

    def test_it_asks_for_the_slug(self, services, tenant):
        error = parley("tenants", "delete", tenant.id, "--confirm", "x", "--yes", code=1).err
        assert "slug" in error


def test_a_suspended_tenants_owner_can_still_have_it_erased(services, tenant):
    from chalicelib.tenants.standing import suspend_tenant

    suspend_tenant(tenant.id)
    drain(services)
    assert erase(tenant).status == 202
    drain(services)
    assert left_of(tenant, services) == []
    with pytest.raises(JobNotFoundError):
        jobs.get_job(tenant.id, "job_01JB3D2N6T8V4W5X7Y9Z0A1B2C")
