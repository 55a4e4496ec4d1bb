"""A visitor who left hears of the answer by mail: once, all of it, and with the way back."""

import pytest

import app
from chalicelib.core import aws
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import tenant_rows
from tests.support.chats import chat_of, new_chat, new_test_site, reply, start_session
from tests.support.clocks import later
from tests.support.contacts import new_contact, unique_email
from tests.support.faults import injected
from tests.support.mails import PAGE, header_of, identified, link_of, text_of
from tests.support.queues import deliver, drain
from tests.support.tenants import anonymous, new_tenant

QUIET_MS = 900_000


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


def quoted(mail):
    return [line.removeprefix("> ") for line in text_of(mail).splitlines() if line.startswith("> ")]


def noted(tenant, conversation_id):
    """What is noted about mails, beside a conversation."""
    return [row for row in tenant_rows(tenant.id).query(conversation_id).items if row["sk"] == "offline"]


class TestTelling:
    def test_what_was_not_read_for_five_minutes_goes_out_with_the_way_back(self, tenant, owner, post):
        chat, email = identified(tenant, locale="de-AT")
        found = chat.begin()
        reply(owner, found, "Guten Tag!")
        (reminder,) = post.reminders()
        assert post.to(email) == []
        post.remind(reminder)
        (mail,) = post.to(email)
        assert mail["Content"]["Simple"]["Subject"]["Data"] == "Acme hat Ihnen geantwortet"
        assert mail["FromEmailAddress"] == "Acme <no-reply@parley.test>"
        assert quoted(mail) == ["Guten Tag!"]
        back = anonymous().get(link_of(mail, "/mail/chat"))
        assert back.headers["Location"].startswith(f"{PAGE}#parley_token=")
        again = chat_of(start_session(tenant, visitor_token=back.headers["Location"].partition("token=")[2]))
        assert again.heard(found) == ["Hi, I have a question about pricing.", "Guten Tag!"]

    def test_it_waits_for_five_minutes(self, tenant, owner, services):
        from chalicelib.core.aws import interceptors

        asked = []

        def note(service, operation, params, proceed):
            if params.get("QueueUrl") == "reminders":
                asked.append(params["DelaySeconds"])
            return proceed()

        chat, _ = identified(tenant)
        with later(0):
            reply(owner, chat.begin())
            interceptors.append(note)
            drain(services)
        assert asked == [300]

    def test_not_if_it_was_read_or_the_visitor_wrote(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        for deal in (lambda: chat.client.post(f"/widget/v1/conversations/{found}/read"), lambda: chat.say(found)):
            reply(owner, found)
            waiting = post.reminders()
            assert deal().status in {200, 201}
            post.remind(*waiting)
        assert post.to(email) == []

    def test_notes_among_agents_are_never_told(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found, "a note", private=True)
        assert post.reminders() == []
        reply(owner, found, "public")
        reply(owner, found, "another note", private=True)
        post.remind(*post.reminders())
        assert quoted(post.to(email)[0]) == ["public"]

    def test_nothing_that_the_visitor_typed_is_in_it(self, tenant, owner, post):
        chat, email = identified(tenant)
        chat.client.post("/widget/v1/identify", {"name": "Buy at spam.example"})
        reply(owner, chat.begin("spam.example has it all"))
        post.remind(*post.reminders())
        assert "spam" not in str(post.to(email))

    def test_a_visitor_without_an_address_or_a_page_gets_none(self, tenant, owner, post):
        reply(owner, new_chat(tenant).begin())
        chat, email = identified(tenant, page_url="https://evil.test/")
        reply(owner, chat.begin())
        post.remind(*post.reminders())
        assert post.services.mails == []
        assert post.to(email) == []

    def test_a_long_message_is_cut_and_says_so(self, tenant, owner, post):
        chat, email = identified(tenant)
        reply(owner, chat.begin(), "x" * 3000)
        post.remind(*post.reminders())
        assert quoted(post.to(email)[0]) == ["x" * 1999 + "…"]

    def test_what_is_dispatched_a_day_late_is_no_news(self, tenant, owner, post):
        chat, _ = identified(tenant)
        reply(owner, chat.begin())
        with later(86_400_001):
            assert post.reminders() == []

    def test_test_data_causes_no_mail(self, tenant, post):
        key, chat = new_test_site(tenant)
        chat.client.post("/widget/v1/identify", {"email": "kim@people.test"})
        reply(key, chat.begin())
        assert post.reminders() == []


class TestContactsAddress:
    @pytest.fixture
    def ana(self, owner):
        return new_contact(owner, email=unique_email())

    def linked(self, tenant, contact, **more):
        chat = new_chat(tenant, **more)
        url = f"/v1/visitors/{chat.visitor_id}/identify"
        assert tenant.owner.client.post(url, {"contact_id": contact["id"]}).status == 200
        return chat

    def opened(self, owner, contact):
        body = {"contact_id": contact["id"], "message": {"content": "Your parcel left."}}
        answer = owner.post("/v1/conversations", body)
        assert answer.status == 201, answer.text
        return answer.json["id"]

    def test_a_visitor_who_has_given_none_hears_at_his_contacts_with_the_way_back(self, tenant, owner, post, ana):
        self.linked(tenant, ana, page_url=PAGE)
        found = self.opened(owner, ana)
        post.remind(*post.reminders())
        (mail,) = post.to(ana["email"])
        assert quoted(mail) == ["Your parcel left."]
        back = anonymous().get(link_of(mail, "/mail/chat")).headers["Location"]
        assert back.startswith(f"{PAGE}#parley_token=")
        again = chat_of(start_session(tenant, visitor_token=back.partition("token=")[2]))
        assert again.heard(found) == ["Your parcel left."]

    def test_the_way_back_ends_when_the_contacts_address_is_another_one(self, tenant, owner, post, ana):
        self.linked(tenant, ana, page_url=PAGE)
        self.opened(owner, ana)
        post.remind(*post.reminders())
        link = link_of(post.to(ana["email"])[0], "/mail/chat")
        assert anonymous().get(link).status == 302
        assert owner.patch(f"/v1/contacts/{ana['id']}", {"email": unique_email()}).status == 200
        assert anonymous().get(link).status == 200

    def test_what_he_has_given_himself_comes_first(self, tenant, owner, post, ana):
        chat, email = identified(tenant)
        owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": ana["id"]})
        self.opened(owner, ana)
        post.remind(*post.reminders())
        assert (len(post.to(email)), post.to(ana["email"])) == (1, [])

    def test_who_has_never_been_on_a_page_can_be_led_to_none_and_gets_no_mail(self, tenant, owner, post, ana):
        self.opened(owner, ana)
        post.remind(*post.reminders())
        assert post.services.mails == []

    def test_what_was_opened_for_him_can_be_sent_as_a_transcript(self, tenant, owner, post, ana):
        found = self.opened(owner, ana)
        assert owner.post(f"/v1/conversations/{found}/transcript", {}).status == 202
        drain(post.services)
        (mail,) = post.to(ana["email"])
        assert "Your parcel left." in text_of(mail)


class TestOnce:
    def test_all_that_is_unread_is_one_mail(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        for number in range(3):
            reply(owner, found, f"answer {number}")
        waiting = post.reminders()
        assert len(waiting) == 3
        post.services.reset()
        post.remind(*waiting)
        assert post.services.calls.count(("sqs", "send_message")) == 1  # the others know that they are in it
        post.remind(*reversed(waiting))
        (mail,) = post.to(email)
        assert quoted(mail) == ["answer 0", "answer 1", "answer 2"]

    def test_what_is_said_later_is_told_later_and_alone(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found, "first")
        post.remind(*post.reminders())
        reply(owner, found, "second")
        (reminder,) = post.reminders()
        post.remind(reminder)
        assert len(post.to(email)) == 1  # too soon after the first
        (again,) = post.reminders()
        assert again == reminder
        with later(QUIET_MS):
            post.remind(again)
        assert [quoted(mail) for mail in post.to(email)] == [["first"], ["second"]]

    def test_after_the_visitor_was_back_only_what_is_new_is_told(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found, "first")
        post.remind(*post.reminders())
        chat.client.post(f"/widget/v1/conversations/{found}/read")
        reply(owner, found, "second")
        with later(QUIET_MS):
            post.remind(*post.reminders())
        assert [quoted(mail) for mail in post.to(email)] == [["first"], ["second"]]

    def test_nothing_of_it_stays_with_a_deleted_conversation(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found)
        post.remind(*post.reminders())
        assert len(post.to(email)) == 1
        assert owner.delete(f"/v1/conversations/{found}").status == 204
        drain(post.services)
        assert noted(tenant, found) == []

    def test_nothing_is_noted_of_a_conversation_that_goes_meanwhile(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found)
        (reminder,) = post.reminders()
        gone: list[int | None] = []

        def meanwhile(service, operation, params, proceed):
            # It has been read, and nothing is noted yet.
            if (service, operation) == ("dynamodb", "transact_write_items") and not gone:
                gone.append(None)
                gone.append(owner.delete(f"/v1/conversations/{found}").status)
                drain(post.services)
            return proceed()

        with injected(meanwhile):
            failed = deliver(app.remind, [reminder.to_json()])
        assert (gone[1], failed) == (204, [reminder.to_json()])
        assert deliver(app.remind, failed) == []
        assert (noted(tenant, found), post.to(email)) == ([], [])

    @pytest.mark.parametrize("still_moving", [False, True])
    def test_what_was_said_in_a_conversation_that_was_merged_is_told_too(self, tenant, owner, post, still_moving):
        chat, email = identified(tenant)
        target, source = chat.begin(), chat.begin()
        reply(owner, target, "first")
        post.remind(*post.reminders())
        reply(owner, source, "second")
        (reminder,) = post.reminders()
        assert owner.post(f"/v1/conversations/{source}/merge", {"into": target}).status == 202
        waiting = [reminder]
        if still_moving:
            assert deliver(app.remind, [reminder.to_json()]) == []
            waiting = post.reminders()
            assert (waiting, len(post.to(email))) == ([reminder], 1)
        drain(post.services)
        with later(QUIET_MS):
            post.remind(*waiting)
            post.remind(*waiting)
        assert [quoted(mail) for mail in post.to(email)] == [["first"], ["second"]]

    @pytest.mark.parametrize("dies_at", range(12))
    def test_a_crash_at_any_call_loses_and_doubles_nothing(self, tenant, owner, post, dies_at):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found, "first")
        reply(owner, found, "second")
        bodies = [each.to_json() for each in post.reminders()]
        calls = iter(range(1000))

        def dies(service, operation, params, proceed):
            if next(calls) == dies_at:
                raise UnavailableError
            return proceed()

        aws.interceptors.append(dies)
        failed = deliver(app.remind, bodies)
        aws.interceptors.remove(dies)
        reply(owner, found, "third")  # meanwhile the agent goes on
        if failed:  # a transaction is tried again by itself
            deliver(app.remind, failed)
        drain(post.services)
        with later(QUIET_MS):
            post.remind(*post.reminders())
        told = [line for mail in post.to(email) for line in quoted(mail)]
        assert told == ["first", "second", "third"]


class TestTurningOff:
    def test_who_unsubscribes_gets_no_more_from_this_tenant_under_any_name(self, tenant, owner, post):
        chat, email = identified(tenant)
        found = chat.begin()
        reply(owner, found)
        post.remind(*post.reminders())
        out = link_of(post.to(email)[0], "/mail/unsubscribe")
        assert header_of(post.to(email)[0], "List-Unsubscribe") == f"<https://api.test{out}>"
        assert "no more mails" in anonymous().post(out).text
        other, _ = identified(tenant)
        other.client.post("/widget/v1/identify", {"email": email})
        reply(owner, other.begin())
        reply(owner, found)
        with later(QUIET_MS):
            post.remind(*post.reminders())
        assert len(post.to(email)) == 1

    def test_another_tenant_still_may_write(self, tenant, owner, post):
        chat, email = identified(tenant)
        reply(owner, chat.begin())
        post.remind(*post.reminders())
        anonymous().post(link_of(post.to(email)[0], "/mail/unsubscribe"))
        second = new_tenant(name="Globex", domain="www.example.com")
        elsewhere, _ = identified(second)
        elsewhere.client.post("/widget/v1/identify", {"email": email})
        reply(second.owner.client, elsewhere.begin())
        post.remind(*post.reminders())
        assert len(post.to(email)) == 2

    def test_one_mailbox_gets_ten_in_an_hour_however_many_chats_name_it(self, tenant, owner, post):
        _, email = identified(tenant)
        with later(0):  # the clock stands: all in one hour
            for _ in range(12):
                chat, _ = identified(tenant)
                chat.client.post("/widget/v1/identify", {"email": email})
                reply(owner, chat.begin())
            post.remind(*post.reminders())
        assert len(post.to(email)) == 10
