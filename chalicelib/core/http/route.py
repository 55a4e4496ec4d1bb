"""What a line of a route file says about one operation of the API."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from chalicelib.core.errors import ApiError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.principal import Kind, Role
from chalicelib.core.http.schema import Request, Response


@frozen
class Raw:
    """An answer that is not JSON of a model, such as a page."""

    body: str
    content_type: str
    status: int = 200


@frozen
class Route:
    """One operation: where, for whom, what comes in and what goes out."""

    method: str
    path: str
    view: Callable[..., Any]
    tag: str
    kinds: frozenset[Kind]  # who may call; empty: anybody, without a credential
    role: Role
    scope: str | None  # what an API key needs; None: no key may
    tenant: bool  # whether a user must have picked a tenant
    live_only: bool  # about the tenant itself, which has no test copy
    fresh: bool  # re-reads the credential instead of trusting the authorizer's 60 s cache
    widget: bool  # answers only allowed origins
    body: type[Request] | None
    query: type[Request] | None
    answer: type[Response] | None
    paged: bool
    status: int
    errors: tuple[type[ApiError], ...]  # beyond those that every route of its kind may answer
    upload: bool = False  # takes a file as multipart/form-data instead of JSON
    raw: str | tuple[str, ...] | None = None  # the content type, or types, of a view that answers Raw, not a model
    also: Mapping[int, type[Response] | None] = field(
        default_factory=dict, hash=False
    )  # other answers that are no errors
    while_suspended: bool = False  # whether it works for a tenant that is suspended or being erased
    before: Callable[[], None] | None = None  # runs first, and may refuse the operation on this stage

    @property
    def public(self) -> bool:
        """Whether no credential is needed."""
        return not self.kinds

    @property
    def idempotent_post(self) -> bool:
        """Whether the route honours Idempotency-Key."""
        return self.method == "POST" and not self.public

    @property
    def reads_if_match(self) -> bool:
        """Whether the route honours If-Match: its view then hands `call.if_match` on."""
        return "if_match" in self.view.__code__.co_names

    @property
    def refuses_if_match(self) -> bool:
        """Whether the route changes what has no version, so that no If-Match but `*` can hold."""
        return self.method in {"PATCH", "PUT", "DELETE"} and not self.reads_if_match
