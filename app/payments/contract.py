"""What the shop says to the payment gateway and hears from it, in the shop's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core.errors import WavecrateError
from app.core.money import Money


class PaymentUnavailable(WavecrateError):
    """The gateway did not answer, or refused what was asked; nothing was paid."""

    status = 503


class BadSignature(WavecrateError):
    """A webhook that the gateway did not sign just now."""

    status = 400


@dataclass(frozen=True)
class CheckoutLine:
    """One thing to be paid for."""

    title: str
    amount: Money


@dataclass(frozen=True)
class CheckoutOrder:
    """An order as the gateway needs to know it. The amounts are the order's snapshot, never today's prices."""

    id: str
    lines: tuple[CheckoutLine, ...]
    email: str
    success_url: str
    cancel_url: str
    locale: str  # one of core.i18n.LOCALES


@dataclass(frozen=True)
class Checkout:
    """A payment page that was opened."""

    id: str
    url: str


@dataclass(frozen=True)
class CheckoutStatus:
    """How a checkout stands, as the gateway says when asked."""

    id: str
    order_id: str | None
    total: Money
    paid: bool
    open: bool  # may still be paid
    payment_id: str | None


@dataclass(frozen=True)
class GatewayEvent:
    """A webhook event whose signature was good. `checkout_id` and `payment_id` say what it is about, if it does."""

    id: str
    type: str
    checkout_id: str | None
    payment_id: str | None
    fully_refunded: bool
    payload: dict[str, Any]
