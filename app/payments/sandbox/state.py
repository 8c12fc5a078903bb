"""What the sandbox remembers: objects, idempotent answers, events and what is to happen later, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL,
    payment TEXT, body TEXT NOT NULL, private TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS object_of_kind ON object (kind, number);
CREATE INDEX IF NOT EXISTS object_of_payment ON object (payment, kind, number);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, type TEXT NOT NULL, created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, event TEXT NOT NULL, rank REAL NOT NULL, skew INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due) WHERE NOT done;
CREATE INDEX IF NOT EXISTS delivery_of_event ON delivery (event);
CREATE TABLE IF NOT EXISTS task (
    number INTEGER PRIMARY KEY, due REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS task_due ON task (due);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_SHAPE = 2  # raised with the schema: a file of another shape is begun anew, for no money was in it


class State:
    """The file, and the clock. Threads share it; one of them writes at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            (shape,) = connection.execute("PRAGMA user_version").fetchone()
            if shape != _SHAPE:
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    connection.execute(f'DROP TABLE "{name}"')
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_SHAPE}")
            row = connection.execute("SELECT value FROM setting WHERE name = 'clock'").fetchone()
        self._offset = float(row[0]) if row else 0.0

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=15, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # what is committed outlives a killed process
        return connection

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Read, decide and write without another in between; with `write=False`, a view of one moment."""
        if not write:
            with self._borrowed() as connection:
                yield from self._bracketed(connection, "BEGIN")
            return
        with self._writing, self._borrowed() as connection:
            yield from self._bracketed(connection, "BEGIN IMMEDIATE")

    @staticmethod
    def _bracketed(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
        connection.execute(begin)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def now(self) -> float:
        """The sandbox's time, in seconds since the epoch."""
        return time.time() + self._offset

    @property
    def offset(self) -> float:
        """How far the sandbox's clock is ahead of the machine's, in seconds."""
        return self._offset

    def set_clock(self, offset: float) -> None:
        """Put the sandbox's clock so far ahead of the machine's, restarts included."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO setting (name, value) VALUES ('clock', ?)", (str(offset),))
        self._offset = offset

    @staticmethod
    def put(connection: sqlite3.Connection, body: dict[str, Any], private: dict[str, Any] | None = None) -> None:
        """Keep an object as it is now; `private` is what the sandbox knows of a new one and the API doesn't show."""
        payment = body["id"] if body["object"] == "payment_intent" else body.get("payment_intent")
        connection.execute(
            "INSERT INTO object (id, kind, created, payment, body, private) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, payment = excluded.payment",
            (body["id"], body["object"], body["created"], payment, json.dumps(body), json.dumps(private or {})),
        )

    @staticmethod
    def get(connection: sqlite3.Connection, kind: str, object_id: str) -> dict[str, Any] | None:
        """An object, or None."""
        row = connection.execute("SELECT body FROM object WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else json.loads(row[0])

    @staticmethod
    def any(connection: sqlite3.Connection, object_id: str) -> dict[str, Any] | None:
        """The object of that id, whatever its kind, or None."""
        row = connection.execute("SELECT body FROM object WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else json.loads(row[0])

    @staticmethod
    def of_payment(connection: sqlite3.Connection, payment_id: str, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind that belong to a payment, oldest first."""
        rows = connection.execute(
            "SELECT body FROM object WHERE payment = ? AND kind = ? ORDER BY number", (payment_id, kind)
        )
        return [json.loads(row[0]) for row in rows]

    @staticmethod
    def private(connection: sqlite3.Connection, object_id: str) -> dict[str, Any]:
        """What was kept beside an object."""
        row = connection.execute("SELECT private FROM object WHERE id = ?", (object_id,)).fetchone()
        found: dict[str, Any] = json.loads(row[0]) if row else {}
        return found

    @staticmethod
    def later(connection: sqlite3.Connection, due: float, kind: str, subject: str, outcome: str = "") -> None:
        """Have something happen to an object at a time of the sandbox's clock."""
        connection.execute(
            "INSERT INTO task (due, kind, subject, outcome) VALUES (?, ?, ?, ?)", (due, kind, subject, outcome)
        )

    @staticmethod
    def take_tasks(
        connection: sqlite3.Connection,
        *,
        until: float | None = None,
        kind: str | None = None,
        subject: str | None = None,
    ) -> list[tuple[str, str, str]]:
        """Take out what is due, or what waits for one object: (kind, subject, outcome), in order."""
        rows = connection.execute(
            "SELECT number, kind, subject, outcome FROM task WHERE due <= coalesce(?, due) AND kind = coalesce(?, kind)"
            " AND subject = coalesce(?, subject) ORDER BY due, number",
            (until, kind, subject),
        ).fetchall()
        connection.executemany("DELETE FROM task WHERE number = ?", [(row[0],) for row in rows])
        return [(row[1], row[2], row[3]) for row in rows]

    def next_task(self) -> float | None:
        """When the next thing is to happen (seconds since the epoch by the sandbox's clock)."""
        with self.transaction(write=False) as connection:
            due: float | None = connection.execute("SELECT min(due) FROM task").fetchone()[0]
        return due

    def events(self, *, kind: str | None = None, limit: int = 100) -> tuple[list[dict[str, Any]], bool]:
        """The newest events, delivered or not, and whether there are more."""
        with self.transaction(write=False) as connection:
            rows = connection.execute(
                "SELECT body FROM event WHERE type = coalesce(?, type) ORDER BY number DESC LIMIT ?", (kind, limit + 1)
            ).fetchall()
        return [json.loads(row[0]) for row in rows[:limit]], len(rows) > limit

    def close(self) -> None:
        """Close the file; whoever uses the state again opens it anew."""
        while self._idle:
            self._idle.pop().close()
