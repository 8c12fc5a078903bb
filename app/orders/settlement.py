"""Where orders meet the gateway: transaction, then the gateway with none open, then transaction.

Routes and commands call these with no unsaved work in the session; each commits what it did.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask_babel import gettext as _

from app.accounts.models import Account
from app.cart.models import Cart
from app.core.db import db, transaction
from app.core.money import Money
from app.orders import placing, queries, service
from app.orders.models import Order, OrderState
from app.payments import service as payments
from app.payments import stripe_gateway as gateway
from app.payments.contract import CheckoutLine, CheckoutOrder, CheckoutStatus, GatewayEvent, PaymentUnavailable

log = logging.getLogger(__name__)

_PAID = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_OVER = frozenset({"checkout.session.expired", "checkout.session.async_payment_failed"})


@dataclass(frozen=True)
class Pages:
    """The shop's addresses that the payment page leads back to; `{order}` in the first stands for the order's id."""

    success: str
    cancel: str


def start_checkout(
    cart: Cart, *, account: Account | None, email: str, pages: Pages, locale: str, expected: Money | None = None
) -> tuple[Order, str | None]:
    """Order what is in the cart; return the order and the payment page's address, None where nothing is to be paid.

    Payment pages the person left open are closed first, so that nothing is paid twice. Raises placing.CartChanged,
    or PaymentUnavailable; either way nothing was paid and the cart is as it was.
    """
    with transaction():
        left_open = [(order.id, order.checkout_id) for order in queries.unfinished(account.id)] if account else []
    for order_id, checkout_id in left_open:
        assert checkout_id is not None
        _apply(order_id, gateway.expire_checkout(checkout_id))
    with transaction():
        order = placing.place(cart, account=account, email=email, locale=locale, expected=expected)
        wanted = CheckoutOrder(
            id=order.id,
            lines=tuple(CheckoutLine(line.title, Money(line.price_minor, order.currency)) for line in order.lines),
            email=email,
            success_url=pages.success.replace("{order}", order.id),
            cancel_url=pages.cancel,
            locale=locale,
        )
    try:
        checkout = gateway.open_checkout(wanted)
    except PaymentUnavailable:
        with transaction():
            service.cancel(order.id)
        raise
    with transaction():
        service.opened(order.id, checkout.id)
        order.checkout_url = checkout.url
    return order, checkout.url


def settle(order_id: str) -> Order:
    """Ask the gateway how the order stands and act on it: what the webhook does, without waiting for it."""
    with transaction():
        order = db.session.get(Order, order_id)
        assert order is not None
        pending, checkout_id = order.state == OrderState.PENDING, order.checkout_id
    if not pending or checkout_id is None:
        return order
    _apply(order_id, gateway.read_checkout(checkout_id))
    db.session.refresh(order)
    return order


def take_event(event: GatewayEvent) -> None:
    """Keep a verified webhook event and take its effect, once, in one transaction.

    Raises PaymentUnavailable where the gateway can't be asked back; the event is then not kept, and will come again.
    """
    status = None
    if event.type in _PAID | _OVER and event.checkout_id is not None:
        # The event says that something happened; what the payment is, the gateway itself is asked.
        status = gateway.read_checkout(event.checkout_id)
    with transaction():
        if not payments.remember(event):
            return
        if status is not None:
            _effect(status)
        elif event.type == "charge.refunded" and event.fully_refunded and event.payment_id:
            order = service.by_payment(event.payment_id)
            if order is not None:
                service.refund(order, "refunded at the gateway")


def refund(order_id: str, reason: str) -> Order:
    """Give the money back, then take the licenses back. Safe to repeat after a failure half-way."""
    with transaction():
        order = db.session.get(Order, order_id)
        assert order is not None
        state, payment_id = order.state, order.payment_id
    if state == OrderState.REFUNDED:
        return order
    if state != OrderState.PAID or payment_id is None:
        raise service.NotRefundable(_("Only a paid order can be refunded."))
    gateway.refund(payment_id, None, order_id, order_id=order_id)
    with transaction():
        return service.refund(order, reason)


def _apply(order_id: str, status: CheckoutStatus) -> None:
    with transaction():
        _effect(status, order_id)


def _effect(status: CheckoutStatus, order_id: str | None = None) -> None:
    """What a checkout's state means for its order, in the open transaction."""
    if status.paid:
        try:
            service.fulfil(status)
        except service.PaymentMismatch as mismatch:
            log.error("payment mismatch, nothing granted: %s", mismatch)
    elif status.expired or status.failed:
        order = db.session.get(Order, order_id or status.order_id or "")
        if order is not None and order.checkout_id == status.id:
            service.cancel(order.id)
