"""HTTP as every slice speaks it: routes that say who may call them, with what, and what they answer."""

from chalicelib.core.http.api import Api
from chalicelib.core.http.app import App
from chalicelib.core.http.call import Call
from chalicelib.core.http.pages import Page, PageQuery
from chalicelib.core.http.principal import Principal, Role
from chalicelib.core.http.route import Raw, Route
from chalicelib.core.http.schema import Request, Response

__all__ = ["Api", "App", "Call", "Page", "PageQuery", "Principal", "Raw", "Request", "Response", "Role", "Route"]
