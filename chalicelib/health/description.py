"""The API's description as a document and as a page, each made once in a process."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from chalicelib.core.config import settings
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Route
from chalicelib.core.http.openapi import openapi
from chalicelib.core.http.openapi_schemas import Json
from chalicelib.core.version import VERSION
from chalicelib.health import page as pages
from chalicelib.health.samples import SAMPLES

_INTRODUCTION = Path(__file__).with_name("introduction.md")


@frozen
class Text:
    """A finished answer with its validator, and for a page what it may load."""

    body: str
    policy: str = ""

    @property
    def etag(self) -> str:
        """A strong validator: the same text has the same one in every process."""
        return f'"{hashlib.sha256(self.body.encode()).hexdigest()[:32]}"'


@lru_cache(maxsize=1)
def describe(routes: tuple[Route, ...]) -> Json:
    """Return the OpenAPI document of these routes."""
    api_url = settings().api_url
    introduction = _INTRODUCTION.read_text(encoding="utf-8").replace("{api_url}", api_url)
    return openapi(routes, api_url, version=VERSION, description=introduction, samples=SAMPLES)


@lru_cache(maxsize=1)
def document(routes: tuple[Route, ...]) -> Text:
    """Return the OpenAPI document as JSON."""
    return Text(json.dumps(describe(routes), separators=(",", ":"), ensure_ascii=False))


@lru_cache(maxsize=1)
def page(routes: tuple[Route, ...]) -> Text:
    """Return the reference as a page that loads nothing."""
    body, policy = pages.render(describe(routes))
    return Text(body, policy)
