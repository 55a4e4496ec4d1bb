"""`/v1/webhooks`: where a tenant's own servers are told what happened; and what there is to tell of."""

import json

from chalicelib.core import clock
from chalicelib.core.errors import NotFoundError
from chalicelib.core.http import Api, Call, Page, PageQuery, Raw, Role
from chalicelib.jobs.models import Job, JobOut
from chalicelib.tenants.models import PlanLimitError
from chalicelib.webhooks import deliveries, service
from chalicelib.webhooks.models import (
    Delivery,
    Endpoint,
    IssuedEndpoint,
    TooManyWebhooksError,
    Traced,
    WebhookDisabledError,
)
from chalicelib.webhooks.requests import CreateWebhook, DeliveryQuery, ListDeliveries, ReplayRange, UpdateWebhook
from chalicelib.webhooks.schemas import CatalogueOut, DeliveryOut, IssuedWebhookOut, TracedOut, WebhookOut

api = Api("Webhooks")
SCHEMA = "application/schema+json"
ADMIN = {"role": Role.ADMIN, "scope": "webhooks:write"}
READER = {"role": Role.ADMIN, "scope": "webhooks:read"}
ONE = "/v1/webhooks/{webhook_id}"


@api.get("/v1/webhooks", **READER, query=PageQuery, answer=WebhookOut, paged=True)
def list_webhooks(call: Call, query: PageQuery) -> Page[Endpoint]:
    """List webhook endpoints, newest first."""
    return service.list_endpoints(call.tenant_id, query)


@api.post(
    "/v1/webhooks",
    **ADMIN,
    body=CreateWebhook,
    answer=IssuedWebhookOut,
    status=201,
    errors=(PlanLimitError, TooManyWebhooksError),
)
def create_webhook(call: Call, body: CreateWebhook) -> IssuedEndpoint:
    """Create an endpoint. What happens from now on is sent there; the `secret` to check it with is shown this once."""
    return service.create_endpoint(call.tenant_id, call.principal.actor, body.url, body.events, body.description)


@api.get(ONE, **READER, answer=WebhookOut)
def retrieve_webhook(call: Call, webhook_id: str) -> Endpoint:
    """Retrieve an endpoint."""
    return service.get_endpoint(call.tenant_id, webhook_id)


@api.patch(ONE, **ADMIN, body=UpdateWebhook, answer=WebhookOut)
def update_webhook(call: Call, body: UpdateWebhook, webhook_id: str) -> Endpoint:
    """Change an endpoint, disable it, or enable it again."""
    return service.update_endpoint(
        call.tenant_id, call.principal.actor, webhook_id, body.given(), expected_version=call.if_match
    )


@api.delete(ONE, **ADMIN)
def delete_webhook(call: Call, webhook_id: str) -> None:
    """Delete an endpoint. What was still to be sent there is dropped."""
    service.delete_endpoint(call.tenant_id, call.principal.actor, webhook_id, expected_version=call.if_match)


@api.post(f"{ONE}/rotate-secret", **ADMIN, answer=IssuedWebhookOut)
def rotate_webhook_secret(call: Call, webhook_id: str) -> IssuedEndpoint:
    """Give an endpoint a new secret. For 24 hours deliveries carry a signature with the old one too."""
    return service.rotate_secret(call.tenant_id, call.principal.actor, webhook_id, expected_version=call.if_match)


@api.post(f"{ONE}/test", **ADMIN, answer=DeliveryOut, errors=(WebhookDisabledError,))
def test_webhook(call: Call, webhook_id: str) -> Delivery:
    """Send an event of type `webhook.test` there. Its delivery tells what came of it."""
    return deliveries.send_test(call.tenant_id, webhook_id)


@api.post(f"{ONE}/replay", **ADMIN, body=ReplayRange, answer=JobOut, status=202, errors=(WebhookDisabledError,))
def replay_webhook(call: Call, body: ReplayRange, webhook_id: str) -> Job:
    """Send all events of a time there again, those that the endpoint takes. The job tells how far it is."""
    since, until = clock.to_ms(body.since), clock.to_ms(body.until)
    return deliveries.replay_range(call.tenant_id, call.principal.actor, webhook_id, since, until)


@api.get(f"{ONE}/deliveries", **READER, query=ListDeliveries, answer=DeliveryOut, paged=True)
def list_deliveries(call: Call, query: ListDeliveries, webhook_id: str) -> Page[Delivery]:
    """List what was sent there in the last 30 days, newest event first."""
    return deliveries.list_deliveries(call.tenant_id, webhook_id, query)


@api.get(f"{ONE}/deliveries/{{delivery_id}}", **READER, query=DeliveryQuery, answer=TracedOut)
def retrieve_delivery(call: Call, query: DeliveryQuery, webhook_id: str, delivery_id: str) -> Traced:
    """Retrieve a delivery with what was sent and its attempts, twenty at a time."""
    return deliveries.get_delivery(call.tenant_id, webhook_id, delivery_id, query.before)


@api.post(f"{ONE}/deliveries/{{delivery_id}}/replay", **ADMIN, answer=DeliveryOut, errors=(WebhookDisabledError,))
def replay_delivery(call: Call, webhook_id: str, delivery_id: str) -> Delivery:
    """Send one event again, with the same id, on a schedule of its own from now."""
    return deliveries.replay_delivery(call.tenant_id, webhook_id, delivery_id)


@api.get("/v1/events/schemas", public=True, answer=CatalogueOut)
def retrieve_event_catalogue(_call: Call) -> CatalogueOut:
    """Retrieve every type of event, of the log and of webhooks."""
    return service.get_catalogue()


@api.get("/v1/events/schemas/{event_type}", public=True, raw=SCHEMA, errors=(NotFoundError,))
def retrieve_event_schema(call: Call, event_type: str) -> Raw:
    """Retrieve the JSON Schema of events of a type."""
    from chalicelib.webhooks.catalogue import schema_of  # noqa: PLC0415 - as in the service

    found = schema_of(event_type)
    call.answer_headers["Cache-Control"] = "public, max-age=300"
    return Raw(json.dumps(found), SCHEMA)
