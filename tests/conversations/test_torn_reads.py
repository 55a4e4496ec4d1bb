"""A query may meet a transaction halfway: of DynamoDB's reads, each row is as it was before or after it, not all rows.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation
The engine of the tests never does that, so the cold row as it was before is put into what it answers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.core.table import tenant_rows
from tests.support.answers import rows
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.client import Client
from tests.support.faults import injected
from tests.support.queues import drain
from tests.support.tenants import Organisation

URL = "/v1/conversations"
Params = dict[str, Any]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


class Torn:
    """Keeps a conversation's cold row, and then lets the next read of it bring that, once."""

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.kept: Params | None = None
        self.used = 0

    def __call__(self, service: str, operation: str, params: Params, proceed: Callable[[], Params]) -> Params:
        answer = proceed()
        for found in self._lists(operation, answer):
            for place, row in enumerate(found):
                if row["pk"]["S"].endswith(f"#{self.conversation_id}") and row["sk"]["S"] == "meta~info":
                    if self.kept is None:
                        self.kept = dict(row)
                    elif not self.used:
                        self.used, found[place] = 1, self.kept
        return answer

    @staticmethod
    def _lists(operation: str, answer: Params) -> list[list[Params]]:
        if operation == "query":
            return [answer["Items"]]
        return list(answer["Responses"].values()) if operation == "batch_get_item" else []


@contextmanager
def torn(owner: Client, conversation_id: str, change: Params) -> Iterator[Torn]:
    """Change a conversation; the next read inside the block sees its hot row after that and its cold row before."""
    fault = Torn(conversation_id)
    with injected(fault):
        conversation(owner, conversation_id)
    assert owner.patch(f"{URL}/{conversation_id}", change).status == 200
    with injected(fault):
        yield fault
    assert fault.used == 1


def test_a_change_loses_nothing_of_the_one_before(owner, chat):
    found = chat.begin()
    with torn(owner, found, {"tags": ["a"], "subject": "Prices"}):
        assert owner.patch(f"{URL}/{found}", {"summary": "Asks for prices"}).status == 200
    shown = conversation(owner, found)
    assert (shown["tags"], shown["subject"], shown["summary"]) == (["a"], "Prices", "Asks for prices")


def test_a_deletion_leaves_no_list_that_it_stood_in(services, tenant, owner, chat):
    found = chat.begin()
    with torn(owner, found, {"tags": ["a"], "subject": "Prices"}):
        assert owner.delete(f"{URL}/{found}").status == 204
    drain(services)
    assert tenant_rows(tenant.id).query("f#tag#a").items == tenant_rows(tenant.id).query("w#pr").items == []


@pytest.mark.parametrize("is_source", [True, False])
def test_a_merge_takes_along_what_was_there(services, owner, chat, is_source):
    source, target = chat.begin(), chat.begin()
    ours, other = (source, target) if is_source else (target, source)
    assert owner.patch(f"{URL}/{other}", {"tags": ["b"]}).status == 200

    with torn(owner, ours, {"tags": ["a"]}):
        assert owner.post(f"{URL}/{source}/merge", {"into": target}).status == 202
    drain(services)
    assert sorted(conversation(owner, target)["tags"]) == ["a", "b"]
    assert [row["id"] for row in rows(owner, f"{URL}?tag=a&limit=9")] == [target]
