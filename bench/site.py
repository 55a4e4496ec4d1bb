"""A tenant with a site, made as a new user makes it: sign up, follow the mail's link, log in, create, take a key."""

import re
import time
from dataclasses import dataclass

from bench.caller import Caller
from bench.stack import Stack

ORIGIN = "https://shop.example.com"
EMAIL, PASSWORD = "bench@example.com", "correct horse battery"
MAIL_SECONDS = 30


@dataclass(frozen=True)
class Site:
    """A tenant, reached with an API key that may do everything."""

    stack: Stack
    api_key: str
    client_token: str
    tenant_id: str
    access_token: str  # of its owner; good for 15 minutes

    def agent(self) -> Caller:
        """Return somebody who answers visitors."""
        return self.stack.caller(self.api_key)

    def visitor(self) -> Caller:
        """Return a new visitor of the site."""
        session = self.stack.caller(origin=ORIGIN).must(
            "POST", "/widget/v1/sessions", {"client_token": self.client_token}
        )
        return self.stack.caller(session["token"], ORIGIN)


def build(stack: Stack) -> Site:
    """Make the tenant, its domain and its key."""
    access_token = sign_up(stack, EMAIL)
    owner = stack.caller(access_token)
    tenant = owner.must("POST", "/v1/tenants", {"name": "Bench", "domain": ORIGIN.partition("//")[2]})
    key = owner.must("POST", "/v1/api-keys", {"name": "bench"})
    token = tenant["default_widget"]["client_token"]
    return Site(stack, key["secret"], token, tenant["id"], access_token)


def sign_up(stack: Stack, email: str) -> str:
    """Make an account, and return an access token of it."""
    anybody = stack.caller()
    anybody.must("POST", "/v1/auth/register", {"email": email, "password": PASSWORD, "name": "Bench"})
    token = mailed_link(stack, email, "verify-email").partition("token=")[2]
    anybody.must("POST", "/v1/auth/verify-email", {"token": token})
    token = anybody.must("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"]
    return str(token)


def mailed_link(stack: Stack, email: str, page: str) -> str:
    """Wait for the mail with a link to a page of accounts, and return the link."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for mail in stack.caller().must("GET", f"/_local/mail?to={email}")["data"]:
            if found := re.search(rf"\S+/auth/{page}\?token=[A-Za-z0-9_-]+", mail["text"]):
                return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"no mail with a link to {page} came to {email} within {MAIL_SECONDS} s")
