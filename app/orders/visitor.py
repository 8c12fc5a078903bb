"""The orders a guest made in this browser; the one place that knows their ids sit in its session."""

from __future__ import annotations

from flask import session

from app.accounts.models import Account
from app.core.db import db
from app.orders import queries
from app.orders.models import Order

_KEY, _MOST = "orders", 20


def remember(order: Order) -> None:
    """A guest ordered here: they may see the order."""
    if order.account_id is None:
        session[_KEY] = [*(each for each in _ids() if each != order.id), order.id][-_MOST:]


def order_for(viewer: Account | None, order_id: str) -> Order | None:
    """The order, if this browser made it as a guest, it is the viewer's, or they may read everybody's."""
    if order_id in _ids():
        order = db.session.get(Order, order_id)
        if order is not None and order.account_id is None:
            return order
    return queries.order_for(viewer, order_id) if viewer is not None else None


def _ids() -> list[str]:
    kept = session.get(_KEY)
    return [each for each in kept if isinstance(each, str)] if isinstance(kept, list) else []
