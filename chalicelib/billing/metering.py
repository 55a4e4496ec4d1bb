"""Telling Stripe of the conversations beyond those that a plan includes, each once.

How many there are comes from the events, counted exactly once. A report is written down before it is made and repeated
as it was until it is known to have been made; its identifier lets Stripe take it once, whoever dies in between.
"""

from chalicelib.billing import store, stripe_gateway, usage
from chalicelib.billing.models import Account, Report
from chalicelib.core import clock, log
from chalicelib.core.table import ConditionFailedError, run

SURE_MS = 23 * 3_600_000  # Stripe knows an identifier for a day at least: later, a repetition might count twice


def report_usage(tenant_id: str) -> None:
    """Report what has not been reported; does nothing while another function is at it."""
    account = store.find(tenant_id)
    if account is None or account.customer_id is None:
        return
    if account.report:
        _finish(account, account.report)
    elif account.live and (report := _next_report(account)):
        try:
            run(store.planning_report(account, report))
        except ConditionFailedError:
            return
        _finish(account, report)


def _next_report(account: Account) -> Report | None:
    now = clock.now_ms()
    this_month = usage.month_of(now)
    last_month = usage.month_of(now - 86_400_000 * int(clock.rfc3339(now)[8:10]))
    began = min(account.reported, default=this_month)
    for month in (last_month, this_month):
        known = account.reported.get(month, 0)
        over = usage.overage(account.plan, usage.count_opened(account.tenant_id, month)) if month >= began else 0
        if over > known:
            return Report(month, known, over, now)
    return None


def _finish(account: Account, report: Report) -> None:
    if clock.now_ms() - report.at > SURE_MS:
        # Somebody has to look whether Stripe has it: `docs/billing.md` says how.
        log.error("usage_report_doubtful", tenant=account.tenant_id, month=report.month, last=report.last)
        return
    number = report.last - report.first
    identifier = f"{account.tenant_id}-{report.month}-{report.last}"
    if account.customer_id:
        stripe_gateway.report_conversations(account.customer_id, number, identifier=identifier, at=report.at)
    try:
        run(store.ending_report(account, report))
    except ConditionFailedError:
        return  # another function has made the same report
