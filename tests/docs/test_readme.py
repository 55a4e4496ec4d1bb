"""The README's commands, pasted into bash as they stand, and what they leave behind after everything was killed."""

import json

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("docs")]

# The seed's example of a listed conversation.
EXAMPLE = {"id", "status", "visitor_id", "assigned_to", "last_message", "last_message_at", "created_at"}


def objects(output):
    """The JSON objects that a block printed one after the other."""
    decoder, found = json.JSONDecoder(), []
    while (output := output.strip()).startswith("{"):
        one, end = decoder.raw_decode(output)
        found.append(one)
        output = output[end:]
    assert not output, output
    return found


def test_a_conversation_by_the_readme_alone_survives_the_kill_of_everything(stack, shell, fenced):
    begin, answer, read = fenced("README.md", "bash")
    registered, user, domain = objects(shell.run(begin))
    assert registered["status"] == "verification_sent"
    assert (user["email"], domain["domain"]) == (registered["email"], "www.example.com")

    listed, sent = objects(shell.run(answer))
    (conversation,) = listed["data"]
    assert conversation.keys() >= EXAMPLE
    assert (conversation["status"], conversation["assigned_to"]) == ("open", None)
    assert conversation["last_message"] == "Hi, I have a question about pricing."
    assert listed["pagination"].items() >= {"total": 1, "limit": 10, "offset": 0, "has_more": False}.items()
    assert (sent["seq"], sent["conversation_id"]) == (2, conversation["id"])

    (seen,) = objects(shell.run(read))
    assert [message["content"] for message in seen["data"]] == ["Ask away!"]
    shown = json.loads(fenced("README.md", "json")[0])
    assert shown["pagination"] == seen["pagination"]
    (message,) = shown["data"]
    assert message.keys() <= seen["data"][0].keys()
    assert [message[name] for name in ("seq", "content")] == [seen["data"][0][name] for name in ("seq", "content")]
    assert message["author"].keys() == seen["data"][0]["author"].keys()

    stack.kill()
    stack.start()
    assert objects(shell.run(read)) == [seen]


def test_the_readme_shows_demo_json_as_it_is(stack, fenced):
    shown = json.loads(fenced("README.md", "json")[1])
    found = json.loads((stack.data / "demo.json").read_text())
    assert shown.keys() == found.keys()
    for tenant in found["tenants"]:
        assert tenant.keys() == shown["tenants"][0].keys()
        assert tenant["widget"].keys() == shown["tenants"][0]["widget"].keys()
        assert tenant["owner"].keys() == shown["tenants"][0]["owner"].keys()
