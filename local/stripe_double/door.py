"""The double over HTTP: the API below `/api`, and the pages."""

import asyncio
import re
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qsl, urlsplit

from local.gateway.answers import Answer
from local.kinds import Receive, Scope, Send
from local.stripe_double import checkout_page, dashboard, portal_page
from local.stripe_double.double import StripeDouble
from local.stripe_double.errors import Refused
from local.stripe_double.layout import POLICY, frame
from local.stripe_double.paths import API_PATH, PATH
from local.stripe_double.web import Form, Page, Redirect

Show = Callable[..., Page | Redirect]  # with the double, the form and what the path names

_PAGES: list[tuple[str, re.Pattern[str], Show]] = [
    (method, re.compile(PATH + path), show)
    for method, path, show in (
        ("GET", "/?", dashboard.show),
        ("POST", "/clock", dashboard.move_clock),
        ("POST", "/weather", dashboard.keep_weather),
        ("POST", "/visit", dashboard.visit),
        ("POST", "/again", dashboard.send_again),
        ("GET", "/checkout/([^/]+)", checkout_page.show_checkout),
        ("POST", "/checkout/([^/]+)", checkout_page.submit_checkout),
        ("GET", "/invoices/([^/]+)", checkout_page.show_invoice),
        ("POST", "/invoices/([^/]+)", checkout_page.submit_invoice),
        ("GET", "/portal/([^/]+)", portal_page.show_portal),
        ("POST", "/portal/([^/]+)", portal_page.submit_portal),
    )
]


class StripeDoor:
    """An ASGI application below one path of the gateway."""

    def __init__(self, double: StripeDouble) -> None:
        self._double = double

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        content = (await _read(receive)).decode("utf-8", "replace")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        work = self._api if path.startswith(f"{API_PATH}/") else self._page
        query = scope["query_string"].decode("latin-1")
        answer = await asyncio.to_thread(work, scope["method"], path, content or query, headers)
        await answer.send(send)

    def _api(self, method: str, path: str, content: str, headers: dict[str, str]) -> Answer:
        reply = self._double.api(method, path.removeprefix(API_PATH), content, headers)
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        return Answer(reply.status, fields, reply.body)

    def _page(self, method: str, path: str, content: str, headers: dict[str, str]) -> Answer:
        try:
            shown = self._show(method if _from_here(headers) else "another site's", path, dict(parse_qsl(content)))
        except Refused as refused:
            text = f"<section><h1>{escape(str(refused))}</h1></section>"
            shown = Page(frame("Refused", text, shape="narrow"), refused.status)
        if isinstance(shown, Redirect):
            return Answer(303, [(b"location", shown.url.encode("ascii", "ignore"))], b"")
        fields = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", POLICY.encode()),
        ]
        return Answer(shown.status, fields, shown.html.encode())

    def _show(self, method: str, path: str, form: Form) -> Page | Redirect:
        for known, pattern, show in _PAGES:
            if known == method and (found := pattern.fullmatch(path)):
                return show(self._double, form, *found.groups())
        raise Refused("There is no such page.", status=404)


def _from_here(headers: dict[str, str]) -> bool:
    """Tell whether a form was sent by one of our own pages: any site may post to this machine."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
