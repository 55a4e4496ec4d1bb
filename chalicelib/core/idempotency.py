"""`Idempotency-Key`: the answer is recorded in the effect's own transaction, so it can be neither lost nor doubled.

There is no "in progress" state to get stuck in: of two requests at once with one key, one commits and the other's
transaction fails on the record, and it replays the first answer.
"""

import hashlib
from collections.abc import Callable

from chalicelib.core import clock, keyring, table
from chalicelib.core.errors import ContentionError, InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Item

KEEP_S = 86_400
MAX_KEY_LENGTH = 255


@frozen
class Answer:
    """A rendered answer: status, JSON text and ETag."""

    status: int
    body: str
    etag: str = ""


@frozen
class Guard:
    """One request's key: where its record lives and what the body was."""

    rows: table.Rows
    partition: str  # one of sixteen, so that all records of a tenant can be found without a scan
    name: str
    fingerprint: str

    @staticmethod
    def of(rows: table.Rows, key: str, caller_id: str, route: str, body: bytes) -> "Guard":
        """Return the guard of a request; raises InvalidError for a key that is empty, too long or unprintable."""
        if not key.strip() or len(key) > MAX_KEY_LENGTH or not key.isprintable():
            raise InvalidError.field("Idempotency-Key", f"Give 1 to {MAX_KEY_LENGTH} printable characters.")
        name = hashlib.sha256(f"{caller_id}\x00{route}\x00{key}".encode()).hexdigest()
        # Keyed, because a body may hold a password, which a bare hash would leave to be guessed at.
        return Guard(rows, f"idem#{name[0]}", name, keyring.keyed_hash("idempotency", body).hex())

    def find(self) -> Answer | None:
        """Return the recorded answer, or None. Raises InvalidError if the key came with another body. One read."""
        row = table.live(self.rows.get(self.partition, self.name, consistent=True), clock.now_s())
        return self._replay(row) if row else None

    def run(self, act: Callable[[], object], render: Callable[[object], Answer]) -> tuple[object, Answer | None]:
        """Run `act`, whose transaction records its result; the second value is the answer of whoever was first."""

        def record(result: object) -> table.Write:
            answer = render(result)
            now = clock.now_s()
            row = {"f": self.fingerprint, "st": answer.status, "b": answer.body, "et": answer.etag, "exp": now + KEEP_S}
            return self.rows.putting(self.partition, self.name, row, absent_or_expired_at=now)

        before = table.effect_record.set(record)
        try:
            return act(), None
        except table.AlreadyRecordedError:
            if answer := self.find():
                return None, answer
            raise ContentionError from None
        finally:
            table.effect_record.reset(before)

    def _replay(self, row: Item) -> Answer:
        if row["f"] != self.fingerprint:
            raise InvalidError.field(
                "Idempotency-Key", "This key was used with another body. Use a new key.", "idempotency_key_reused"
            )
        return Answer(row["st"], row["b"], row["et"])
