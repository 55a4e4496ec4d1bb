"""The double over HTTP: the API below `/api`, and the pages."""

import asyncio

from local.gateway.answers import Answer
from local.kinds import Receive, Scope, Send
from local.stripe_double.double import StripeDouble

PATH = "/_local/stripe"  # of the gateway
API_PATH = f"{PATH}/api"


class StripeDoor:
    """An ASGI application below one path of the gateway."""

    def __init__(self, double: StripeDouble) -> None:
        self._double = double

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        content = await _read(receive)
        query = scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        given = content.decode("utf-8", "replace") if method == "POST" else query
        reply = await asyncio.to_thread(self._double.api, method, path.removeprefix(API_PATH), given, headers)
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        await Answer(reply.status, fields, reply.body).send(send)


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
