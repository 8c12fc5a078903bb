"""What the shop says to the payment gateway and hears from it, in the shop's own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.core.errors import WavecrateError
from app.core.money import Money


class PaymentUnavailable(WavecrateError):
    """The gateway did not answer, or refused what was asked. Asking again is safe, whether it took effect or not."""

    status = 503


class UnclearPlace(WavecrateError):
    """The gateway's tax service needs to know more of an address before it can say what tax is due there."""


class RefundRefused(WavecrateError):
    """The gateway will not give that money back: it is more than is left of the payment, or its bank disputes it."""

    status = 409


class BadSignature(WavecrateError):
    """A webhook that the gateway did not sign just now."""

    status = 400


class PaymentState(StrEnum):
    """What has been paid of a checkout."""

    UNPAID = "unpaid"
    PAID = "paid"
    NOTHING_OWED = "no_payment_required"


class RefundState(StrEnum):
    """How far a refund has come."""

    PENDING = "pending"
    NEEDS_BUYER = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the money came back to the shop
    CANCELED = "canceled"

    @property
    def returned(self) -> bool:
        """Whether the buyer has the money, or is to get it."""
        return self not in (RefundState.FAILED, RefundState.CANCELED)


class DisputeState(StrEnum):
    """How a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    INQUIRY = "inquiry"  # a warning: no money has moved


@dataclass(frozen=True)
class CheckoutLine:
    """One thing to be paid for: what is owed for it, discounts taken off."""

    title: str
    amount: Money


@dataclass(frozen=True)
class CheckoutOrder:
    """An order as the gateway needs to know it. The amounts are the order's snapshot, never today's prices.

    Asked for again, everything must be as it was the first time, `expires_at` included: take it from the order.
    """

    id: str
    lines: tuple[CheckoutLine, ...]
    email: str
    success_url: str
    cancel_url: str
    locale: str  # one of core.i18n.LOCALES
    tax: CheckoutLine | None = (
        None  # a line of its own, beside lines without it; None: it is in the lines, or there is none
    )
    methods: tuple[str, ...] = ()  # the only ones to offer; none named: whatever the currency and the buyer allow
    expires_at: datetime | None = None  # 30 minutes to 24 hours from now; None: in 24 hours
    needs_address: bool = False  # whether the page must ask for the billing address
    attempt: int = 1  # raised to open another page for the same order after the last one is closed

    @property
    def total(self) -> Money:
        """What the page asks for."""
        owed = [*self.lines, *([self.tax] if self.tax else [])]
        total = owed[0].amount
        for line in owed[1:]:
            total += line.amount
        return total


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
    payment_id: str | None  # of the last attempt to pay it, whatever came of that
    state: PaymentState = PaymentState.UNPAID
    expired: bool = False  # closed without a payment, for good
    underway: bool = False  # a delayed payment that may yet succeed or fail
    failed: bool = False  # a delayed payment that was refused in the end
    livemode: bool = False
    email: str | None = None  # as given on the payment page
    country: str | None = None  # of the billing address given there, ISO 3166-1 alpha-2
    card_country: str | None = None  # where the card or account that paid is from, where known
    method: str | None = None  # that paid: card, alipay, wechat_pay, paypal…


@dataclass(frozen=True)
class Refund:
    """Money given back, or on its way."""

    id: str
    payment_id: str
    amount: Money
    state: RefundState
    key: str | None  # the shop's own, if the shop asked for it
    created: datetime


@dataclass(frozen=True)
class Dispute:
    """A payment that the buyer's bank questions."""

    id: str
    payment_id: str
    amount: Money
    state: DisputeState
    reason: str
    created: datetime


@dataclass(frozen=True)
class Payment:
    """A payment as the gateway's books have it. Amounts are in its own currency; `fee` and `net` in the account's."""

    id: str
    order_id: str | None
    succeeded: bool
    captured: Money
    refunded: Money  # given back or on its way
    disputed: Money  # taken by the buyer's bank and not given back: disputes that are open or lost
    fee: Money | None  # what the gateway kept of the payment; None: not known yet
    net: Money | None  # what it brought in the account's currency, less the fee
    livemode: bool
    created: datetime
    method: str | None = None
    card_country: str | None = None
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()


@dataclass(frozen=True)
class GatewayEvent:
    """Something that happened at the gateway: from a webhook whose signature was good, or from its list of events.

    The ids say what it is about, if it is about such a thing.
    """

    id: str
    type: str
    checkout_id: str | None
    payment_id: str | None
    fully_refunded: bool
    payload: dict[str, Any] = field(repr=False)
    created: datetime | None = None
    livemode: bool = False
    refund_id: str | None = None
    dispute_id: str | None = None
