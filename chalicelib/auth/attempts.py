"""What is counted against guessing and flooding, under keyed hashes of the addresses."""

from chalicelib.core import keyring, ratelimit
from chalicelib.core.config import settings

MAILS_PER_ADDRESS = 10  # that anyone may cause to be sent to one mailbox in an hour
WINDOW_S = 900


def account(email: str) -> str:
    """Return the name under which tries of an account's password and codes are counted, wherever they are made."""
    return f"login#{keyring.keyed_hash('login', email).hex()}"


def count_address(source_ip: str) -> None:
    """Count one request of an address; raises RateLimitedError. One write."""
    name = f"address#{keyring.keyed_hash('address', source_ip).hex()}"
    ratelimit.count_in_window(name, settings().login_attempts_per_address, WINDOW_S)


def count_mail(email: str) -> None:
    """Count one mail to a mailbox; raises RateLimitedError. One write."""
    name = f"mail#{keyring.keyed_hash('mail', email).hex()}"
    ratelimit.count_in_window(name, MAILS_PER_ADDRESS, 3600)
