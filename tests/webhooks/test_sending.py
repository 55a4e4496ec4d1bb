"""One POST: by the pinned address, with the name's certificate, bounded, and without following anything."""

import datetime as dt
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.webhooks import sending
from chalicelib.webhooks.sending import post
from chalicelib.webhooks.targets import Target

pytestmark = pytest.mark.usefixtures("loopback")


def here(port: int, path: str = "/hook") -> Target:
    return Target(secure=False, host="127.0.0.1", port=port, path=path)


def request_of(connection) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65_536)
    head, _, body = found.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answering(text: bytes, seen: list[bytes] | None = None):
    def answer(connection) -> None:
        request = request_of(connection)
        if seen is not None:
            seen.append(request)
        connection.sendall(text)

    return answer


def test_it_posts_the_body_and_reads_the_answer(serve):
    seen: list[bytes] = []
    port = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", seen))
    outcome = post(here(port, "/a?b=c"), {"webhook-id": "evt_1", "Content-Type": "application/json"}, b'{"a": 1}')
    assert (outcome.status, outcome.body, outcome.taken, outcome.address) == (200, b"ok", True, "127.0.0.1")
    head = seen[0].decode()
    assert head.startswith("POST /a?b=c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n" in head
    assert head.count("Host:") == 1
    assert "webhook-id: evt_1\r\n" in head
    assert head.endswith('{"a": 1}')


def test_a_redirect_is_an_answer_and_is_not_followed(serve):
    reached: list[bytes] = []
    inside = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", reached))
    port = serve(answering(f"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:{inside}/\r\n\r\n".encode()))
    outcome = post(here(port), {}, b"{}")
    assert (outcome.status, outcome.taken) == (307, False)
    assert not reached


def test_proxy_variables_are_not_read(serve, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    port = serve(answering(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert post(here(port), {}, b"{}").status == 204


def test_only_the_beginning_of_an_answer_is_read(serve):
    def endless(connection) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 500 No\r\nRetry-After: 7\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    outcome = post(here(serve(endless)), {}, b"{}")
    assert (outcome.status, outcome.body, outcome.retry_after) == (500, b"x" * sending.MAX_ANSWER, "7")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200, "HTTPException"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "IncompleteRead"),
    ],
)
def test_a_broken_answer_is_a_failure_not_an_exception(serve, answer, error):
    outcome = post(here(serve(answering(answer))), {}, b"{}")
    assert outcome.error == error


def test_nobody_listens(serve):
    port = serve(lambda _connection: None)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = post(here(port), {}, b"{}")
    assert (outcome.status, outcome.error) == (None, "Connection refused")


def test_a_receiver_that_never_stops_dripping_is_cut_off(serve, monkeypatch):
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.3)

    def drip(connection) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"a: b\r\n"[:1] + b": b\r\n")
            threading.Event().wait(0.02)

    outcome = post(here(serve(drip)), {}, b"{}")
    assert (outcome.status, outcome.error) == (None, "no whole answer within 0 s")


def test_a_handshake_that_drips_is_cut_off(serve, monkeypatch):
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.3)

    def drip(connection) -> None:
        connection.sendall(b"\x16\x03\x03\x10\x00")
        while True:
            connection.sendall(b"\x00")
            threading.Event().wait(0.02)

    target = Target(secure=True, host="127.0.0.1", port=serve(drip), path="/")
    outcome = post(target, {}, b"{}")
    assert outcome.error == "no whole answer within 0 s"


@pytest.fixture
def certified(tmp_path, serve, monkeypatch):
    """A TLS server with a certificate for hooks.example.com, which the sender trusts; returns its port and SNIs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(pem))
    monkeypatch.setattr(sending, "_tls", lambda: trusting)

    def answer(connection) -> None:
        with server.wrap_socket(connection, server_side=True) as secured:
            request_of(secured)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return serve(answer), names


def test_tls_asks_for_the_name_and_connects_to_the_pinned_address(certified):
    port, names = certified
    target = Target(secure=True, host="hooks.example.com", port=port, path="/")
    outcome = post(target, {}, b"{}", resolve=lambda _host, _port: ["127.0.0.1"])
    assert (outcome.status, names) == (200, ["hooks.example.com"])


def test_a_certificate_of_another_name_is_refused(certified):
    port, _ = certified
    target = Target(secure=True, host="other.example.com", port=port, path="/")
    outcome = post(target, {}, b"{}", resolve=lambda _host, _port: ["127.0.0.1"])
    assert outcome.status is None
    assert "certificate is not valid for this name" in str(outcome.error)
