"""Designs that lose or double money, or what is known of it, each put into the product for a while."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from unittest.mock import patch

from chalicelib.billing import hooks, store, stripe_gateway, sync, workers
from chalicelib.core import ids
from chalicelib.core.errors import UnavailableError
from chalicelib.tenants import service as tenants
from tests.support.faults import Crash
from tests.support.stripe import without_tickets


@contextmanager
def no_ticket_fence() -> Iterator[None]:
    """What was fetched is written, whoever has fetched since."""
    with patch.object(store, "applying", without_tickets(store.applying)):
        yield


@contextmanager
def ticket_after_the_fetch() -> Iterator[None]:
    """A look takes its ticket when it has seen what there is."""

    def look(tenant_id: str, **_why: bool) -> None:
        account = store.find(tenant_id)
        assert account is not None
        found = stripe_gateway.latest(account.customer_id) if account.customer_id else None
        sync._apply(store.take_ticket(tenant_id), found, tenants.get_tenant(tenant_id))

    with patch.object(workers, "sync", look):
        yield


@contextmanager
def acknowledged_before_it_is_stored() -> Iterator[None]:
    """A hook is answered at once, and noted then: what dies or fails after the answer is heard by nobody."""
    take = hooks.take_hook

    def answer_first(signature: str, body: bytes) -> None:
        with suppress(Crash, UnavailableError):
            take(signature, body)

    with patch.object(hooks, "take_hook", answer_first):
        yield


@contextmanager
def usage_under_random_identifiers() -> Iterator[None]:
    """Each time a report is made it has an identifier of its own."""
    report = stripe_gateway.report_conversations

    def anew(customer_id: str, number: int, *, identifier: str, at: int) -> None:
        report(customer_id, number, identifier=f"{identifier}-{ids.new_ulid()}", at=at)

    with patch.object(stripe_gateway, "report_conversations", anew):
        yield


@contextmanager
def customer_without_a_key() -> Iterator[None]:
    """A tenant's customer is made without an idempotency key."""

    def create(tenant_id: str, name: str, _email: str | None) -> str:
        params = {"name": name, "metadata": {"tenant_id": tenant_id}}
        with stripe_gateway.calling():
            return str(stripe_gateway.client().customers.create(params).id)

    with patch.object(stripe_gateway, "create_customer", create):
        yield


@contextmanager
def checkouts_left_open() -> Iterator[None]:
    """A new checkout leaves the one before it as it is."""
    with patch.object(stripe_gateway, "expire_checkouts", lambda _customer_id: None):
        yield


@contextmanager
def canceled_before_it_is_paid_back() -> Iterator[None]:
    """A duplicate is ended first, and then what was paid for it is returned."""
    pay_back_and_cancel = stripe_gateway.cancel_duplicate

    def cancel_first(subscription_id: str) -> None:
        with stripe_gateway.calling(repeated_code="resource_missing"):
            stripe_gateway.client().subscriptions.cancel(subscription_id)
        pay_back_and_cancel(subscription_id)

    with patch.object(stripe_gateway, "cancel_duplicate", cancel_first):
        yield


@contextmanager
def no_reconcile() -> Iterator[None]:
    """Nobody looks at an account unless a hook says so."""
    with patch.object(workers, "look_at_due", lambda: None):
        yield
