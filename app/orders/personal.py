"""What orders hold of a person. They stay: the books must keep them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.orders.models import Order


def _export(account: Account) -> list[dict[str, Any]]:
    orders = db.session.scalars(select(Order).where(Order.account_id == account.id).order_by(Order.number))
    return [
        {
            "number": one.number,
            "state": one.state,
            "ordered_at": one.created_at.isoformat(),
            "paid_at": one.paid_at.isoformat() if one.paid_at else None,
            "total_minor": one.total_minor,
            "currency": one.currency,
            "lines": [{"title": line.title, "price_minor": line.price_minor} for line in one.lines],
        }
        for one in orders
    ]


leaving.on_export["orders"] = _export
