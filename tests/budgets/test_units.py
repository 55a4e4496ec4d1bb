"""What a message costs to write, and that the row it changes stays below a kilobyte whatever it holds."""

import pytest

from chalicelib.core import ids
from chalicelib.core.items import Attribute, Item, to_attributes
from chalicelib.core.table import run, tenant_rows
from tests.support.aws import Services
from tests.support.chats import Chat, dispatch_all, new_chat, new_site, new_test_site, reply, unique
from tests.support.clocks import later
from tests.support.tenants import Organisation

LONGEST_ID = "x" * 64
TEXTS = [
    pytest.param("a" * 700, id="ASCII"),
    pytest.param("ä" * 350, id="two bytes"),
    pytest.param("日" * 233, id="three bytes"),
    pytest.param("😀" * 175, id="four bytes"),
]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def size(item: Item) -> int:
    """Return a row's size as DynamoDB counts it."""
    return sum(len(name.encode()) + _size(value) for name, value in to_attributes(item).items())


def _size(attribute: Attribute) -> int:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return (len(value) + 1) // 2 + 1
    return len(value.encode() if kind == "S" else value) if kind in {"S", "B"} else 1


def hot_row(tenant_id: str, conversation_id: str) -> Item:
    row = tenant_rows(tenant_id).get(conversation_id, "meta", consistent=True)
    assert row is not None
    return row


def crammed(tenant_id: str, found: str, chat: Chat) -> None:
    """Fill all that the hot row can hold to the largest that ever comes."""
    for _ in range(33):
        assert chat.say(found, "x", client_msg_id=unique()).status == 201
    big = 10**8 - 1
    run(
        tenant_rows(tenant_id).updating(
            found,
            "meta",
            set_={
                "no": big,
                "as": ids.new("usr"),
                "con": ids.new("con"),
                "pri": "urgent",
                "un": 10**5,
                "vu": 10**5,
                "pub": 10**6,
            },
        )
    )


def cost(services: Services, send) -> float:
    """Return the write units of a message with its dispatch and the clearing after it."""
    services.reset()
    answer = send()
    assert answer.status == 201, answer
    dispatch_all(services)
    return services.units


@pytest.mark.parametrize("text", TEXTS)
def test_a_message_costs_at_most_ten_units_and_eight_in_a_burst(services: Services, tenant, text):
    key, chat = new_test_site(tenant)  # test data has the longer keys
    space, found = f"{tenant.id}~test", chat.begin()
    crammed(space, found, chat)
    dispatch_all(services)
    assert cost(services, lambda: chat.say(found, text, client_msg_id=LONGEST_ID)) <= 8
    with later(120_000):  # its place in the list moves
        assert cost(services, lambda: chat.say(found, text, client_msg_id=unique())) <= 10
        assert cost(services, lambda: reply(key, found, text, client_msg_id=LONGEST_ID)) <= 8
    services.reset()
    with later(125_000):
        for _ in range(4):
            chat.say(found, text)
        dispatch_all(services)
    assert services.units <= 4 * 8 - 3 * 2  # while it is pending it is put among the pending once


@pytest.mark.parametrize("status", ["pending", "snoozed", "closed"])
def test_the_hot_row_stays_below_a_kilobyte(services: Services, tenant, status):
    key, chat = new_test_site(tenant)
    space, found = f"{tenant.id}~test", chat.begin()
    crammed(space, found, chat)
    reply(key, found, "日" * 200)
    if status == "snoozed":
        key.post(f"/v1/conversations/{found}/snooze", {"until": "2199-01-01T00:00:00Z"})
    else:
        key.patch(f"/v1/conversations/{found}", {"status": status})
    row = hot_row(space, found) | {"seq": 10**6, "dseq": 10**6, "pos": 10**7, "dpos": 10**7, "pr": 6}
    assert {"p_pk", "a_pk", "o_pk", "lm", "rc", "as", "con", "wgt", "bk"} <= row.keys()
    assert len(row["rc"]) == 128
    assert size(row) <= 1024, {name: size({name: value}) for name, value in row.items()}


def test_beginning_a_conversation_costs_what_it_did(services: Services, tenant):
    chat = new_chat(tenant)
    assert cost(services, lambda: chat.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}})) <= 34
