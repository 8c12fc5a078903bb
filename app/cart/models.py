"""Carts."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Offer
from app.core.db import Identified, Model, Timestamped
from app.core.money import Money


class Cart(Identified, Timestamped, Model):
    """A person's cart, or a guest's (no account) whose id sits in their session; and what they said for paying."""

    __tablename__ = "cart"

    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), unique=True)
    email: Mapped[str | None] = mapped_column(String(254), doc="where a guest's purchase is sent")
    country: Mapped[str | None] = mapped_column(String(2), doc="of the billing address, ISO 3166")
    vat_number: Mapped[str | None] = mapped_column(String(20), doc="of a business, checked for its form")
    coupon_code: Mapped[str | None] = mapped_column(String(40))

    items: Mapped[list[CartItem]] = relationship(
        order_by="(CartItem.created_at, CartItem.id)", cascade="all, delete-orphan", lazy="selectin"
    )


class CartItem(Identified, Timestamped, Model):
    """One offer in a cart. Music is bought once, so there is no quantity; as a gift, once for each person."""

    __tablename__ = "cart_item"
    __table_args__ = (
        Index(
            "uq_cart_item_cart_id_offer_id_gift_to",
            "cart_id",
            "offer_id",
            "gift_to",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("(named_minor IS NULL) = (named_currency IS NULL)", name="named"),
        CheckConstraint("(seen_minor IS NULL) = (seen_currency IS NULL)", name="seen"),
        CheckConstraint("gift_to IS NOT NULL OR num_nonnulls(gift_on, gift_from, gift_message) = 0", name="gift"),
    )

    cart_id: Mapped[str] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"), index=True)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"))
    named_minor: Mapped[int | None] = mapped_column(doc="what the buyer gives where the price is open")
    named_currency: Mapped[str | None] = mapped_column(String(3))
    seen_minor: Mapped[int | None] = mapped_column(doc="the price it had when the buyer last saw the cart")
    seen_currency: Mapped[str | None] = mapped_column(String(3))
    gift_to: Mapped[str | None] = mapped_column(String(254), doc="an e-mail address, in lower case")
    gift_on: Mapped[date | None] = mapped_column(doc="the day it is to arrive (UTC); none: when it is paid")
    gift_from: Mapped[str | None] = mapped_column(String(100))
    gift_message: Mapped[str | None] = mapped_column(String(1000))

    offer: Mapped[Offer] = relationship(lazy="joined")

    @property
    def named(self) -> Money | None:
        """What the buyer gives where the price is open."""
        if self.named_minor is None or self.named_currency is None:
            return None
        return Money(self.named_minor, self.named_currency)

    @property
    def seen(self) -> Money | None:
        """The list price the buyer last saw it at."""
        if self.seen_minor is None or self.seen_currency is None:
            return None
        return Money(self.seen_minor, self.seen_currency)

    @property
    def is_gift(self) -> bool:
        """Whether it is for somebody else."""
        return self.gift_to is not None
