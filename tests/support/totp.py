"""People with a second factor, and the device that shows its codes."""

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass

from chalicelib.core import clock
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.people import PASSWORD, with_session

URL = "/v1/auth/totp"
STEP_MS = 30_000


def code_of(secret: str, steps: int = 0) -> str:
    """Return what an authenticator app shows, or showed `steps` ago: RFC 4226, 5.3, written down once more."""
    counter = struct.pack(">Q", clock.now_s() // 30 + steps)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


@dataclass(frozen=True)
class Guarded:
    """Somebody signed in, whose next log-in takes a code."""

    client: Client
    email: str
    user_id: str
    secret: str
    recovery_codes: list[str]


def with_totp(client: Client, services: Services) -> Guarded:
    """Switch the second factor of somebody new on, with the code of the step before this one."""
    person = with_session(client)
    secret: str = person.client.post(URL, {"password": PASSWORD}).json["secret"]
    answer = person.client.post(f"{URL}/verify", {"code": code_of(secret, -1)})
    assert answer.status == 200, answer.text
    return Guarded(person.client, person.email, person.user_id, secret, answer.json["recovery_codes"])
