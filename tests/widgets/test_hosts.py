"""Which domains a tenant may allow, and how they are written."""

import pytest

from chalicelib.core.errors import InvalidError
from chalicelib.widgets.hosts import normalised


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("www.example.com", "www.example.com"),
        ("example.com", "example.com"),
        ("  WWW.Example.COM.  ", "www.example.com"),
        ("*.example.com", "*.example.com"),
        ("*.EXAMPLE.co.uk", "*.example.co.uk"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),  # decomposed
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("straße.de", "xn--strae-oqa.de"),  # browsers don't make it strasse.de
        ("*.例え.jp", "*.xn--r8jz45g.jp"),
        ("\uff45\uff58ample.com", "example.com"),  # full width
        ("github.io", "github.io"),  # a site of its own…
        ("me.github.io", "me.github.io"),
        ("*.me.github.io", "*.me.github.io"),
        ("chat.intranet.internal", "chat.intranet.internal"),
        ("1password.com", "1password.com"),
        ("a" * 63 + ".com", "a" * 63 + ".com"),
    ],
)
def test_a_domain_is_kept_in_one_canonical_way(given: str, kept: str) -> None:
    assert normalised(given, allow_loopback=False) == kept
    assert normalised(kept, allow_loopback=True) == kept


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("com", "public_suffix"),
        ("*.com", "public_suffix"),
        ("co.uk", "public_suffix"),
        ("*.co.uk", "public_suffix"),
        ("*.github.io", "public_suffix"),  # …but each label below it is somebody else's
        ("*.kawasaki.jp", "public_suffix"),
        ("公司.cn", "public_suffix"),
        ("intranet", "public_suffix"),
        ("127.0.0.1", "invalid_domain"),
        ("8.8.8.8", "invalid_domain"),
        ("2130706433", "invalid_domain"),  # a browser's 127.0.0.1
        ("127.1", "invalid_domain"),
        ("0x7f.0.0.0x1", "invalid_domain"),
        ("example.0x", "invalid_domain"),
        ("[::1]", "invalid_domain"),
        ("::1", "invalid_domain"),
        ("[2001:db8::1]:443", "invalid_domain"),
        ("localhost", "invalid_domain"),
        ("localhost:3000", "invalid_domain"),
        ("shop.localhost", "invalid_domain"),
        ("*", "invalid_domain"),
        ("*.", "invalid_domain"),
        ("**.example.com", "invalid_domain"),
        ("*.*.example.com", "invalid_domain"),
        ("www.*.com", "invalid_domain"),
        ("w*.example.com", "invalid_domain"),
        ("", "invalid_domain"),
        (".", "invalid_domain"),
        (".example.com", "invalid_domain"),
        ("example..com", "invalid_domain"),
        ("example.com..", "invalid_domain"),
        ("-a.example.com", "invalid_domain"),
        ("a-.example.com", "invalid_domain"),
        ("a_b.example.com", "invalid_domain"),
        ("exa mple.com", "invalid_domain"),
        ("example.com\u200b", "invalid_domain"),
        ("null", "public_suffix"),
        ("xn--zz.example.com", "invalid_domain"),  # not what a browser would write
        ("xn--example-.com", "invalid_domain"),
        ("xn--MNCHEN-3ya\u00e9.de", "invalid_domain"),
        ("a" * 64 + ".com", "invalid_domain"),
        ("a." * 130 + "com", "invalid_domain"),
    ],
)
def test_what_nobody_can_own_alone_is_refused(given: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        normalised(given, allow_loopback=False)
    assert [(error.param, error.code) for error in caught.value.errors] == [("domain", code)]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://www.example.com/", "www.example.com"),
        ("https://www.example.com", "www.example.com"),
        ("HTTP://example.com:8080/path?q#f", "example.com"),
        ("//example.com", "example.com"),
        ("example.com/", "example.com"),
        ("example.com?x", "example.com"),
        ("example.com:443", "example.com"),
        ("user@example.com", "example.com"),
        ("https://user:secret@example.com", "example.com"),
        ("https://*.example.com", "*.example.com"),
        ("https://münchen.de/", "münchen.de"),
        ("example.com\\x", "example.com"),
    ],
)
def test_a_url_is_refused_with_the_value_to_give(given: str, shown: str) -> None:
    with pytest.raises(InvalidError) as caught:
        normalised(given, allow_loopback=True)
    assert caught.value.message.endswith(f": {shown}")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:3000", "localhost:3000"),
        ("127.0.0.1:08000", "127.0.0.1:8000"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8000", "[::1]:8000"),
        ("[::1]", "[::1]"),
    ],
)
def test_this_machine_is_a_domain_only_in_development(given: str, kept: str) -> None:
    assert normalised(given, allow_loopback=True) == kept
    with pytest.raises(InvalidError):
        normalised(given, allow_loopback=False)


@pytest.mark.parametrize(
    "given", ["localhost:0", "localhost:65536", "127.0.0.2", "10.0.0.1:80", "*.localhost", "[::2]"]
)
def test_in_development_too_nothing_but_this_machine_is_allowed(given: str) -> None:
    with pytest.raises(InvalidError):
        normalised(given, allow_loopback=True)
