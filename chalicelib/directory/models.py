"""Regions as callers see them, and what can be refused."""

from pydantic import Field

from chalicelib.core.errors import ConflictError
from chalicelib.core.http import Response
from chalicelib.core.regions import Region, own


class SlugTakenError(ConflictError):
    code = "slug_taken"
    default_message = "Another tenant has this slug. Choose another."


class RegionOut(Response):
    """A place where tenants live. What belongs to one is in that region and nowhere else."""

    code: str = Field(description="Short and for good.", examples=["eu1"])
    base_url: str = Field(description="Of its whole API.", examples=["https://api.eu1.example.com"])
    current: bool = Field(description="Whether it is the one that answers.")

    @classmethod
    def of(cls, region: Region) -> "RegionOut":
        """Show a region."""
        return cls(code=region.code, base_url=region.base_url, current=region == own())
