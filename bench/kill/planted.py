"""Runs the local stack with a bug planted in the app, to show that the harness finds it. Nothing else imports this."""

import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import count
from typing import Any

LATE = 0.3  # seconds that a planted bug leaves for a kill to hit
LOST = 3  # of so many messages to the events queue one is lost: as by a kill after a commit, only more often

App = Any  # a module of the app: whatever is replaced in it


def ack_before_commit() -> None:
    """A message is acknowledged and committed a little later."""
    service: App = import_module("chalicelib.messages.service")
    commit = service.transact

    def later(writes: Sequence[Any], *, result: object) -> None:
        threading.Timer(LATE, commit, (writes,), {"result": result}).start()

    service.transact = later


def forget_client_msg_id() -> None:
    """A repeated message is said again."""
    service: App = import_module("chalicelib.messages.service")
    service._already_said = lambda _conversation, _new: None  # noqa: SLF001 - the bug


def two_transactions() -> None:
    """A conversation and its first message are committed one after the other."""
    opening: App = import_module("chalicelib.messages.opening")
    commit = opening.transact

    def torn(writes: Sequence[Any], *, result: object) -> None:
        messages = [write for write in writes if write.key.sk.startswith("m#")]
        commit([write for write in writes if write not in messages])
        threading.Event().wait(LATE)
        commit(messages, result=result)

    opening.transact = torn


def no_outbox() -> None:
    """Only the queue knows that there is news, so a lost queue message is lost news."""
    outbox: App = import_module("chalicelib.events.outbox")
    send, number = outbox.aws.send, count()

    def lossy(queue_url: str, body: str) -> None:
        if "#conv_" not in body or next(number) % LOST:
            send(queue_url, body)

    outbox.aws.send = lossy
    outbox.pending = lambda _rows, _pk: {"p_pk": "nowhere", "p_sk": "-"}


PLANTS: dict[str, Callable[[], None]] = {
    "ack-before-commit": ack_before_commit,
    "forget-client-msg-id": forget_client_msg_id,
    "two-transactions": two_transactions,
    "no-outbox": no_outbox,
}

if __name__ == "__main__":
    from local.__main__ import main

    PLANTS[sys.argv.pop(1)]()
    sys.exit(main())
