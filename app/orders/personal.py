"""What orders hold of a person. What was sold stays, as the books must keep it, without name or address."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.accounts import leaving
from app.accounts.models import Account
from app.core.db import db
from app.orders import correspondence, waiting
from app.orders.models import Claim, ClaimKind, Order

# Without these, what tax was due could not be shown.
_KEPT = ("country", "vat_id")


def _export(account: Account) -> list[dict[str, Any]]:
    return [
        {
            "number": one.number,
            "state": one.state,
            "ordered_at": one.created_at.isoformat(),
            "paid_at": one.paid_at.isoformat() if one.paid_at else None,
            "total_minor": one.total_minor,
            "currency": one.currency,
            "email": one.email,
            "billing": one.billing,
            "lines": [
                {
                    "title": line.title,
                    "price_minor": line.price_minor,
                    "gift_to": line.gift_to,
                    "gift_message": line.gift_message,
                }
                for line in one.lines
            ],
        }
        for one in _of(account)
    ]


def _export_gifts(account: Account) -> list[dict[str, Any]]:
    claims = db.session.scalars(select(Claim).where(Claim.claimed_by == account.id, Claim.kind == ClaimKind.GIFT))
    return [
        {
            "title": line.title,
            "from": correspondence.giver_of(one),
            "message": line.gift_message,
            "sent_to": one.to_email,
            "claimed_at": one.claimed_at.isoformat() if one.claimed_at else None,
        }
        for one in claims.unique()
        for line in waiting.lines_of(one)
    ]


def _forget(account: Account) -> None:
    """What they gave and nobody has claimed yet still goes where it was to go."""
    for order in _of(account):
        order.email = ""
        order.billing = {name: value for name, value in order.billing.items() if name in _KEPT}
        for one in waiting.of_order(order.id):
            if one.claimed_at is not None:
                one.to_email = ""
                if one.line is not None:
                    one.line.gift_to, one.line.gift_from, one.line.gift_message = "", None, None
    for one in db.session.scalars(select(Claim).where(Claim.claimed_by == account.id)).unique():
        one.to_email = ""
        if one.line is not None:
            one.line.gift_to, one.line.gift_message = "", None
    db.session.flush()


def _of(account: Account) -> list[Order]:
    return list(db.session.scalars(select(Order).where(Order.account_id == account.id).order_by(Order.number)))


leaving.on_export["orders"] = _export
leaving.on_export["gifts"] = _export_gifts
leaving.on_close.append(_forget)
