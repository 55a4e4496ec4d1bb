"""Parley's composition root: which routes, queues and schedules there are, and what listens to which event."""

import gc
from typing import Any

# Importing makes many objects and no garbage: looking for some took a tenth of a cold start.
gc.disable()

from chalice.app import AuthRequest, AuthResponse, Rate

from chalicelib.auth import flush as auth_flush
from chalicelib.auth import mails as auth_mails
from chalicelib.auth import routes as auth_routes
from chalicelib.auth.authorizer import authenticate
from chalicelib.auth.keys import rotate_if_due
from chalicelib.auth.visitor_tokens import admit_with
from chalicelib.billing import mails as billing_mails
from chalicelib.billing import routes as billing_routes
from chalicelib.billing import service as billing
from chalicelib.billing import store as billing_store
from chalicelib.billing.ending import end_subscription
from chalicelib.billing.usage import measure_with
from chalicelib.canned_responses import routes as canned_responses_routes
from chalicelib.canned_responses import store as canned_responses_store
from chalicelib.companies import routes as companies_routes
from chalicelib.companies.service import FOLLOW_JOB
from chalicelib.contacts import cascades
from chalicelib.contacts import routes as contacts_routes
from chalicelib.contacts import store as contacts_store
from chalicelib.contacts.merging import MERGE_JOB
from chalicelib.contacts.models import EXPORT_JOB, IMPORT_JOB
from chalicelib.contacts.service import BLOCK_JOB, DELETE_JOB
from chalicelib.conversations import bulk, deletion, following, leaving, merges, reindexing
from chalicelib.conversations import routes as conversations_routes
from chalicelib.conversations import service as conversations
from chalicelib.conversations import store as conversations_store
from chalicelib.conversations.listing import list_by_number
from chalicelib.conversations.searching import search_texts_with
from chalicelib.core.config import settings
from chalicelib.core.errors import UnauthenticatedError
from chalicelib.core.http import App, Role
from chalicelib.core.http.limits import share_with
from chalicelib.core.queue import process
from chalicelib.core.regions import WrongRegionError
from chalicelib.directory import routes as directory_routes
from chalicelib.events import log_store
from chalicelib.events import routes as events_routes
from chalicelib.events.dispatcher import dispatch, read_frequent_with, subscribe, subscribe_to_batches
from chalicelib.events.sweeper import sweep
from chalicelib.files import cascades as files_cascades
from chalicelib.files import outputs
from chalicelib.files import routes as files_routes
from chalicelib.files import service as files
from chalicelib.files import workers as files_workers
from chalicelib.health import routes as health_routes
from chalicelib.jobs import routes as jobs_routes
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.messages import merging as messages_merging
from chalicelib.messages import routes as messages_routes
from chalicelib.messages import search as messages_search
from chalicelib.messages import store as messages_store
from chalicelib.messenger import routes as messenger_routes
from chalicelib.notifications import routes as notifications_routes
from chalicelib.notifications import service as notifications
from chalicelib.tags import routes as tags_routes
from chalicelib.tags import service as tags
from chalicelib.tags import store as tags_store
from chalicelib.teams import leaving as teams_leaving
from chalicelib.teams import routes as teams_routes
from chalicelib.teams import service as teams
from chalicelib.tenants import erasing
from chalicelib.tenants import mails as tenants_mails
from chalicelib.tenants import people as tenants_people
from chalicelib.tenants import routes as tenants_routes
from chalicelib.tenants import slugs as tenants_slugs
from chalicelib.tenants import standing as tenants_standing
from chalicelib.tenants.models import EXPORT_JOB as TENANT_EXPORT_JOB
from chalicelib.tenants.partitions import trace_with
from chalicelib.tenants.service import also_create, read_request_share
from chalicelib.visitors import merges as visitors_merges
from chalicelib.visitors import routes as visitors_routes
from chalicelib.visitors.linking import FOLLOW_JOB as VISITOR_JOB
from chalicelib.webhooks import deliveries as webhooks_deliveries
from chalicelib.webhooks import mails as webhooks_mails
from chalicelib.webhooks import routes as webhooks_routes
from chalicelib.webhooks import service as webhooks
from chalicelib.webhooks import store as webhooks_store
from chalicelib.widgets import routes as widgets_routes
from chalicelib.widgets import store as widgets_store
from chalicelib.widgets.service import admits, start_tenant

app = App(app_name="parley")


@app.authorizer(name="authorize", ttl_seconds=60)
def authorize(request: AuthRequest) -> AuthResponse:
    """Read an access token, an API key or a visitor's token; the answer is cached per token for 60 s."""
    try:
        caller = authenticate(request.token)
    except UnauthenticatedError:
        raise Exception("Unauthorized") from None  # noqa: TRY002 - API Gateway turns exactly this text into a 401
    except WrongRegionError as exc:
        # An authorizer can only say 401 or 403: the API itself answers 421 to whoever comes with this.
        return AuthResponse(routes=["*"], principal_id="elsewhere", context={"region": exc.region.code})
    return AuthResponse(routes=["*"], principal_id=caller.id, context=caller.to_context())


APIS = [
    auth_routes.own_api,
    auth_routes.api,
    tenants_routes.api,
    tenants_routes.keys_api,
    widgets_routes.api,
    widgets_routes.domains_api,
    widgets_routes.public_api,
    canned_responses_routes.api,
    companies_routes.api,
    tags_routes.api,
    teams_routes.api,
    contacts_routes.api,
    contacts_routes.attributes_api,
    visitors_routes.api,
    conversations_routes.api,
    messages_routes.api,
    notifications_routes.api,
    messenger_routes.api,
    files_routes.api,
    files_routes.visitor_api,
    events_routes.api,
    webhooks_routes.api,
    billing_routes.api,
    billing_routes.hooks_api,
    jobs_routes.api,
    directory_routes.api,
    health_routes.api,
]
for api in APIS:
    api.mount(app, authorize, authenticate)
health_routes.describe(route for api in APIS for route in api.routes)

also_create(start_tenant)
also_create(billing.start_tenant)
share_with(read_request_share)
measure_with("storage", files.count_bytes)
measure_with("webhooks", webhooks.count_endpoints)
admit_with(admits)
files.admit_with(conversations.is_contacts)
search_texts_with(messages_search.conversations_saying)

jobs.run_in_stages(
    MERGE_JOB, cascades.remove_words, cascades.move_notes, visitors_merges.follow_contact, merges.follow_contact
)
jobs.run_in_stages(DELETE_JOB, cascades.delete_notes, visitors_merges.follow_contact, merges.follow_contact)
for kind in (BLOCK_JOB, merges.COMPANY_JOB):
    jobs.run_in_stages(kind, merges.follow_state)
jobs.run_in_stages(VISITOR_JOB, merges.follow_visitor)
jobs.run_in_stages(messages_merging.MERGE_JOB, messages_merging.move_messages, messages_merging.move_files)
jobs.run_in_stages(bulk.BULK_JOB, bulk.collect, bulk.change_next)
jobs.run_in_stages(deletion.DELETE_JOB, deletion.remove_rows, files_cascades.delete_files)
jobs.run_in_stages(FOLLOW_JOB, cascades.follow_company)
jobs.run_in_stages(reindexing.INDEX_JOB, reindexing.index_next)
jobs.run_in_stages(leaving.UNASSIGN_JOB, leaving.unassign_next)
jobs.run_in_stages(tags.FOLLOW_JOB, following.follow_tag)
jobs.run_in_stages(teams.FOLLOW_JOB, following.follow_team)

# As workers, these are imported where they work.


def import_contacts(job: Job) -> Step:
    """Take the next rows of a CSV file."""
    from chalicelib.contacts.importing import import_rows

    return import_rows(job)


def export_contacts(job: Job) -> Step:
    """Write down the next page of contacts."""
    from chalicelib.contacts.exporting import collect

    return collect(job)


for kind, stage in ((IMPORT_JOB, import_contacts), (EXPORT_JOB, export_contacts)):
    jobs.run_in_stages(kind, stage, outputs.put_together, outputs.remove_texts)
    jobs.makes_file(kind, scope="contacts:read")


def export_tenant(job: Job) -> Step:
    """Write down the next objects of a tenant."""
    from chalicelib.tenants.exporting import collect

    routes = (route for api in APIS for route in api.routes)
    return collect(job, routes, {"/v1/conversations": list_by_number}, outputs.keep_piece)


jobs.run_in_stages(TENANT_EXPORT_JOB, export_tenant, outputs.join_pieces, outputs.remove_pieces, outputs.remove_texts)
jobs.makes_file(TENANT_EXPORT_JOB, scope=None, role=Role.OWNER)
jobs.show_always(TENANT_EXPORT_JOB)
jobs.link_files_with(outputs.link)

for what, tracer in (
    ("con", contacts_store.traces),
    ("conv", conversations_store.traces),
    ("dom", widgets_store.traces),
    ("wgt", widgets_store.traces),
    ("can", canned_responses_store.traces),
    ("whk", webhooks_store.traces),
    ("billing", billing_store.traces),
    ("tag", tags_store.traces),
    ("job", tags.held_names),
):
    trace_with(what, tracer)
look = (erasing.erase_listed, erasing.erase_logged, erasing.erase_numbers, erasing.erase_audit_log)
jobs.run_in_stages(
    erasing.ERASE_JOB,
    end_subscription,
    *look,
    *look,  # for what was on its way
    files_cascades.delete_objects,
    erasing.end_memberships,
    erasing.erase_fixed,
    erasing.erase_tenant,
)
jobs.show_always(erasing.ERASE_JOB)

jobs.run_in_stages(webhooks_deliveries.REPLAY_JOB, webhooks_deliveries.deliver_again_stage)

read_frequent_with(messages_store.undispatched)
log_store.read_rows_with("m#", messages_store.event_from_item)
CONSUMERS = (
    auth_flush.on_event,
    auth_mails.on_event,
    tenants_mails.on_event,
    tenants_standing.on_event,
    tenants_people.on_event,
    tenants_slugs.on_event,
    jobs.on_event,
    leaving.on_event,
    teams_leaving.on_event,
    merges.on_event,
    notifications.on_event,
    files_workers.on_event,
    webhooks_mails.on_event,
    billing.on_event,
    billing_mails.on_event,
    erasing.on_event,
)
for consumer in CONSUMERS:
    subscribe(consumer)
subscribe_to_batches(webhooks_deliveries.on_events)


# At most 20 at once, so that a burst of events leaves the account's other functions room; mails at SES's pace.
@app.on_sqs_message(queue="parley-${Stage}-events", batch_size=10, name="dispatch_events", maximum_concurrency=20)
def dispatch_events(event: Any) -> dict[str, Any]:  # noqa: ANN401 - Chalice's SQSEvent wraps the raw one
    """Dispatch what is pending on each aggregate that the queue names."""
    return process(event.to_dict(), event.context, dispatch)


# Workers are imported where they work: the API's function must start fast.


@app.on_sqs_message(queue="parley-${Stage}-mail", batch_size=10, name="send_mail", maximum_concurrency=2)
def send_mail(event: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Send the mails of a batch."""
    from chalicelib.mail import workers

    return process(event.to_dict(), event.context, workers.send)


@app.on_sqs_message(
    queue="parley-${Stage}-mail-feedback", batch_size=10, name="take_mail_feedback", maximum_concurrency=2
)
def take_mail_feedback(event: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Stop mail to addresses that bounced or complained."""
    from chalicelib.mail import workers

    return process(event.to_dict(), event.context, workers.take_feedback)


@app.on_sqs_message(queue="parley-${Stage}-reminders", batch_size=10, name="remind", maximum_concurrency=5)
def remind(event: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Mail whoever has not read what was written to them some minutes ago."""
    from chalicelib.notifications import workers

    return process(event.to_dict(), event.context, workers.remind)


@app.on_sqs_message(queue="parley-${Stage}-webhooks", batch_size=10, name="deliver_webhooks", maximum_concurrency=20)
def deliver_webhooks(event: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Send the deliveries of a batch, all at the same time: each waits for somebody else's server."""
    from chalicelib.webhooks import workers

    return process(event.to_dict(), event.context, workers.send, together=True)


@app.on_sqs_message(queue="parley-${Stage}-billing", batch_size=1, name="look_at_accounts", maximum_concurrency=5)
def look_at_accounts(event: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Bring a tenant's plan up to date with its subscription at Stripe."""
    from chalicelib.billing import workers

    return process(event.to_dict(), event.context, workers.look)


@app.schedule(Rate(15, unit=Rate.MINUTES), name="look_at_due_accounts")
def look_at_due_accounts(_event: object) -> None:
    """Have subscriptions looked at each hour, whatever hooks were lost, and trials when they end."""
    from chalicelib.billing import workers

    workers.look_at_due()


@app.schedule(Rate(1, unit=Rate.MINUTES), name="sweep_deliveries")
def sweep_deliveries(_event: object) -> None:
    """Send on the webhook deliveries that are due, and what a lost queue message left behind."""
    from chalicelib.webhooks import workers

    workers.sweep_due()


@app.schedule(Rate(1, unit=Rate.MINUTES), name="sweep_pending")
def sweep_pending(_event: object) -> None:
    """Find what a lost queue message left behind."""
    sweep()


@app.schedule(Rate(1, unit=Rate.DAYS), name="rotate_signing_keys")
def rotate_signing_keys(_event: object) -> None:
    """Replace the key that signs tokens when it is 90 days old."""
    rotate_if_due()


@app.schedule(Rate(1, unit=Rate.MINUTES), name="wake_conversations")
def wake_conversations(_event: object) -> None:
    """Reopen what was put aside until now."""
    conversations.wake_snoozed()


@app.schedule(Rate(5, unit=Rate.MINUTES), name="run_canary")
def run_canary(_event: object) -> None:
    """Say something as a visitor and read it as an agent, through the public address."""
    if settings().canary:
        from chalicelib.health.canary import run

        run()


@app.schedule(Rate(1, unit=Rate.HOURS), name="sweep_files")
def sweep_files(_event: object) -> None:
    """Delete files that nothing has taken up for a day, and conversations that their tenant keeps no longer."""
    from chalicelib.conversations import retention

    files_workers.sweep_orphans()
    retention.delete_expired()


gc.enable()
gc.freeze()  # what is here now stays, and need not be looked at again
