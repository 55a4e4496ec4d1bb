"""A suspended tenant: none of its credentials work, nothing goes out in its name, and all is back when it goes on."""

from contextlib import closing

import pytest

import app
from chalicelib.core.config import settings
from chalicelib.core.table import tenant_rows
from chalicelib.tenants.standing import resume_tenant, suspend_tenant
from tests.support.chats import HOST, dispatch_all, new_chat, new_site, new_test_site, reply, start_session
from tests.support.clocks import later
from tests.support.mails import Post, identified
from tests.support.operator import parley
from tests.support.queues import deliver, drain, take
from tests.support.receivers import Receiver
from tests.support.settings import changed
from tests.support.tenants import invitation_token, invite, new_key, new_member, new_tenant, new_user
from tests.support.webhooks import deliveries_of, new_webhook


@pytest.fixture
def site(services):
    tenant = new_site()
    drain(services)
    return tenant


class TestCredentials:
    def test_each_of_the_tenants_is_refused_and_works_again_afterwards(self, services, site):
        tester, test_chat = new_test_site(site)
        callers = {
            "owner": (site.owner.client, "/v1/conversations"),
            "member": (new_member(site, "agent").client, "/v1/conversations"),
            "key": (new_key(site, name="k"), "/v1/conversations"),
            "test key": (tester, "/v1/conversations"),
            "test visitor": (test_chat.client, "/widget/v1/conversations"),
            "visitor": (new_chat(site).client, "/widget/v1/conversations"),
            "owner, at the tenant itself": (site.owner.client, site.url),
        }
        suspend_tenant(site.id)
        drain(services)
        for who, (client, path) in callers.items():
            answer = client.get(path)
            assert (who, answer.status, answer.code) == (who, 403, "tenant_suspended")
        resume_tenant(site.id)
        drain(services)
        assert {who: client.get(path).status for who, (client, path) in callers.items()} == dict.fromkeys(callers, 200)

    def test_nothing_can_be_written_with_them(self, services, site):
        chat, key = new_chat(site), new_key(site, name="k")
        conversation = chat.begin()
        suspend_tenant(site.id)
        drain(services)
        assert chat.say(conversation).code == "tenant_suspended"
        assert reply(key, conversation).code == "tenant_suspended"
        assert site.owner.client.post("/v1/api-keys", {"name": "x"}).code == "tenant_suspended"

    def test_its_widget_says_so_and_opens_no_session(self, services, site):
        suspend_tenant(site.id)
        answer = start_session(site)
        assert (answer.status, answer.code) == (403, "tenant_suspended")
        token = site.created["default_widget"]["client_token"]
        answer = site.owner.client.get(f"/widget/v1/configuration/{token}", Origin=f"https://{HOST}")
        assert (answer.status, answer.code) == (403, "tenant_suspended")

    def test_a_members_other_tenants_and_own_account_go_on(self, services, site):
        other = new_tenant(site.owner)
        suspend_tenant(site.id)
        drain(services)
        assert other.owner.client.get("/v1/conversations").status == 200
        listed = other.owner.client.get("/v1/tenants").json["data"]
        assert {row["id"]: row["status"] for row in listed} == {site.id: "suspended", other.id: "active"}
        suspend_tenant(other.id)
        resume_tenant(site.id)
        drain(services)
        assert site.owner.client.get("/v1/conversations").status == 200
        assert other.owner.client.get("/v1/conversations").code == "tenant_suspended"

    def test_nobody_joins_meanwhile(self, client, services, site):
        token = invitation_token(site, invite(site, new_user().email))
        suspend_tenant(site.id)
        answer = client.post("/v1/auth/accept-invite", {"token": token})
        assert (answer.status, answer.code) == (403, "tenant_suspended")


class TestWhatGoesOut:
    def test_a_webhook_waits_and_is_sent_when_the_tenant_goes_on(self, services, site):
        with changed(ALLOW_LOOPBACK_WEBHOOKS="1"), closing(Receiver()) as receiver:
            owner = site.owner.client
            webhook = new_webhook(owner, receiver.url, ["conversation.created"])
            new_chat(site).begin()
            dispatch_all(services)
            waiting = take(services, settings().webhooks_queue_url)
            suspend_tenant(site.id)
            drain(services)
            assert deliver(app.deliver_webhooks, waiting) == []
            assert receiver.types() == []
            resume_tenant(site.id)
            drain(services)
            with later(3_601_000):
                deliver(app.deliver_webhooks, waiting)
            (sent,) = deliveries_of(owner, webhook)
            assert (sent["status"], receiver.types()) == ("delivered", ["conversation.created"])

    @pytest.mark.parametrize("to", ["visitor", "member"])
    def test_no_mail_goes_to_visitors_or_members(self, services, to):
        tenant, post = new_tenant(domain=HOST), Post(services)
        chat, _ = identified(tenant)
        talk = chat.begin()
        if to == "member":
            tenant.owner.client.post(f"/v1/conversations/{talk}/assign", {"assigned_to": tenant.owner.user_id})
            chat.say(talk)
        else:
            reply(tenant.owner.client, talk)
        drain(services)
        reminders = post.reminders()
        assert reminders
        suspend_tenant(tenant.id)
        drain(services)
        before = len(services.mails)
        post.remind(*reminders)
        drain(services)
        assert len(services.mails) == before

    def test_an_invitation_that_was_not_mailed_yet_is_not(self, services, site):
        invite(site, email := new_user().email)
        suspend_tenant(site.id)
        before = len(services.mails)
        drain(services)
        assert [mail for mail in services.mails[before:] if email in str(mail)] == []


class TestTheOperatorsCommand:
    def test_it_says_what_the_tenant_is_now_and_doing_it_again_changes_nothing(self, services, site):
        parley("tenants", "suspend", site.id, code=2)  # asks, and nobody is there
        for _ in range(2):
            assert parley("tenants", "suspend", site.id, "--yes").out == f"{site.id} (Acme) is suspended.\n"
        assert parley("tenants", "show", site.id, "--json").json["status"] == "suspended"
        assert parley("tenants", "resume", site.id, "--yes").out == f"{site.id} (Acme) is active.\n"
        events = [row.get("ty") for row in tenant_rows(site.id).query("tenant", prefix="e#").items]
        assert events[-2:] == ["tenant.suspended", "tenant.resumed"]

    def test_a_tenant_that_is_not_there_is_named(self, services):
        error = parley("tenants", "suspend", "tn_01JB3D2N6T8V4W5X7Y9Z0A1B2C", "--yes", code=1).err
        assert "tn_01JB3D2N6T8V4W5X7Y9Z0A1B2C" in error
