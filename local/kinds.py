"""Names for what comes from libraries without types: Chalice, botocore's generated clients, ASGI."""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

ChaliceApp = Any
RouteEntry = Any  # Chalice's
EventSource = Any  # Chalice's configuration of a queue or schedule
Handler = Any  # called with event and context
Returned = Any  # what a handler returned: the code that reads it may expect anything
AwsClient = Any
Call = Callable[[Handler, dict[str, Any], str], Awaitable[Returned]]  # handler, event, name of the function
