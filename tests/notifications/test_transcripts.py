"""Transcripts by mail: to whom agents say, and to visitors who ask for their own."""

from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.table import tenant_rows
from chalicelib.events.models import event_from_item
from chalicelib.messages import mailing
from chalicelib.notifications import service as notifications
from tests.support.answers import rows, without_request_id
from tests.support.chats import Chat, new_chat, new_site, new_test_site, reply, unique
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.contacts import new_contact
from tests.support.files import uploaded
from tests.support.identity import new_secret, proven, signed
from tests.support.mails import Post, header_of, identified, link_of, text_of
from tests.support.people import new_email
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def url(found: str) -> str:
    return f"/v1/conversations/{found}/transcript"


def own_url(found: str) -> str:
    return f"/widget/v1/conversations/{found}/transcript"


def mail_to(services: Any, email: str) -> dict[str, Any]:
    """Return the one mail to an address."""
    drain(services)
    (mail,) = Post(services).to(email)
    return mail


def subject_of(mail: dict[str, Any]) -> str:
    subject: str = mail["Content"]["Simple"]["Subject"]["Data"]
    return subject


class TestMail:
    def test_anonymous_callers_visitors_and_viewers_are_refused(self, tenant, chat):
        found, body = chat.begin(), {"email": new_email()}
        assert anonymous().post(url(found), body).status == 401
        assert chat.client.post(url(found), body).code == "wrong_credential"
        assert new_member(tenant, "viewer").client.post(url(found), body).code == "insufficient_role"
        assert new_member(tenant, "agent").client.post(url(found), body).status == 202

    def test_a_key_needs_to_read_what_it_sends_and_whom_it_asks_for(self, tenant, chat):
        found, body = chat.begin(), {"email": new_email()}
        write, read = ["conversations:write"], ["messages:read", "contacts:read", "visitors:read"]
        for scopes, body_, status in ((write, body, 403), ([*write, read[0]], body, 202), ([*write, read[0]], {}, 403)):
            assert new_key(tenant, scopes=scopes).post(url(found), body_).status == status
        assert new_key(tenant, scopes=[*write, *read]).post(url(found), {}).code == "no_address"

    def test_another_tenants_is_like_a_missing_one(self, chat):
        stranger = new_tenant().owner.client
        answers = [
            stranger.post(url(each), {"email": "a@example.com"}) for each in (chat.begin(), ids.new("conv"), "x")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_all_that_was_said_but_notes_is_sent(self, services, tenant, owner, chat):
        found, email = chat.begin("Where is my order?"), new_email()
        reply(owner, found, "secret note", private=True)
        gone = reply(owner, found, "wrong").json["id"]
        assert owner.delete(f"/v1/conversations/{found}/messages/{gone}").status == 204
        reply(owner, found, "On its way", attachments=[uploaded(owner)["id"]])
        answer = owner.post(url(found), {"email": email.upper()})
        assert answer.json == {"conversation_id": found, "email": email, "language": None}
        mail = mail_to(services, email)
        text = text_of(mail)
        for said in ("> Where is my order?", "> On its way", "> [note.txt]", "> This message has been deleted."):
            assert said in text
        assert "secret" not in text
        assert text.index("order") < text.index("deleted") < text.index("On its way")
        assert subject_of(mail) == f"Your conversation with {tenant.created['name']}"
        assert link_of(mail, "/mail/unsubscribe")
        assert header_of(mail, "List-Unsubscribe-Post")

    def test_without_an_address_it_goes_to_the_contact_or_else_the_visitor(self, services, tenant, owner):
        chat, given = identified(tenant)
        found = chat.begin()
        assert owner.post(url(found)).json["email"] == given
        email = new_email()
        body = {"contact_id": new_contact(owner, email=email)["id"]}
        assert owner.post(f"/v1/visitors/{chat.visitor_id}/identify", body).status == 200
        drain(services)
        assert owner.post(url(found)).json["email"] == email

    def test_bad_fields_are_listed(self, owner, chat):
        answer = owner.post(url(chat.begin()), {"email": "nobody", "language": "fr", "to": "x"})
        assert {each["param"] for each in answer.json["error"]["errors"]} == {"email", "language", "to"}

    @pytest.mark.parametrize(
        ("locale", "wanted", "words"),
        [("de-AT", None, "Ihr Gespräch mit"), ("fr", None, "Your conversation"), ("en", "de", "Ihr Gespräch mit")],
    )
    def test_it_is_in_the_readers_language(self, services, tenant, owner, locale, wanted, words):
        found, email = new_chat(tenant, locale=locale).begin(), new_email()
        assert owner.post(url(found), {"email": email, **({"language": wanted} if wanted else {})}).status == 202
        assert words in subject_of(mail_to(services, email))

    def test_the_newest_messages_that_fit_are_sent(self, services, owner, chat, monkeypatch):
        from chalicelib.notifications import transcripts

        monkeypatch.setattr(transcripts, "MAX_BYTES", 300)
        found, email = chat.begin("oldest"), new_email()
        for number in range(5):
            chat.say(found, f"{number} " + "x" * 60)
        owner.post(url(found), {"email": email})
        text = text_of(mail_to(services, email))
        assert "> 4 xx" in text
        assert "oldest" not in text

    def test_one_address_gets_ten_an_hour(self, owner, chat):
        found, email = chat.begin(), new_email()
        statuses = [owner.post(url(found), {"email": email}).status for _ in range(mailing.MAILS_PER_ADDRESS + 1)]
        assert statuses == [202] * mailing.MAILS_PER_ADDRESS + [429]

    def test_test_data_causes_no_mail(self, services, tenant):
        key, tester = new_test_site(tenant)
        email = new_email()
        assert key.post(url(tester.begin()), {"email": email}).status == 202
        drain(services)
        assert Post(services).to(email) == []

    def test_whoever_has_unsubscribed_gets_none(self, services, owner, chat):
        found, email = chat.begin(), new_email()
        owner.post(url(found), {"email": email})
        assert anonymous().post(link_of(mail_to(services, email), "/mail/unsubscribe")).status == 200
        assert owner.post(url(found), {"email": email}).status == 202
        drain(services)
        assert len(Post(services).to(email)) == 1


class TestOwn:
    def test_only_the_visitor_reads_it_without_notes(self, tenant, owner, chat):
        found = chat.begin("Hello")
        reply(owner, found, "secret note", private=True)
        reply(owner, found, "Hi there")
        assert anonymous().get(own_url(found)).status == 401
        assert owner.get(own_url(found)).code == "wrong_credential"
        assert new_chat(tenant).client.get(own_url(found)).status == 404
        text = chat.client.get(own_url(found)).text
        assert "Hello" in text
        assert "Hi there" in text
        assert "secret" not in text
        page = chat.client.get(f"{own_url(found)}?format=html&language=de")
        assert page.headers["Content-Language"] == "de"
        assert "Unterhaltung" in page.text
        assert chat.client.get(f"{own_url(found)}?include_notes=true").status == 422

    def test_only_the_visitor_has_it_sent(self, tenant, owner):
        chat, _ = identified(tenant)
        found = chat.begin()
        assert anonymous().post(own_url(found)).status == 401
        assert owner.post(own_url(found)).code == "wrong_credential"
        assert identified(tenant)[0].client.post(own_url(found)).status == 404
        assert chat.client.post(own_url(found), {"email": "stranger@example.com"}).status == 422
        assert new_chat(tenant).begin()
        nameless = new_chat(tenant)
        assert nameless.client.post(own_url(nameless.begin())).code == "no_address"

    def test_a_given_address_gets_the_replies_and_nothing_the_visitor_typed(self, services, tenant, owner):
        chat, email = identified(tenant)
        found = chat.begin("Buy cheap pills")
        reply(owner, found, "No, thank you")
        assert chat.client.post(own_url(found)).json["email"] == email
        text = text_of(mail_to(services, email))
        assert "> No, thank you" in text
        assert "pills" not in text
        assert "Kim" not in text

    def test_a_proven_visitor_gets_all_of_it_at_the_contacts_address(self, services, tenant, owner):
        email = new_email()
        chat = proven(new_chat(tenant), signed(new_secret(tenant), unique(), email=email))
        chat.client.post("/widget/v1/identify", {"email": new_email()})  # a claim, which changes nothing
        found = chat.begin("My own words")
        reply(owner, found, "An answer")
        assert chat.client.post(own_url(found)).json["email"] == email
        text = text_of(mail_to(services, email))
        assert "> My own words" in text
        assert "> An answer" in text

    def test_who_is_blocked_causes_no_mail(self, services, tenant, owner):
        chat, _ = identified(tenant)
        found = chat.begin()
        assert owner.post(f"/v1/visitors/{chat.visitor_id}/block").status == 200
        drain(services)
        assert chat.client.post(own_url(found)).code == "blocked"

    def test_one_visitor_causes_five_an_hour_wherever_to(self, tenant):
        chat, _ = identified(tenant)
        found, statuses = chat.begin(), []
        for _ in range(mailing.MAILS_PER_VISITOR + 1):
            statuses.append(chat.client.post(own_url(found)).status)
            assert chat.client.post("/widget/v1/identify", {"email": new_email()}).status == 200
        assert statuses == [202] * mailing.MAILS_PER_VISITOR + [429]


def test_it_is_sent_once_however_often_the_event_is_seen(services, tenant, owner, chat):
    found, email, key = chat.begin(), new_email(), unique()
    for _ in range(2):
        assert owner.post(url(found), {"email": email}, Idempotency_Key=key).status == 202
    drain(services)
    with later(60_000):
        (shown,) = rows(owner, f"/v1/events?type={mailing.EVENT}")
    row = tenant_rows(tenant.id).query(found, prefix="e#", newest_first=True, limit=1).items[0]
    event = event_from_item(row)
    assert event.id == shown["id"]
    for _ in range(2):
        notifications.on_event(event)
        drain(services)
    assert len(Post(services).to(email)) == 1
