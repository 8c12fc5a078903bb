"""What happens in the shop, on its way into the event log: only what its person lets the shop learn from, and once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select

from app.catalog.models import Track
from app.core import clock
from app.core.db import db
from app.discovery import service, signal, tastes
from app.discovery.models import Event, EventKind, Mode

_LEAST = 1e-6


def note(
    account_id: str, release_id: str, kind: EventKind, *, track_id: str | None = None, value: float = 1.0
) -> Event | None:
    """Append what the person does at this moment, within the open transaction; None where it is not to be kept.

    What needs consent is not even written where there is none, and nothing is while the person has learning paused or
    off. Within a kind's `once_minutes`, or the track's own length where that is longer, the same thing adds up to one:
    a page loaded again, a track on repeat, two windows that play it side by side.
    """
    if kind == EventKind.REFUND:
        return take_back(account_id, release_id, kind, track_id=track_id)
    meant = signal.SIGNALS[kind]
    if not _may_learn(account_id, watched=meant.watched):
        return None
    if meant.once_minutes:
        in_turn(account_id, release_id)
        value = min(value, _left(account_id, release_id, kind, track_id))
        if value < _LEAST:
            return None
    return service.record(account_id, release_id, kind, track_id=track_id, value=value)


def note_together(account_id: str, release_ids: Sequence[str], kind: EventKind, *, track_id: str | None = None) -> None:
    """Append one act that the person did with several releases at once, say bought a bundle: they share its weight.

    A refund takes back what was done with each.
    """
    for release_id in release_ids:
        note(account_id, release_id, kind, track_id=track_id, value=1 / len(release_ids))


def take_back(account_id: str, release_id: str, kind: EventKind, *, track_id: str | None = None) -> Event | None:
    """Append that the person takes back what they said or bought: a refund, or a kind that `replaces` with value 0.

    It is kept while learning is paused or off, too; None where there is nothing to take back.
    """
    ever = select(Event.id).where(Event.account_id == account_id, Event.release_id == release_id)
    if kind != EventKind.REFUND:
        ever = ever.where(Event.kind == kind)
    if db.session.scalar(ever.limit(1)) is None:
        return None
    value = 1.0 if kind == EventKind.REFUND else 0.0
    return service.record(account_id, release_id, kind, track_id=track_id, value=value)


def in_turn(account_id: str, release_id: str) -> None:
    """Until the transaction ends, let nobody else note or decide anything of that person and release."""
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{account_id}:{release_id}", 0))))


def _may_learn(account_id: str, *, watched: bool) -> bool:
    said = tastes.of(account_id)
    return said.mode == Mode.ON and (not watched or said.listening is True)


def _left(account_id: str, release_id: str, kind: EventKind, track_id: str | None) -> float:
    """How much of one is still to be told of that, 1 to 0."""
    window = timedelta(minutes=signal.SIGNALS[kind].once_minutes)
    track = db.session.get(Track, track_id) if track_id else None
    if track is not None and track.duration_ms:
        window = max(window, timedelta(milliseconds=track.duration_ms))
    told = select(func.coalesce(func.sum(Event.value), 0.0)).where(
        Event.account_id == account_id,
        Event.release_id == release_id,
        Event.kind == kind,
        Event.track_id.is_not_distinct_from(track_id),
        Event.at > clock.now() - window,
    )
    return 1.0 - float(db.session.scalar(told) or 0.0)
