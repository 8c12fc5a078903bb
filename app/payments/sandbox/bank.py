"""The sandbox's account at its make-believe Stripe: its settings, who hears of what, and what happens by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from app.payments.sandbox import objects
from app.payments.sandbox.faults import Faults
from app.payments.sandbox.outbox import Outbox
from app.payments.sandbox.state import State

# What the shop's webhook endpoint has subscribed to. The rest happens too, and only the list of events tells of it.
SUBSCRIBED = ("checkout.session.*", "payment_intent.succeeded", "charge.refunded", "refund.*", "charge.dispute.*")

Body = dict[str, Any]


class Refused(Exception):
    """A request was carried out as far as it could be, and the answer is an error."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None):
        super().__init__(message)
        self.status, self.kind, self.code, self.param = status, kind, code, param

    def body(self) -> Body:
        """The error as Stripe writes it."""
        inner = {"message": str(self), "type": self.kind, "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in inner.items() if value is not None}}


def refuse(message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> Refused:
    """A request that cannot be carried out."""
    return Refused(status, "invalid_request_error", message, code=code, param=param)


@dataclass
class Bank:
    """Everything a request needs; each method that takes a connection works in its open transaction."""

    state: State
    public_url: str
    currency: str = "eur"  # the account's own: balances and fees are counted in it
    webhook_delay: float = 0.0
    settle_delay: float = 3.0  # how long a delayed method, or a slow refund, takes
    faults: Faults = field(default_factory=Faults)
    wake: Callable[[], None] = lambda: None  # tells whoever delivers that there is something to deliver

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.state)
        self.happenings: dict[str, Callable[[Bank, sqlite3.Connection, str, str], object]] = {}

    def now(self) -> float:
        """The sandbox's time, in seconds since the epoch."""
        return self.state.now()

    def emit(self, connection: sqlite3.Connection, kind: str, subject: Body) -> None:
        """Tell of something that happened: an event in the list, and deliveries of it as the faults in force want."""
        subscribed = any(fnmatchcase(kind, pattern) for pattern in SUBSCRIBED)
        deliveries = self.faults.for_event(kind) if subscribed else []
        now = self.now()
        made = objects.event(kind, subject, created=now + (deliveries[0].skew if deliveries else 0))
        made["pending_webhooks"] = len(deliveries)
        connection.execute(
            "INSERT INTO event (id, type, created, body) VALUES (?, ?, ?, ?)",
            (made["id"], kind, made["created"], json.dumps(made)),
        )
        for each in deliveries:
            due = now + self.webhook_delay + each.delay
            self.outbox.add(connection, made["id"], due=due, places=each.places, skew=each.skew)

    def find(self, connection: sqlite3.Connection, kind: str, object_id: str, param: str = "id") -> Body:
        """An object; raise Refused where there is none of that kind."""
        found = State.get(connection, kind, object_id)
        if found is None:
            raise refuse(
                f"No such {kind.replace('.', ' ')}: '{object_id}'", code="resource_missing", param=param, status=404
            )
        return found

    def catch_up(self) -> None:
        """Let happen what was to happen by now: pages expire, delayed payments and refunds end."""
        due = self.state.next_task()
        if due is None or due > self.now():
            return
        with self.state.transaction() as connection:
            for kind, subject, outcome in State.take_tasks(connection, until=self.now()):
                self.happenings[kind](self, connection, subject, outcome)
        self.wake()

    def hasten(self, kind: str, subject: str, outcome: str | None = None) -> bool:
        """Let happen at once what waits for an object, perhaps with another outcome; False if nothing waits."""
        with self.state.transaction() as connection:
            tasks = State.take_tasks(connection, kind=kind, subject=subject)
            for _kind, _subject, planned in tasks:
                self.happenings[kind](self, connection, subject, outcome or planned)
        self.wake()
        return bool(tasks)
