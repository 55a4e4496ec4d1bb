"""What time does by itself: trials end, periods begin anew, drafts become final, refused cards are tried again."""

from local.stripe_double import billing, invoices, items, standing
from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY, HOUR
from local.stripe_double.checkout import expire
from local.stripe_double.customers import payer
from local.stripe_double.ledger import Object

DRAFT_S = HOUR  # a renewal's invoice may be changed so long
FIRST_PAYMENT_S = 23 * HOUR
TOLD_BEFORE = 3 * DAY  # the end of a trial


class Cycles:
    """Does what is due, in the order of its time, each thing as if at that moment."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._due: dict[str, int] = {}
        for kind in ("subscription", "invoice", "checkout.session"):
            self._plan(list(account.ledger.of_kind(kind)))
        account.changed.clear()

    def next_due(self) -> int | None:
        """Return when something is due next."""
        self._catch_up()
        return min(self._due.values(), default=None)

    def run(self) -> int:
        """Do everything that is due by now and return how many things that were."""
        account, done = self._account, 0
        with account.locked():
            now = account.now()
            while (moment := self.next_due()) is not None and moment <= now:
                object_id = next(each for each, due in self._due.items() if due == moment)
                with account.at(moment), account.transaction():
                    self._do(account.working(object_id), moment)
                done += 1
        return done

    def _catch_up(self) -> None:
        self._plan(self._account.changed)
        self._account.changed.clear()

    def _plan(self, changed: list[Object]) -> None:
        for found in changed:
            moment = due_at(found)
            if moment is None:
                self._due.pop(found["id"], None)
            else:
                self._due[found["id"]] = moment

    def _do(self, found: Object, moment: int) -> None:
        if found["object"] == "subscription":
            _subscription(self._account, found, moment)
        elif found["object"] == "invoice":
            if found["status"] == "draft":
                invoices.finalize(self._account, found)
            if found["status"] == "open":
                invoices.attempt(self._account, found)
        else:
            expire(self._account, found)


def due_at(found: Object) -> int | None:
    """Return when something has to be done about an object next."""
    if found["object"] == "checkout.session":
        return int(found["expires_at"]) if found["status"] == "open" else None
    if found["object"] == "invoice":
        if found["status"] == "draft":
            return found["automatically_finalizes_at"]  # type: ignore[no-any-return]  # a moment or None
        return found["next_payment_attempt"] if found["status"] == "open" else None
    if found["object"] != "subscription" or found["status"] in standing.ENDED:
        return None
    if found["status"] == "incomplete":
        return int(found["created"]) + FIRST_PAYMENT_S
    moments = [found["cancel_at"]]
    if found["status"] != "paused":
        moments.append(items.period_of(found)[1])
    if found["status"] == "trialing" and not found["_will_end_told"]:
        moments.append(max(found["trial_end"] - TOLD_BEFORE, found["trial_start"]))
    return min((each for each in moments if each is not None), default=None)


def _subscription(account: Account, subscription: Object, moment: int) -> None:
    if subscription["status"] == "incomplete":
        subscription.update(status="incomplete_expired", ended_at=moment)
        invoice = account.get("invoice", subscription["latest_invoice"])
        if invoice["status"] == "open":
            invoices.void(account, invoice)
    elif subscription["cancel_at"] is not None and moment >= subscription["cancel_at"]:
        billing.bill_last(account, subscription, "subscription_cycle")
        standing.end(account, subscription, "cancellation_requested")
    elif moment < items.period_of(subscription)[1]:
        subscription["_will_end_told"] = True
        account.emit("customer.subscription.trial_will_end", subscription)
    elif subscription["status"] == "trialing":
        _end_trial(account, subscription)
    else:
        billing.renew(account, subscription)


def _end_trial(account: Account, subscription: Object) -> None:
    customer = account.get("customer", subscription["customer"])
    wish = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if wish == "create_invoice" or payer(account, customer, subscription):
        subscription["status"] = "active"
        billing.renew(account, subscription, after_trial=True)
    elif wish == "cancel":
        standing.end(account, subscription, "cancellation_requested")
    else:
        why = {"type": "trial_end_without_payment_method"}
        paused = {"type": "subscription", "subscription": why, "transitioned_at": account.now()}
        subscription.update(status="paused", status_details={"paused": paused})
        account.emit("customer.subscription.paused", subscription, own=False)
