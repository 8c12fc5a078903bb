"""What carts hold of a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from app.accounts import leaving
from app.accounts.models import Account
from app.cart.models import Cart
from app.cart.queries import cart_of
from app.core.db import db


def _export(account: Account) -> list[dict[str, Any]]:
    cart = cart_of(account.id, None)
    items = cart.items if cart else []
    return [
        {
            "title": item.offer.title_in("en"),
            "put_in_at": item.created_at.isoformat(),
            "gift_to": item.gift_to,
            "gift_message": item.gift_message,
        }
        for item in items
    ]


def _forget(account: Account) -> None:
    db.session.execute(delete(Cart).where(Cart.account_id == account.id))


leaving.on_export["cart"] = _export
leaving.on_close.append(_forget)
