"""The regions there are, and which one an id or a token's issuer belongs to: told by it alone, without a read.

A tenant lives in one region, and so does a user's account. Their ids carry the region's code in the four signs behind
the time; API keys, client tokens, invitations and refresh tokens carry one of these ids.
"""

import re

from chalicelib.core import ids
from chalicelib.core.config import settings
from chalicelib.core.errors import ApiError
from chalicelib.core.frozen import frozen

_CODE = re.compile(r"([a-z])([a-z])([0-9]{1,2})")
_TAG_BITS = 20  # four signs of an id
_CHANCE_BITS = 60  # of an id behind them


@frozen
class Region:
    """A whole stack of its own. Nothing of a tenant's is in another."""

    code: str
    base_url: str


class WrongRegionError(ApiError):
    """Nothing is looked up for this answer, and nothing is passed on: the other region is told by the credential."""

    code = "wrong_region"
    status = 421
    default_message = "This belongs to another region. Send the request to the base URL that `base_url` names."

    def __init__(self, region: Region) -> None:
        super().__init__(f"This belongs to the region {region.code}. Send the request to {region.base_url}.")
        self.region = region
        self.more = {"base_url": region.base_url}


def own() -> Region:
    """Return the region that this is."""
    return Region(settings().region, settings().api_url)


def all_regions() -> list[Region]:
    """Return every region by code, this one included."""
    urls = {**settings().regions, settings().region: settings().api_url}
    return [Region(code, url) for code, url in sorted(urls.items())]


def find(code: str) -> Region | None:
    """Return the region with this code."""
    return next((region for region in all_regions() if region.code == code), None)


def new_id(prefix: str) -> str:
    """Return a fresh id that carries this region's code."""
    raw = ids.to_bytes(ids.new(prefix))
    chance = int.from_bytes(raw[6:], "big") & ((1 << _CHANCE_BITS) - 1)
    marked = _tag(settings().region) << _CHANCE_BITS | chance
    return ids.from_bytes(prefix, raw[:6] + marked.to_bytes(10, "big"))


def require_home(identifier: str) -> None:
    """Raise WrongRegionError for the id of a tenant or user of another known region; anything else passes."""
    if not settings().regions or not (ids.is_id("tn", identifier) or ids.is_id("usr", identifier)):
        return
    tag = int.from_bytes(ids.to_bytes(identifier)[6:], "big") >> _CHANCE_BITS
    for region in all_regions():
        if region.code != settings().region and _tag(region.code) == tag:
            raise WrongRegionError(region)


def require_own_issuer(issuer: object) -> None:
    """Raise WrongRegionError for the issuer of another known region's tokens; anything else passes."""
    for region in all_regions():
        if region.code != settings().region and region.base_url == issuer:
            raise WrongRegionError(region)


def _tag(code: str) -> int:
    """Return a code as a number below 2**17: two letters and a number, `eu7` and `eu07` apart."""
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"a region's code is two letters and one or two digits, not {code!r}")
    first, second = (ord(letter) - ord("a") + 1 for letter in found.group(1, 2))
    number = int(found[3]) + (10 if len(found[3]) == 2 else 0)
    return first << 12 | second << 7 | number
