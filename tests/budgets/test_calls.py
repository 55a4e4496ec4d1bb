"""How many calls each route may make: the same with 10 and with 10,000 conversations in the tenant.

What the authorizer reads is not counted: API Gateway keeps its answer. What a rate limit takes is counted apart, in
`test_leases.py`. A route that is not in the table fails.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import aws
from tests.budgets.requests import MORE, REQUESTS, World
from tests.matrix.policy import UNCONFIRMED
from tests.support import client as client_module
from tests.support.aws import Services, install
from tests.support.chats import new_chat, new_site
from tests.support.crowd import fill
from tests.support.queues import drain

pytestmark = pytest.mark.xdist_group("budgets")  # the large tenant is made once
SECRETS = "secretsmanager"
READINESS = "GET /health/ready"  # kept for some seconds, so the second time costs nothing


@pytest.fixture(scope="module")
def worlds(engine: str, _secret: str) -> Iterator[dict[str, World]]:
    services = Services(_secret)
    install(services)
    found = {}
    for name, conversations, others in (("small", 10, 10), ("large", 10_000, 1_000)):
        tenant = new_site()
        fill(tenant.id, conversations, others)
        found[name] = World(tenant, new_chat(tenant), services)
    yield found
    aws.interceptors.clear()


EDITING = "1 batch_get, 2 query, 1 send, 1 transact"  # conversation, message, and what the preview may be then
BUDGETS = {
    "POST /v1/auth/register": "1 send, 1 transact, 2 update",
    "POST /v1/auth/verify-email": "1 get, 1 transact",
    "POST /v1/auth/login": "1 delete, 2 get, 1 put, 2 update",
    "POST /v1/auth/refresh": "1 batch_get, 1 update",
    "POST /v1/auth/logout": "1 batch_get, 1 send, 1 transact",
    "GET /v1/auth/me": "1 batch_get",
    "GET /v1/auth/sessions": "1 batch_get, 1 query",
    "DELETE /v1/auth/sessions": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/auth/sessions/{session_id}": "1 batch_get, 1 send, 1 transact",
    "PATCH /v1/auth/me": "1 batch_get, 1 send, 1 transact",
    "POST /v1/auth/change-password": "2 batch_get, 1 delete, 1 send, 1 transact, 1 update",
    "POST /v1/auth/change-email": "1 batch_get, 1 delete, 1 send, 1 transact, 2 update",
    "POST /v1/auth/confirm-email": "2 get, 1 send, 1 transact",
    "POST /v1/auth/totp": "2 batch_get, 1 delete, 1 send, 1 transact, 1 update",
    "POST /v1/auth/totp/verify": "2 batch_get, 1 delete, 1 send, 1 transact, 1 update",
    "DELETE /v1/auth/totp": "2 batch_get, 1 delete, 1 send, 1 transact, 1 update",
    "POST /v1/auth/totp/recovery-codes": "2 batch_get, 1 delete, 1 send, 1 transact, 1 update",
    "POST /v1/auth/cognito": "2 get",
    "GET /auth/confirm-email": "",
    "POST /v1/auth/forgot-password": "1 send, 1 transact, 2 update",
    "POST /v1/auth/reset-password": "1 delete, 1 get, 1 send, 1 transact",
    "POST /v1/auth/accept-invite": "2 batch_get, 3 get, 1 send, 1 transact",
    "GET /.well-known/jwks.json": "",
    "GET /auth/verify-email": "",
    "GET /auth/reset-password": "",
    "GET /auth/accept-invite": "",
    "POST /v1/tenants": "1 get, 1 send, 2 transact",
    "GET /v1/tenants": "2 batch_get",
    "GET /v1/tenants/{tenant_id}": "1 get",
    "PATCH /v1/tenants/{tenant_id}": "1 get, 1 send, 1 transact",
    "DELETE /v1/tenants/{tenant_id}": "1 batch_get, 1 get",
    "DELETE /v1/tenants/{tenant_id} (confirmed)": "1 batch_get, 1 get, 2 send, 1 transact",
    "POST /v1/tenants/{tenant_id}/export": "1 batch_get, 1 get, 2 send, 1 transact",
    "GET /v1/tenants/{tenant_id}/members": "1 query",
    "POST /v1/tenants/{tenant_id}/members": "1 batch_get, 1 get, 1 query, 1 send, 1 transact, 2 update",
    "PATCH /v1/tenants/{tenant_id}/members/{member_id}": "2 batch_get, 1 send, 1 transact",
    "DELETE /v1/tenants/{tenant_id}/members/{member_id}": "2 batch_get, 1 send, 1 transact",
    "GET /v1/tenants/{tenant_id}/invitations": "1 query",
    "POST /v1/tenants/{tenant_id}/invitations/{invitation_id}/resend": "2 batch_get, 1 send, 1 transact, 2 update",
    "GET /v1/tenants/{tenant_id}/audit-log": "1 get, 1 query",
    "GET /v1/tenants/{tenant_id}/members/me/notifications": "1 get",
    "PUT /v1/tenants/{tenant_id}/members/me/notifications": "1 transact",
    "GET /mail/unsubscribe": "",
    "POST /mail/unsubscribe": "1 transact",
    "GET /mail/chat": "1 batch_get, 1 get, 1 query",
    "GET /v1/api-keys": "1 batch_get, 1 query",
    "POST /v1/api-keys": "1 batch_get, 1 get, 1 send, 1 transact",
    "GET /v1/api-keys/{key_id}": "1 batch_get, 1 get",
    "PATCH /v1/api-keys/{key_id}": "1 batch_get, 2 get, 1 send, 1 transact",
    "DELETE /v1/api-keys/{key_id}": "1 batch_get, 2 get, 1 send, 1 transact",
    "POST /v1/api-keys/{key_id}/rotate": "1 batch_get, 2 get, 1 send, 1 transact",
    "GET /v1/widgets": "1 query",
    "POST /v1/widgets": "1 get, 1 send, 1 transact",
    "GET /v1/widgets/{widget_id}": "1 get",
    "PATCH /v1/widgets/{widget_id}": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/widgets/{widget_id}": "1 batch_get, 1 send, 1 transact",
    "GET /v1/widgets/{widget_id}/identity-secret": "1 get",
    "POST /v1/widgets/{widget_id}/identity-secret": "1 batch_get, 1 send, 1 transact",
    "GET /v1/domains": "1 query",
    "POST /v1/domains": "1 get, 1 send, 1 transact",
    "DELETE /v1/domains/{domain_id}": "1 batch_get, 1 send, 1 transact",
    "GET /widget/v1/configuration/{client_token}": "1 batch_get",
    "GET /v1/canned-responses": "1 query",
    "POST /v1/canned-responses": "1 get, 1 send, 1 transact",
    "GET /v1/canned-responses/{canned_response_id}": "1 get",
    "PATCH /v1/canned-responses/{canned_response_id}": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/canned-responses/{canned_response_id}": "1 batch_get, 1 send, 1 transact",
    "POST /v1/canned-responses/{canned_response_id}/render": "2 get, 1 transact",
    "POST /v1/conversations/{conversation_id}/canned-responses/{canned_response_id}/render": (
        "1 batch_get, 2 get, 1 query, 1 transact"
    ),
    "GET /v1/tags": "1 batch_get, 2 query",  # the second counts them
    "POST /v1/tags": "1 get, 1 send, 1 transact",
    "GET /v1/tags/{tag_id}": "1 get",
    "PATCH /v1/tags/{tag_id}": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/tags/{tag_id}": "1 batch_get, 2 get, 1 query, 2 send, 2 transact",  # its job, too
    "GET /v1/teams": "1 query",
    "POST /v1/teams": "1 get, 1 send, 1 transact",
    "GET /v1/teams/{team_id}": "1 get",
    "PATCH /v1/teams/{team_id}": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/teams/{team_id}": "1 batch_get, 2 send, 1 transact",
    "GET /v1/companies": "1 batch_get, 1 query",
    "POST /v1/companies": "1 send, 1 transact",
    "GET /v1/companies/{company_id}": "1 get",
    "PATCH /v1/companies/{company_id}": "1 get, 2 send, 1 transact",  # the second: the job of a new name
    "DELETE /v1/companies/{company_id}": "1 get, 2 send, 1 transact",
    "GET /v1/contacts": "1 batch_get, 1 query",
    "POST /v1/contacts": "1 get, 1 query, 1 send, 1 transact, 1 update",  # company, attributes, number
    "PUT /v1/contacts": "1 batch_get, 1 query, 1 send, 1 transact, 1 update",
    "POST /v1/contacts/import": "1 get, 1 get_object, 1 head_object, 1 send, 1 transact",
    "POST /v1/contacts/export": "1 batch_get, 2 query, 1 send, 1 transact",  # the filters are tried, and the attributes
    "GET /v1/contacts/{contact_id}": "1 get",
    "PATCH /v1/contacts/{contact_id}": "1 get, 1 send, 1 transact",
    "DELETE /v1/contacts/{contact_id}": "1 get, 2 send, 1 transact",
    "POST /v1/contacts/{contact_id}/block": "1 get, 2 send, 1 transact",
    "POST /v1/contacts/{contact_id}/unblock": "1 get, 2 send, 1 transact",
    "POST /v1/contacts/{contact_id}/merge": "1 batch_get, 3 send, 1 transact",
    "GET /v1/contacts/{contact_id}/notes": "1 batch_get, 1 get, 1 query",
    "POST /v1/contacts/{contact_id}/notes": "1 get, 1 send, 1 transact",
    "DELETE /v1/contacts/{contact_id}/notes/{note_id}": "2 get, 1 send, 1 transact",
    "GET /v1/custom-attributes": "1 query",
    "POST /v1/custom-attributes": "1 get, 1 send, 1 transact",
    "GET /v1/custom-attributes/{attribute_id}": "1 get",
    "PATCH /v1/custom-attributes/{attribute_id}": "2 get, 1 send, 1 transact",
    "DELETE /v1/custom-attributes/{attribute_id}": "2 get, 1 send, 1 transact",
    "GET /v1/jobs/{job_id}": "1 get",
    "GET /v1/files": "1 batch_get, 1 query",
    "POST /v1/files": "1 put_object, 1 send, 2 transact",
    "GET /v1/files/usage": "1 batch_get",
    "POST /v1/files/uploads": "1 transact",
    "GET /v1/files/{file_id}": "1 get",
    "DELETE /v1/files/{file_id}": "1 get, 1 send, 1 transact",
    "POST /v1/files/{file_id}/complete": "1 copy_object, 1 get, 1 get_object, 1 head_object, 1 send, 1 transact",
    "POST /widget/v1/files": "1 put_object, 1 send, 2 transact, 1 update",
    "POST /widget/v1/files/uploads": "1 transact, 1 update",
    "GET /widget/v1/files/{file_id}": "1 get",
    "POST /widget/v1/files/{file_id}/complete": (
        "1 copy_object, 1 get, 1 get_object, 1 head_object, 1 send, 1 transact"
    ),
    "GET /v1/visitors": "1 batch_get, 1 query",
    "GET /v1/visitors/{visitor_id}": "1 get",
    "GET /v1/visitors/{visitor_id}/page-views": "1 get, 1 query",
    "POST /v1/visitors/{visitor_id}/identify": "2 get, 2 send, 1 transact",
    "POST /v1/visitors/{visitor_id}/block": "1 get, 2 send, 1 transact",
    "POST /v1/visitors/{visitor_id}/unblock": "1 get, 2 send, 1 transact",
    "GET /v1/conversations": "1 batch_get, 1 query",
    "POST /v1/conversations/bulk": "1 get, 1 send, 1 transact",
    "GET /v1/conversations/{conversation_id}": "1 query",
    "PATCH /v1/conversations/{conversation_id}": "1 query, 1 send, 1 transact",
    "DELETE /v1/conversations/{conversation_id}": "1 query, 2 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/close": "1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/reopen": "1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/rate": "1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/snooze": "1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/assign": "1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/read": "1 query, 1 send, 1 transact",
    "POST /v1/conversations": "1 batch_get, 1 send, 1 transact, 1 update",
    "GET /v1/conversations/{conversation_id}/thread": "1 query",
    "GET /v1/conversations/{conversation_id}/transcript": "1 get, 2 query",
    "POST /v1/conversations/{conversation_id}/transcript": "1 query, 1 send, 1 transact, 1 update",
    "GET /v1/conversations/{conversation_id}/messages": "2 query",
    "POST /v1/conversations/{conversation_id}/messages": "1 query, 1 send, 1 transact",
    "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": EDITING,
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}": EDITING,
    "POST /v1/conversations/{conversation_id}/merge": "1 batch_get, 3 send, 1 transact",
    "POST /widget/v1/sessions": "1 batch_get, 1 send, 1 transact, 1 update",
    "GET /widget/v1/conversations": "1 batch_get, 1 query",
    "POST /widget/v1/conversations": "1 batch_get, 1 send, 1 transact, 1 update",
    "GET /widget/v1/conversations/{conversation_id}": "1 query",
    "GET /widget/v1/conversations/{conversation_id}/messages": "2 query",
    "POST /widget/v1/conversations/{conversation_id}/messages": "1 query, 1 send, 1 transact",
    "PATCH /widget/v1/conversations/{conversation_id}/messages/{message_id}": EDITING,
    "DELETE /widget/v1/conversations/{conversation_id}/messages/{message_id}": EDITING,
    "POST /widget/v1/conversations/{conversation_id}/read": "1 query, 1 send, 1 transact",
    "POST /widget/v1/conversations/{conversation_id}/rate": "1 query, 1 send, 1 transact",
    "GET /widget/v1/conversations/{conversation_id}/transcript": "1 get, 2 query",
    "POST /widget/v1/conversations/{conversation_id}/transcript": "1 get, 1 query, 1 send, 1 transact, 2 update",
    "PUT /widget/v1/context": "1 get, 1 send, 1 transact",
    "POST /widget/v1/page-views": "1 transact, 1 update",
    "POST /widget/v1/identify": "1 get, 1 send, 1 transact",
    "GET /v1/events": "1 batch_get, 2 query",
    # Of the calls to AWS; those to Stripe come on top: each change locks, asks, acts, and looks again with a ticket.
    # One batch_get of each reads the credential anew.
    "GET /v1/billing/plans": "1 batch_get",
    "GET /v1/billing/subscription": "1 batch_get, 1 get",
    "PATCH /v1/billing/subscription": "4 batch_get, 5 get, 1 put, 1 query, 1 send, 2 transact, 1 update",
    "POST /v1/billing/subscription/cancel": "1 batch_get, 3 get, 1 put, 1 query, 1 send, 2 transact, 1 update",
    "POST /v1/billing/subscription/resume": "1 batch_get, 3 get, 1 put, 1 query, 1 transact, 2 update",
    "POST /v1/billing/checkout": "3 batch_get, 4 get, 1 put, 1 query, 1 transact",
    "POST /v1/billing/portal": "1 batch_get, 2 get, 1 put, 1 transact",
    "GET /v1/billing/invoices": "1 batch_get, 1 get",
    "GET /v1/billing/usage": "3 batch_get, 3 get",
    "POST /hooks/stripe": "1 put, 1 send",
    "GET /v1/webhooks": "1 query",
    "POST /v1/webhooks": "1 get, 1 send, 1 transact",
    "GET /v1/webhooks/{webhook_id}": "1 get",
    "PATCH /v1/webhooks/{webhook_id}": "1 batch_get, 1 send, 1 transact",
    "DELETE /v1/webhooks/{webhook_id}": "1 batch_get, 1 send, 1 transact",
    "POST /v1/webhooks/{webhook_id}/rotate-secret": "1 batch_get, 1 send, 1 transact",
    "POST /v1/webhooks/{webhook_id}/test": "1 get, 1 send, 1 transact",
    "POST /v1/webhooks/{webhook_id}/replay": "1 get, 1 send, 1 transact",
    "GET /v1/webhooks/{webhook_id}/deliveries": "1 batch_get, 1 get, 1 query",
    "GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}": "2 get, 1 query",
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": "2 get, 1 send, 1 transact",
    "GET /v1/events/schemas": "",
    "GET /v1/events/schemas/{event_type}": "",
    "GET /health": "",
    "GET /v1/regions": "",
    "GET /health/ready": "1 get, 4 get_queue_attributes, 1 head_bucket, 1 get_account",
    "GET /v1/openapi.json": "",
    "GET /docs": "",
    "POST /v1/auth/login (code)": "1 delete, 2 get, 1 put, 3 update",
    "POST /v1/auth/login (recovery code)": "1 delete, 3 get, 1 put, 1 send, 1 transact, 2 update",
    "POST /widget/v1/sessions (resumed)": "1 batch_get, 1 get, 1 update",
    "POST /widget/v1/sessions (from a mail)": "1 batch_get, 2 get, 1 update",
    "GET /v1/conversations (all)": "1 batch_get, 4 query",
    "GET /v1/conversations (100)": "3 batch_get, 1 query",
    "GET /v1/conversations (offset)": "1 batch_get, 2 query",
    "GET /v1/conversations (unassigned)": "1 batch_get, 3 query",
    "GET /v1/conversations (rare priority)": "8 batch_get, 4 query",
    "GET /v1/conversations (of a team)": "1 batch_get, 1 query",
    "POST /v1/conversations (for a contact)": "1 batch_get, 1 get, 1 query, 1 send, 1 transact, 1 update",
    "POST /v1/conversations (for one without a visitor)": "1 batch_get, 1 get, 1 query, 2 send, 1 transact, 1 update",
    # The transaction that takes tags for known fails the first time that somebody names them.
    "PATCH /v1/conversations/{conversation_id} (new tags)": "1 batch_get, 2 query, 2 send, 2 transact",
    "GET /v1/tags (of a name)": "1 get",
    "PATCH /v1/tags/{tag_id} (another name)": "1 batch_get, 2 get, 1 query, 2 send, 2 transact",
    "GET /v1/conversations (search for a number)": "1 batch_get, 1 get, 1 query",
    # Subject, contacts and the log; at most four queries of the log and twenty BatchGets for 2,000 messages.
    "GET /v1/conversations (search for a word)": "22 batch_get, 6 query",
    "GET /v1/conversations (search for a contact's word)": "23 batch_get, 16 query",
    "GET /v1/contacts (search)": "1 batch_get, 1 query",
    "GET /v1/contacts (search for what is rare)": "2 query",
    "GET /v1/contacts (by e-mail address)": "2 get",
    "GET /v1/contacts (by external id)": "2 get",
    "GET /v1/contacts (of a company)": "1 batch_get, 1 query",
    "PUT /v1/contacts (again)": "1 batch_get, 1 get, 1 send, 1 transact",
    "POST /widget/v1/identify (proven)": "1 batch_get, 2 get, 3 send, 1 transact, 1 update",
    "POST /widget/v1/identify (proven again)": "1 batch_get, 3 get",
    "GET /widget/v1/conversations (proven)": "1 batch_get, 2 query",
    "POST /widget/v1/conversations (proven)": "1 batch_get, 1 send, 1 transact, 1 update",
    "POST /widget/v1/conversations/{conversation_id}/messages (proven)": "1 query, 1 send, 1 transact",
    "PATCH /v1/contacts/{contact_id} (custom attributes)": "1 get, 1 query, 1 send, 1 transact",
    "GET /v1/contacts/{contact_id} (merged)": "2 get",
    "GET /v1/events (one type)": "4 batch_get, 4 query",
    "POST /widget/v1/conversations/{conversation_id}/messages (again)": "2 query",
    "POST /v1/conversations/{conversation_id}/messages (files)": "1 batch_get, 1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/messages (Idempotency-Key)": "1 get, 1 query, 1 send, 1 transact",
    "POST /v1/conversations/{conversation_id}/messages (Idempotency-Key again)": "1 get",
}
SHORT = {
    "send_message": "send",
    "transact_write_items": "transact",
    "batch_get_item": "batch_get",
    "get_item": "get",
    "update_item": "update",
    "put_item": "put",
    "delete_item": "delete",
}


@pytest.fixture(autouse=True)
def _uncounted_authorizer(worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch) -> None:
    services, authorize = worlds["small"].services, client_module._authorize
    install(services)

    def uncounted(*given: Any) -> dict[str, str] | None:
        before = len(services.calls)
        answer = authorize(*given)
        del services.calls[before:]
        return answer

    monkeypatch.setattr(client_module, "_authorize", uncounted)


def calls_of(world: World, name: str) -> Counter[str]:
    """Return how many calls of each kind one request makes."""
    send = (REQUESTS | MORE)[name](world)
    drain(world.services)
    world.services.reset()
    answer = send()
    assert 200 <= answer.status < 400 or name in UNCONFIRMED, answer
    # The secret is read once in five minutes.
    return Counter(SHORT.get(operation, operation) for service, operation in world.services.calls if service != SECRETS)


def allowed(name: str) -> Counter[str]:
    """Return a line of the table."""
    pairs = (part.split() for part in BUDGETS[name].split(", ") if part)
    return Counter({operation: int(number) for number, operation in pairs})


def test_every_route_has_a_budget():
    from app import APIS

    assert {f"{route.method} {route.path}" for api in APIS for route in api.routes} == set(REQUESTS)
    assert set(BUDGETS) == set(REQUESTS) | set(MORE)


@pytest.mark.parametrize("name", [*REQUESTS, *MORE])
def test_a_request_stays_within_its_budget_however_much_there_is(worlds: dict[str, World], name: str):
    large = calls_of(worlds["large"], name)
    assert large <= allowed(name), f"{name} makes {dict(large)}"
    small = calls_of(worlds["small"], name)
    assert small <= allowed(name)
    assert small == large or name in MORE or name == READINESS
