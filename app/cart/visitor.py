"""The cart of whoever the request comes from; the one place that knows a guest's cart id sits in their session."""

from __future__ import annotations

from flask import session
from flask_login import current_user

from app.cart import queries, service
from app.cart.models import Cart
from app.pricing import visitor as visitors

_KEY = "cart"


def account_id() -> str | None:
    """The signed-in account, or None for a guest."""
    return current_user.id if current_user.is_authenticated else None


def guest_cart_id() -> str | None:
    """The id of the cart this browser filled before signing in."""
    return session.get(_KEY)


def cart() -> Cart | None:
    """The visitor's cart, or None where nothing was put in one yet."""
    return queries.cart_of(account_id(), guest_cart_id())


def cart_to_fill() -> Cart:
    """The visitor's cart, made if need be; called in a transaction."""
    found = service.open_cart(account_id(), guest_cart_id())
    if account_id() is None:
        session[_KEY] = found.id
    return found


def _country() -> str | None:
    found = cart()
    return found.country if found else None


def count() -> int:
    """How many things are in the visitor's cart."""
    return queries.count(account_id(), guest_cart_id())


def offer_ids() -> set[str]:
    """The offers in the visitor's cart that they mean to keep themselves."""
    found = cart()
    return {item.offer_id for item in found.items if not item.is_gift} if found else set()


visitors.told.append(_country)
