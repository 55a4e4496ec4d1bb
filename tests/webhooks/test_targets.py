"""Where a webhook may go: every special address and every way to spell one, at registration and when it is sent."""

import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.core.errors import InvalidError
from chalicelib.webhooks import sending
from chalicelib.webhooks.addresses import is_public, parse
from chalicelib.webhooks.targets import (
    RESOLVE_SECONDS,
    ForbiddenTargetError,
    Resolve,
    UnresolvedTargetError,
    addresses_of,
    read_target,
)
from tests.support.settings import changed

FORBIDDEN = """
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1 100.127.255.255 127.0.0.1
127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.169.123 172.16.0.1
172.31.255.255 192.0.0.0 192.0.0.8 192.0.0.170 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1
192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 :: ::1 ::2 ::7f00:1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8
64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::a00:1 100::1 100:0:0:1::1 2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1
2001:20::1 2001:30::1 2001:db8::1 2002::1 2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe:: 2620:4f:8000::1 3fff::1
4000::1 5f00::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 2a00:1450::5efe:7f00:1
2a00:1450::200:5efe:a00:1
""".split()  # noqa: SIM905 - a table to read

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255
198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2600:9000::1
2a00:1450:4001::1 3ffe::1
""".split()  # noqa: SIM905 - a table to read

# Each is 127.0.0.1, 10.0.0.1, the metadata service or nothing at all, as one program or another would read it.
ENCODINGS = [
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1./",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[::127.0.0.1]/",
    "https://①②⑦.⓪.⓪.①/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://10.0.0.1:443/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0/",
    "https://00000000000000000000000/",
    "https://1.2.3/",
    "https://user@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://hooks.example.com:pass@127.0.0.1/",
    "https://127.0.0.1\\@hooks.example.com/",
    "https:\\\\127.0.0.1/",
    "https://hooks.example.com\t.evil/",
    "https://hooks.example.com\r\nHost: x/",
    "https:///etc/passwd",
    "https://",
    "https:hooks.example.com",
    "//hooks.example.com/",
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "https://hooks/",
    "https://-bad.example.com/",
    "https://exa_mple.com/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:x/",
    "https://[example.com]/",
    "https://[::1/",
    "https://example.com/#fragment",
    "https://example.com/" + "a" * 2000,
    "https://exämple.com/",
]


def answering(addresses: list[str]) -> Resolve:
    return lambda _host, _port: addresses


def test_the_tables_are_as_long_as_promised():
    assert len(FORBIDDEN) >= 60
    assert len(ENCODINGS) >= 12


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_special_address_is_not_public(text):
    address = parse(text)
    assert address is not None
    assert not is_public(address)


@pytest.mark.parametrize("text", PUBLIC)
def test_its_neighbours_are_public(text):
    address = parse(text)
    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_special_address_is_refused_when_registered(text):
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(InvalidError) as refused:
        read_target(f"https://{host}/hook")
    assert refused.value.errors[0].param == "url"


@pytest.mark.parametrize("url", ENCODINGS)
def test_another_spelling_is_refused_when_registered(url):
    with pytest.raises(InvalidError) as refused:
        read_target(url)
    assert [error.param for error in refused.value.errors] == ["url"]


@pytest.mark.parametrize(
    ("url", "netloc", "path"),
    [
        ("https://hooks.example.com", "hooks.example.com", "/"),
        ("https://HOOKS.Example.com:443/a?b=c", "hooks.example.com", "/a?b=c"),
        ("https://hooks.example.com.:8443/a%20b", "hooks.example.com:8443", "/a%20b"),
        ("https://xn--exmple-cua.com/?x", "xn--exmple-cua.com", "/?x"),
        ("https://8.8.8.8/x", "8.8.8.8", "/x"),
        ("https://[2a00:1450:4001::1]:8443/x", "[2a00:1450:4001::1]:8443", "/x"),
    ],
)
def test_a_good_url_is_taken_apart(url, netloc, path):
    target = read_target(url)
    assert (target.netloc, target.path, target.secure) == (netloc, path, True)


def test_this_machine_is_a_target_only_where_the_setting_says_so():
    with changed(ALLOW_LOOPBACK_WEBHOOKS="1"):
        assert read_target("http://127.0.0.1:8000/x").port == 8000
        assert read_target("http://localhost:8000/x").host == "localhost"
        for url in ("http://hooks.example.com/", "https://10.0.0.1/", "https://169.254.169.254/"):
            with pytest.raises(InvalidError):
                read_target(url)


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_name_that_leads_there_is_refused_when_sent_even_among_good_ones(text):
    target = read_target("https://hooks.example.com/")
    for answers in ([text], ["8.8.8.8", text], [text, "8.8.8.8"]):
        with pytest.raises(ForbiddenTargetError):
            addresses_of(target, answering(answers))


def test_a_name_without_an_address_may_have_one_later():
    with pytest.raises(UnresolvedTargetError):
        addresses_of(read_target("https://hooks.example.com/"), answering([]))


def test_a_thousand_changes_of_dns_never_lead_inside(serve, monkeypatch):
    reached: list[object] = []
    port = serve(reached.append)
    connected: list[str] = []

    def connect(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    flips = itertools.cycle(
        ["8.8.8.8", "127.0.0.1", "10.0.0.1", "1.1.1.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"]
    )
    target = read_target(f"https://hooks.example.com:{port}/")
    asked = 0

    def flip(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return [next(flips)]

    outcomes = [sending.post(target, {}, b"{}", resolve=flip) for _ in range(1000)]
    assert asked == 1000  # once a delivery: nothing can change between the check and the connection
    assert set(connected) == {"8.8.8.8", "1.1.1.1"}
    assert not reached
    assert sum(outcome.forbidden for outcome in outcomes) == 1000 - len(connected)


def test_the_system_is_asked_once_and_its_answer_is_checked(monkeypatch):
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_options: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    outcome = sending.post(read_target("https://hooks.example.com/"), {}, b"{}")
    assert outcome.forbidden
    assert asked == ["hooks.example.com"]


def test_names_whose_dns_hangs_keep_nobody_else_waiting(monkeypatch):
    """A batch of deliveries shares the process, and a look-up goes on when its time is up."""
    asked, go_on, callers = threading.Semaphore(0), threading.Event(), ThreadPoolExecutor(30)

    def getaddrinfo(host: str, port: int, **_options: object) -> list[object]:
        if host == "hangs.example.com":
            asked.release()
            go_on.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for _ in range(30):
        callers.submit(addresses_of, read_target("https://hangs.example.com/"))
    try:
        assert all(asked.acquire(timeout=RESOLVE_SECONDS) for _ in range(30))
        assert [str(each) for each in addresses_of(read_target("https://hooks.example.com/"))] == ["8.8.8.8"]
    finally:
        go_on.set()
        callers.shutdown()
