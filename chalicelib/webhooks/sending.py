"""One POST to a target: to the address that was checked, without redirects or proxies, bounded in time and size."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Self

from chalicelib.core.frozen import frozen
from chalicelib.webhooks.addresses import Address
from chalicelib.webhooks.targets import (
    ForbiddenTargetError,
    Resolve,
    Target,
    UnresolvedTargetError,
    addresses_of,
)

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 15.0
MAX_ANSWER = 65_536  # bytes of an answer that are read; the rest is left
MAX_ADDRESSES = 2  # tried for a connection, so that a dead one of several does not fail the delivery


@frozen
class Outcome:
    """What came of one attempt. Without a `status` no answer came, and `error` says why."""

    status: int | None
    duration_ms: int
    body: bytes = b""
    error: str | None = None
    retry_after: str | None = None  # the header, as it came
    address: str | None = None  # that was connected to
    forbidden: bool = False  # the target may not be connected to

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken it: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class _Deadline:
    """Ends whatever is on the wire when the time is up.

    A socket's own timeout bounds each read, and a receiver that drips bytes would never run into it.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._timer.cancel()

    def guard(self, opened: socket.socket) -> None:
        """Let this be the socket that is ended."""
        self._socket = opened
        if self.passed:
            self._cut()

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has ended just now
                self._socket.shutdown(socket.SHUT_RDWR)


class _Pinned(HTTPConnection):
    """A connection to an address, which speaks TLS with the name that was asked for."""

    def __init__(self, target: Target, address: Address, deadline: _Deadline) -> None:
        super().__init__(target.netloc, timeout=CONNECT_SECONDS)
        self.address = address
        self._target, self._deadline = target, deadline

    def connect(self) -> None:
        """Connect to the pinned address; the certificate must be the name's."""
        self.sock = socket.create_connection((str(self.address), self._target.port), self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._target.secure:
            # The handshake comes after the guard, because it too may be dripped.
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._target.host, do_handshake_on_connect=False)
        self._deadline.guard(self.sock)
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()
        self.sock.settimeout(TOTAL_SECONDS)  # from here on it is the deadline that ends it


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def post(target: Target, headers: Mapping[str, str], body: bytes, *, resolve: Resolve | None = None) -> Outcome:
    """Send one POST and return what came of it; it raises nothing and takes at most 15 s."""
    began = time.monotonic()
    with _Deadline(TOTAL_SECONDS) as deadline:
        address, error = None, "no address"
        try:
            for address in addresses_of(target, resolve)[:MAX_ADDRESSES]:
                connection = _Pinned(target, address, deadline)
                try:
                    connection.connect()
                except OSError as exc:
                    connection.close()
                    error = _said(exc, deadline)
                    continue
                return _exchange(connection, target, headers, body, began, deadline)
        except ForbiddenTargetError as exc:
            return Outcome(None, _since(began), error=str(exc), forbidden=True)
        except UnresolvedTargetError as exc:
            error = str(exc)
    return Outcome(None, _since(began), error=error, address=str(address) if address else None)


def _exchange(
    connection: _Pinned, target: Target, headers: Mapping[str, str], body: bytes, began: float, deadline: _Deadline
) -> Outcome:
    address = str(connection.address)
    try:
        connection.request("POST", target.path, body, {**headers, "Host": target.netloc, "Connection": "close"})
        answer = connection.getresponse()
        read = _read(answer)
        if deadline.passed:  # a body cut off in the middle looks like one that ended
            raise TimeoutError
        return Outcome(answer.status, _since(began), read, retry_after=answer.headers["Retry-After"], address=address)
    except (OSError, HTTPException, ValueError) as exc:
        return Outcome(None, _since(began), error=_said(exc, deadline), address=address)
    finally:
        connection.close()


def _read(answer: HTTPResponse) -> bytes:
    found = bytearray()
    while len(found) < MAX_ANSWER and (chunk := answer.read1(MAX_ANSWER - len(found))):
        found += chunk
    return bytes(found)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _said(exc: Exception, deadline: _Deadline) -> str:
    """Say in one line what failed, without anything that the receiver could have written into it."""
    if deadline.passed:
        return f"no whole answer within {TOTAL_SECONDS:.0f} s"
    if isinstance(exc, TimeoutError):
        return "timed out"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"the certificate is not valid for this name: {exc.verify_message}"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return type(exc).__name__
