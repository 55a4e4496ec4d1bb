"""Rendering a canned response for a conversation."""

import pytest

from chalicelib.core import ids
from tests.support.answers import without_request_id
from tests.support.canned_responses import URL, new_canned_response
from tests.support.chats import Chat, new_chat, new_site, new_test_site
from tests.support.client import Answer, Client
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

TEXT = "Hi {{visitor.name|there}} <{{visitor.email}}>, #{{conversation.number}}: {{agent.name}}, {{tenant.name}}"
SCOPES = ("canned_responses:write", "conversations:read", "visitors:read", "contacts:read")


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture
def conversation(chat: Chat) -> str:
    return chat.begin()


@pytest.fixture
def response(owner: Client) -> str:
    response_id: str = new_canned_response(owner, TEXT)["id"]
    return response_id


def render(client: Client, conversation_id: str, response_id: str, **more: object) -> Answer:
    return client.post(f"/v1/conversations/{conversation_id}/canned-responses/{response_id}/render", more)


def used(client: Client, response_id: str) -> int:
    count: int = client.get(f"{URL}/{response_id}").json["usage_count"]
    return count


class TestRender:
    def test_anonymous_and_visitors_are_refused(self, chat, conversation, response):
        assert render(anonymous(), conversation, response).status == 401
        assert render(chat.client, conversation, response).code == "wrong_credential"

    def test_another_tenants_is_like_a_missing_one(self, owner, conversation, response):
        stranger_site = new_site()
        stranger = stranger_site.owner.client
        own_conversation, own_response = new_chat(stranger_site).begin(), new_canned_response(stranger)["id"]
        answers = [
            render(stranger, conversation, response),
            render(stranger, conversation, own_response),
            render(stranger, own_conversation, response),
            render(stranger, ids.new("conv"), own_response),
            render(stranger, own_conversation, ids.new("can")),
            render(stranger, own_conversation, "%00"),
            render(stranger, own_response, own_conversation),
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1
        assert used(owner, response) == used(stranger, own_response) == 0

    def test_a_viewer_cannot(self, tenant, conversation, response):
        assert render(new_member(tenant, "viewer").client, conversation, response).code == "insufficient_role"

    @pytest.mark.parametrize("lacking", SCOPES)
    def test_a_key_needs_each_scope_that_the_text_draws_on(self, tenant, owner, conversation, response, lacking):
        assert render(new_key(tenant, scopes=SCOPES), conversation, response).status == 200
        answer = render(new_key(tenant, scopes=[each for each in SCOPES if each != lacking]), conversation, response)
        assert (answer.status, answer.code) == (403, "insufficient_scope")
        assert lacking in answer.json["error"]["message"]
        assert used(owner, response) == 1

    def test_everything_about_the_conversation_is_known(self, tenant, owner, chat, conversation, response):
        chat.client.post("/widget/v1/identify", {"name": "Kim {{agent.name}}", "email": "kim@example.com"})
        answer = render(new_member(tenant, "agent").client, conversation, response)
        assert answer.json == {
            "content": "Hi Kim {{agent.name}} <kim@example.com>, #1: Agent, Acme",
            "missing": [],
        }
        assert used(owner, response) == 1

    def test_an_anonymous_visitor_leaves_defaults_and_gaps(self, owner, conversation, response):
        assert render(owner, conversation, response).json == {
            "content": "Hi there <>, #1: Ada Lovelace, Acme",
            "missing": ["visitor.email"],
        }

    def test_what_is_given_goes_first(self, owner, chat, conversation, response):
        chat.client.post("/widget/v1/identify", {"name": "Kim", "email": "kim@example.com"})
        given = {"visitor.name": "Ms Kim", "conversation.number": 7, "visitor.email": ""}
        assert render(owner, conversation, response, variables=given).json == {
            "content": "Hi Ms Kim <>, #7: Ada Lovelace, Acme",
            "missing": ["visitor.email"],
        }

    def test_test_data_is_rendered_for_test_data_only(self, tenant, owner, conversation, response):
        key, chat = new_test_site(tenant)
        mine, theirs = new_canned_response(key, TEXT)["id"], chat.begin()
        assert render(key, theirs, mine).json["content"] == "Hi there <>, #1: Acme, Acme"
        for client, pair in ((key, (conversation, mine)), (key, (theirs, response)), (owner, (theirs, response))):
            assert render(client, *pair).status == 404

    def test_with_an_idempotency_key_it_counts_once(self, owner, conversation, response):
        url, key = f"/v1/conversations/{conversation}/canned-responses/{response}/render", ids.new_ulid()
        first, again = (owner.post(url, {}, Idempotency_Key=key) for _ in range(2))
        assert first.json == again.json
        assert again.headers["Idempotency-Replayed"] == "true"
        assert used(owner, response) == 1

    def test_a_bad_body_is_refused(self, owner, conversation, response):
        answer = render(owner, conversation, response, variables={"visitor.nam": "x"}, more=1)
        assert (answer.status, answer.params) == (422, {"variables.visitor.nam", "more"})
        assert used(owner, response) == 0

    @pytest.mark.parametrize(
        ("text", "reads"),
        [
            ("Hello", 2),
            ("{{agent.name}} {{conversation.number}}", 2),
            ("{{visitor.name}}{{visitor.email}}", 3),
            (TEXT, 4),
        ],
    )
    def test_only_what_the_text_names_is_read(self, services, owner, conversation, text, reads):
        response_id = new_canned_response(owner, text)["id"]
        owner.get(URL)  # who the caller is was read before, and is remembered
        services.reset()
        owner.get("/v1/widgets")
        besides = len(services.calls) - 1
        services.reset()
        assert render(owner, conversation, response_id).status == 200
        assert len(services.calls) - besides == reads + 1
        assert services.calls[-1] == ("dynamodb", "transact_write_items")


def test_a_tenant_without_that_conversation_gets_nothing():
    owner = new_tenant().owner.client
    assert render(owner, ids.new("conv"), new_canned_response(owner)["id"]).status == 404
