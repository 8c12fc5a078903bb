"""How much each event says: the one table of weights, and the reading of the event log as preferences.

The weights are the shop's judgement, in units of one whole listen: paying for a thing says more than hearing it,
hearing it more than looking at it. A refund takes back everything the person did with the release before it, as if
it had never happened; what they do afterwards counts again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Double, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from app.discovery.models import Event, EventKind

WEIGHTS: dict[EventKind, float] = {
    EventKind.VIEW: 0.1,  # opened the release's page
    EventKind.PREVIEW: 0.3,  # listened to 30 seconds of it
    EventKind.PLAY: 1.0,  # times the share of the track that was played
    EventKind.CART: 2.0,
    EventKind.PURCHASE: 5.0,
    EventKind.DOWNLOAD: 1.0,
    EventKind.REFUND: 0.0,  # itself nothing; see `stands`
}

HALF_LIFE_DAYS = 14
"""After so many days an event counts half towards what is popular."""


def weight() -> ColumnElement[float]:
    """What one event says, in whole listens: its kind's weight times its value."""
    by_kind = case(
        *[(Event.kind == kind, literal(value, Double)) for kind, value in WEIGHTS.items()], else_=literal(0.0, Double)
    )
    return by_kind * Event.value


def stands() -> ColumnElement[bool]:
    """Whether an event still counts: no refund of the same release by the same person came after it."""
    refund = aliased(Event)
    refunded = exists(
        select(refund.id).where(
            refund.kind == EventKind.REFUND,
            refund.account_id == Event.account_id,
            refund.release_id == Event.release_id,
            or_(refund.at > Event.at, and_(refund.at == Event.at, refund.id > Event.id)),
        )
    )
    return and_(Event.kind != EventKind.REFUND, ~refunded)


def heat(now: datetime) -> ColumnElement[float]:
    """The sum over a group of standing events, each halved for every HALF_LIFE_DAYS of its age."""
    age_days = cast(func.extract("epoch", now - Event.at), Double) / 86_400
    return func.sum(weight() * func.power(0.5, func.greatest(age_days, 0) / HALF_LIFE_DAYS))


def lately(now: datetime) -> ColumnElement[bool]:
    """Whether an event is recent enough to matter to `heat`: by the end of this its weight is a hundredth."""
    return Event.at > now - timedelta(days=7 * HALF_LIFE_DAYS)


def preference() -> ColumnElement[float]:
    """The sum over a group of standing events: r_ui of Hu, Koren and Volinsky (2008)."""
    return func.sum(weight())
