"""Which mails follow from what happens to accounts: none for what is gone, each in the language of who gets it."""

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.auth import mails, store
from chalicelib.auth.models import EmailChange, User
from chalicelib.core import clock, ids
from chalicelib.core.table import transact
from chalicelib.events.models import SYSTEM, Event
from tests.support.people import new_email


@pytest.fixture
def user(services: Any) -> User:
    """Somebody who reads German."""
    made = User(ids.new("usr"), new_email(), "Ada", None, password_version=1, created_at=clock.now_ms())
    transact(store.creating_user(made))
    store.change_user(made, "user.updated", {"lang": "de"})
    return dataclasses.replace(made, pos=1)


def sent(services: Any, type_: str, id_: str) -> list[tuple[str, str, str]]:
    """Consume an event; returns the address, template and language of each mail."""
    services.queues.clear()
    mails.on_event(Event("U#x", 1, type_, clock.now_ms(), {"id": id_}, SYSTEM, {}, {}))
    found = map(json.loads, services.queues.get("mail", []))
    return [(mail["to"], mail["template"], mail["language"]) for mail in found]


@pytest.mark.parametrize(
    ("type_", "prefix"),
    [
        ("user.registration_requested", "reg"),
        ("user.password_reset_requested", "rst"),
        ("user.email_change_requested", "chg"),
        ("user.password_changed", "usr"),
    ],
)
def test_an_event_that_is_seen_after_its_request_or_user_is_gone_sends_none(services, type_, prefix):
    assert sent(services, type_, ids.new(prefix)) == []


@pytest.mark.parametrize("template", ["password_changed", "totp_enabled", "totp_disabled", "recovery_code_used"])
def test_a_notice_is_in_its_readers_language(services, user, template):
    assert sent(services, f"user.{template}", user.id) == [(user.email, template, "de")]


def test_both_mails_of_a_change_of_address_are_in_the_users_language_and_of_a_disabled_one_there_is_none(
    services, user
):
    change = EmailChange(ids.new("chg"), user.id, new_email(), 1, 0)
    store.add_email_change(change, result=None)
    told = sent(services, "user.email_change_requested", change.id)
    assert told == [(user.email, "email_change_requested", "de"), (change.email, "confirm_email", "de")]
    store.change_user(user, "user.updated", {"off": True})
    assert sent(services, "user.email_change_requested", change.id) == []


def test_of_a_user_who_is_gone_a_change_of_address_sends_none(services):
    change = EmailChange(ids.new("chg"), ids.new("usr"), new_email(), 1, 0)
    store.add_email_change(change, result=None)
    assert sent(services, "user.email_change_requested", change.id) == []


def test_who_is_disabled_gets_no_link_to_a_new_password(services, user):
    request_id = ids.new("rst")
    store.add_reset_request(request_id, user.email, "en")
    assert [template for _, template, _ in sent(services, "user.password_reset_requested", request_id)] == [
        "reset_password"
    ]
    store.change_user(user, "user.updated", {"off": True})
    assert sent(services, "user.password_reset_requested", request_id) == []
