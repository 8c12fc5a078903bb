"""What is in a cart, for pages."""

from __future__ import annotations

from sqlalchemy import func, select

from app.cart.models import Cart, CartItem
from app.core.db import db


def cart_of(account_id: str | None, guest_cart_id: str | None = None) -> Cart | None:
    """The person's cart, or the guest's; None where nothing was put in one yet.

    A guest's id never opens a cart that has become somebody's.
    """
    if account_id is not None:
        return db.session.scalar(select(Cart).where(Cart.account_id == account_id))
    if guest_cart_id is None:
        return None
    return db.session.scalar(select(Cart).where(Cart.id == guest_cart_id, Cart.account_id.is_(None)))


def count(account_id: str | None, guest_cart_id: str | None = None) -> int:
    """How many things are in the cart."""
    if account_id is None and guest_cart_id is None:
        return 0
    mine = Cart.account_id == account_id if account_id else (Cart.id == guest_cart_id) & Cart.account_id.is_(None)
    return int(db.session.scalar(select(func.count()).select_from(CartItem).join(Cart).where(mine)) or 0)
