"""Orders."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Offer
from app.core.db import Identified, Model, Timestamped
from app.core.money import Money


class OrderState(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Order(Identified, Timestamped, Model):
    """What was bought, at the prices it was offered at: a snapshot that later price changes don't reach."""

    __tablename__ = "customer_order"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'paid', 'cancelled', 'refunded')", name="state"),
        CheckConstraint("total_minor > 0", name="total_positive"),
        CheckConstraint("state NOT IN ('paid', 'refunded') OR paid_at IS NOT NULL", name="paid_at"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(start=1001), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    state: Mapped[str] = mapped_column(String(12), default=OrderState.PENDING, index=True)
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int]
    checkout_id: Mapped[str | None] = mapped_column(String(255), unique=True, doc="the gateway's checkout session")
    payment_id: Mapped[str | None] = mapped_column(String(255), doc="the gateway's payment intent")
    paid_at: Mapped[datetime | None]

    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", lazy="selectin", order_by="OrderLine.title")

    @property
    def total(self) -> Money:
        """What the buyer pays."""
        return Money(self.total_minor, self.currency)


class OrderLine(Identified, Model):
    """One offer as it was sold."""

    __tablename__ = "order_line"
    __table_args__ = (CheckConstraint("price_minor > 0", name="price_positive"),)

    order_id: Mapped[str] = mapped_column(ForeignKey("customer_order.id"), index=True)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"))
    title: Mapped[str] = mapped_column(String(300))
    price_minor: Mapped[int]

    order: Mapped[Order] = relationship(back_populates="lines")
    offer: Mapped[Offer] = relationship(lazy="joined")
