"""Which allowed domains would let a page in, given the Origin its browser sends. Pure."""

import re

from chalicelib.widgets.hosts import LOOPBACK

# What browsers send: a scheme and an ASCII host, no path, no user. https://fetch.spec.whatwg.org/#origin-header
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9][a-z0-9.-]*)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def admitting_domains(origin: str, *, allow_loopback: bool) -> tuple[str, ...]:
    """Return the domains any of which admits `origin`: at most two, none for what is not an acceptable origin.

    A site must be https on its usual port. With `allow_loopback`, this machine may be any scheme and port; a loopback
    domain without a port admits every port, one with a port only that.
    """
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        return ()
    scheme, host, port = found[1], found[2].removesuffix("."), int(found[3] or _DEFAULT_PORTS[found[1]])
    if host in LOOPBACK:
        return (f"{host}:{port}", host) if allow_loopback else ()
    if scheme != "https" or port != _DEFAULT_PORTS["https"]:
        return ()
    parent = host.partition(".")[2]
    return (host, f"*.{parent}") if parent else (host,)
