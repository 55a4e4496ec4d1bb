"""Whoever does not pay, for whatever reason, and uses more than is free: reading, exporting and paying always work."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from unittest import mock

import pytest

import app
from chalicelib.billing import plans
from local.stripe_double import subscriptions
from local.stripe_double.account import Account
from tests.support.chats import HOST, messages_of, new_chat, reply
from tests.support.contacts import CONTACTS, new_contact
from tests.support.csv_files import exported
from tests.support.files import FILES
from tests.support.queues import drain
from tests.support.stripe import URLS, Till
from tests.support.tenants import Organisation, invite, new_tenant, signed_in_again
from tests.support.webhooks import PUBLIC_URL, WEBHOOKS

DAY = 86_400
UNPAID = ["past_due", "unpaid", "canceled", "paused", "incomplete", "none"]
ENDED = {"canceled", "none", "unpaid", "paused", "incomplete"}  # who pays again subscribes again
# What is asked of somebody else's page, or needs more than an owner's token.
ELSEWHERE = {"/v1/auth/cognito", "/v1/events/schemas", "/v1/openapi.json"}


@dataclass(frozen=True)
class Full:
    """A tenant that uses more than the free plan allows, of everything."""

    tenant: Organisation
    conversation_id: str
    file_id: str


@pytest.fixture(params=UNPAID)
def status(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    limits = replace(plans.FREE.limits, conversations=2, storage=100)
    with mock.patch.dict(plans.PLANS, free=replace(plans.FREE, limits=limits)):
        yield


@pytest.fixture
def full(till: Till, status: str) -> Full:
    tenant = new_tenant(domain=HOST)
    if status != "none":
        till.subscribe(tenant, "pro")
    owner, chat = tenant.owner.client, new_chat(tenant)
    for number in range(4):
        invite(tenant, f"m{number}@people.test")
    for _ in range(2):
        assert owner.post(WEBHOOKS, {"url": PUBLIC_URL, "events": ["contact.created"]}).status == 201
    file_id = owner.upload(FILES, b"x" * 200).json["id"]
    new_contact(owner, "Ana")
    begun = [chat.begin(f"question {number}") for number in range(4)]
    drain(till.services)
    till.pass_time(15 * DAY)
    if status != "none":
        till.act(lambda account: _fall(account, status))
    till.double.hooks.take()
    till.reconcile()
    return Full(signed_in_again(tenant), begun[3], file_id)


def _fall(account: Account, status: str) -> None:
    """Let the subscription come to be as Stripe lets it, the ways there being tests/stripe_double's business."""
    (found,) = account.ledger.of_kind("subscription")
    if status == "canceled":
        subscriptions.cancel_subscription(account, {}, found["id"])
    else:
        account.working(found["id"]).update(status=status, created=account.now())  # `incomplete` lasts 23 hours


def test_all_can_be_read_and_exported(till: Till, full: Full):
    owner = full.tenant.owner.client
    lists = [path for path, methods in app.app.routes.items() if "GET" in methods and "{" not in path]
    asked = [path for path in lists if path.startswith("/v1/") and path not in ELSEWHERE]
    assert len(asked) > 20
    refused = {path: (answer.status, answer.text) for path in asked if (answer := owner.get(path)).status >= 400}
    assert refused == {}
    assert [row["content"] for row in messages_of(owner, full.conversation_id)] == ["question 3"]
    assert owner.get(f"/v1/conversations/{full.conversation_id}").status == 200
    assert owner.get(f"{FILES}/{full.file_id}").json["status"] == "ready"
    assert owner.get("/v1/billing/usage").json["seats"]["used"] == 5
    assert [row["name"] for row in exported(owner, till.services)] == ["Ana"]


def test_what_is_there_can_be_changed_and_freed_and_more_is_refused(full: Full, status: str):
    owner = full.tenant.owner.client
    shown = owner.get("/v1/billing/subscription").json
    assert (shown["status"], shown["plan"]) == (status, "pro" if status == "past_due" else "free")
    new = owner.post(WEBHOOKS, {"url": PUBLIC_URL, "events": ["contact.created"]})
    assert new.status == (201 if status == "past_due" else 402)
    (contact,) = owner.get(CONTACTS).json["data"]
    assert owner.patch(f"{CONTACTS}/{contact['id']}", {"name": "Ana Lee"}).status == 200
    assert owner.post(f"/v1/conversations/{full.conversation_id}/close").status == 200
    assert owner.delete(f"{FILES}/{full.file_id}").status == 204
    for webhook in owner.get(WEBHOOKS).json["data"]:
        assert owner.delete(f"{WEBHOOKS}/{webhook['id']}").status == 204


def test_paying_works_and_brings_all_back(till: Till, full: Full, status: str):
    owner = full.tenant.owner.client
    assert owner.post("/v1/billing/portal", {"return_url": "https://app.test"}).status == 200
    assert owner.get("/v1/billing/invoices").status == 200
    answer = owner.post("/v1/billing/checkout", {"plan": "pro", **URLS})
    if status not in ENDED:
        assert answer.code == "already_subscribed"  # the open invoice is paid in the portal
        return
    till.complete(answer.json["url"])
    till.deliver_hooks()
    assert owner.get("/v1/billing/subscription").json["plan"] == "pro"
    reply(owner, full.conversation_id, "here you are")
