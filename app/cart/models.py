"""Carts."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalog.models import Offer
from app.core.db import Identified, Model, Timestamped


class Cart(Identified, Timestamped, Model):
    """A person's cart, or a guest's (no account) whose id sits in their session."""

    __tablename__ = "cart"

    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), unique=True)

    items: Mapped[list[CartItem]] = relationship(
        order_by="CartItem.created_at", cascade="all, delete-orphan", lazy="selectin"
    )


class CartItem(Timestamped, Model):
    """One offer in a cart; music is bought once, so there is no quantity."""

    __tablename__ = "cart_item"

    cart_id: Mapped[str] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"), primary_key=True)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"), primary_key=True)

    offer: Mapped[Offer] = relationship(lazy="joined")
