"""The pages a visitor has opened: the newest fifty, without what their addresses might tell of him.

No event follows from a view: one write moves the visitor's count on, which is the view's place in the ring, and another
one puts it there.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from chalicelib.core import clock
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import ConditionFailedError, run, transact
from chalicelib.visitors import store
from chalicelib.visitors.models import PageView, VisitorNotFoundError
from chalicelib.visitors.service import get_visitor

# Of a query string all is dropped but what campaigns say of themselves.
_KEPT = {"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}


def note_page_view(tenant_id: str, visitor_id: str, url: str, title: str | None, referrer_url: str | None) -> PageView:
    """Note that the visitor has opened a page. One write and one transaction. Raises VisitorNotFoundError."""
    view = PageView(clean_url(url), title, clean_url(referrer_url or "") or None, clock.now_ms())
    changed: Mapping[str, Any] = {"page": view.url, **({"ref": view.referrer_url} if view.referrer_url else {})}
    try:
        count = run(store.counting_view(tenant_id, visitor_id, changed), returning=True)["vn"]
    except ConditionFailedError:
        raise VisitorNotFoundError from None
    transact([store.putting_view(tenant_id, visitor_id, count, view)], result=view)  # once for an Idempotency-Key
    return view


def list_page_views(tenant_id: str, visitor_id: str, query: PageQuery) -> Page[PageView]:
    """List the newest fifty, newest first. One read and one query."""
    get_visitor(tenant_id, visitor_id)
    views = store.list_views(tenant_id, visitor_id)
    return page_of(views, query, tenant_id, f"page-views:{visitor_id}", lambda view: f"{view.number:012d}")


def web_page(url: str) -> str:
    """Return the address; raises ValueError if it is no web page's."""
    if not clean_url(url):
        raise ValueError("give a page's address, as in https://www.example.com/prices")
    return url


def web_page_or_none(url: str | None) -> str | None:
    """Return the address if it is a web page's. Agents' apps make links of it, which must not be `javascript:`."""
    return url if url and clean_url(url) else None


def clean_url(url: str) -> str:
    """Return a page's address without user, fragment, and query but for campaigns; empty if it is no web page's."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    kept = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in _KEPT])
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path or '/'}{'?' + kept if kept else ''}"
