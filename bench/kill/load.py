"""People who talk while the stack dies: they repeat what got no answer, and keep a ledger of what got one."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.caller import Answer, Caller, Unanswered

PER_CONVERSATION = 25  # messages of a visitor before a new conversation is begun
NEWEST = 20  # agents work on so many conversations at a time
PAUSE = 0.02  # seconds before what was refused for now is repeated…
REFUSALS = 500  # …at most so often


@dataclass(frozen=True)
class Said:
    """An acknowledged message."""

    conversation_id: str
    message_id: str
    seq: int


@dataclass
class Ledger:
    """What the clients were told, shared by their threads."""

    said: dict[str, Said] = field(default_factory=dict)  # by client_msg_id
    conversations: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unanswered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, client_msg_id: str, said: Said) -> None:
        """Record an acknowledgement."""
        with self.lock:
            self.said[client_msg_id] = said

    def begun(self, conversation_id: str) -> None:
        """Record a conversation that was begun."""
        with self.lock:
            self.conversations.append(conversation_id)

    def recent(self, chance: random.Random) -> str | None:
        """Return one of the newest conversations."""
        with self.lock:
            return chance.choice(self.conversations[-NEWEST:]) if self.conversations else None

    def problem(self, text: str) -> None:
        """Record what should not have happened."""
        with self.lock:
            self.problems.append(text)


@dataclass(frozen=True)
class Request:
    """Something a person wants: asked for, with the same client_msg_id, until it is acknowledged."""

    method: str
    path: str
    body: object
    done: Callable[[Answer], None]


class Person:
    """A client. `run` returns when the stack has gone away or there is enough; the unanswered request is kept."""

    def __init__(self, name: str, caller: Caller, ledger: Ledger, seed: str) -> None:
        self._name, self._caller, self._ledger = name, caller, ledger
        self._chance = random.Random(f"{seed}/{name}")  # a text seeds it the same in every process
        self._pending: Request | None = None
        self._count = 0

    def run(self, killed: threading.Event, enough: threading.Event) -> None:
        """Go on asking until a request stays without an answer, or `enough` is set and the last one has its own."""
        refused = 0
        while self._pending or not enough.is_set():
            self._pending = self._pending or self.next()
            if self._pending is None:
                enough.wait(PAUSE)  # nothing to do yet
                continue
            try:
                answer = self._caller.send(self._pending.method, self._pending.path, self._pending.body)
            except Unanswered as exc:
                self._unanswered(exc, killed)
                return
            if answer.status < 300:
                self._pending.done(answer)
                self._pending, refused = None, 0
            elif refused < REFUSALS and (
                answer.status in {429, 503, 504} or (answer.status >= 500 and killed.is_set())
            ):  # not now; or a part of the stack was a moment ahead of another in dying
                refused += 1
                killed.wait(PAUSE)
            else:
                text = answer.body.decode(errors="replace")
                self._ledger.problem(f"{self._pending.method} {self._pending.path} got {answer.status}: {text}")
                self._pending = None

    def next(self) -> Request | None:
        """Return what this person wants now."""
        raise NotImplementedError

    def message(self) -> dict[str, str]:
        """Return a message nobody has sent before."""
        self._count += 1
        words = " ".join(self._chance.choices(("order", "invoice", "size", "thanks", "where", "when"), k=8))
        return {"content": words, "client_msg_id": f"{self._name}-{self._count}"}

    def _unanswered(self, exc: Unanswered, killed: threading.Event) -> None:
        if not killed.is_set():
            self._ledger.problem(f"no answer, though nothing had been killed: {exc}")
        with self._ledger.lock:
            self._ledger.unanswered += 1

    def acknowledged(self, client_msg_id: str, message: dict[str, object]) -> None:
        """Record the message of an answer; it must be the one that was sent."""
        if message["client_msg_id"] != client_msg_id:
            self._ledger.problem(f"{client_msg_id} was acknowledged as {message['client_msg_id']}")
        said = Said(str(message["conversation_id"]), str(message["id"]), int(str(message["seq"])))
        self._ledger.note(client_msg_id, said)


class Visitor(Person):
    """Begins conversations and talks in the newest."""

    _own: str | None = None
    _left = 0

    def next(self) -> Request:
        """Say something, in a new conversation when the old one is long."""
        message = self.message()
        name = message["client_msg_id"]
        if self._own is None or self._left == 0:
            return Request(
                "POST", "/widget/v1/conversations", {"message": message}, lambda answer: self._begun(name, answer)
            )
        self._left -= 1
        path = f"/widget/v1/conversations/{self._own}/messages"
        return Request("POST", path, message, lambda answer: self.acknowledged(name, answer.json))

    def _begun(self, client_msg_id: str, answer: Answer) -> None:
        found = answer.json
        self._own, self._left = str(found["conversation"]["id"]), self._chance.randrange(1, PER_CONVERSATION)
        self._ledger.begun(self._own)
        self.acknowledged(client_msg_id, found["message"])


class Agent(Person):
    """Answers, notes, closes and reopens."""

    def next(self) -> Request | None:
        """Do something in one of the newest conversations."""
        conversation_id = self._ledger.recent(self._chance)
        if conversation_id is None:
            return None
        path = f"/v1/conversations/{conversation_id}"
        wanted = self._chance.random()
        if wanted > 0.7:
            verb = "close" if wanted > 0.8 else "reopen"
            return Request("POST", f"{path}/{verb}", None, lambda _answer: None)
        message = self.message()
        name = message["client_msg_id"]
        body = {**message, "private": wanted < 0.1}
        return Request("POST", f"{path}/messages", body, lambda answer: self.acknowledged(name, answer.json))
