"""`/health`, `/health/ready`, `/v1/openapi.json` and `/docs`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chalicelib.core.http import Api, Call, Raw, Route
from chalicelib.health import service
from chalicelib.health.models import Liveness, Readiness

if TYPE_CHECKING:
    from chalicelib.health.description import Text

api = Api("Health")

JSON = "application/json"
HTML = "text/html; charset=utf-8"

_routes: tuple[Route, ...] = ()


def describe(routes: Iterable[Route]) -> None:
    """Tell which routes the API's description covers: `app.py` knows them all."""
    global _routes
    _routes = tuple(routes)


@api.get("/health", public=True, answer=Liveness)
def health(_call: Call) -> Liveness:
    """Tell whether the API is up. It asks nothing it depends on."""
    return service.liveness()


@api.get("/health/ready", public=True, answer=Readiness, also={503: Readiness})
def health_ready(_call: Call) -> Readiness | Raw:
    """Tell whether everything is up. Each dependency is asked, and the answer is 503 unless all of them answer."""
    found = service.readiness()
    return found if found.status == "ok" else Raw(found.model_dump_json(), JSON, 503)


@api.get("/v1/openapi.json", public=True, raw=JSON, also={304: None})
def openapi_document(call: Call) -> Raw:
    """Get this API's OpenAPI 3.1 document."""
    from chalicelib.health import description  # noqa: PLC0415 - a cold start of another route must not pay for it

    return _cached(call, description.document(_routes), JSON)


@api.get("/docs", public=True, raw=HTML, also={304: None})
def docs_page(call: Call) -> Raw:
    """Read this API's reference as one page."""
    from chalicelib.health import description  # noqa: PLC0415 - as above

    page = description.page(_routes)
    call.answer_headers["Content-Security-Policy"] = page.policy
    call.answer_headers["Referrer-Policy"] = "no-referrer"
    return _cached(call, page, HTML)


def _cached(call: Call, text: "Text", content_type: str) -> Raw:
    call.answer_headers |= {"Cache-Control": "public, max-age=300", "ETag": text.etag}
    if text.etag in call.headers.get("if-none-match", ""):
        return Raw("", content_type, 304)
    return Raw(text.body, content_type)
