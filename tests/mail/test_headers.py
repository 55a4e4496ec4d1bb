"""Nobody can add a header or a recipient to a mail, whatever they are called."""

import re
from email import message_from_string, policy
from email.utils import getaddresses
from string import Formatter

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chalicelib.core.http.schema import Email
from chalicelib.mail import workers
from chalicelib.mail.models import Mail, Quote, UnsafeAddressError, check_address
from chalicelib.mail.service import enqueue
from chalicelib.mail.templates import WORDS
from tests.support.settings import changed

ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\x00"  # all that some program takes for the end of a line
SAFE_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")

nasty = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(ENDS + '<>,;:@"\\ ')), max_size=80)
injection = st.builds(lambda a, end, b: f"{a}{end}Bcc: eve@example.com{b}", nasty, st.sampled_from(ENDS), nasty)
texts = st.one_of(nasty, injection)
emails = TypeAdapter(Email)
# All that some template is told.
NAMED = {
    name
    for template in WORDS["en"].templates.values()
    for text in (template.subject, template.before, template.after, template.footer)
    for _, name, _, _ in Formatter().parse(text)
    if name
}
patiently = trying(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)  # the machine may be busy


def mail(**given_: object) -> Mail:
    values = {"id": "mail_x", "to": "ada@example.com", "template": "verify_email", "language": "en"}
    return Mail(**{**values, "params": {"link": "https://api.test/?token=a"}, **given_})  # type: ignore[arg-type]


class TestSubjectsAndNames:
    @patiently
    @given(
        tenant=texts, language=st.sampled_from(["en", "de"]), template=st.sampled_from(sorted(WORDS["en"].templates))
    )
    @example(tenant="Acme\r\nBcc: eve@example.com\x00\u2028", language="en", template="invitation")
    def test_a_tenants_name_stays_in_its_header(self, tenant, language, template):
        params = {"link": "https://api.test/?token=a"} | dict.fromkeys(NAMED - {"link"}, tenant)
        with changed(MAIL_FROM="Parley <no-reply@parley.test>"):
            asked = workers.request_for(
                mail(
                    template=template, language=language, params=params, sender=tenant, quotes=(Quote(tenant, tenant),)
                )
            )
        subject, sender = asked["Content"]["Simple"]["Subject"]["Data"], asked["FromEmailAddress"]
        assert subject.isprintable()
        assert sender.isascii()
        assert sender.isprintable()
        raw = f"From: {sender}\nSubject: {subject}\nTo: ada@example.com\n\nbody"
        parsed = message_from_string(raw, policy=policy.compat32)
        assert parsed.keys() == ["From", "Subject", "To"]
        assert [address for _, address in getaddresses([sender])] == ["no-reply@parley.test"]
        for header in asked["Content"]["Simple"]["Headers"]:
            assert header["Value"].isprintable()

    def test_a_name_beyond_ascii_is_encoded_for_the_from_header(self):
        asked = workers.request_for(mail(sender="Müller & Söhne, Zürich"))
        parsed = message_from_string(f"From: {asked['FromEmailAddress']}\n\n", policy=policy.default)
        (address,) = parsed["From"].addresses
        assert (address.display_name, address.addr_spec) == ("Müller & Söhne, Zürich", "no-reply@parley.test")


class TestAddresses:
    @patiently
    @given(st.one_of(texts, st.builds(lambda a, b: f"{a}@{b}", texts, texts), st.emails()))
    @example("ada@exam\u2028ple.com")
    @example("ada@example.com\n")
    def test_an_address_is_refused_or_can_be_sent_to(self, address):
        try:
            found = emails.validate_python(address)
        except ValidationError as exc:
            assert exc.errors()[0]["type"] in {"invalid_email", "string_too_long"}  # noqa: PT017 - one of two outcomes
            return
        assert SAFE_ADDRESS.fullmatch(found)
        assert check_address(found) == found == emails.validate_python(found)

    @pytest.mark.parametrize(
        ("given_", "sent"),
        [
            ("Ada@Example.COM", "ada@example.com"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@straße.de", "ada@xn--strae-oqa.de"),
            ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
            ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("o'neil+a/b=c@example.com", "o'neil+a/b=c@example.com"),
        ],
    )
    def test_a_domain_goes_out_in_punycode(self, given_, sent):
        assert emails.validate_python(given_) == check_address(given_) == sent

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("jürgen@example.com", "letters such as"),
            ("ada@example", "domain name"),
            ("ada@exa mple.com", "domain name"),
            ("ada..b@example.com", "not an address"),
            (".ada@example.com", "not an address"),
            ('"a b"@example.com', "not an address"),
            ("ada", "one @"),
            ("a@b@c.com", "one @"),
            ("ada@192.168.0.1", "domain name"),
            ("Ada <ada@example.com>", "not an address"),
            ("a" * 65 + "@example.com", "not an address"),
        ],
    )
    def test_what_cannot_be_sent_to_is_refused_with_the_reason(self, client, address, why):
        answer = client.post("/v1/auth/register", {"email": address, "password": "correct horse battery"})
        assert answer.status == 422
        (error,) = answer.json["error"]["errors"]
        assert (error["param"], error["code"]) == ("email", "invalid_email")
        assert why in error["message"]

    @pytest.mark.parametrize(
        "address",
        ["ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com", "", "a@b@c.com", "ada"],
    )
    def test_an_address_that_is_more_than_one_is_refused_again_when_it_is_sent(self, services, address):
        with pytest.raises(UnsafeAddressError):
            enqueue(mail(to=address))
        with pytest.raises(UnsafeAddressError):
            workers.send(mail(to=address).to_json())
        assert services.mails == []
