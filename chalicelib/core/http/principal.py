"""Who is calling: a user with memberships, an API key with scopes, or a visitor of one widget."""

from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum
from typing import Literal

from chalicelib.core.frozen import frozen

Kind = Literal["user", "api_key", "visitor"]


class Role(IntEnum):
    """A member's role in a tenant; each may do what the ones below it may."""

    VIEWER = 1
    AGENT = 2
    ADMIN = 3
    OWNER = 4

    @property
    def label(self) -> str:
        """The role's name on the wire."""
        return self.name.lower()

    @classmethod
    def named(cls, label: str) -> "Role":
        """Return the role with this name on the wire."""
        return cls[label.upper()]


@frozen
class Principal:
    """What the authorizer found out about a credential."""

    kind: Kind
    id: str  # usr_…, key_… or vis_…
    name: str = ""  # as others see it: the author of a message
    author_name: str = ""  # of an API key: what visitors see as the author of its messages
    memberships: Mapping[str, Role] = field(default_factory=dict)  # by tenant; a key has its own tenant's only
    suspended: frozenset[str] = frozenset()  # those of these tenants, or a visitor's, that are not active
    scopes: frozenset[str] = frozenset()  # of an API key
    test_mode: bool = False  # of an API key
    expires_at: int | None = None  # of the credential, in milliseconds; None: it doesn't expire by itself
    session_id: str = ""  # of a user's token
    origin: str = ""  # of a visitor's token: the site it was made for
    widget_id: str = ""  # of a visitor's token
    tenant_space: str = ""  # of a visitor's token: the tenant, or its test data
    contact_id: str = ""  # of a visitor's token: the contact he has proven to be

    def to_context(self) -> dict[str, str]:
        """Return the authorizer's context: API Gateway passes strings only."""
        context = {"kind": self.kind, "id": self.id}
        if self.memberships:
            context["memberships"] = ",".join(f"{tenant}:{role.label}" for tenant, role in self.memberships.items())
        if self.suspended:
            context["suspended"] = ",".join(sorted(self.suspended))
        if self.scopes:
            context["scopes"] = " ".join(sorted(self.scopes))
        if self.test_mode:
            context["test_mode"] = "1"
        if self.expires_at is not None:
            context["expires_at"] = str(self.expires_at)
        for name in ("name", "author_name", "session_id", "origin", "widget_id", "tenant_space", "contact_id"):
            if value := getattr(self, name):
                context[name] = value
        return context

    @classmethod
    def from_context(cls, context: Mapping[str, str]) -> "Principal":
        """The inverse of `to_context`."""
        pairs = (pair.split(":") for pair in context.get("memberships", "").split(",") if pair)
        kind: Kind = context["kind"]  # type: ignore[assignment]  # written by to_context
        return cls(
            kind=kind,
            id=context["id"],
            memberships={tenant: Role.named(role) for tenant, role in pairs},
            suspended=frozenset(filter(None, context.get("suspended", "").split(","))),
            scopes=frozenset(context.get("scopes", "").split()),
            test_mode=context.get("test_mode") == "1",
            expires_at=int(context["expires_at"]) if "expires_at" in context else None,
            name=context.get("name", ""),
            author_name=context.get("author_name", ""),
            session_id=context.get("session_id", ""),
            origin=context.get("origin", ""),
            widget_id=context.get("widget_id", ""),
            tenant_space=context.get("tenant_space", ""),
            contact_id=context.get("contact_id", ""),
        )

    @property
    def public_name(self) -> str:
        """What visitors see of who has written: an API key's own name is for its makers."""
        return self.author_name if self.kind == "api_key" else self.name

    @property
    def actor(self) -> dict[str, str]:
        """Return who did it, as events and the audit log name them."""
        return {"type": self.kind, "id": self.id}
