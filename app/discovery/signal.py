"""How much each event says: the one table of weights, and the reading of the event log as preferences.

The weights are the shop's judgement, in units of one whole listen: paying for a thing says more than hearing it,
hearing it more than looking at it, and a play years ago less than yesterday's. `docs/recommender.md` shows the table.

A refund takes back everything the person did with the release before it, as if it had never happened; what they do
afterwards counts again. Of the kinds that `replaces` marks only the newest stands; one of value 0 takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Double, Select, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from app.accounts.models import Account
from app.core import auth
from app.discovery.models import Event, EventKind, Mode, Opinion, Taste, Verdict


@dataclass(frozen=True, slots=True)
class Signal:
    """What one kind of event says of a taste.

    `weight` is in whole listens, times the event's value; it is halved every `half_life_days`. Within `once_minutes`,
    events of the same person, kind, release and track add up to at most one. `watched` ones need consent.
    """

    weight: float
    half_life_days: int
    once_minutes: int = 0
    watched: bool = False
    replaces: bool = False


SIGNALS: dict[EventKind, Signal] = {
    EventKind.VIEW: Signal(0.1, 30, once_minutes=30, watched=True),  # opened the release's page
    EventKind.PREVIEW: Signal(0.3, 60, once_minutes=30, watched=True),  # heard ten seconds of the preview, or all of it
    EventKind.PLAY: Signal(1.0, 180, once_minutes=30, watched=True),  # value: the share of the track that was heard
    EventKind.FINISH: Signal(0.5, 180, once_minutes=30, watched=True),  # heard nine tenths of a track in one play
    EventKind.SKIP: Signal(-0.5, 90, once_minutes=30, watched=True),  # went on before half of it was heard
    EventKind.WISHLIST: Signal(2.0, 365, replaces=True),
    EventKind.CART: Signal(2.0, 90, once_minutes=30),
    EventKind.PURCHASE: Signal(5.0, 1460),
    EventKind.DOWNLOAD: Signal(1.0, 365, once_minutes=30),
    EventKind.RATING: Signal(4.0, 1095, replaces=True),  # value: -1 for one star, 0 for three, 1 for five
    EventKind.ELSEWHERE: Signal(4.0, 1095, replaces=True),  # owns it, bought in another place
    EventKind.DISMISS: Signal(-4.0, 730, replaces=True),  # not for me
    EventKind.REFUND: Signal(0.0, 1460),  # itself nothing; see `stands`
}

WATCHED = frozenset(kind for kind, signal in SIGNALS.items() if signal.watched)
"""The kinds that nobody does to tell the shop something: they count where the person consents."""

REPLACING = frozenset(kind for kind, signal in SIGNALS.items() if signal.replaces)
"""The kinds of which only a person's newest of a release stands."""

DISLIKED_UP_TO = 2
"""So many stars say that the person doesn't like it, whatever else they did with it."""

HALF_LIFE_DAYS = 14
"""After so many days an event, of any kind, counts half towards what is popular."""


def weight() -> ColumnElement[float]:
    """What one event says on its day, in whole listens: its kind's weight times its value."""
    by_kind = case(
        *[(Event.kind == kind, literal(signal.weight, Double)) for kind, signal in SIGNALS.items()],
        else_=literal(0.0, Double),
    )
    return by_kind * Event.value


def stands() -> ColumnElement[bool]:
    """Whether an event was not taken back: no refund of the same release by the same person came after it, and, where
    its kind `replaces`, no newer one of that kind."""
    later, newer = aliased(Event), aliased(Event)
    refunded = exists(
        select(later.id).where(
            later.kind == EventKind.REFUND,
            later.account_id == Event.account_id,
            later.release_id == Event.release_id,
            or_(later.at > Event.at, and_(later.at == Event.at, later.id > Event.id)),
        )
    )
    replaced = exists(
        select(newer.id).where(
            newer.kind.in_(sorted(REPLACING)),
            newer.kind == Event.kind,
            newer.account_id == Event.account_id,
            newer.release_id == Event.release_id,
            or_(newer.at > Event.at, and_(newer.at == Event.at, newer.id > Event.id)),
        )
    )
    return and_(Event.kind != EventKind.REFUND, ~refunded, ~replaced)


def allowed() -> ColumnElement[bool]:
    """Whether the person lets the event count: recommendations are not off, and what is `watched` they said yes to.

    Of who never decided anything (no row of `taste`) nothing watched is in the log, but for history that was imported:
    whoever imports it answers for that.
    """
    refused = exists(
        select(Taste.account_id).where(
            Taste.account_id == Event.account_id,
            or_(Taste.mode == Mode.OFF, and_(Taste.listening.is_not(True), Event.kind.in_(sorted(WATCHED)))),
        )
    )
    return ~refused


def counts() -> ColumnElement[bool]:
    """Whether the event says anything of what people like: it stands, is allowed, and its person doesn't work here."""
    staff = exists(select(Account.id).where(Account.id == Event.account_id, Account.role.in_(sorted(auth.STAFF))))
    return and_(stands(), allowed(), ~staff)


def welcome() -> ColumnElement[bool]:
    """Whether the release may count as one that the person likes: not where they said that it is not for them, gave
    it few stars, or took it out of what the shop thinks they like."""
    against = exists(
        select(Opinion.account_id).where(
            Opinion.account_id == Event.account_id,
            Opinion.release_id == Event.release_id,
            or_(Opinion.verdict == Verdict.DISMISSED, Opinion.stars <= DISLIKED_UP_TO, Opinion.left_out),
        )
    )
    return ~against


def preference(now: datetime) -> ColumnElement[float]:
    """The sum over a group of standing events, each halved for every half-life of its kind: r_ui of Hu, Koren and
    Volinsky (2008), in whole listens of today."""
    halvings = case(
        *[(Event.kind == kind, literal(1 / signal.half_life_days, Double)) for kind, signal in SIGNALS.items()],
        else_=literal(0.0, Double),
    )
    return func.sum(weight() * func.power(0.5, _age_days(now) * halvings))


def likes_of(account_id: str, now: datetime) -> Select[str, float]:
    """The releases one person likes and how much (r > 0), from all that stands and that they allow; of staff, too."""
    liked = preference(now)
    return (
        select(Event.release_id, liked.label("liked"))
        .where(Event.account_id == account_id, stands(), allowed(), welcome())
        .group_by(Event.release_id)
        .having(liked > 0)
    )


def heat(now: datetime) -> ColumnElement[float]:
    """The sum over a group of standing events, each halved for every HALF_LIFE_DAYS of its age."""
    return func.sum(weight() * func.power(0.5, _age_days(now) / HALF_LIFE_DAYS))


def lately(now: datetime) -> ColumnElement[bool]:
    """Whether an event is recent enough to matter to `heat`: by the end of this its weight is a hundredth."""
    return Event.at > now - timedelta(days=7 * HALF_LIFE_DAYS)


def _age_days(now: datetime) -> ColumnElement[float]:
    return func.greatest(cast(func.extract("epoch", now - Event.at), Double) / 86_400, 0.0)
