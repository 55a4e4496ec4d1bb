"""A webhook's target: what a URL may look like, and the one address that a delivery connects to."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlowError
from urllib.parse import urlsplit

from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.webhooks.addresses import Address, is_loopback, is_public, parse

MAX_URL = 2000
RESOLVE_SECONDS = 3.0

# Letters, digits and hyphens in labels; the last has a letter, so that no spelling of a number passes for a name.
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)(?!0x)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
_PATH = re.compile(r"[!-~]*")  # visible ASCII: what is not must be percent-encoded

Resolve = Callable[[str, int], list[str]]


class ForbiddenTargetError(Exception):
    """The name leads to an address that is not of the public internet. Says which, for the log."""


class UnresolvedTargetError(Exception):
    """DNS gave no address, or none in time: it may the next time."""


@frozen
class Target:
    """A URL taken apart. `host` is a lower-case ASCII name, or an address without brackets."""

    secure: bool
    host: str
    port: int
    path: str  # with the query

    @property
    def netloc(self) -> str:
        """The `Host` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def read_target(url: str) -> Target:
    """Return the target of a URL; raises InvalidError on `url` with what is wrong with it.

    Only what can be seen without asking DNS is checked: names are resolved when something is sent.
    """
    if len(url) > MAX_URL:
        raise _refused(f"A URL has at most {MAX_URL} characters.")
    if not _PATH.fullmatch(url) or "\\" in url:
        raise _refused("Write the URL in ASCII, percent-encoded, and its host in Punycode.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
    except ValueError:
        raise _refused("This is not a URL.") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise _refused("Give a URL that begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _refused("A URL must not carry a user name or password. Check the signature instead.")
    if parts.fragment or "#" in url:
        raise _refused("Leave out the fragment (#…): it is never sent.")
    if port == 0:
        raise _refused("Port 0 cannot be connected to.")
    secure = parts.scheme == "https"
    _check_host(host, secure=secure)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, host, port or (443 if secure else 80), path)


def _check_host(host: str, *, secure: bool) -> None:
    address = parse(host)
    if address is None and host != "localhost" and not _NAME.fullmatch(host):
        raise _refused("The host must be a full domain name such as hooks.example.com.")
    local = host == "localhost" or (address is not None and is_loopback(address))
    if local and settings().allow_loopback_webhooks:
        return
    if not secure:
        raise _refused("Only https:// is allowed.")
    if local or (address is not None and not is_public(address)):
        raise _refused("This address is not on the public internet.", "forbidden_address")


def addresses_of(target: Target, resolve: Resolve | None = None) -> list[Address]:
    """Resolve a target once and return its addresses in DNS's order.

    Raises UnresolvedTargetError and ForbiddenTargetError: one forbidden address refuses them all, because a name that
    leads inside as well as outside is never meant well.
    """
    found = [parse(text.partition("%")[0]) for text in (resolve or _resolve)(target.host, target.port)]
    if not found:
        raise UnresolvedTargetError(f"{target.host} has no address")
    for address in found:
        if address is None or not _may_connect(target, address):
            raise ForbiddenTargetError(f"{target.host} leads to {address}, which is not on the public internet")
    return [address for address in found if address is not None]


def _may_connect(target: Target, address: Address) -> bool:
    if is_loopback(address) and settings().allow_loopback_webhooks:
        return True
    return target.secure and is_public(address)


# Resolving cannot be interrupted, so it is waited for elsewhere: in more threads than a batch's names whose DNS hangs
# can occupy, so that the next endpoint's is asked at once all the same.
_resolver = ThreadPoolExecutor(64, thread_name_prefix="resolve")


def _resolve(host: str, port: int) -> list[str]:
    asked = _resolver.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        answers = asked.result(RESOLVE_SECONDS)
    except (OSError, UnicodeError, TooSlowError) as exc:
        raise UnresolvedTargetError(f"{host} could not be resolved: {type(exc).__name__}") from exc
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _refused(message: str, code: str = "invalid_url") -> InvalidError:
    return InvalidError.field("url", message, code)
