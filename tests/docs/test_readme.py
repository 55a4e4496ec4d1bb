"""The README's commands, pasted into bash as they stand, and what they leave behind after everything was killed."""

import json
import urllib.request

import pytest

from tests.support.pages import ROOT, documents, examples

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("docs")]

# What clients of the API rely on in a listed conversation.
EXAMPLE = {"id", "status", "visitor_id", "assigned_to", "last_message", "last_message_at", "created_at"}


def test_a_conversation_by_the_readme_alone_survives_the_kill_of_everything(stack, shell):
    begin, answer, read = examples(ROOT / "README.md")
    registered, user, domain = documents(shell.run(begin.commands))
    assert registered["status"] == "verification_sent"
    assert (user["email"], domain["domain"]) == (registered["email"], "www.example.com")

    listed, sent = documents(shell.run(answer.commands))
    (conversation,) = listed["data"]
    assert conversation.keys() >= EXAMPLE
    assert (conversation["status"], conversation["assigned_to"]) == ("open", None)
    assert conversation["last_message"] == "Hi, I have a question about pricing."
    assert listed["pagination"].items() >= {"total": 1, "limit": 10, "offset": 0, "has_more": False}.items()
    assert (sent["seq"], sent["conversation_id"]) == (2, conversation["id"])

    seen = shell.run(read.commands)
    assert not read.differences(seen), seen

    stack.kill()
    stack.start()
    assert shell.run(read.commands) == seen


def test_the_readme_shows_demo_json_as_it_is(stack, fenced):
    shown = json.loads(fenced("README.md", "json")[1])
    found = json.loads((stack.data / "demo.json").read_text())
    assert shown.keys() == found.keys()
    for tenant in found["tenants"]:
        assert tenant.keys() == shown["tenants"][0].keys()
        assert tenant["widget"].keys() == shown["tenants"][0]["widget"].keys()
        assert tenant["owner"].keys() == shown["tenants"][0]["owner"].keys()


def test_the_address_that_the_terminal_shows_leads_to_the_reference(stack):
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/") as answer:
        assert (answer.status, answer.url) == (200, f"http://127.0.0.1:{stack.port}/docs")
