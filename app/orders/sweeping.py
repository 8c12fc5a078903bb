"""The sweep: whatever a webhook, a buyer's browser or a process that died left half-way comes to its end here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import exists, select

from app.core import clock
from app.core.db import db, transaction
from app.core.errors import WavecrateError
from app.ledger.models import Entry
from app.orders import claims, correspondence, queries, refunds, settlement
from app.orders.models import Order
from app.payments import service as payments
from app.payments import stripe_gateway as gateway

log = logging.getLogger(__name__)

# A buyer may take so long on the payment page before the gateway is asked, and asked again.
PATIENCE = timedelta(minutes=10)
# The gateway's clock and ours may differ by so much, and an event may be listed so late.
_OVERLAP = timedelta(minutes=10)
# How far back the first reading goes; where there are orders, to the oldest: nobody may have read since.
_FIRST_LOOK = timedelta(days=2)
_AT_ONCE = 200
_MARK = "events"


def sweep() -> None:
    """Do all of it, each thing by itself: one that fails waits for the next sweep and is in the log.

    Read the events that no webhook brought; give back what is to be given back; ask about orders that wait too long
    and payments whose fee isn't known yet; send the gifts whose day has come, and word of what has come out.
    """
    _try("events", _read_events)
    with transaction():
        asked = refunds.unfinished(_AT_ONCE)
    for refund_id in asked:
        _try(f"refund {refund_id}", partial(settlement.carry_out, refund_id))
    with transaction():
        waiting = [(order.id, order.checkout_id) for order in queries.waiting(clock.now() - PATIENCE, _AT_ONCE)]
    for order_id, checkout_id in waiting:
        # A page whose address never reached us was shown to nobody: such an order is only given up.
        step = settlement.settle if checkout_id is not None else settlement.cancel
        _try(f"order {order_id}", partial(step, order_id))
    with transaction():
        unbooked = _unbooked()
    for order_id in unbooked:
        _try(f"books of {order_id}", partial(settlement.settle, order_id))
    _try("gifts", _in_a_transaction(claims.send_due))
    _try("pre-orders", _in_a_transaction(lambda: correspondence.preorders_out(clock.now())))


def _read_events() -> None:
    read_to = clock.now()
    with transaction():
        since = payments.read_to(_MARK)
        if since is None:
            since = min(read_to - _FIRST_LOOK, queries.oldest() or read_to)
    listed = gateway.list_events(since - _OVERLAP, settlement.ABOUT_MONEY)
    with transaction():
        known = payments.known(event.id for event in listed)
    for event in listed:
        if event.id in known:
            continue
        if not _try(f"event {event.id}", partial(settlement.take_event, event)):
            read_to = min(read_to, event.created or read_to)
    with transaction():
        payments.note_read(_MARK, read_to)


def _unbooked() -> list[str]:
    """Paid orders whose payment's fee isn't in the books: it comes later than the payment, and orders from before the
    ledger have nothing in it at all."""
    booked = exists().where(Entry.key == "fee:" + Order.payment_id)
    return list(
        db.session.scalars(
            select(Order.id)
            .where(Order.payment_id.is_not(None), Order.paid_at < clock.now() - timedelta(minutes=1), ~booked)
            .where((Order.settled_at.is_(None)) | (Order.settled_at < clock.now() - PATIENCE))
            .order_by(Order.settled_at.nulls_first(), Order.id)
            .limit(_AT_ONCE)
        )
    )


def _in_a_transaction(step: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with transaction():
            step()

    return run


def _try(what: str, step: Callable[[], object]) -> bool:
    try:
        step()
        return True
    except WavecrateError as error:
        db.session.rollback()
        log.warning("sweep: %s: %s", what, error)
    except Exception:
        db.session.rollback()
        log.exception("sweep: %s", what)
    return False
