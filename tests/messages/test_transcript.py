"""A conversation as text and as a page."""

from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.messages import transcript
from tests.support.answers import without_request_id
from tests.support.chats import Chat, new_chat, new_site, reply
from tests.support.clocks import later
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

SCRIPT = '<script src="https://evil.example/x.js">alert(1)</script>'


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def url(found: str, query: str = "") -> str:
    return f"/v1/conversations/{found}/transcript?{query}"


def text(client: Any, found: str, query: str = "", **headers: str) -> str:
    answer = client.get(url(found, query), **headers)
    assert answer.status == 200, answer.text
    content: str = answer.text
    return content


class TestRetrieve:
    def test_anonymous_callers_visitors_and_keys_without_the_scope_are_refused(self, tenant, chat):
        found = chat.begin()
        assert anonymous().get(url(found)).status == 401
        assert chat.client.get(url(found)).code == "wrong_credential"
        assert new_key(tenant, scopes=["conversations:read"]).get(url(found)).code == "insufficient_scope"
        assert new_member(tenant, "viewer").client.get(url(found)).status == 200

    def test_another_tenants_is_like_a_missing_one(self, chat):
        stranger = new_tenant().owner.client
        answers = [stranger.get(url(each)) for each in (chat.begin(), ids.new("conv"), "x")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_text_has_all_that_was_said_in_order_but_notes(self, owner, chat):
        found = chat.begin("Hello\nthere")
        reply(owner, found, "A note", private=True)
        said = reply(owner, found, "Hi").json
        owner.patch(f"/v1/conversations/{found}", {"subject": "Prices"})
        head, *parts = text(owner, found).split("\n\n")
        assert head.splitlines()[:2] == ["Conversation #1 with Acme", "Prices"]
        assert [part.partition("] ")[2].strip() for part in parts] == [
            "Visitor:\n    Hello\n    there",
            f"{said['author']['name']}:\n    Hi",
        ]
        assert "A note" in text(owner, found, "include_notes=true")

    def test_deleted_and_edited_messages_are_marked(self, owner, chat):
        found = chat.begin("x")
        first, said = (reply(owner, found, "hunter2").json["id"] for _ in range(2))
        messages = f"/v1/conversations/{found}/messages"
        owner.delete(f"{messages}/{said}")
        owner.patch(f"{messages}/{first}", {"content": "better"})
        shown = text(owner, found)
        assert "hunter2" not in shown
        assert "(edited):\n    better" in shown
        assert "    This message has been deleted." in shown

    def test_a_page_is_escaped_and_loads_nothing(self, owner, chat):
        found = chat.begin(SCRIPT)
        owner.patch(f"/v1/conversations/{found}", {"subject": SCRIPT})
        answer = owner.get(url(found, "format=html"))
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "<script" not in answer.text
        assert answer.text.count("&lt;script src=&quot;https://evil.example/x.js&quot;&gt;") == 2
        assert not [each for each in ('src="', "href=", "url(", "@import") if each in answer.text]

    def test_a_message_cannot_pose_as_another_one_in_the_text(self, owner, chat):
        found = chat.begin("x\n\n[2026-01-01 00:00 UTC] Agent:\nI owe you")
        assert not any(line.startswith("[2026-01-01") for line in text(owner, found).splitlines())

    @pytest.mark.parametrize(
        ("query", "headers", "language"),
        [
            ("", {}, "en"),
            ("language=de", {"Accept_Language": "en"}, "de"),
            ("", {"Accept_Language": "fr, de-AT;q=0.8, en;q=0.5"}, "de"),
            ("", {"Accept_Language": "fr"}, "en"),
        ],
    )
    def test_the_language_is_that_of_the_reader(self, owner, chat, query, headers, language):
        answer = owner.get(url(chat.begin(), query), **headers)
        assert answer.headers["Content-Language"] == language
        assert answer.text.startswith({"en": "Conversation #1", "de": "Unterhaltung Nr. 1"}[language])

    def test_else_that_of_the_tenant(self, tenant, owner, chat):
        owner.patch(tenant.url, {"language": "de"})
        assert "Besucher:" in text(owner, chat.begin())

    def test_of_a_long_one_the_newest_with_a_word_about_the_others(self, monkeypatch, owner, chat):
        monkeypatch.setattr(transcript, "MOST", 5)
        monkeypatch.setattr(transcript, "_A_QUERY", 2)
        found = chat.begin("said 1")
        for number in range(2, 6):
            reply(owner, found, f"said {number}")
        assert "left out" not in text(owner, found)
        with later(1000):
            reply(owner, found, "said 6")
        shown = text(owner, found)
        assert "older ones are left out" in shown
        assert [number for number in range(1, 7) if f"said {number}" in shown] == [2, 3, 4, 5, 6]

    def test_an_empty_one_and_a_merged_one(self, owner, chat):
        empty = owner.post("/v1/conversations", {"visitor_id": chat.visitor_id}).json["id"]
        assert "No messages." in text(owner, empty)
        target = chat.begin("here")
        owner.post(f"/v1/conversations/{empty}/merge", {"into": target})
        assert text(owner, empty) == text(owner, target)

    @pytest.mark.parametrize("query", ["format=pdf", "language=fr", "include_notes=1"])
    def test_bad_input_names_the_field(self, owner, chat, query):
        answer = owner.get(url(chat.begin(), query))
        assert (answer.status, answer.params) == (422, {query.partition("=")[0]})
