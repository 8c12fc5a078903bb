"""Deliveries of events: what the shop has yet to take, and when it is offered again. It all outlives a restart."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from dataclasses import dataclass

from app.payments.sandbox.state import State

# Stripe tries for three days, at growing distances (https://docs.stripe.com/webhooks#retries). Here the first tries
# follow each other faster, so that a shop that was restarted need not be waited for.
_FIRST_SECONDS, _SLOWEST_SECONDS = 0.25, 30.0
MAX_ATTEMPTS = 60


def sign(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header (https://docs.stripe.com/webhooks#verify-manually)."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def retry_after(attempts: int) -> float:
    """Seconds until the next attempt, after so many that failed."""
    return float(min(_FIRST_SECONDS * 2**attempts, _SLOWEST_SECONDS))


@dataclass(frozen=True)
class Due:
    """A delivery that has been claimed."""

    number: int
    event: str
    type: str
    body: str
    attempts: int  # before this one
    skew: int  # seconds by which its signature's time is wrong, on purpose


class Outbox:
    """The deliveries in a state's file."""

    def __init__(self, state: State) -> None:
        self._state = state

    @staticmethod
    def add(connection: sqlite3.Connection, event_id: str, *, due: float, places: int = 0, skew: int = 0) -> None:
        """Have an event delivered, behind the `places` that come after it."""
        connection.execute(
            "INSERT INTO delivery (event, rank, skew, due)"
            " VALUES (?, (SELECT coalesce(max(number), 0) FROM delivery) + 1 + ?, ?, ?)",
            (event_id, places + 0.5 if places else 0, skew, due),
        )

    def claim(self, lease: float, limit: int = 1) -> list[Due]:
        """Undelivered events that are due, kept from others for `lease` seconds."""
        now = self._state.now()
        with self._state.transaction() as connection:
            rows = connection.execute(
                "SELECT d.number, e.id, e.type, e.body, d.attempts, d.skew"
                " FROM delivery d JOIN event e ON e.id = d.event WHERE NOT d.done AND d.attempts < ? AND d.due <= ?"
                " ORDER BY d.rank, d.number LIMIT ?",
                (MAX_ATTEMPTS, now, limit),
            ).fetchall()
            connection.executemany(
                "UPDATE delivery SET attempts = attempts + 1, due = ? WHERE number = ?",
                [(now + lease, row[0]) for row in rows],
            )
        return [Due(*row) for row in rows]

    def delivered(self, *numbers: int) -> None:
        """The shop took them."""
        with self._state.transaction() as connection:
            connection.executemany("UPDATE delivery SET done = 1 WHERE number = ?", [(each,) for each in numbers])

    def failed(self, *numbers: int) -> None:
        """The shop didn't take them; offer them again by the schedule."""
        now = self._state.now()
        with self._state.transaction() as connection:
            for number in numbers:
                row = connection.execute("SELECT attempts FROM delivery WHERE number = ?", (number,)).fetchone()
                if row is not None:
                    due = now + retry_after(row[0] - 1)
                    connection.execute("UPDATE delivery SET due = ? WHERE number = ?", (due, number))

    def retry_now(self) -> None:
        """Every undelivered event is due at once and has all its attempts before it, as after a restart."""
        with self._state.transaction() as connection:
            connection.execute(
                "UPDATE delivery SET due = min(due, ?), attempts = 0 WHERE NOT done", (self._state.now(),)
            )

    def next_due(self) -> float | None:
        """When the next undelivered event is due (seconds since the epoch by the sandbox's clock)."""
        with self._state.transaction(write=False) as connection:
            due: float | None = connection.execute(
                "SELECT min(due) FROM delivery WHERE NOT done AND attempts < ?", (MAX_ATTEMPTS,)
            ).fetchone()[0]
        return due

    def undelivered(self) -> int:
        """How many deliveries the shop hasn't taken yet."""
        with self._state.transaction(write=False) as connection:
            found: int = connection.execute("SELECT count(*) FROM delivery WHERE NOT done").fetchone()[0]
        return found
