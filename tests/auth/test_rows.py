"""What is kept of an account: seen at once, whole, for as long as was promised, and changed by nobody who is late."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.auth import session_store, store
from chalicelib.auth.models import Device, EmailChange, Registration, Session, Totp, User
from chalicelib.core import clock, ids
from chalicelib.core.table import USERS, ConditionFailedError, StaleError, run, transact
from chalicelib.events.models import SYSTEM
from tests.support.clocks import later
from tests.support.faults import StaleReplica, injected
from tests.support.people import new_email

HOUR_MS = 3_600_000


@pytest.fixture(autouse=True)
def _behind(services: object) -> Iterator[None]:
    with injected(StaleReplica()):
        yield


def new_user(**more: Any) -> User:
    user = User(ids.new("usr"), new_email(), None, None, password_version=1, created_at=7)
    return dataclasses.replace(user, **more)


def made(**more: Any) -> User:
    user = new_user(**more)
    transact(store.creating_user(user))
    return user


def events_of(pk: str) -> list[tuple[str, Any, Any]]:
    found = USERS.query(pk, prefix="e#").items
    assert not any("l_pk" in row for row in found)  # they are in no tenant's log
    return [(row["ty"], json.loads(row["d"]), row["by"]) for row in found]


class TestUsers:
    def test_one_is_found_as_they_were_made(self):
        user, subject = new_user(name="Ada", password_hash="h", password_version=3, pool_subject="x"), ids.new_ulid()
        transact([*store.creating_user(user), store.claiming_pool_user(user.id, subject)])
        assert store.find_user(user.id) == user
        assert store.find_user_id(user.email) == user.id
        assert store.find_pool_user_id(subject) == user.id
        assert (USERS.get(user.id, "meta") or {})["dpos"] == 0

    def test_nobody_is_found_who_is_not_there(self):
        assert store.find_user(store.NOBODY) is None
        assert store.find_user_id(new_email()) is None
        assert store.find_pool_user_id(ids.new_ulid()) is None

    def test_an_address_an_id_and_a_pools_subject_are_one_users(self):
        user, subject = made(), ids.new_ulid()
        run(store.claiming_pool_user(user.id, subject))
        for other in (new_user(email=user.email), dataclasses.replace(user, email=new_email())):
            with pytest.raises(ConditionFailedError):
                transact(store.creating_user(other))
        with pytest.raises(ConditionFailedError):
            run(store.claiming_pool_user(made().id, subject))

    def test_a_change_is_found_and_recorded_as_their_own_and_the_dispatcher_is_told(self, services):
        user = made()
        changed = {"name": "Ada", "pw": "h", "pwv": 2, "off": True, "lang": "de", "ev": 4, "tp": b"p", "sub": "x"}
        changed |= {"tk": b"k", "ts": 9, "rc": frozenset({"a", "b"})}
        services.reset()
        store.change_user(user, "user.updated", changed)
        assert store.find_user(user.id) == User(
            id=user.id,
            email=user.email,
            name="Ada",
            password_hash="h",
            password_version=2,
            created_at=7,
            disabled=True,
            language="de",
            email_version=4,
            totp=Totp(b"k", 9, frozenset({"a", "b"})),
            totp_pending=b"p",
            pool_subject="x",
            pos=1,
        )
        assert events_of(user.id) == [("user.updated", {"id": user.id}, {"type": "user", "id": user.id})]
        assert "p_pk" in (USERS.get(user.id, "meta") or {})
        assert list(services.queues["events"]) == [USERS.key(user.id, "meta").pk]

    def test_a_second_factor_whose_recovery_codes_are_used_up_has_none(self):
        user = made()
        store.change_user(user, "user.updated", {"tk": b"k", "ts": 9})
        found = store.find_user(user.id)
        assert found
        assert found.totp == Totp(b"k", 9, frozenset())

    def test_a_change_of_what_has_changed_since_is_none(self):
        user, other = made(), made()
        store.change_user(user, "user.updated", {"name": "Ada"})
        for late in (user, dataclasses.replace(user, pos=1)):
            with pytest.raises(StaleError):
                store.change_user(late, "user.updated", {"name": "Bob"}, when={"name": "Eve"})
        with pytest.raises(StaleError):
            store.change_user(user, "user.updated", {"name": "Bob"})
        taken = store.moving_email(dataclasses.replace(user, pos=1), other.email)
        with pytest.raises(ConditionFailedError):
            store.change_user(dataclasses.replace(user, pos=1), "user.updated", {"name": "Bob"}, also=taken)
        found = store.find_user(user.id)
        assert found
        assert (found.name, found.pos) == ("Ada", 1)

    def test_an_address_that_is_moved_from_is_free_and_only_its_user_moves_it(self):
        user, other, new = made(), made(), new_email()
        with pytest.raises(ConditionFailedError):
            transact(store.moving_email(dataclasses.replace(other, email=user.email), new))
        transact(store.moving_email(user, new))
        assert (store.find_user_id(new), store.find_user_id(user.email)) == (user.id, None)

    def test_a_code_is_used_up_with_all_before_it_and_for_this_device_only(self):
        user = made()
        store.change_user(user, "user.updated", {"tk": b"k", "ts": 9})
        user = dataclasses.replace(user, totp=Totp(b"k", 9, frozenset()))
        store.use_totp_step(user, 11)
        for step in (10, 11):
            with pytest.raises(ConditionFailedError):
                store.use_totp_step(user, step)
        with pytest.raises(ConditionFailedError):
            store.use_totp_step(dataclasses.replace(user, totp=Totp(b"other", 9, frozenset())), 12)
        assert (USERS.get(user.id, "meta") or {})["ts"] == 11


class TestRequests:
    def test_a_registration_is_kept_for_an_hour_more_than_its_link(self, services):
        registration = Registration(ids.new("reg"), new_email(), "Ada", "h")
        with later(0):
            self.is_kept(
                services,
                registration.id,
                25 * HOUR_MS,
                lambda: store.add_registration(registration, "de"),
                lambda: store.find_registration(registration.id) == registration,
            )
        told = ("user.registration_requested", {"id": registration.id, "language": "de"}, SYSTEM)
        assert events_of(registration.id) == [told]
        run(store.ending_registration(registration.id))
        assert store.find_registration(registration.id) is None
        with pytest.raises(ConditionFailedError):
            run(store.ending_registration(registration.id))

    def test_one_may_be_without_a_name(self):
        registration = Registration(ids.new("reg"), new_email(), None, "h")
        store.add_registration(registration, "en")
        assert store.find_registration(registration.id) == registration

    def test_so_is_who_asked_for_a_new_password(self, services):
        request_id, email = ids.new("rst"), new_email()
        with later(0):
            self.is_kept(
                services,
                request_id,
                2 * HOUR_MS,
                lambda: store.add_reset_request(request_id, email, "de"),
                lambda: store.find_reset_email(request_id) == email,
            )
        told = ("user.password_reset_requested", {"id": request_id, "language": "de"}, SYSTEM)
        assert events_of(request_id) == [told]

    def test_so_is_a_change_of_address(self, services):
        change = EmailChange(ids.new("chg"), ids.new("usr"), new_email(), 3, 4)
        with later(0):
            self.is_kept(
                services,
                change.id,
                2 * HOUR_MS,
                lambda: store.add_email_change(change, result=None),
                lambda: store.find_email_change(change.id) == change,
            )
        assert events_of(change.id) == [("user.email_change_requested", {"id": change.id}, SYSTEM)]
        run(store.ending_email_change(change.id))
        assert store.find_email_change(change.id) is None
        with pytest.raises(ConditionFailedError):
            run(store.ending_email_change(change.id))

    def is_kept(self, services: Any, pk: str, ms: int, add: Any, found: Any) -> None:
        services.reset()
        end_s = (clock.now_ms() + ms) // 1000
        add()
        assert found()
        with clock.reading(lambda: end_s * 1000 - 1):
            assert found()
        with clock.reading(lambda: end_s * 1000):
            assert not found()
        row = USERS.get(pk, "meta") or {}
        assert (row["pos"], row["dpos"], row["exp"]) == (1, 0, end_s)
        assert row["p_pk"]
        assert list(services.queues["events"]) == [USERS.key(pk, "meta").pk]


class TestSessions:
    def test_they_are_found_in_the_order_asked_for_with_their_user(self):
        user = made()
        one, two = (session(user, Device(agent, net)) for agent, net in (("Phone", None), (None, "203.0.113.0/24")))
        missing = ids.new("ses")
        assert session_store.find_sessions_and_user(user.id, two.id, missing, one.id) == ([two, None, one], user)
        assert set(map(repr, session_store.list_sessions(user.id))) == {repr(one), repr(two)}

    def test_one_that_is_over_is_not_advanced_and_not_ended_again(self):
        user = made()
        standing, over = session(user), session(user)
        session_store.end_session(over, user)
        told = ("session.revoked", {"id": over.id}, {"type": "user", "id": user.id})
        assert events_of(user.id) == [told]
        with pytest.raises(ConditionFailedError):
            session_store.advance_session(over, Device(None, None))
        for late in (user, dataclasses.replace(user, pos=1)):
            with pytest.raises(ConditionFailedError):
                session_store.end_session(over, late)
        with pytest.raises(ConditionFailedError):
            run(session_store.keeping_session(over))
        run(session_store.keeping_session(standing))
        with pytest.raises(ConditionFailedError):
            run(session_store.keeping_session(standing))
        kept = dataclasses.replace(standing, password_version=2)
        assert session_store.list_sessions(user.id) == [kept]

    def test_an_exchange_counts_once_and_keeps_it_for_thirty_days_more(self):
        user = made()
        begun = session(user, Device("Phone", "203.0.113.0/24"))
        with later(HOUR_MS):
            now = clock.now_ms()
            session_store.advance_session(begun, Device("Other", None))
            with pytest.raises(ConditionFailedError):
                session_store.advance_session(begun, Device("Late", None))
        (found,) = session_store.list_sessions(user.id)
        assert found == dataclasses.replace(begun, generation=1, refreshed_at=now, device=Device("Other", None))
        end_ms = (now // 1000 + 30 * 86_400) * 1000
        with clock.reading(lambda: end_ms - 1):
            assert session_store.list_sessions(user.id) == [found]
        with clock.reading(lambda: end_ms):
            assert session_store.list_sessions(user.id) == []


def session(user: User, device: Device | None = None) -> Session:
    now = clock.now_ms()
    begun = Session(ids.new("ses"), user.id, user.password_version, 0, now, now, device or Device(None, None))
    session_store.add_session(begun)
    return begun
