"""What is counted against guessing and flooding, under keyed hashes of the addresses."""

from chalicelib.core import keyring, ratelimit
from chalicelib.core.config import settings

MAILS_PER_ADDRESS = 10  # that anyone may cause to be sent to one mailbox in an hour
WINDOW_S = 900


def account(email: str) -> str:
    """Return the name under which tries of an account's password and codes are counted, wherever they are made."""
    return _name("login", email)


def count_address(source_ip: str) -> None:
    """Count one request of an address; raises RateLimitedError. One write."""
    ratelimit.count_in_window(_name("address", source_ip), settings().login_attempts_per_address, WINDOW_S)


def count_mail(email: str) -> None:
    """Count one mail to a mailbox; raises RateLimitedError. One write."""
    ratelimit.count_in_window(_name("mail", email), MAILS_PER_ADDRESS, 3600)


def _name(what: str, whose: str) -> str:
    return f"{what}#{keyring.keyed_hash(what, whose).hex()}"
