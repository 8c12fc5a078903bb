"""What the shop did behind its pages: what it asked the database, and what it wrote into the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, select

from app.audit.models import AuditEntry
from app.core.db import db


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def logged() -> list[tuple[str | None, str, str, dict[str, Any]]]:
    """The audit log, oldest first: who, what, of what, and the facts."""
    db.session.expire_all()
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.seq))
    return [(entry.actor_id, entry.action, entry.subject, entry.facts) for entry in entries]
