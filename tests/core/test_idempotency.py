"""The record of an answer: one for each key, caller and route, for a day, and with its effect or not at all."""

import pytest

from chalicelib.core import clock, ids
from chalicelib.core.errors import ContentionError, InvalidError
from chalicelib.core.idempotency import Answer, Guard
from chalicelib.core.table import LIMITS, AlreadyRecordedError, ConditionFailedError, effect_record, transact
from tests.support.clocks import later
from tests.support.faults import StaleReplica, injected

DAY_MS = 86_400_000
DONE = Answer(201, '{"id":1}', '"7"')


def guard(key: str, *, caller: str = "usr_1", route: str = "POST /a", body: bytes = b"{}") -> Guard:
    return Guard.of(LIMITS, key, caller, route, body)


def take_effect(kept: Guard, mark: str | None = None) -> tuple[object, Answer | None]:
    row = mark or ids.new_ulid()

    def act() -> object:
        transact([LIMITS.putting(row, "-", {"a": 1}, absent=True)], result="made")
        return "made"

    return kept.run(act, lambda result: DONE if result == "made" else Answer(500, "another result"))


def test_the_first_runs_and_the_second_gets_its_answer():
    key = ids.new_ulid()
    assert guard(key).find() is None
    assert take_effect(guard(key)) == ("made", None)
    assert guard(key).find() == DONE
    assert take_effect(guard(key)) == (None, DONE)


def test_the_second_gets_its_answer_also_where_a_replica_is_behind():
    key = ids.new_ulid()
    with injected(StaleReplica()):
        take_effect(guard(key))
        assert guard(key).find() == DONE


def test_the_effect_of_the_one_who_was_second_is_undone():
    key, mark = ids.new_ulid(), ids.new_ulid()
    take_effect(guard(key))
    assert take_effect(guard(key), mark) == (None, DONE)
    assert LIMITS.get(mark, "-", consistent=True) is None


@pytest.mark.parametrize("other", [{"caller": "usr_2"}, {"route": "POST /b"}])
def test_another_caller_or_route_has_keys_of_its_own(other):
    key = ids.new_ulid()
    take_effect(guard(key))
    assert guard(key, **other).find() is None
    assert guard(ids.new_ulid()).find() is None
    assert take_effect(guard(key, **other)) == ("made", None)


def test_what_separates_the_parts_of_a_name_cannot_be_moved():
    assert guard("bc", caller="a").name != guard("c", caller="ab").name
    assert guard("a", route="r").name == guard("a", route="r").name


def test_another_body_is_refused():
    key = ids.new_ulid()
    take_effect(guard(key))
    for act in (guard(key, body=b"{ }").find, lambda: take_effect(guard(key, body=b"{ }"))):
        with pytest.raises(InvalidError) as refused:
            act()
        (error,) = refused.value.errors
        assert (error.param, error.code) == ("Idempotency-Key", "idempotency_key_reused")
        assert "another body" in error.message


def test_a_record_is_kept_for_a_day_and_then_replaced():
    key = ids.new_ulid()
    take_effect(guard(key))
    with later(DAY_MS - 5000):
        assert guard(key).find() == DONE
    with later(DAY_MS + 5000):
        assert guard(key).find() is None
        assert take_effect(guard(key)) == ("made", None)
        assert guard(key).find() == DONE


def test_a_record_that_expires_while_it_is_looked_at_is_contention():
    key, now = ids.new_ulid(), clock.now_ms()
    take_effect(guard(key))

    def act() -> object:
        raise AlreadyRecordedError

    with clock.reading(lambda: now + 2 * DAY_MS), pytest.raises(ContentionError):
        guard(key).run(act, lambda _result: DONE)


def test_a_change_that_fails_leaves_no_record():
    key, mark = ids.new_ulid(), ids.new_ulid()
    take_effect(guard(ids.new_ulid()), mark)
    with pytest.raises(ConditionFailedError):
        take_effect(guard(key), mark)
    assert guard(key).find() is None
    assert take_effect(guard(key)) == ("made", None)


def test_only_what_has_a_result_is_recorded_and_only_inside():
    key = ids.new_ulid()
    kept = guard(key)
    kept.run(lambda: transact([LIMITS.putting(ids.new_ulid(), "-", {})]), lambda _result: DONE)
    assert kept.find() is None
    transact([LIMITS.putting(ids.new_ulid(), "-", {})], result="made")
    assert kept.find() is None
    assert effect_record.get() is None


def test_an_answer_without_a_tag_comes_back_without_one():
    key = ids.new_ulid()
    plain = Answer(204, "")
    guard(key).run(lambda: transact([LIMITS.putting(ids.new_ulid(), "-", {})], result=None), lambda _result: plain)
    assert guard(key).find() == plain


@pytest.mark.parametrize("key", ["", "   ", "a" * 256, "a\nb", "\x7f"])
def test_a_key_is_1_to_255_printable_characters(key):
    with pytest.raises(InvalidError) as refused:
        guard(key)
    (error,) = refused.value.errors
    assert (error.param, error.message) == ("Idempotency-Key", "Give 1 to 255 printable characters.")
    guard("a" * 255)
    guard("a b")
