"""`queues`: nothing that waits is lost by looking at it, nor by moving it, wherever that stops."""

import pytest
import typer

from parley import output
from tests.support.operator import parley
from tests.support.sqs import PREFIX, Sqs


class TestList:
    def test_it_tells_what_waits_and_what_is_dead(self, sqs):
        sqs.fill("events", "a", "b")
        sqs.fill("events-dlq", "c")
        done = parley("queues", "list", "--json")
        events, mail = done.json["data"]
        assert events == {
            "queue": "events",
            "waiting": 2,
            "in_flight": 0,
            "delayed": 0,
            "oldest_seconds": 300,
            "dead": 1,
        }
        assert (mail["queue"], mail["waiting"], mail["oldest_seconds"], mail["dead"]) == ("mail", 0, None, 0)
        shown = parley("queues", "list")
        assert shown.out.splitlines()[1].split() == ["events", "2", "0", "0", "5", "min", "1"]
        assert "queues peek events --dead" in shown.err

    def test_where_there_is_none_it_says_where_it_looked(self, sqs):
        sqs.queues.clear()
        assert "parley-test-*" in parley("queues", "list", code=3).err


class TestPeek:
    def test_messages_are_shown_and_stay_where_they_are(self, sqs):
        sqs.fill("events", *"abcdefghijklm")
        done = parley("queues", "peek", "events", "--limit", "12", "--json")
        assert [row["body"] for row in done.json["data"]] == list("abcdefghijkl")
        assert "12 of about 13" in done.err
        assert sqs.visible("events") == list("abcdefghijklm")

    def test_dead_letters_are_their_own_queue(self, sqs):
        sqs.fill("mail", "alive")
        sqs.fill("mail-dlq", "dead")
        for arguments in (["mail", "--dead"], ["mail-dlq"], [f"{PREFIX}mail-dlq"]):
            assert parley("queues", "peek", *arguments).out.split()[-1] == "dead"

    def test_a_queue_that_is_not_there_is_refused_with_those_that_are(self, sqs):
        assert "There are: events, mail." in parley("queues", "peek", "evnts", code=1).err


class TestRedrive:
    def test_it_asks_and_then_moves_everything_with_its_attributes(self, sqs):
        bodies = [f"m{number:03d}" for number in range(25)]
        sqs.fill("events-dlq", *bodies)
        assert "Move 25 of 25" in parley("queues", "redrive", "events", code=2).err
        assert sqs.bodies("events") == []
        done = parley("queues", "redrive", "events", "--yes", "--json")
        assert done.json == {"queue": "parley-test-events", "moved": 25, "refused": 0, "left": 0}
        assert sqs.bodies("events") == bodies
        assert sqs.bodies("events-dlq") == []
        assert sqs.queues["parley-test-events"][3].attributes["why"]["StringValue"] == "m003"

    def test_who_is_asked_may_say_no(self, sqs, monkeypatch):
        sqs.fill("events-dlq", "a")
        monkeypatch.setattr(typer, "confirm", lambda *_args, **_named: False)
        monkeypatch.setattr(output, "_can_be_asked", lambda: True)
        assert "Nothing was changed" in parley("queues", "redrive", "events", code=1).err
        assert sqs.visible("events-dlq") == ["a"]

    def test_a_limit_leaves_the_others(self, sqs):
        sqs.fill("events-dlq", *"abcde")
        assert "Moved 2" in parley("queues", "redrive", "events", "--limit", "2", "--yes").out
        assert (sqs.bodies("events"), sqs.visible("events-dlq")) == (["a", "b"], ["c", "d", "e"])

    def test_what_dies_again_meanwhile_is_not_moved_again(self, sqs, monkeypatch):
        sqs.fill("events-dlq", *"ab")
        send = sqs.send_message_batch

        def and_dies(**params):
            answer = send(**params)
            sqs.queues["parley-test-events-dlq"] += sqs.queues["parley-test-events"][-len(params["Entries"]) :]
            return answer

        monkeypatch.setattr(sqs, "send_message_batch", and_dies)
        assert "Moved 2" in parley("queues", "redrive", "events", "--yes").out

    def test_a_dry_run_moves_nothing(self, sqs):
        sqs.fill("events-dlq", *"abc")
        done = parley("queues", "redrive", "events", "--dry-run", "--json")
        assert (done.json["would_move"], len(done.json["data"])) == (3, 3)
        assert (sqs.bodies("events"), sqs.visible("events-dlq")) == ([], ["a", "b", "c"])

    def test_what_the_queue_does_not_take_stays_dead(self, sqs):
        sqs.fill("events-dlq", *"abc")
        sqs.refused = {"b"}
        done = parley("queues", "redrive", "events", "--yes", "--json", code=3)
        assert done.json == {"queue": "parley-test-events", "moved": 2, "refused": 1, "left": 1}
        assert (sqs.bodies("events"), sqs.visible("events-dlq")) == (["a", "c"], ["b"])

    def test_large_messages_are_sent_in_parts(self, sqs):
        large = [letter * 150_000 for letter in "abc"]
        sqs.fill("events-dlq", *large)
        parley("queues", "redrive", "events", "--yes")
        assert sqs.bodies("events") == large

    @pytest.mark.parametrize("operation", ["send_message_batch", "delete_message_batch"])
    def test_stopped_in_the_middle_no_message_is_lost_and_it_can_go_on(self, sqs: Sqs, operation):
        bodies = [f"m{number:03d}" for number in range(15)]
        sqs.fill("events-dlq", *bodies)
        sqs.dies_before = operation
        assert "run it again" in parley("queues", "redrive", "events", "--yes", code=130).err
        assert set(sqs.bodies("events") + sqs.visible("events-dlq")) == set(bodies)
        parley("queues", "redrive", "events", "--yes")
        assert set(sqs.bodies("events")) == set(bodies)
        assert sqs.bodies("events-dlq") == []

    def test_with_nothing_dead_there_is_nothing_to_ask(self, sqs):
        assert "Nothing waits" in parley("queues", "redrive", "events").out
