"""The record of what the gateway told us."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.db import db
from app.payments.contract import GatewayEvent
from app.payments.models import PaymentEvent, SweepMark


def remember(event: GatewayEvent) -> bool:
    """Keep a verified event; False if it was kept before, and so has had its effect.

    Called in the transaction that takes the effect: the two stand or fall together, and of two deliveries at once
    the second waits here for the first to commit.
    """
    row = db.session.execute(
        insert(PaymentEvent)
        .values(id=event.id, type=event.type, payload=event.payload)
        .on_conflict_do_nothing(index_elements=[PaymentEvent.id])
        .returning(PaymentEvent.id)
    )
    return row.first() is not None


def known(event_ids: Iterable[str]) -> set[str]:
    """Which of these events were kept before. A repeat that comes while the first is at work is told by `remember`."""
    return set(db.session.scalars(select(PaymentEvent.id).where(PaymentEvent.id.in_(list(event_ids)))))


def read_to(name: str) -> datetime | None:
    """Up to when the gateway's list of events was read through; None: never."""
    mark = db.session.get(SweepMark, name, populate_existing=True)
    return mark.read_to if mark is not None else None


def note_read(name: str, to: datetime) -> None:
    """Remember up to when it was; it never goes back."""
    marking = insert(SweepMark).values(name=name, read_to=to)
    db.session.execute(
        marking.on_conflict_do_update(
            index_elements=[SweepMark.name],
            set_={"read_to": func.greatest(SweepMark.read_to, marking.excluded.read_to)},
        )
    )
