"""How a subscription stands: what being paid, being refused and ending do to it."""

from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY
from local.stripe_double.ledger import Object

RETRY_AFTER_DAYS = (3, 5, 7)  # after the attempt before; as a Dashboard's own schedule may be set
AFTER_RETRIES = ("cancel", "unpaid", "past_due")  # what the account may choose to do then; the first unless told
ENDED = {"canceled", "incomplete_expired"}


def paid(account: Account, invoice: Object) -> None:
    """Take note that an invoice was paid."""
    if invoice["customer"]:
        account.working(invoice["customer"])["delinquent"] = False
    subscription = subscription_of(account, invoice)
    if subscription is None or subscription["latest_invoice"] != invoice["id"]:
        return
    if subscription["status"] in {"past_due", "unpaid", "incomplete"}:
        trialing = subscription["trial_end"] and subscription["trial_end"] > account.now()
        subscription["status"] = "trialing" if trialing else "active"


def refused(account: Account, invoice: Object) -> None:
    """Take note that an attempt to charge an invoice failed: when to try again, what becomes of the rest."""
    account.working(invoice["customer"])["delinquent"] = True
    subscription = subscription_of(account, invoice)
    if invoice["billing_reason"] == "subscription_create":
        invoice["next_payment_attempt"] = None  # the first is paid within 23 hours, or there is no subscription
        return
    tries = invoice["attempt_count"]
    if invoice["auto_advance"] and tries <= len(RETRY_AFTER_DAYS):
        invoice["next_payment_attempt"] = account.now() + RETRY_AFTER_DAYS[tries - 1] * DAY
        if subscription and subscription["status"] in {"active", "trialing"}:
            subscription["status"] = "past_due"
        return
    if invoice["next_payment_attempt"] is None and tries > len(RETRY_AFTER_DAYS) + 1:
        return  # a try of the customer's own, after all of ours
    invoice["next_payment_attempt"] = None
    if subscription and subscription["status"] in {"active", "trialing", "past_due"}:
        _give_up(account, subscription)


def _give_up(account: Account, subscription: Object) -> None:
    chosen = account.settings.get("after_retries", AFTER_RETRIES[0])
    if chosen == "cancel":
        end(account, subscription, "payment_failed")
    else:
        subscription["status"] = chosen


def end(account: Account, subscription: Object, reason: str) -> None:
    """Cancel a subscription now; open invoices stay, but nobody tries to charge them any more."""
    now = account.now()
    subscription.update(status="canceled", ended_at=now, cancel_at_period_end=subscription["cancel_at_period_end"])
    subscription["canceled_at"] = subscription["canceled_at"] or now
    subscription["cancellation_details"]["reason"] = reason
    for found in list(account.ledger.of_kind("invoice")):
        if found["status"] in {"open", "draft"} and _subscription_id(found) == subscription["id"]:
            invoice = account.working(found["id"])
            invoice.update(auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
    account.emit("customer.subscription.deleted", subscription)


def subscription_of(account: Account, invoice: Object) -> Object | None:
    """Return the subscription that an invoice is for, if it has not ended."""
    found = account.find("subscription", _subscription_id(invoice))
    return found if found and found["status"] not in ENDED else None


def _subscription_id(invoice: Object) -> str | None:
    details = (invoice["parent"] or {}).get("subscription_details")
    return str(details["subscription"]) if details else None
