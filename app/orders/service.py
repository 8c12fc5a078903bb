"""The life of an order: placed, paid and fulfilled in one step, cancelled, refunded. Nothing here asks the gateway."""

from __future__ import annotations

import logging

from flask_babel import gettext as _
from sqlalchemy import select

from app.accounts.models import Account
from app.cart import service as carts
from app.cart.models import Cart
from app.cart.queries import total
from app.catalog.models import Offer
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.core.i18n import locale_code
from app.core.money import Money
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.licenses import service as licenses
from app.orders.models import Order, OrderLine, OrderState
from app.payments.contract import CheckoutStatus

log = logging.getLogger(__name__)

_TITLE_MAX = 300


class CartChanged(Conflict):
    """The cart isn't what the buyer saw; nothing was ordered."""


class PaymentMismatch(Exception):
    """What the gateway says was paid is not what was ordered. Nothing may be granted; a person must look."""


class NotRefundable(Conflict):
    """Only a paid order can be refunded."""


def place(account: Account, cart: Cart, *, expected: Money | None = None) -> Order:
    """Make a pending order of the cart, at the prices of this moment; raise CartChanged if it can't all be bought.

    `expected` is the total the buyer was shown: an order for another amount is not what they agreed to.
    """
    dropped = carts.prune(cart)
    if dropped:
        raise CartChanged(" ".join(dropped.messages()) + " " + _("Look at your cart again before you pay."))
    amount = total(cart)
    if amount is None:
        raise CartChanged(_("Your cart is empty."))
    if expected is not None and expected != amount:
        raise CartChanged(_("Your cart has changed since you saw it. Look at it again before you pay."))
    order = Order(account_id=account.id, currency=amount.currency, total_minor=amount.minor)
    db.session.add(order)
    db.session.flush()
    for item in cart.items:
        line = OrderLine(order_id=order.id, offer_id=item.offer_id, price_minor=item.offer.price_minor)
        line.title = _line_title(item.offer)
        db.session.add(line)
    db.session.flush()
    db.session.refresh(order)
    return order


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
    carts.clear_bought(order.account_id, [line.offer for line in order.lines])
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


def _line_title(offer: Offer) -> str:
    locale = locale_code()
    artist = offer.track.credited_artist if offer.track else offer.subject_release.artist
    return f"{offer.title_in(locale)} – {artist.name_in(locale)}"[:_TITLE_MAX]
