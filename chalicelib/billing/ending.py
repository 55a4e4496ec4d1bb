"""What becomes of a subscription when its tenant is erased."""

from chalicelib.billing import store, stripe_gateway
from chalicelib.core.config import settings
from chalicelib.jobs.models import Job, Step


def end_subscription(job: Job) -> Step:
    """Have Stripe forget the tenant, before the row that says which customer it is goes. Again is the same."""
    account = store.find(job.tenant_id) if settings().billing else None
    if account and account.customer_id:
        stripe_gateway.delete_customer(account.customer_id)
    return Step(finished=True)
