"""The event log's one writer."""

from __future__ import annotations

from datetime import datetime

from app.core import clock
from app.core.db import db
from app.discovery.models import Event, EventKind


def record(
    account_id: str,
    release_id: str,
    kind: EventKind,
    *,
    track_id: str | None = None,
    value: float = 1.0,
    at: datetime | None = None,
) -> Event:
    """Append one event within the open transaction. `value` is how much of it: the share of a track played, 0 to 1.

    `at` (aware) dates an event that happened earlier, for imported history.
    """
    event = Event(
        account_id=account_id,
        release_id=release_id,
        kind=EventKind(kind),
        track_id=track_id,
        value=min(max(value, 0.0), 1.0),
        at=at or clock.now(),
    )
    db.session.add(event)
    return event
