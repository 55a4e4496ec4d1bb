"""The objects of the double, by id: in memory, and in a SQLite file so that a killed process loses nothing."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Object = dict[str, Any]  # as Stripe shows it; keys that begin with an underscore are our own business


class Ledger:
    """Every change is made on working copies, which count, and are written, all at once or not at all."""

    def __init__(self, file: Path | None = None) -> None:
        self._objects: dict[str, Object] = {}
        self._kinds: dict[str, dict[str, None]] = {}  # ids by kind, oldest first
        self._working: dict[str, Object] = {}
        self._file = _open(file) if file else None
        if self._file:
            for (body,) in self._file.execute("SELECT body FROM objects ORDER BY number"):
                self._keep(json.loads(body))

    def get(self, object_id: str) -> Object | None:
        """Return the working copy of an object: what is changed in it is kept at the next `commit`."""
        if object_id not in self._working:
            found = self._objects.get(object_id)
            if found is None:
                return None
            self._working[object_id] = copied(found)
        return self._working[object_id]

    def look(self, object_id: str) -> Object | None:
        """Return an object to read only."""
        return self._working.get(object_id) or self._objects.get(object_id)

    def add(self, found: Object) -> Object:
        self._working[found["id"]] = found
        return found

    def of_kind(self, kind: str) -> Iterator[Object]:
        """All objects of a kind to read only, newest first."""
        for object_id, found in reversed(self._working.items()):
            if object_id not in self._objects and found["object"] == kind:
                yield found
        for object_id in reversed(self._kinds.get(kind, {})):
            yield self._working.get(object_id) or self._objects[object_id]

    def changes(self) -> list[tuple[Object | None, Object]]:
        """What `commit` would keep: each object as it was, None if it is new, and as it is."""
        pairs = [(self._objects.get(object_id), found) for object_id, found in self._working.items()]
        return [(before, after) for before, after in pairs if before != after]

    def commit(self) -> list[Object]:
        """Keep the changes, on disk too, and return what changed."""
        changed = [after for _, after in self.changes()]
        if self._file and changed:
            with self._file:
                self._file.executemany(
                    "INSERT INTO objects (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                    [(found["id"], json.dumps(found)) for found in changed],
                )
        for found in changed:
            self._keep(found)
        self._working.clear()
        return changed

    def rollback(self) -> None:
        self._working.clear()

    def forget(self, ids: list[str]) -> None:
        """Remove objects that nothing refers to, at once."""
        if self._file and ids:
            with self._file:
                self._file.executemany("DELETE FROM objects WHERE id = ?", [(each,) for each in ids])
        for each in ids:
            found = self._objects.pop(each)
            del self._kinds[found["object"]][each]

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _keep(self, found: Object) -> None:
        self._objects[found["id"]] = found
        self._kinds.setdefault(found["object"], {})[found["id"]] = None


def copied(found: Any) -> Any:  # noqa: ANN401 - any JSON
    """Copy JSON in depth; a third of what copy.deepcopy takes."""
    if isinstance(found, dict):
        return {name: copied(value) for name, value in found.items()}
    return [copied(each) for each in found] if isinstance(found, list) else found


def _open(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = sqlite3.connect(file, check_same_thread=False)
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA synchronous = NORMAL")  # what SQLite was given outlives this process, if not the machine
    opened.execute("CREATE TABLE IF NOT EXISTS objects (number INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT)")
    return opened
