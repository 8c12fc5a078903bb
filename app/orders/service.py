"""The life of an order: placed, paid and fulfilled in one step, cancelled, refunded. Nothing here asks the gateway."""

from __future__ import annotations

import logging

from flask_babel import gettext as _
from sqlalchemy import select

from app.cart import service as carts
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.licenses import service as licenses
from app.orders.models import Order, OrderState
from app.payments.contract import CheckoutStatus

log = logging.getLogger(__name__)


class PaymentMismatch(Exception):
    """What the gateway says was paid is not what was ordered. Nothing may be granted; a person must look."""


class NotRefundable(Conflict):
    """Only a paid order can be refunded."""


def opened(order_id: str, checkout_id: str) -> None:
    """Remember which payment page belongs to the order."""
    _locked(order_id).checkout_id = checkout_id


def fulfil(status: CheckoutStatus) -> Order:
    """Mark the order paid and grant its licenses; the one way either happens. Repeats and races change nothing more.

    `status` must have been read from the gateway just now. Raises PaymentMismatch, before anything is written, unless
    it is paid and its amount, currency and order are the ones in the order's snapshot.
    """
    if status.order_id is None:
        raise PaymentMismatch(f"checkout {status.id} names no order")
    order = db.session.get(Order, status.order_id, with_for_update={"of": Order}, populate_existing=True)
    if order is None:
        raise PaymentMismatch(f"checkout {status.id} names order {status.order_id}, which does not exist")
    if not status.paid:
        raise PaymentMismatch(f"checkout {status.id} of order {order.id} is not paid")
    if order.checkout_id not in (None, status.id):
        raise PaymentMismatch(f"checkout {status.id} is not order {order.id}'s, which is {order.checkout_id}")
    if status.total != order.total:
        raise PaymentMismatch(f"checkout {status.id}: {status.total} paid for order {order.id} of {order.total}")
    if order.state in (OrderState.PAID, OrderState.REFUNDED):
        return order
    # A cancelled order whose page was paid at the last moment is paid all the same: the buyer's money was taken.
    order.state = OrderState.PAID
    order.paid_at = clock.now()
    order.checkout_id = status.id
    order.payment_id = status.payment_id
    for line in order.lines:
        licenses.grant(
            order.account_id, release_id=line.offer.release_id, track_id=line.offer.track_id, grant_key=line.id
        )
        discovery.record(
            order.account_id, line.offer.subject_release.id, EventKind.PURCHASE, track_id=line.offer.track_id
        )
    carts.clear_bought(order.account_id, order.email, [(line.offer, line.gift_to) for line in order.lines])
    db.session.flush()
    log.info("order %s (%s) paid: %s", order.number, order.id, order.total)
    return order


def cancel(order_id: str) -> Order:
    """Give up an order that wasn't paid; any other stays as it is."""
    order = _locked(order_id)
    if order.state == OrderState.PENDING:
        order.state = OrderState.CANCELLED
        db.session.flush()
    return order


def refund(order: Order, reason: str) -> Order:
    """Take the licenses back and mark the order refunded; the money is the gateway's affair. Repeats change nothing."""
    order = _locked(order.id)
    if order.state == OrderState.REFUNDED:
        return order
    if order.state != OrderState.PAID:
        raise NotRefundable(_("Only a paid order can be refunded."))
    order.state = OrderState.REFUNDED
    for line in order.lines:
        licenses.revoke(line.id, reason)
        discovery.record(
            order.account_id, line.offer.subject_release.id, EventKind.REFUND, track_id=line.offer.track_id
        )
    db.session.flush()
    log.info("order %s (%s) refunded: %s", order.number, order.id, reason)
    return order


def by_payment(payment_id: str) -> Order | None:
    """The order that a gateway payment paid, or None."""
    return db.session.scalar(select(Order).where(Order.payment_id == payment_id))


def _locked(order_id: str) -> Order:
    order = db.session.get(Order, order_id, with_for_update={"of": Order}, populate_existing=True)
    if order is None:
        raise NotFound(_("There is no such order."))
    return order
