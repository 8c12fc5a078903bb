"""What the sandbox remembers: objects, idempotent answers and events, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, delivered INTEGER NOT NULL DEFAULT 0
);
"""
MAX_ATTEMPTS = 60


@dataclass(frozen=True)
class Due:
    """An event whose delivery has been claimed."""

    id: str
    body: str
    attempts: int


class State:
    """The file. Every method has a connection of its own, so threads and processes may share it; a write locks it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=15, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time: read, decide and write without another in between."""
        connection = sqlite3.connect(self.path, timeout=15, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        finally:
            connection.close()

    @staticmethod
    def put(connection: sqlite3.Connection, body: dict[str, Any], private: dict[str, Any] | None = None) -> None:
        """Keep an object as it is now; `private` is what the sandbox knows and the API doesn't show."""
        connection.execute(
            "INSERT INTO object (id, kind, body, private) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (body["id"], body["object"], json.dumps(body), json.dumps(private or {})),
        )

    @staticmethod
    def get(connection: sqlite3.Connection, kind: str, object_id: str) -> dict[str, Any] | None:
        """An object, or None."""
        row = connection.execute("SELECT body FROM object WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else json.loads(row[0])

    @staticmethod
    def private(connection: sqlite3.Connection, object_id: str) -> dict[str, Any]:
        """What was kept beside an object."""
        row = connection.execute("SELECT private FROM object WHERE id = ?", (object_id,)).fetchone()
        found: dict[str, Any] = json.loads(row[0]) if row else {}
        return found

    @staticmethod
    def emit(connection: sqlite3.Connection, event: dict[str, Any], delay: float) -> None:
        """Queue an event for delivery, `delay` seconds from now."""
        connection.execute(
            "INSERT INTO event (id, body, due) VALUES (?, ?, ?)", (event["id"], json.dumps(event), time.time() + delay)
        )

    def events(self, *, kind: str | None, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """The newest events, and whether there are more."""
        with self.transaction() as connection:
            rows = connection.execute("SELECT body FROM event ORDER BY number DESC").fetchall()
        found = [event for event in (json.loads(row[0]) for row in rows) if kind in (None, event["type"])]
        return found[:limit], len(found) > limit

    def claim(self, lease: float) -> Due | None:
        """One undelivered event that is due, kept from others for `lease` seconds; None if there is none."""
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT id, body, attempts FROM event WHERE NOT delivered AND attempts < ? AND due <= ?"
                " ORDER BY due, number LIMIT 1",
                (MAX_ATTEMPTS, time.time()),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE event SET attempts = attempts + 1, due = ? WHERE id = ?", (time.time() + lease, row[0])
            )
        return Due(*row)

    def delivered(self, event_id: str) -> None:
        """The shop took it."""
        with self.transaction() as connection:
            connection.execute("UPDATE event SET delivered = 1 WHERE id = ?", (event_id,))

    def postpone(self, event_id: str, seconds: float) -> None:
        """The shop didn't take it; try again so much later."""
        with self.transaction() as connection:
            connection.execute("UPDATE event SET due = ? WHERE id = ?", (time.time() + seconds, event_id))

    def retry_now(self) -> None:
        """After a restart every undelivered event is due at once."""
        with self.transaction() as connection:
            connection.execute("UPDATE event SET due = min(due, ?), attempts = 0 WHERE NOT delivered", (time.time(),))

    def next_due(self) -> float | None:
        """When the next undelivered event is due (seconds since the epoch)."""
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT min(due) FROM event WHERE NOT delivered AND attempts < ?", (MAX_ATTEMPTS,)
            ).fetchone()
        due: float | None = row[0]
        return due
