"""Mails to members: what they want to hear of, once, and nothing of what they do themselves."""

import pytest

from chalicelib.events.dispatcher import dispatch
from tests.support.chats import new_chat, new_test_site, reply
from tests.support.clocks import later
from tests.support.mails import header_of, link_of, text_of
from tests.support.queues import drain
from tests.support.tenants import new_key, new_member, new_tenant

MINE = "/members/me/notifications"
WINDOW_MS = 900_000


@pytest.fixture
def agent(tenant):
    return new_member(tenant, "agent")


@pytest.fixture
def chat(tenant):
    return new_chat(tenant)


def choose(tenant, someone, **chosen):
    body = {"assigned": True, "new": False, "message": True} | chosen
    assert someone.client.put(tenant.url + MINE, body).status == 200


def assign(tenant, conversation_id, someone):
    url = f"/v1/conversations/{conversation_id}/assign"
    assert tenant.owner.client.post(url, {"assigned_to": someone and someone.user_id}).status == 200


class TestAssigned:
    def test_the_assignee_gets_a_mail_with_a_link_and_a_way_out(self, tenant, agent, chat, post):
        found = chat.begin()
        assign(tenant, found, agent)
        post.reminders()
        (mail,) = post.to(agent.email)
        assert mail["Content"]["Simple"]["Subject"]["Data"] == "Acme: conversation 1 is yours"
        assert link_of(mail, "/inbox") == f"/inbox?conversation={found}"
        out = link_of(mail, "/mail/unsubscribe")
        assert header_of(mail, "List-Unsubscribe") == f"<https://api.test{out}>"
        assert header_of(mail, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"

    def test_the_language_is_the_tenants(self, chat, post):
        tenant = new_tenant(domain="www.example.com", language="de")
        agent, chat = new_member(tenant, "agent"), new_chat(tenant)
        assign(tenant, chat.begin(), agent)
        post.reminders()
        assert "gehört Ihnen" in post.to(agent.email)[-1]["Content"]["Simple"]["Subject"]["Data"]

    def test_whoever_takes_it_themselves_needs_no_mail(self, tenant, chat, post):
        assign(tenant, chat.begin(), tenant.owner)
        post.reminders()
        assert post.to(tenant.owner.email) == []

    def test_a_key_that_assigns_is_somebody_else(self, tenant, agent, chat, post):
        key = new_key(tenant, name="k", scopes=["conversations:write"])
        body = {"assigned_to": agent.user_id}
        assert key.post(f"/v1/conversations/{chat.begin()}/assign", body).status == 200
        post.reminders()
        assert len(post.to(agent.email)) == 1

    def test_to_and_fro_within_a_quarter_of_an_hour_is_one_mail(self, tenant, agent, chat, post):
        found = chat.begin()
        with later(-WINDOW_MS):  # the clock stands: all in one window
            for someone in (agent, None, agent, None, agent):
                assign(tenant, found, someone)
            post.reminders()
        assert len(post.to(agent.email)) == 1
        assign(tenant, found, None)
        assign(tenant, found, agent)
        post.reminders()
        assert len(post.to(agent.email)) == 2

    def test_who_unsubscribed_by_the_link_gets_no_more(self, tenant, agent, chat, post):
        from tests.support.tenants import anonymous

        assign(tenant, chat.begin(), agent)
        post.reminders()
        anonymous().post(link_of(post.to(agent.email)[0], "/mail/unsubscribe"))
        assign(tenant, chat.begin(), agent)
        post.reminders()
        assert len(post.to(agent.email)) == 1

    def test_who_left_meanwhile_gets_none(self, tenant, agent, chat, post):
        assign(tenant, chat.begin(), agent)
        tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}")
        post.reminders()
        assert post.to(agent.email) == []

    def test_test_data_causes_no_mail(self, tenant, agent, services, post):
        key, chat = new_test_site(tenant)
        choose(tenant, agent, new=True)
        found = chat.begin()
        key.patch(f"/v1/conversations/{found}", {"assigned_to": agent.user_id})
        chat.say(found)
        assert post.reminders() == []
        assert post.to(agent.email) == []


class TestNew:
    def test_only_who_wants_hears_of_a_visitors_new_conversation(self, tenant, agent, chat, post):
        other = new_member(tenant, "viewer")
        choose(tenant, agent, new=True)
        chat.begin("Is the tent waterproof?")
        post.reminders()
        (mail,) = post.to(agent.email)
        assert "> Is the tent waterproof?" in text_of(mail).splitlines()
        assert post.to(other.email) == post.to(tenant.owner.email) == []

    def test_what_an_agent_opens_is_no_news(self, tenant, agent, chat, post):
        choose(tenant, agent, new=True)
        tenant.owner.client.post("/v1/conversations", {"visitor_id": chat.visitor_id})
        post.reminders()
        assert post.to(agent.email) == []

    def test_an_event_seen_twice_is_one_mail(self, tenant, agent, chat, services, post, monkeypatch):
        choose(tenant, agent, new=True)
        post.reminders()
        found = chat.begin()
        from chalicelib.events import dispatcher

        advance = dispatcher._advance
        monkeypatch.setattr(dispatcher, "_advance", lambda *_: True)  # dies before it can note how far it came
        dispatch(f"{tenant.id}#{found}")
        dispatch(f"{tenant.id}#{found}")
        monkeypatch.setattr(dispatcher, "_advance", advance)
        drain(services)
        assert len(post.to(agent.email)) == 1


class TestMessage:
    @pytest.fixture
    def mine(self, tenant, agent, chat, post):
        found = chat.begin()
        reply(agent.client, found)
        assign(tenant, found, agent)
        post.reminders()
        post.services.mails.clear()
        return found

    def test_the_assignee_hears_of_a_message_that_nobody_read_for_two_minutes(self, agent, chat, post, mine):
        chat.say(mine, "Still there?")
        (reminder,) = post.reminders()
        assert post.to(agent.email) == []
        post.remind(reminder)
        (mail,) = post.to(agent.email)
        assert "> Still there?" in text_of(mail).splitlines()
        assert "Visitor:" in text_of(mail).splitlines()

    def test_not_if_it_was_read_or_answered_or_closed(self, agent, chat, post, mine):
        for deal in (
            lambda: agent.client.post(f"/v1/conversations/{mine}/read"),
            lambda: reply(agent.client, mine),
            lambda: agent.client.post(f"/v1/conversations/{mine}/close"),
        ):
            chat.say(mine)
            waiting = post.reminders()
            assert deal().status in {200, 201}
            post.remind(*waiting)
        assert post.to(agent.email) == []

    def test_many_messages_and_a_repeated_reminder_are_one_mail(self, agent, chat, post, mine):
        with later(0):  # the clock stands
            for number in range(3):
                chat.say(mine, f"message {number}")
            waiting = post.reminders()
            assert len(waiting) == 3
            post.remind(*waiting, *waiting)
        (mail,) = post.to(agent.email)
        assert [line for line in text_of(mail).splitlines() if line.startswith("> ")] == [
            "> message 0",
            "> message 1",
            "> message 2",
        ]

    def test_reminders_that_come_late_and_together_are_one_mail(self, agent, chat, post, mine):
        with later(-2 * WINDOW_MS):
            chat.say(mine)
            early = post.reminders()
        chat.say(mine)
        post.remind(*early, *post.reminders())
        assert len(post.to(agent.email)) == 1

    def test_who_does_not_want_gets_none(self, tenant, agent, chat, post, mine):
        choose(tenant, agent, message=False)
        chat.say(mine)
        post.remind(*post.reminders())
        assert post.to(agent.email) == []

    def test_nobodys_conversation_needs_no_reminder(self, tenant, chat, post):
        found = chat.begin()
        chat.say(found)
        assert post.reminders() == []

    def test_a_message_is_dispatched_without_a_further_read_or_write(self, tenant, agent, chat, post, mine):
        from tests.support.chats import dispatch_all

        def dynamodb(send):
            send()
            post.services.reset()
            dispatch_all(post.services)
            return [each for each in post.services.calls if each[0] == "dynamodb"], post.services.units

        of_mine = dynamodb(lambda: chat.say(mine))
        free = chat.begin()
        dispatch_all(post.services)
        assert of_mine == dynamodb(lambda: chat.say(free))
        assert of_mine == dynamodb(lambda: reply(agent.client, mine))
