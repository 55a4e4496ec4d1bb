"""A company, inside and on the wire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.core.errors import NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import OMITTED, Name, Timestamp

Url = Annotated[
    str,
    # It becomes a link in the inbox, so nothing but the web.
    StringConstraints(max_length=1000, pattern=r"^https?://[^\s\x00-\x1f\"'<>]+$"),
    Field(json_schema_extra={"format": "uri"}, examples=["https://acme.example"]),
]


class CompanyNotFoundError(NotFoundError):
    """No such company in this tenant."""


@frozen
class Company:
    """An organisation. Times are milliseconds."""

    tenant_id: str
    id: str
    name: str
    created_at: int
    updated_at: int
    created_by: str | None = None
    website: str | None = None
    industry: str | None = None
    logo_url: str | None = None
    notes: str | None = None
    is_customer: bool = False
    pos: int = 1

    @property
    def version(self) -> int:
        """What the ETag shows."""
        return self.pos


class _WriteCompany(Request):
    website: Url | None = None
    industry: str | None = Field(default=None, max_length=200, examples=["Retail"])
    logo_url: Url | None = None
    notes: str | None = Field(default=None, max_length=5000)
    is_customer: bool = Field(default=OMITTED, strict=True)


class CreateCompany(_WriteCompany):
    """A new company."""

    name: Name = Field(examples=["Acme Corporation"])


class UpdateCompany(_WriteCompany):
    """The fields to change; absent ones stay."""

    name: Name = Field(default=OMITTED, examples=["Acme Corporation"])


class CompanyOut(Response):
    """An organisation that contacts belong to."""

    id: str
    name: str = Field(examples=["Acme Corporation"])
    website: str | None = Field(examples=["https://acme.example"])
    industry: str | None = Field(examples=["Retail"])
    logo_url: str | None = Field(examples=["https://acme.example/logo.png"])
    notes: str | None = Field(examples=["Important client"])
    is_customer: bool
    created_by: str | None = Field(examples=["usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, company: Company) -> "CompanyOut":
        """Show a company."""
        return cls.model_validate({name: getattr(company, name) for name in cls.model_fields})
