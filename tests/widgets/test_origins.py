"""Which pages a domain lets in. Every case is tried against every kind of domain."""

import random

import pytest

from chalicelib.widgets.origins import admitting_domains

DOMAINS = (
    "example.com",
    "*.example.com",
    "xn--mnchen-3ya.de",
    "localhost",
    "localhost:3000",
    "127.0.0.1:8000",
    "[::1]",
)

# What browsers and others send, and which of DOMAINS let it in where loopback is allowed.
CASES: dict[str, set[str]] = {
    "https://example.com": {"example.com"},
    "https://example.com:443": {"example.com"},
    "HTTPS://EXAMPLE.COM": {"example.com"},
    "https://Example.Com": {"example.com"},
    "https://example.com.": {"example.com"},
    "https://www.example.com": {"*.example.com"},
    "https://www.example.com.": {"*.example.com"},
    "https://a-b.example.com": {"*.example.com"},
    "https://xn--mnchen-3ya.de": {"xn--mnchen-3ya.de"},
    "http://localhost": {"localhost"},
    "https://localhost": {"localhost"},
    "http://localhost:3000": {"localhost", "localhost:3000"},
    "https://localhost:3000": {"localhost", "localhost:3000"},
    "http://localhost:3001": {"localhost"},
    "http://127.0.0.1:8000": {"127.0.0.1:8000"},
    "http://[::1]:5173": {"[::1]"},
    "http://[::1]": {"[::1]"},
    # Not https, or not on its usual port.
    "http://example.com": set(),
    "http://www.example.com": set(),
    "https://example.com:8443": set(),
    "https://example.com:80": set(),
    "https://www.example.com:4430": set(),
    "http://example.com:443": set(),
    # More labels, fewer, or look-alikes.
    "https://a.b.example.com": set(),
    "https://.example.com": set(),
    "https://com": set(),
    "https://badexample.com": set(),
    "https://example.com.evil.com": set(),
    "https://evil-example.com": set(),
    "https://example.comx": set(),
    "https://example.org": set(),
    "https://*.example.com": set(),
    "https://münchen.de": set(),
    "https://example.com..": set(),
    "https://127.0.0.1.example.org": set(),
    "https://localhost.evil.com": set(),
    # Another address of this machine, or another port.
    "http://127.0.0.1": set(),
    "http://127.0.0.1:8001": set(),
    "http://127.0.0.2:8000": set(),
    "http://[::2]": set(),
    "http://0x7f000001:8000": set(),
    "http://2130706433:8000": set(),
    "http://127.1:8000": set(),
    # Not an origin.
    "": set(),
    "null": set(),
    "example.com": set(),
    "//example.com": set(),
    "https://": set(),
    "https:///": set(),
    "https://example.com/": set(),
    "https://example.com/path": set(),
    "https://example.com?x": set(),
    "https://example.com#x": set(),
    "https://user@example.com": set(),
    "https://user:secret@example.com": set(),
    "https://evil.com@example.com": set(),
    "https://evil.com\\@example.com": set(),
    "https://example.com:": set(),
    "https://example.com:443:443": set(),
    "https://example.com:+443": set(),
    "https://example.com:٤٤٣": set(),
    "https://example.com\n": set(),
    "\nhttps://example.com": set(),
    " https://example.com": set(),
    "https://example.com https://evil.com": set(),
    "https://example.com,https://evil.com": set(),
    "https://exa%6dple.com": set(),
    "ftp://example.com": set(),
    "file://": set(),
    "chrome-extension://abcdefgh": set(),
    "https:example.com": set(),
    "httpss://example.com": set(),
}


@pytest.mark.parametrize("origin", CASES)
def test_an_origin_is_let_in_by_exactly_these_domains(origin: str) -> None:
    assert set(admitting_domains(origin, allow_loopback=True)) & set(DOMAINS) == CASES[origin]


@pytest.mark.parametrize("origin", CASES)
def test_without_loopback_this_machine_is_let_in_by_no_domain(origin: str) -> None:
    expected = {domain for domain in CASES[origin] if "." in domain and not domain.startswith("127.")}
    assert set(admitting_domains(origin, allow_loopback=False)) & set(DOMAINS) == expected


def test_a_mangled_origin_is_never_let_in_where_the_whole_one_was_not() -> None:
    # Insert, delete and replace characters at random: only letter case, the default port and a final dot may differ.
    rng = random.Random(6)
    whole = "https://www.example.com"
    same = {whole, whole + ":443", whole + ".", whole + ".:443"}
    for _ in range(20_000):
        text = list(rng.choice((whole, whole + ":443")))
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 2)] = rng.choice("aw.:/@*?#-_%0443 \\\t\nEé[]")
        origin = "".join(text)
        if "www.example.com" in admitting_domains(origin, allow_loopback=True):
            assert origin.lower() in same or origin.lower().replace(":0443", ":443") in same, origin
