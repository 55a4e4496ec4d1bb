"""E-mail addresses in the one form that every mail server takes: ASCII, nothing quoted, the domain in punycode."""

import re

from chalicelib.core.domains import encoded_label, folded

MAX_LENGTH = 254  # RFC 5321 §4.5.3.1, less the angle brackets

# RFC 5322's dot-atom: nothing in it can end a header or be read as a second address.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")


class UnusableAddressError(ValueError):
    """Mail cannot be sent there; the text says why, to who typed it."""


def normalised(address: str) -> str:
    """Return an address in lower case, its domain in punycode; raises UnusableAddressError.

    Letters beyond ASCII before the @ need SMTPUTF8 (RFC 6531) on the whole way, which SES does not speak.
    """
    local, at, domain = address.rpartition("@")
    if not at or "@" in local:
        raise UnusableAddressError("an address has one @, as in ada@example.com")
    if not local.isascii() and local.isprintable():
        raise UnusableAddressError("letters such as ä or ш cannot stand before the @: give an address without them")
    if not _LOCAL_PART.fullmatch(local) or len(local) > 64:
        raise UnusableAddressError("this is not an address that mail can be sent to")
    try:
        labels = [encoded_label(label) for label in folded(domain).split(".")]
    except ValueError:
        raise UnusableAddressError("the part behind the @ is not a domain name") from None
    if len(labels) < 2 or not _TOP.fullmatch(labels[-1]):
        raise UnusableAddressError("the part behind the @ is not a domain name such as example.com")
    found = f"{local.lower()}@{'.'.join(labels)}"
    if len(found) > MAX_LENGTH:
        raise UnusableAddressError(f"an address has at most {MAX_LENGTH} characters")
    return found
