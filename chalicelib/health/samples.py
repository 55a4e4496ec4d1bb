"""Believable values for the examples in the API's description.

A key is a field's name, or `Model.field`, where the model's name may also be the end of a longer one: `Widget.name` is
`CreateWidget.name` too.
"""

from typing import Any

_ULID = "01JB3D2N6T8V4W5X7Y9Z0A1B2C"
_IDS = {
    "tenant": "tn", "user": "usr", "member": "usr", "conversation": "conv", "message": "msg", "visitor": "vis",
    "contact": "con", "company": "com", "widget": "wgt", "domain": "dom", "invitation": "inv", "event": "evt",
    "key": "key", "api_key": "key", "ticket": "tkt", "webhook": "whk", "team": "team", "session": "ses", "file": "fil",
    "canned_response": "can", "note": "note", "attribute": "attr", "custom_attribute": "attr", "job": "job",
    "tag": "tag",
}  # fmt: skip

SAMPLES: dict[str, Any] = {f"{noun}_id": f"{prefix}_{_ULID}" for noun, prefix in _IDS.items()}
SAMPLES |= {
    f"{''.join(word.capitalize() for word in noun.split('_'))}.id": f"{prefix}_{_ULID}" for noun, prefix in _IDS.items()
}
SAMPLES |= {
    "id": f"obj_{_ULID}",
    "api_key_id": SAMPLES["key_id"],
    "request_id": _ULID,
    "number": 1042,
    "seq": 7,
    "name": "Ana Ferreira",
    "email": "ana@example.com",
    "password": "correct horse battery staple",
    "token": "3vQ0sXbT1kYc9mHn5RzLw2",
    "access_token": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ1c3JfMDEifQ.c2ln",
    "refresh_token": "rt_7hGk2Qw9ZpX4",
    "token_type": "Bearer",
    "expires_in": 900,
    "role": "agent",
    "slug": "acme",
    "Tenant.name": "Acme",
    "Widget.name": "Shop",
    "Key.name": "Warehouse sync",
    "client_token": "wct_7hGk2Qw9ZpX4",
    "default_widget": {"id": SAMPLES["widget_id"], "name": "Acme", "client_token": "wct_7hGk2Qw9ZpX4"},
    "scopes": ["conversations:read", "conversations:write"],
    "domain": "shop.example.com",
    "expires_at": "2035-01-15T09:30:00Z",
    "SnoozeConversation.until": "2035-01-15T09:30:00Z",
    "attachments": [f"fil_{_ULID}"],
    "subject": "Question about pricing",
    "content": "Hi, I have a question about pricing.",
    "last_message": "Hi, I have a question about pricing.",
    "summary": "Asks whether the starter plan includes three agents.",
    "client_msg_id": "b1946ac9-2f0c-4b5f-8f57-6a1f0f5f7d11",
    "tags": ["pricing"],
    "add_tags": ["pricing"],
    "remove_tags": ["new"],
    "assigned_to": SAMPLES["user_id"],
    "page_url": "https://shop.example.com/pricing",
    "referrer_url": "https://www.example.org/",
    "origin": "https://shop.example.com",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "ip": "203.0.113.7",
    "visitor_ip": "203.0.113.7",
    "locale": "en-GB",
    "comment": "Quick and friendly.",
    "score": 5,
    "rating": 5,
    "plan": "starter",
    "channel": "widget",
    "type": "conversation.closed",
    "total": 1,
    "limit": 20,
    "offset": 0,
    "version": "0.1.0",
    "doc_url": "https://api.example.com/docs#error-not_found",
    "actor": {"type": "user", "id": SAMPLES["user_id"]},
    "next_cursor": None,
    "checks": {"table": {"status": "ok", "ms": 4}},
}
