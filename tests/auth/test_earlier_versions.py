"""What an earlier version has handed out or stored is good after an upgrade; all of it was made under this pepper.

Whoever has to change a line here locks somebody out, so the old form has to be read as well for as long as it is kept.
"""

import pytest

from chalicelib.auth import attempts, mail_tokens, passwords, pool, sessions, store, totp
from chalicelib.auth.mail_tokens import Reset
from chalicelib.auth.models import InvalidTokenError, User
from chalicelib.core import cursor, tokens
from chalicelib.core.clock import reading
from chalicelib.core.cursor import Position
from chalicelib.core.idempotency import Guard
from chalicelib.core.table import GUARDS, tenant_rows
from chalicelib.tenants import api_keys

USER, TENANT = "usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C", "tn_01JB3D2N6T8V4W5X7Y9Z0A1B2G"
END_S = 2_000_000_000  # when the links in mails end
KEY = "parley_live_04pWRCBXnAvOvv1UpPRIXpvRBjNx5WShwvsmbiOaCRa0ZJ9vxTta9thFDSdkU59VacVlru0NpOg0t31up"
REFRESH = "parley_rt_081mkuT73xddCj4i3xmNBp7x6iTZ0e1K9lQ52DQGqojsrifEU5fKQYc1RWSIswxFZBngstUmxT1WlGCOCgXmeThGoCJGeo9ZW"
PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$iBA7LcOD1cO8B9jKO2oWkw$tuHMuZt7cwjuXyydXM3MZ3xrZWGk9rZbPFpLegPKZwA"
SEALED = "7f199e291dadeece4a1ab2dddac777ba6123e6ab6fecdeb9a1c11aa2785715cd8cac2032f0ff5a2586669c1719ed3c21"

pytestmark = pytest.mark.usefixtures("services")


def test_an_api_key():
    secret = bytes(range(24))
    assert api_keys.token_of("live", TENANT, "key_01JB3D2N6T8V4W5X7Y9Z0A1B2H", secret) == KEY
    assert (tokens.unpack(api_keys.PREFIXES["live"], KEY, 16, 16, 24) or ())[2] == secret


def test_a_refresh_token():
    assert sessions._read(REFRESH) == sessions._Refresh(USER, "ses_01JB3D2N6T8V4W5X7Y9Z0A1B2D", 7)


def test_a_password():
    assert passwords.matches("\ufb01ne old Password", PASSWORD)
    assert passwords.matches("fine old Password", PASSWORD)  # as another keyboard writes it
    assert not passwords.matches("fine old password", PASSWORD)


def test_the_links_in_mails():
    verify = "parley_ev_08COtBURB07ctAo6ZYFdG8I1T9Y5r4rslliwyfYaDy3Dg6VOkjckd7"
    reset = "parley_pr_02uE1VJz2njkg87ElVRCpAKB2OgRAyp3IjAz1lncw9zlnHLT4rybtsWXP9f7K6pMh"
    change = "parley_ec_08COtBURB07ctAo6ZYFdGB3GdFtgvAyPLMptBG7S57TZMr30Fwbzyq"
    with reading(lambda: END_S * 1000 - 1):
        assert mail_tokens.read_registration(verify) == "reg_01JB3D2N6T8V4W5X7Y9Z0A1B2E"
        assert mail_tokens.read_reset(reset) == Reset(USER, password_version=3, email_version=2)
        assert mail_tokens.read_email_change(change) == "chg_01JB3D2N6T8V4W5X7Y9Z0A1B2F"
    with reading(lambda: END_S * 1000), pytest.raises(InvalidTokenError):
        mail_tokens.read_registration(verify)


def test_a_second_factor_and_its_recovery_codes():
    assert totp.unseal(USER, bytes.fromhex(SEALED)) == b"s" * 20
    assert totp.recovery_hash(USER, "abcd-efgh-jkmn") == "15e9f2ec7a6ac9006464b190cd12d262"


def test_an_account_is_found_by_its_address():
    user = User(USER, "ada@example.com", None, None, password_version=1, created_at=0)
    guard = "email#2d0afc6c4cbf07649b3a1409f4856aded91a66a272cce512334d388c351e9c22"
    assert store.creating_user(user)[0].key == GUARDS.key(guard, "-")
    name = "login#acc9423933c66bbf96379bd1311a3f21cc19b625595a5fe99541996b1db836bf"
    assert attempts.account("ada@example.com") == name


def test_a_pools_user_is_found_by_issuer_and_subject():
    claims = {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Test", "sub": "sub-1"}
    assert pool._subject(claims) == "ee63ccde9083055f3d65e28e220210593537a844580636f518e5097a522ab7ac"


def test_a_page_of_a_list_is_continued():
    name = "contacts:afdc91ba44a8753d"
    assert cursor.list_name("contacts", {"tag": "vip", "from": None}) == name
    assert cursor.decode(TENANT, "contacts", "_pCMnWNe1_E0b5adWyJjb25feCIsMjBd") == Position("con_x", 20)


def test_a_request_that_is_repeated_after_the_upgrade_is_done_once():
    guard = Guard.of(tenant_rows(TENANT), "k", "caller", "POST /a", b"{}")
    assert guard.partition == "idem#2"
    assert guard.name == "283cd4d2a4d9d022f69d1e52cbb3c19e7fda7c148460c085868a47b39ae82840"
    assert guard.fingerprint == "fa547f34b55af2f2d808df39f9ec0a2da35705a2a83d7dab8946df748ad3dc4f"
