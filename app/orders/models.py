"""Orders, what was sold in them, what is given back, what waits to be claimed, and what a person must look at."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Numeric, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Offer, OfferKind
from app.core.db import Identified, Model, Timestamped
from app.core.money import Money


class OrderState(StrEnum):
    """Where an order stands. One that was refunded in part stays paid."""

    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Order(Identified, Timestamped, Model):
    """What was bought, at the prices it was offered at: a snapshot that later price changes don't reach."""

    __tablename__ = "customer_order"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'paid', 'cancelled', 'refunded')", name="state"),
        CheckConstraint("total_minor >= 0", name="total"),
        CheckConstraint("state NOT IN ('paid', 'refunded') OR paid_at IS NOT NULL", name="paid_at"),
        Index("ix_customer_order_email", "email"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(start=1001), unique=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True, doc="none: a guest's")
    email: Mapped[str] = mapped_column(String(254), doc="the buyer's at the time; empty once they are forgotten")
    locale: Mapped[str] = mapped_column(String(10), doc="that the buyer reads")
    billing: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, doc="name, address (lines), country, vat_id")
    seller: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), doc="name, address (lines), vat_id at the time; none: placed before it was kept"
    )
    state: Mapped[str] = mapped_column(String(12), default=OrderState.PENDING, index=True)
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int]
    inclusive: Mapped[bool] = mapped_column(default=True, doc="whether the list prices held the tax")
    reverse_charge: Mapped[bool] = mapped_column(default=False)
    coupon_code: Mapped[str | None] = mapped_column(String(40))
    checkout_id: Mapped[str | None] = mapped_column(String(255), unique=True, doc="the gateway's checkout session")
    checkout_url: Mapped[str | None] = mapped_column(Text, doc="where it is paid, while it still can be")
    payment_id: Mapped[str | None] = mapped_column(String(255), unique=True, doc="the gateway's payment intent")
    paid_by: Mapped[str | None] = mapped_column(String(40), doc="card, alipay, wechat_pay, paypal …")
    paid_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None] = mapped_column(doc="when the gateway was last asked how it stands")

    lines: Mapped[list[OrderLine]] = relationship(
        back_populates="order", lazy="selectin", order_by="(OrderLine.position, OrderLine.title)"
    )

    @property
    def total(self) -> Money:
        """What the buyer pays."""
        return Money(self.total_minor, self.currency)

    @property
    def buyer(self) -> str:
        """Who buys, in one word: the account, or a guest's address."""
        return self.account_id or self.email.lower()

    @property
    def is_underway(self) -> bool:
        """Whether the buyer did their part and a bank takes its days: not paid, and nothing is left to pay."""
        return self.state == OrderState.PENDING and self.checkout_id is not None and self.checkout_url is None


class OrderLine(Identified, Model):
    """One offer as it was sold: list - credit - discount (- relief) is what was asked; net + tax is what is paid."""

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("price_minor >= 0 AND net_minor >= 0 AND tax_minor >= 0", name="price"),
        CheckConstraint("net_minor + tax_minor = price_minor", name="sum"),
    )

    order_id: Mapped[str] = mapped_column(ForeignKey("customer_order.id"), index=True)
    position: Mapped[int] = mapped_column(default=1)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"), index=True)
    title: Mapped[str] = mapped_column(String(300))
    list_minor: Mapped[int]
    credit_minor: Mapped[int] = mapped_column(default=0, doc="what was paid for its tracks before")
    discount_minor: Mapped[int] = mapped_column(default=0, doc="by the coupon")
    relief_minor: Mapped[int] = mapped_column(default=0, doc="tax that a reverse charge leaves out of the price")
    net_minor: Mapped[int]
    tax_minor: Mapped[int] = mapped_column(default=0)
    price_minor: Mapped[int] = mapped_column(doc="what is paid for it, tax included")
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(7, 4), doc="in percent")
    tax_country: Mapped[str | None] = mapped_column(String(2))
    tax_name: Mapped[str | None] = mapped_column(String(40))
    credits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, doc="line, track, minor: of the credit")
    awaited: Mapped[bool] = mapped_column(default=False, doc="sold before it came out")
    gift_to: Mapped[str | None] = mapped_column(String(254))
    gift_on: Mapped[date | None]
    gift_from: Mapped[str | None] = mapped_column(String(100))
    gift_message: Mapped[str | None] = mapped_column(String(1000))

    order: Mapped[Order] = relationship(back_populates="lines")
    offer: Mapped[Offer] = relationship(lazy="joined")

    @property
    def asked_minor(self) -> int:
        """What the list asked after credit and discount; what its part in a later credit is reckoned by."""
        return self.list_minor - self.credit_minor - self.discount_minor

    @property
    def is_gift(self) -> bool:
        """Whether it is for somebody else."""
        return self.gift_to is not None

    @property
    def grants(self) -> list[tuple[str, str | None, str | None]]:
        """What it licenses: a key, and the release or the track."""
        if self.offer.track_id is not None:
            return [(self.id, None, self.offer.track_id)]
        if self.offer.kind != OfferKind.BUNDLE:
            return [(self.id, self.offer.release_id, None)]
        return [(f"{self.id}:{member.release_id}", member.release_id, None) for member in self.offer.members]


class RefundState(StrEnum):
    """How far giving back has come."""

    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


class RefundOrigin(StrEnum):
    """Whose wish it was."""

    CUSTOMER = "customer"
    STAFF = "staff"
    DUPLICATE = "duplicate"  # bought already: the shop gives it back by itself


class OrderRefund(Identified, Timestamped, Model):
    """Money to be given back. The row comes first and its id is the gateway's key, so that a crash asks twice for one.

    Its licenses stop counting on their money as soon as it is asked for.
    """

    __tablename__ = "order_refund"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'done', 'failed')", name="state"),
        CheckConstraint("origin IN ('customer', 'staff', 'duplicate')", name="origin"),
        CheckConstraint("amount_minor > 0", name="amount"),
    )

    order_id: Mapped[str] = mapped_column(ForeignKey("customer_order.id"), index=True)
    payment_id: Mapped[str] = mapped_column(String(255), index=True)
    origin: Mapped[str] = mapped_column(String(10))
    asked_by: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    reason: Mapped[str] = mapped_column(String(500))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    lines: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict, doc="by line id, in minor units")
    state: Mapped[str] = mapped_column(String(6), default=RefundState.ASKED, index=True)
    gateway_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    error: Mapped[str | None] = mapped_column(String(500))
    settled_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        """What goes back."""
        return Money(self.amount_minor, self.currency)


class ClaimKind(StrEnum):
    """Why something waits for an owner."""

    GUEST = "guest"  # a guest bought it
    GIFT = "gift"


class Claim(Identified, Timestamped, Model):
    """Licenses that are nobody's yet. A signed link claims them, or the code that stands on a gift."""

    __tablename__ = "claim"
    __table_args__ = (
        CheckConstraint("kind IN ('guest', 'gift')", name="kind"),
        CheckConstraint("(kind = 'gift') = (line_id IS NOT NULL)", name="line"),
        CheckConstraint("(claimed_at IS NULL) = (claimed_by IS NULL)", name="claimed"),
        Index("uq_claim_order_id_line_id", "order_id", "line_id", unique=True, postgresql_nulls_not_distinct=True),
    )

    kind: Mapped[str] = mapped_column(String(5))
    order_id: Mapped[str] = mapped_column(ForeignKey("customer_order.id"))
    line_id: Mapped[str | None] = mapped_column(ForeignKey("order_line.id"), doc="a gift is one line")
    code: Mapped[str] = mapped_column(String(16), unique=True)
    to_email: Mapped[str] = mapped_column(String(254))
    send_at: Mapped[datetime] = mapped_column(index=True, doc="when the letter is to go")
    sent_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)

    order: Mapped[Order] = relationship(lazy="joined")
    line: Mapped[OrderLine | None] = relationship(lazy="joined")


class CaseKind(StrEnum):
    """What a person must look at."""

    MISMATCH = "mismatch"  # what was paid is not what was ordered: nothing was granted
    REFUND_REFUSED = "refund_refused"  # the gateway won't give it back, or its money came back
    DISPUTE = "dispute"  # a buyer's bank wants the money
    COUNTRY = "country"  # the evidence for the buyer's country doesn't agree
    BOOKS = "books"  # the ledger and the gateway's list differ


class Case(Identified, Timestamped, Model):
    """Something the shop can't decide. `key` says what about, so that it is raised once."""

    __tablename__ = "payment_case"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(str(k)) for k in CaseKind)})", name="kind"),
        CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name="closed"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(start=1), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(200), unique=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("customer_order.id"), index=True)
    payment_id: Mapped[str | None] = mapped_column(String(255))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    outcome: Mapped[str | None] = mapped_column(String(1000), doc="what was done about it")
