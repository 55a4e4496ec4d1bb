"""Choosing what one hears by mail, and what the links in the mails open."""

import pytest

from chalicelib.core.table import tenant_rows
from chalicelib.notifications import links, store
from chalicelib.notifications.links import AddressChoice, ChatLink, MemberChoice
from chalicelib.notifications.models import Preferences
from chalicelib.notifications.store import address_hash
from tests.support.answers import without_request_id
from tests.support.chats import ORIGIN, chat_of, new_site, new_test_site, start_session
from tests.support.clocks import later
from tests.support.mails import PAGE, identified
from tests.support.tenants import anonymous, new_key, new_member, new_tenant

USUAL = {"assigned": True, "new": False, "message": True}
OTHER = {"assigned": False, "new": True, "message": False}
MINE = "/members/me/notifications"
DAY_MS = 86_400_000


class TestRetrieveNotifications:
    def test_nobody_gets_in_without_a_credential(self, tenant):
        assert anonymous().get(tenant.url + MINE).status == 401

    def test_another_tenants_are_as_missing_ones(self, tenant):
        stranger = new_tenant().owner.client
        missing = stranger.get(f"/v1/tenants/tn_{'0' * 26}{MINE}")
        assert without_request_id(stranger.get(tenant.url + MINE)) == without_request_id(missing)
        assert missing.status == 404

    def test_a_key_is_nobody_who_reads_mail(self, tenant):
        key = new_key(tenant, name="k", scopes=["members:read", "members:write"])
        answer = key.get(tenant.url + MINE)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    def test_any_member_has_the_usual_ones_to_begin_with(self, tenant):
        for role in ("viewer", "agent"):
            answer = new_member(tenant, role).client.get(tenant.url + MINE)
            assert (answer.status, answer.json) == (200, USUAL)


class TestReplaceNotifications:
    def test_nobody_gets_in_without_a_credential(self, tenant):
        assert anonymous().put(tenant.url + MINE, OTHER).status == 401

    def test_another_tenants_are_not_there(self, tenant):
        assert new_tenant().owner.client.put(tenant.url + MINE, OTHER).status == 404

    def test_a_key_is_nobody_who_reads_mail(self, tenant):
        assert new_key(tenant, name="k", scopes=["members:write"]).put(tenant.url + MINE, OTHER).status == 403

    def test_what_a_member_chooses_holds_for_him_in_this_tenant_only(self, tenant):
        agent = new_member(tenant, "agent")
        second = new_tenant(agent)
        answer = agent.client.put(tenant.url + MINE, OTHER)
        assert (answer.status, answer.json) == (200, OTHER)
        assert agent.client.get(tenant.url + MINE).json == OTHER
        assert agent.client.get(second.url + MINE).json == USUAL
        assert tenant.owner.client.get(tenant.url + MINE).json == USUAL

    @pytest.mark.parametrize(
        ("body", "bad"),
        [
            ({}, {"assigned", "new", "message"}),
            (USUAL | {"new": "yes", "message": None}, {"new", "message"}),
            (USUAL | {"sms": True}, {"sms"}),
        ],
    )
    def test_every_bad_field_is_named(self, tenant, body, bad):
        answer = tenant.owner.client.put(tenant.url + MINE, body)
        assert answer.status == 422
        assert answer.params == bad

    def test_who_comes_back_begins_anew(self, tenant, post):
        agent = new_member(tenant, "agent")
        agent.client.put(tenant.url + MINE, OTHER)
        assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
        post.reminders()
        new_member(tenant, "agent", agent)
        assert agent.client.get(tenant.url + MINE).json == USUAL


def out_of(choice: MemberChoice | AddressChoice) -> str:
    return links.to_unsubscribe(choice).removeprefix("https://api.test")


class TestShowUnsubscribe:
    def test_opening_the_link_asks_and_changes_nothing(self, tenant):
        url = out_of(MemberChoice(tenant.id, tenant.owner.user_id, "assigned"))
        answer = anonymous().get(url)
        assert answer.status == 200
        assert '<form method="post">' in answer.text
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert tenant.owner.client.get(tenant.url + MINE).json == USUAL

    def test_the_page_is_in_the_browsers_language(self):
        assert "Abbestellen" in anonymous().get("/mail/unsubscribe", Accept_Language="de").text
        assert "Unsubscribe" in anonymous().get("/mail/unsubscribe", Accept_Language="fr").text


class TestUnsubscribe:
    def test_one_click_by_a_mail_program_turns_off_this_kind_and_no_other(self, tenant):
        url = out_of(MemberChoice(tenant.id, tenant.owner.user_id, "assigned"))
        for _ in range(2):
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = anonymous().send("POST", url, b"List-Unsubscribe=One-Click", form)
            assert (answer.status, "no more mails" in answer.text) == (200, True)
        assert tenant.owner.client.get(tenant.url + MINE).json == USUAL | {"assigned": False}

    def test_it_keeps_what_the_member_chose_before(self, tenant):
        tenant.owner.client.put(tenant.url + MINE, OTHER | {"message": True})
        anonymous().post(out_of(MemberChoice(tenant.id, tenant.owner.user_id, "message")))
        assert tenant.owner.client.get(tenant.url + MINE).json == OTHER

    def test_a_link_works_however_old_it_is(self, tenant):
        url = out_of(MemberChoice(tenant.id, tenant.owner.user_id, "assigned"))
        with later(2000 * DAY_MS):
            assert "no more mails" in anonymous().post(url).text

    def test_a_link_of_who_has_left_leaves_nothing_behind(self, tenant):
        agent = new_member(tenant, "agent")
        url = out_of(MemberChoice(tenant.id, agent.user_id, "assigned"))
        tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}")
        assert anonymous().post(url).status == 200
        assert store.find_preferences(tenant.id, agent.user_id) == Preferences()
        gone = f"tn_{'0' * 26}"
        assert anonymous().post(out_of(AddressChoice(gone, b"x" * 16))).status == 200
        assert tenant_rows(gone).query("unsubscribed").items == []

    @pytest.mark.parametrize("query", ["", "?token=", "?token=parley_um_", "?token=x%0d%0ay"])
    def test_a_link_that_is_none_says_so(self, query):
        answer = anonymous().post(f"/mail/unsubscribe{query}")
        assert answer.status in {200, 422}
        assert "no more mails" not in answer.text

    def test_a_changed_link_is_none(self, tenant):
        url = out_of(MemberChoice(tenant.id, tenant.owner.user_id, "assigned"))
        for place in range(len("/mail/unsubscribe?token=parley_um_"), len(url)):
            other = "A" if url[place] != "A" else "B"
            assert links.read_unsubscribe((url[:place] + other + url[place + 1 :]).partition("token=")[2]) is None


def back_to(tenant, chat, email, conversation_id=None) -> str:
    conversation_id = conversation_id or chat.begin()
    link = ChatLink(tenant.id, chat.visitor_id, conversation_id, address_hash(tenant.id, email))
    return links.to_chat(link).removeprefix("https://api.test")


class TestReturnToChat:
    def test_it_leads_to_the_page_with_the_token_behind_the_hash(self, tenant):
        chat, email = identified(tenant)
        url = back_to(tenant, chat, email)
        answer = anonymous().get(url)
        token = url.partition("token=")[2]
        assert (answer.status, answer.text) == (302, "")
        assert answer.headers["Location"] == f"{PAGE}#parley_token={token}"
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("page", "shown"),
        [
            (f"{ORIGIN}/a?b=1#cart", f"{ORIGIN}/a?b=1"),
            (f"{ORIGIN}", f"{ORIGIN}/"),
            (f"{ORIGIN}/ä b\r\nSet-Cookie: x=1", f"{ORIGIN}/%C3%A4%20bSet-Cookie:%20x=1"),
        ],
    )
    def test_what_a_browser_said_its_page_was_cannot_become_a_header(self, tenant, page, shown):
        chat, email = identified(tenant, page_url=page)
        assert anonymous().get(back_to(tenant, chat, email)).headers["Location"].startswith(shown + "#")

    @pytest.mark.parametrize(
        "page",
        ["https://evil.test/", "https://www.example.com@evil.test/", "http://www.example.com/", "javascript:alert(1)",
         "//evil.test", "https://www.example.com:8443/", "https://[", "https://ex\u00e4mple.com/", None],
    )  # fmt: skip
    def test_it_leads_to_no_other_site(self, tenant, page):
        chat, email = identified(tenant, page_url=page)
        answer = anonymous().get(back_to(tenant, chat, email))
        assert (answer.status, "Location" in answer.headers) == (200, False)
        assert "This link is over" in answer.text

    def test_it_ends_after_a_week_and_with_the_domain(self, tenant):
        chat, email = identified(tenant)
        url = back_to(tenant, chat, email)
        with later(7 * DAY_MS - 1000):
            assert anonymous().get(url).status == 302
        with later(7 * DAY_MS):
            assert anonymous().get(url).status == 200
        (domain,) = tenant.owner.client.get("/v1/domains").json["data"]
        tenant.owner.client.delete(f"/v1/domains/{domain['id']}")
        assert anonymous().get(url).status == 200

    def test_it_does_not_open_another_visitors_conversation(self, tenant):
        chat, email = identified(tenant)
        other, _ = identified(tenant)
        assert anonymous().get(back_to(tenant, chat, email, other.begin())).status == 200


class TestResuming:
    def test_the_token_of_a_mail_brings_the_visitor_back_on_another_device(self, tenant):
        chat, email = identified(tenant)
        found = chat.begin()
        token = back_to(tenant, chat, email, found).partition("token=")[2]
        again = chat_of(start_session(tenant, visitor_token=token))
        assert again.visitor_id == chat.visitor_id
        assert again.own(found)["id"] == found

    def test_it_is_over_when_the_visitor_gives_another_address(self, tenant):
        chat, email = identified(tenant)
        token = back_to(tenant, chat, email).partition("token=")[2]
        chat.client.post("/widget/v1/identify", {"email": "other@people.test"})
        assert chat_of(start_session(tenant, visitor_token=token)).visitor_id != chat.visitor_id

    def test_it_opens_nothing_at_another_tenant_nor_among_test_data_nor_after_a_week(self, tenant):
        chat, email = identified(tenant)
        token = back_to(tenant, chat, email).partition("token=")[2]
        assert chat_of(start_session(new_site(), visitor_token=token)).visitor_id != chat.visitor_id
        key, _ = new_test_site(tenant)
        widget = key.get("/v1/widgets").json["data"][0]["client_token"]
        body = {"client_token": widget, "visitor_token": token}
        assert anonymous().post("/widget/v1/sessions", body, Origin=ORIGIN).json["visitor"]["id"] != chat.visitor_id
        with later(7 * DAY_MS):
            assert chat_of(start_session(tenant, visitor_token=token)).visitor_id != chat.visitor_id

    def test_it_is_no_credential_by_itself(self, tenant):
        chat, email = identified(tenant)
        token = back_to(tenant, chat, email).partition("token=")[2]
        assert anonymous().using(token, Origin=ORIGIN).get("/widget/v1/conversations").status == 401
