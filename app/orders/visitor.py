"""The orders a guest made in this browser; the one place that knows their ids sit in its session."""

from __future__ import annotations

from flask import has_request_context, session

from app.accounts.models import Account
from app.core.db import db
from app.orders import queries
from app.orders.models import Order

_KEY, _MOST = "orders", 20


def remember(order: Order) -> None:
    """A guest ordered here: they may see the order."""
    if order.account_id is None:
        session[_KEY] = [*(each for each in order_ids() if each != order.id), order.id][-_MOST:]


def order_for(viewer: Account | None, order_id: str) -> Order | None:
    """The order, if this browser made it as a guest, it is the viewer's, or they may read everybody's."""
    if order_id in order_ids():
        order = db.session.get(Order, order_id)
        if order is not None and order.account_id is None:
            return order
    return queries.order_for(viewer, order_id) if viewer is not None else None


def order_ids() -> list[str]:
    """The ids of the orders that were made in this browser by a guest, the oldest first; none outside of a request."""
    kept = session.get(_KEY) if has_request_context() else None
    return [each for each in kept if isinstance(each, str)] if isinstance(kept, list) else []
