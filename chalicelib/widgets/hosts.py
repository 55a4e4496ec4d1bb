"""Which hosts a tenant may allow: exact ones and one-label wildcards of its own, written in one canonical way."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from chalicelib.core.domains import encoded_label, folded
from chalicelib.core.errors import InvalidError

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LOOPBACK_ENTRY = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a browser reads a host that ends so as an IPv4 address
_MAX_LENGTH = 253
_NO_ADDRESS = "An address or localhost cannot be allowed. Give a domain name such as www.example.com."


def normalised(text: str, *, allow_loopback: bool) -> str:
    """Return the domain in lower case and punycode, without a dot at the end.

    Raises InvalidError on `domain` for anything but a host or a one-label wildcard below a host that somebody can own.
    """
    host = folded(text.strip())
    if found := _LOOPBACK_ENTRY.fullmatch(host):
        if not allow_loopback:
            raise _refused(_NO_ADDRESS)
        return _loopback(found[1], found[2])
    _refuse_url(host)
    wildcard, base = host.startswith("*."), host.removeprefix("*.").removesuffix(".")
    if "*" in base:
        raise _refused("A wildcard stands for exactly one label, at the front: *.example.com.")
    base = ".".join(_label(label) for label in base.split("."))
    if base.split(".")[-1] == "localhost" or _NUMBER.fullmatch(base.split(".")[-1]):
        raise _refused(_NO_ADDRESS)
    if "." not in base or _is_public(base, wildcard=wildcard):
        raise _refused(f"{base} is a suffix that many owners share. Give a domain below it.", "public_suffix")
    domain = f"*.{base}" if wildcard else base
    if len(domain) > _MAX_LENGTH:
        raise _refused(f"A domain has at most {_MAX_LENGTH} characters.")
    return domain


def _loopback(host: str, port: str | None) -> str:
    if port is None:
        return host
    if not 0 < int(port) < 65536:
        raise _refused("A port is a number from 1 to 65535.")
    return f"{host}:{int(port)}"


def _refuse_url(host: str) -> None:
    """Refuse URLs and ports with a message that shows the value to give instead."""
    bare = re.sub(r"^[a-z][a-z0-9+.-]*:/*|^/+", "", host) if "/" in host else host
    bare = re.split(r"[/?#\\]", bare)[0].rpartition("@")[2]
    if bare.startswith("[") or bare.count(":") > 1:
        raise _refused(_NO_ADDRESS)
    bare = bare.partition(":")[0]
    if bare != host:
        example = bare if 0 < len(bare) <= _MAX_LENGTH else "www.example.com"
        raise _refused(f"Give the host alone, without scheme, port or path: {example}")


def _label(label: str) -> str:
    try:
        return encoded_label(label)
    except ValueError:
        raise _refused("This is not a domain name. Give one such as www.example.com or *.example.com.") from None


def _is_public(base: str, *, wildcard: bool) -> bool:
    # A platform's suffix (github.io) is a site of its own, but below it each label is another owner's.
    public: bool = _suffixes(only_icann=not wildcard).is_public(base)
    return public


@lru_cache(maxsize=2)
def _suffixes(*, only_icann: bool) -> "PublicSuffixList":
    # Imported here: reading the list takes 100 ms, and only adding a domain needs it.
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList(only_icann=only_icann)


def _refused(message: str, code: str = "invalid_domain") -> InvalidError:
    return InvalidError.field("domain", message, code)
