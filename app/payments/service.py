"""The record of what the gateway told us."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from app.core.db import db
from app.payments.contract import GatewayEvent
from app.payments.models import PaymentEvent


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
