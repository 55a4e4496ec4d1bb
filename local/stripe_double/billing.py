"""When a subscription is billed: at its beginning, at once, with each period, and for the last time."""

from local.stripe_double import invoices, items
from local.stripe_double.account import Account
from local.stripe_double.amounts import HOUR, period_end
from local.stripe_double.errors import declined
from local.stripe_double.ledger import Object
from local.stripe_double.lines import licensed_line, metered_line

DRAFT_S = HOUR  # a renewal's invoice may be changed so long


def bill_first(account: Account, subscription: Object, behaviour: str) -> None:
    """Bill the first period, or the trial, which costs nothing. Raises Refused where a refused card may not begin."""
    trial = subscription["status"] == "trialing"
    period = items.period_of(subscription)
    lines = [licensed_line(account, subscription, item, period, free=trial) for item in items.licensed(subscription)]
    invoice = _draft(account, subscription, "subscription_create", lines, period)
    if invoice["total"] > 0:
        subscription["status"] = "incomplete"
    invoices.finalize(account, invoice)
    if invoice["status"] == "open" and behaviour != "default_incomplete":
        _charge(account, invoice, strict=behaviour == "error_if_incomplete")


def bill_pending(account: Account, subscription: Object, *, strict: bool) -> None:
    """Bill prorations at once, if there are any."""
    if items.has_pending(account, subscription):
        now = account.now()
        _bill(account, subscription, "subscription_update", [], (now, now), strict=strict)


def begin_anew(account: Account, subscription: Object, *, credit: bool, strict: bool = False) -> None:
    """Let a new period begin now, and bill it; `credit` gives back what is left of the one before."""
    now = account.now()
    lines = []
    if subscription["status"] == "trialing":
        subscription.update(status="active", trial_end=now)
    else:
        lines = _usage(account, subscription, now)
        if credit:
            items.credit_rest(account, subscription, now)
    subscription["billing_cycle_anchor"] = now
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    period = (now, period_end(now, now, recurring))
    items.move_period(subscription, *period)
    lines += [licensed_line(account, subscription, item, period) for item in items.licensed(subscription)]
    _bill(account, subscription, "subscription_update", lines, (now, now), strict=strict)


def renew(account: Account, subscription: Object, *, after_trial: bool = False) -> Object:
    """Begin the next period: what is paid in advance for it, and what was used in the one before, on a draft."""
    start, end = items.period_of(subscription)
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    following = (end, period_end(subscription["billing_cycle_anchor"], end, recurring))
    lines = [licensed_line(account, subscription, item, following) for item in items.licensed(subscription)]
    if not after_trial:  # what is used in a trial is free
        lines += _usage(account, subscription, end)
    items.move_period(subscription, *following)
    invoice = _draft(account, subscription, "subscription_cycle", lines, (start, end))
    if subscription["status"] == "unpaid":
        invoice["auto_advance"] = False
    else:
        invoice["automatically_finalizes_at"] = end + DRAFT_S
    return invoice


def bill_last(account: Account, subscription: Object, reason: str) -> None:
    """Bill what is pending and what was used, at the end of a subscription that is being paid for."""
    now = account.now()
    if subscription["status"] not in {"active", "past_due"}:
        return
    lines = _usage(account, subscription, now)
    if lines or items.has_pending(account, subscription):
        _bill(account, subscription, reason, lines, (items.period_of(subscription)[0], now))


def _usage(account: Account, subscription: Object, until: int) -> list[Object]:
    found = items.metered(subscription)
    return [metered_line(account, subscription, item, (items.usage_from(item), until)) for item in found]


def _draft(account: Account, subscription: Object, reason: str, lines: list[Object], period: tuple[int, int]) -> Object:
    customer = account.get("customer", subscription["customer"])
    invoice = invoices.draft(account, customer, reason, lines, subscription=subscription, period=period)
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def _bill(
    account: Account,
    subscription: Object,
    reason: str,
    lines: list[Object],
    period: tuple[int, int],
    *,
    strict: bool = False,
) -> None:
    invoice = _draft(account, subscription, reason, lines, period)
    invoices.finalize(account, invoice)
    if invoice["status"] == "open":
        _charge(account, invoice, strict=strict)


def _charge(account: Account, invoice: Object, *, strict: bool) -> None:
    if not invoices.attempt(account, invoice) and strict:
        raise declined("Your card was declined.", "generic_decline")
