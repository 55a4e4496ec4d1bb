"""What is done under faults, each with what must hold afterwards; the audit of all rows comes on top.

To add one, write a function that sets the scene and returns a `Scenario`, and put it into SCENARIOS: `make crashes`
tries all faults on each of those. CI crashes what is in CRASHED at each call.
"""

from collections.abc import Callable

from chalicelib.webhooks.sending import Outcome
from tests.support.aws import Services
from tests.support.chats import conversation, messages_of, new_chat, new_site, unique
from tests.support.client import Answer
from tests.support.contacts import CONTACTS, add_note, contact, conversations_of, link_conversation, new_contact
from tests.support.crashes import Scenario
from tests.support.files import FILES, OWN_FILES, posted, uploaded
from tests.support.people import new_email
from tests.support.queues import drain
from tests.support.tags import TAGS, TEAMS, new_team
from tests.support.tenants import anonymous, invitation_token, invite, new_member, new_tenant, new_user
from tests.support.webhooks import deliveries_of, new_webhook

BEGIN = "/widget/v1/conversations"


def visitor_send(_services: Services) -> Scenario:
    """A visitor writes, and his browser repeats it with the same client_msg_id."""
    tenant = new_site()
    chat, key = new_chat(tenant), unique()
    found = chat.begin("Hi")

    def check() -> None:
        assert [row["content"] for row in messages_of(tenant.owner.client, found)] == ["Hi", "once"]
        assert conversation(tenant.owner.client, found)["message_count"] == 2

    return Scenario(tenant.id, lambda: chat.say(found, "once", client_msg_id=key), check)


def agent_send(_services: Services) -> Scenario:
    """An agent answers a closed conversation, with an Idempotency-Key."""
    tenant = new_site()
    owner, found, key = tenant.owner.client, new_chat(tenant).begin("Hi"), unique()

    def act() -> Answer:
        return owner.post(f"/v1/conversations/{found}/messages", {"content": "once"}, Idempotency_Key=key)

    def check() -> None:
        assert [row["content"] for row in messages_of(owner, found)] == ["Hi", "once"]

    return Scenario(tenant.id, act, check)


def write_to_closed(_services: Services) -> Scenario:
    """A visitor writes into a closed conversation, which opens again."""
    tenant = new_site()
    owner, chat, key = tenant.owner.client, new_chat(tenant), unique()
    found = chat.begin("Hi")
    assert owner.post(f"/v1/conversations/{found}/close").status == 200

    def check() -> None:
        assert conversation(owner, found)["status"] == "open"
        assert owner.get("/v1/conversations?status=open").json["pagination"]["total"] == 1
        assert owner.get("/v1/conversations?status=closed").json["pagination"]["total"] == 0

    return Scenario(tenant.id, lambda: chat.say(found, "once", client_msg_id=key), check)


def open_conversation(_services: Services) -> Scenario:
    """A visitor begins a conversation with his first message."""
    tenant = new_site()
    chat, key = new_chat(tenant), unique()

    def check() -> None:
        (row,) = tenant.owner.client.get("/v1/conversations").json["data"]
        assert [each["content"] for each in messages_of(tenant.owner.client, row["id"])] == ["once"]
        assert tenant.owner.client.get("/v1/conversations?status=open").json["pagination"]["total"] == 1

    body = {"message": {"content": "once", "client_msg_id": key}}
    return Scenario(tenant.id, lambda: chat.client.post(BEGIN, body), check)


def open_for_contact(_services: Services) -> Scenario:
    """An agent opens a conversation for a contact without a visitor, who is made with it."""
    tenant, key = new_site(), unique()
    owner, contact_id = tenant.owner.client, new_contact(tenant.owner.client)["id"]

    def check() -> None:
        (row,) = owner.get("/v1/conversations").json["data"]
        assert [each["content"] for each in messages_of(owner, row["id"])] == ["once"]
        assert conversations_of(owner, contact_id) == {row["id"]}
        assert owner.get("/v1/visitors").json["pagination"]["total"] == 1
        assert owner.get(f"/v1/visitors/{row['visitor_id']}").json["contact_id"] == contact_id

    body = {"contact_id": contact_id, "message": {"content": "once", "client_msg_id": key}}
    return Scenario(tenant.id, lambda: owner.post("/v1/conversations", body), check)


def close(_services: Services) -> Scenario:
    """An agent closes a conversation: what happened is the same, however often."""
    tenant = new_site()
    owner, found = tenant.owner.client, new_chat(tenant).begin("Hi")

    def check() -> None:
        assert conversation(owner, found)["status"] == "closed"
        assert owner.get("/v1/conversations?status=closed").json["pagination"]["total"] == 1

    return Scenario(tenant.id, lambda: owner.post(f"/v1/conversations/{found}/close"), check)


def tag_and_snooze(_services: Services) -> Scenario:
    """An agent changes everything that moves a conversation between lists."""
    tenant = new_site()
    owner, found = tenant.owner.client, new_chat(tenant).begin("Hi")
    owner.patch(f"/v1/conversations/{found}", {"tags": ["old", "stays"]})
    body = {"tags": ["stays", "new"], "assigned_to": tenant.owner.user_id, "status": "pending", "priority": "high"}

    def check() -> None:
        assert conversation(owner, found).items() >= body.items()

    return Scenario(tenant.id, lambda: owner.patch(f"/v1/conversations/{found}", body), check)


def create_contact(_services: Services) -> Scenario:
    """An integration creates a contact, with an Idempotency-Key."""
    tenant = new_site()
    owner, key = tenant.owner.client, unique()
    company = owner.post("/v1/companies", {"name": "Acme"}).json["id"]
    body = {"name": "Kim Lee", "email": new_email(), "external_id": "7", "company_id": company}

    def check() -> None:
        (row,) = owner.get(CONTACTS).json["data"]
        for query in ("search=kim", f"email={body['email']}", "external_id=7", f"company_id={company}"):
            assert owner.get(f"{CONTACTS}?{query}").json["data"] == [row]

    return Scenario(tenant.id, lambda: owner.post(CONTACTS, body, Idempotency_Key=key), check)


def merge_contacts(_services: Services) -> Scenario:
    """An agent merges two contacts: a job, with notes and conversations to move."""
    tenant = new_site()
    owner, chat = tenant.owner.client, new_chat(tenant)
    source = new_contact(owner, "Jürgen", email=new_email(), external_id="j")["id"]
    target = new_contact(owner, "Ana", email=new_email())["id"]
    ours = link_conversation(tenant.id, chat.visitor_id, source)
    add_note(owner, source, "n")

    def check() -> None:
        assert contact(owner, source)["id"] == target
        assert conversations_of(owner, target) == {ours}

    return Scenario(tenant.id, lambda: owner.post(f"{CONTACTS}/{source}/merge", {"into": target}), check)


def accept_invitation(_services: Services) -> Scenario:
    """Somebody follows the link of an invitation; who has joined already is told so."""
    tenant, someone = new_site(), new_user()
    token = invitation_token(tenant, invite(tenant, someone.email, "admin"))

    def act() -> Answer:
        return anonymous().post("/v1/auth/accept-invite", {"token": token})

    def check() -> None:
        found = [row for row in tenant.owner.client.get(f"{tenant.url}/members").json["data"] if row["role"] == "admin"]
        assert [(row["user_id"], row["status"]) for row in found] == [(someone.user_id, "active")]
        assert someone.client.get("/v1/tenants").json["data"][0]["id"] == tenant.id

    return Scenario(tenant.id, act, check, frozenset({200, 409}))


def create_canned_response(_services: Services) -> Scenario:
    """An agent adds a canned response, which is counted and whose shortcut is guarded."""
    tenant, key = new_site(), unique()
    owner = tenant.owner.client

    def check() -> None:
        assert [row["shortcut"] for row in owner.get("/v1/canned-responses").json["data"]] == ["/once"]

    body = {"shortcut": "/once", "content": "x"}
    return Scenario(tenant.id, lambda: owner.post("/v1/canned-responses", body, Idempotency_Key=key), check)


def invite_by_mail(_services: Services) -> Scenario:
    """An owner invites somebody, who gets one mail."""
    tenant, key = new_tenant(), unique()
    body = {"email": new_email(), "role": "agent"}

    def act() -> Answer:
        return tenant.owner.client.post(f"{tenant.url}/members", body, Idempotency_Key=key)

    return Scenario(tenant.id, act, mails=1)


def complete_file(services: Services) -> Scenario:
    """An agent's browser has sent a file to the bucket and says so: it is looked at and becomes ready."""
    tenant = new_site()
    owner = tenant.owner.client
    file_id = posted(services, owner, b"hello")

    def check() -> None:
        assert owner.get(f"{FILES}/{file_id}").json["status"] == "ready"
        assert owner.get(f"{FILES}/usage").json == {"files": 1, "bytes": 5}
        assert [each for each in services.objects.present() if each.startswith(f"files/{tenant.id}/{file_id}/")]

    return Scenario(tenant.id, lambda: owner.post(f"{FILES}/{file_id}/complete"), check)


def send_file(services: Services) -> Scenario:
    """A visitor sends a file that he has uploaded."""
    tenant = new_site()
    chat, key = new_chat(tenant), unique()
    found, sent = chat.begin("Hi"), uploaded(chat.client, url=OWN_FILES)["id"]

    def check() -> None:
        assert [[each["id"] for each in row["attachments"]] for row in messages_of(tenant.owner.client, found)][1:] == [
            [sent]
        ]

    return Scenario(tenant.id, lambda: chat.say(found, "", client_msg_id=key, attachments=[sent]), check)


def _webhook(services: Services, *outcomes: Outcome) -> Scenario:
    tenant = new_site()
    owner, chat, key = tenant.owner.client, new_chat(tenant), unique()
    found = chat.begin("Hi")
    drain(services)
    webhook = new_webhook(owner, events=["message.created"])
    left = list(outcomes)

    def receive() -> Outcome:
        return left.pop(0) if left else Outcome(200, 1)

    def check() -> None:
        assert [each["status"] for each in deliveries_of(owner, webhook)] == ["delivered"]

    def recall(held: list[Outcome]) -> None:
        left[:] = held

    def act() -> Answer:
        return chat.say(found, "once", client_msg_id=key)

    return Scenario(tenant.id, act, check, receive=receive, remember=left.copy, recall=recall)


def deliver_webhook(services: Services) -> Scenario:
    """A visitor writes, and an endpoint of the tenant's is told."""
    return _webhook(services)


def deliver_webhook_again(services: Services) -> Scenario:
    """The same, but its server has trouble at first."""
    return _webhook(services, Outcome(503, 1))


def merge_conversations(_services: Services) -> Scenario:
    """An agent merges two of a visitor's conversations: a job, with messages and a file to move."""
    tenant = new_site()
    owner, chat, key = tenant.owner.client, new_chat(tenant), unique()
    target, source = chat.begin("t1"), chat.begin("s1")
    chat.say(source, "s2", attachments=[uploaded(chat.client, url=OWN_FILES)["id"]])

    def act() -> Answer:
        return owner.post(f"/v1/conversations/{source}/merge", {"into": target}, Idempotency_Key=key)

    def check() -> None:
        assert [row["content"] for row in messages_of(owner, target)] == ["t1", "s1", "s2"]
        assert conversation(owner, source)["id"] == target

    return Scenario(tenant.id, act, check)


def delete_conversation(_services: Services) -> Scenario:
    """An owner deletes a conversation: a job, with messages and a file to remove."""
    tenant = new_site()
    owner, chat = tenant.owner.client, new_chat(tenant)
    found = chat.begin("Hi")
    chat.say(found, "more", attachments=[uploaded(chat.client, url=OWN_FILES)["id"]])

    def check() -> None:
        assert owner.get("/v1/conversations").json["data"] == []
        assert owner.get(f"{FILES}/usage").json == {"files": 0, "bytes": 0}

    return Scenario(tenant.id, lambda: owner.delete(f"/v1/conversations/{found}"), check, frozenset({204, 404}))


def rename_tag(_services: Services) -> Scenario:
    """An agent renames a tag: a job, with conversations that get the new name."""
    tenant = new_site()
    owner, chat = tenant.owner.client, new_chat(tenant)
    found = [chat.begin() for _ in range(2)]
    for each in found:
        assert owner.patch(f"/v1/conversations/{each}", {"tags": ["old", "stays"]}).status == 200
    tag = owner.get(f"{TAGS}?name=old").json["data"][0]["id"]

    def check() -> None:
        assert {tuple(conversation(owner, each)["tags"]) for each in found} == {("new", "stays")}
        assert {row["name"]: row["job_id"] for row in owner.get(TAGS).json["data"]} == {"new": None, "stays": None}

    return Scenario(tenant.id, lambda: owner.patch(f"{TAGS}/{tag}", {"name": "new"}), check)


def delete_tag(_services: Services) -> Scenario:
    """An agent deletes a tag: a job, with conversations that lose it; its name is free again in the end."""
    tenant = new_site()
    owner, found = tenant.owner.client, new_chat(tenant).begin()
    assert owner.patch(f"/v1/conversations/{found}", {"tags": ["old", "stays"]}).status == 200
    tag = owner.get(f"{TAGS}?name=old").json["data"][0]["id"]

    def check() -> None:
        assert conversation(owner, found)["tags"] == ["stays"]
        assert [row["name"] for row in owner.get(TAGS).json["data"]] == ["stays"]

    return Scenario(tenant.id, lambda: owner.delete(f"{TAGS}/{tag}"), check, frozenset({204, 404}))


def delete_team(_services: Services) -> Scenario:
    """An owner deletes a team: a job, with conversations that leave it."""
    tenant = new_site()
    owner, chat = tenant.owner.client, new_chat(tenant)
    team, found = new_team(owner, members=[tenant.owner.user_id])["id"], [chat.begin() for _ in range(2)]
    for each in found:
        assert owner.patch(f"/v1/conversations/{each}", {"team_id": team}).status == 200

    def check() -> None:
        assert {conversation(owner, each)["team_id"] for each in found} == {None}

    return Scenario(tenant.id, lambda: owner.delete(f"{TEAMS}/{team}"), check, frozenset({204, 404}))


def leave_team(_services: Services) -> Scenario:
    """An owner removes a member, who leaves the teams."""
    tenant = new_site()
    owner, agent = tenant.owner.client, new_member(tenant, "agent")
    team = new_team(owner, members=[tenant.owner.user_id, agent.user_id])["id"]

    def check() -> None:
        assert owner.get(f"{TEAMS}/{team}").json["members"] == [tenant.owner.user_id]

    url = f"{tenant.url}/members/{agent.user_id}"
    return Scenario(tenant.id, lambda: owner.delete(url), check, frozenset({204, 404}))


CRASHED: tuple[Callable[[Services], Scenario], ...] = (
    *(visitor_send, agent_send, write_to_closed, open_conversation, open_for_contact, close, tag_and_snooze),
    *(create_contact, accept_invitation, create_canned_response, invite_by_mail),
    *(complete_file, send_file, deliver_webhook, deliver_webhook_again),
)
# The jobs have tests of their own, with every detail, in tests/contacts, conversations, tags and teams.
SCENARIOS = (
    *(*CRASHED, merge_contacts, merge_conversations, delete_conversation),
    *(rename_tag, delete_tag, delete_team, leave_team),
)
