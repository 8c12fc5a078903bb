"""Where orders meet the gateway: transaction, then the gateway with none open, then transaction.

Everything that is heard (a webhook, the way back from the payment page, the sweep, a refund) leads to one place: how
the payment stands is read from the gateway, and `fulfilment.follow` takes it in. Routes, commands and tasks call these
with no unsaved work in the session; each commits what it did, and each can be repeated after a crash anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from flask_babel import gettext as _

from app.accounts.models import Account
from app.cart.models import Cart
from app.core import clock
from app.core.db import db, transaction
from app.core.errors import Conflict, NotFound
from app.core.money import Money
from app.orders import correspondence, fulfilment, placing, queries, refunds
from app.orders.locks import locked
from app.orders.models import Order, OrderRefund, OrderState, RefundState
from app.payments import service as payments
from app.payments import stripe_gateway as gateway
from app.payments.contract import (
    CheckoutLine,
    CheckoutOrder,
    CheckoutStatus,
    GatewayEvent,
    Payment,
    PaymentUnavailable,
    RefundRefused,
)

log = logging.getLogger(__name__)

# How long a payment page can be paid; a coupon is held for no longer. Stripe allows 30 minutes to 24 hours.
PAGE_OPEN = timedelta(hours=2)
# What changes how a payment stands; each of them only makes the shop ask. Anything else is kept and changes nothing.
ABOUT_MONEY = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)


class PaymentUnderWay(Conflict):
    """The order can't be given up just now: its payment may still succeed."""


@dataclass(frozen=True)
class Pages:
    """The shop's addresses that the payment page leads back to; `{order}` in the first stands for the order's id."""

    success: str
    cancel: str


@dataclass(frozen=True)
class _Seen:
    """What the gateway said when it was asked."""

    checkout: CheckoutStatus | None = None
    payment: Payment | None = None

    @property
    def order_id(self) -> str | None:
        named = self.payment.order_id if self.payment is not None else None
        return named or (self.checkout.order_id if self.checkout is not None else None)


def start_checkout(
    cart: Cart,
    *,
    account: Account | None,
    email: str,
    pages: Pages,
    locale: str,
    expected: Money | None = None,
    opened: Collection[str] = (),
) -> tuple[Order, str | None]:
    """Order what is in the cart; return the order and the payment page's address, or None: nothing is to be paid.

    Payment pages that the person left open (a guest's are `opened`, by their orders) are closed first, so that nothing
    is paid twice. Raises what `placing.place` does, or PaymentUnavailable; either way nothing was paid and the cart is
    as it was.
    """
    with transaction():
        left_open = [order.id for order in queries.unfinished(account.id if account else None, opened)]
    for order_id in left_open:
        _close(order_id)
    with transaction():
        db.session.refresh(cart, ["items"])
        order = placing.place(cart, account=account, email=email, locale=locale, expected=expected)
        if order.total_minor == 0:
            fulfilment.free(order)
            return order, None
        wanted = _wanted(order, pages)
    try:
        checkout = gateway.open_checkout(wanted)
    except Exception:
        with transaction():
            fulfilment.cancel(_known(order.id))
        raise
    with transaction():
        order = _known(order.id)
        order.checkout_id = order.checkout_id or checkout.id
        if order.state == OrderState.PENDING:
            order.checkout_url = checkout.url
    return order, checkout.url


def settle(order_id: str) -> Order:
    """Ask the gateway how the order stands and act on it: what the webhook does, without waiting for it."""
    with transaction():
        order = db.session.get(Order, order_id)
        assert order is not None
        state, checkout_id, payment_id = order.state, order.checkout_id, order.payment_id
    if state == OrderState.PENDING and checkout_id is not None:
        _take_in(_look(checkout_id, payment_id), order_id)
    elif payment_id is not None:
        _take_in(_look(None, payment_id), order_id)
    db.session.refresh(order)
    return order


def cancel(order_id: str) -> Order:
    """Give up an order that wasn't paid: its page is closed first. One that was paid meanwhile is paid.

    Raises PaymentUnderWay where a slow payment may still come, and PaymentUnavailable where that isn't known.
    """
    order = _close(order_id)
    if order.state == OrderState.PENDING:
        raise PaymentUnderWay(
            _("The payment is under way and can’t be stopped. If it succeeds, you can ask for the money back.")
        )
    return order


def take_event(event: GatewayEvent) -> None:
    """Keep a verified event of the gateway and take its effect, once, in one transaction.

    Raises PaymentUnavailable where the gateway can't be asked back; the event is then not kept, and will come again.
    """
    with transaction():
        if payments.known([event.id]):
            return
    seen = _Seen()
    if event.type in ABOUT_MONEY and event.livemode == gateway.livemode():
        # The event says that something happened; how things stand now, the gateway itself is asked.
        seen = _look(event.checkout_id, event.payment_id)
    with transaction():
        order = locked(seen.order_id)
        if payments.remember(event):
            _effect(order, seen)


def carry_out(refund_id: str) -> OrderRefund:
    """Have the gateway give the money back, and the books say so. Safe to repeat after a failure half-way.

    Raises PaymentUnavailable where the gateway can't be asked: the refund stays asked for, and is made only once.
    """
    with transaction():
        refund = db.session.get(OrderRefund, refund_id, populate_existing=True)
        if refund is None:
            raise NotFound(_("There is no such refund."))
        if refund.state != RefundState.ASKED:
            return refund
        order_id, payment_id, amount = refund.order_id, refund.payment_id, refund.amount
    made, refusal = None, None
    try:
        made = gateway.refund(payment_id, amount, refund_id, order_id=order_id)
    except RefundRefused as error:
        refusal = str(error)
    seen = _look(None, payment_id)
    with transaction():
        order = _present(_effect(locked(order_id), seen))
        if refusal is not None:
            refunds.refused(refund, order, refusal)
        else:
            refunds.carried_out(refund, order, made)
    return refund


def try_to_carry_out(refund_id: str) -> OrderRefund:
    """The same, for whoever waits for it: where the gateway can't be asked the refund stays asked for, and a job makes
    it."""
    try:
        return carry_out(refund_id)
    except PaymentUnavailable:
        return db.session.get_one(OrderRefund, refund_id, populate_existing=True)


def follow_payment(payment_id: str) -> None:
    """Read a payment and take in how it stands."""
    _take_in(_look(None, payment_id), None)


def _close(order_id: str) -> Order:
    """Close an unpaid order's page and act on what it turns out to be."""
    with transaction():
        order = _known(order_id)
        pending, checkout_id = order.state == OrderState.PENDING, order.checkout_id
        if pending and checkout_id is None:
            fulfilment.cancel(order)
    if pending and checkout_id is not None:
        status = gateway.expire_checkout(checkout_id)
        _take_in(_Seen(status, _payment_of(status)), order_id)
        db.session.refresh(order)
    return order


def _look(checkout_id: str | None, payment_id: str | None) -> _Seen:
    checkout = gateway.read_checkout(checkout_id) if checkout_id is not None else None
    if checkout is not None:
        return _Seen(checkout, _payment_of(checkout))
    return _Seen(None, gateway.read_payment(payment_id) if payment_id is not None else None)


def _payment_of(checkout: CheckoutStatus) -> Payment | None:
    if checkout.paid and checkout.payment_id is not None:
        return gateway.read_payment(checkout.payment_id)
    return None


def _take_in(seen: _Seen, order_id: str | None) -> None:
    with transaction():
        _effect(locked(seen.order_id or order_id), seen)


def _effect(order: Order | None, seen: _Seen) -> Order | None:
    """What the gateway said means for the order, locked, in the open transaction."""
    checkout = seen.checkout
    if order is not None:
        order.settled_at = clock.now()
    if seen.payment is not None:
        fulfilment.follow(order, seen.payment, checkout, live=gateway.livemode())
    elif checkout is not None and order is not None and order.checkout_id in (None, checkout.id):
        # None: whoever opened the page died before it was noted; nobody was shown its address.
        if checkout.expired or checkout.failed:
            fulfilment.cancel(order)
        if checkout.failed:
            correspondence.payment_failed(order)
        elif checkout.underway:
            order.checkout_url = None
            correspondence.placed(order)
    db.session.flush()
    return order


def _wanted(order: Order, pages: Pages) -> CheckoutOrder:
    taxed = sum(line.tax_minor for line in order.lines)
    apart = taxed > 0 and not order.inclusive
    return CheckoutOrder(
        id=order.id,
        lines=tuple(
            CheckoutLine(line.title, Money(line.net_minor if apart else line.price_minor, order.currency))
            for line in order.lines
        ),
        tax=CheckoutLine(_("Tax"), Money(taxed, order.currency)) if apart else None,
        email=order.email,
        success_url=pages.success.replace("{order}", order.id),
        cancel_url=pages.cancel,
        locale=order.locale,
        expires_at=order.created_at + PAGE_OPEN,
    )


def _known(order_id: str) -> Order:
    return _present(locked(order_id))


def _present(order: Order | None) -> Order:
    if order is None:
        raise NotFound(_("There is no such order."))
    return order
