"""The kill harness's reading of the table: what is whole passes, what is half done is named."""

from collections import Counter

import pytest

from bench.kill.truth import Conversation, Truth


def message(seq, pos, client_msg_id="a"):
    return {"sk": f"m#{seq}", "id": f"msg_{seq}", "seq": seq, "pos": pos, "ai": "vis_1", "cm": f"{client_msg_id}-{seq}"}


def whole() -> Conversation:
    return Conversation(
        "conv_1",
        meta={"seq": 2, "pos": 4, "dpos": 4, "st": "closed"},
        info={},
        messages=[message(1, 2), message(2, 3)],
        events=[{"pos": 1, "ty": "conversation.created"}, {"pos": 4, "ty": "conversation.closed"}],
    )


def test_a_whole_conversation_has_no_problem():
    assert list(whole().problems()) == []


@pytest.mark.parametrize(
    ("breaking", "problem"),
    [
        (lambda each: each.meta.clear(), "no main one"),
        (lambda each: setattr(each, "info", None), "second row"),
        (lambda each: each.messages.clear(), "no first message"),
        (lambda each: each.messages.pop(), "says it has 2 messages"),
        (lambda each: each.events.pop(0), "is at position 4"),
        (lambda each: each.meta.update(dpos=3), "dispatched up to 3 of 4"),
        (lambda each: each.meta.update(p_pk="P#1"), "dispatched up to"),
        (lambda each: each.meta.update(st="open"), "its events say ['closed']"),
        (lambda each: each.messages[1].update(cm="a-1"), "has a-1 2 times"),
    ],
)
def test_what_is_half_done_is_named(breaking, problem):
    conversation = whole()
    breaking(conversation)
    assert problem in "\n".join(conversation.problems())


def test_a_counter_that_is_off_and_a_missing_list_are_named():
    lists = {"conv_1": {"vis", "wgt"}}
    assert list(Truth({"conv_1": whole()}, Counter({"conv_closed": 1}), lists).problems()) == []
    assert "0 conversations are counted as closed, and 1 are" in list(
        Truth({"conv_1": whole()}, Counter(), lists).problems()
    )
    (found,) = Truth({"conv_1": whole()}, Counter({"conv_closed": 1}), {}).problems()
    assert "missing from the lists ['vis', 'wgt']" in found
