"""What editors put forward: pins and boosts, within limits that keep a shelf what it says it is. Nothing here commits.

A pin is shown where the editors want it, and says so; a boost moves a release that is a candidate already. Only shelves
whose heading stays true take a pin: nobody is told that fans also bought what they did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from statistics import pstdev
from typing import Any, TypeVar

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, CompoundSelect, and_, func, literal, select, union_all

from app.accounts.models import Account
from app.catalog import rights
from app.catalog.models import Release
from app.core import clock
from app.core.db import db
from app.core.errors import Conflict, NotFound, WavecrateError
from app.shelves.models import PLACES, Boost, Pin
from app.shelves.shelf import Candidate, ShelfName, Source

PINNED_SHELVES = (ShelfName.FOR_YOU, ShelfName.POPULAR, ShelfName.OFF_BEATEN)
"""The shelves that take pins; the headings of the others say something that might not be so of a pinned release."""

BOOSTED_SHELVES = (ShelfName.FOR_YOU, ShelfName.BECAUSE, ShelfName.FANS, ShelfName.NEW, ShelfName.OFF_BEATEN)
"""The shelves that take boosts: those that the model ranks. The order of the others says something itself."""

MOST_PINS = 2
"""On one shelf on one day, of all labels."""

MOST_PINS_OF_A_LABEL = 1
"""On one shelf on one day. Releases without a label count as of one."""

MOST_BOOSTS = 30
"""On one day, of all labels."""

MOST_BOOSTS_OF_A_LABEL = 5
"""On one day. Releases without a label count as of one."""

MOST_DAYS = 28
"""So long a pin or a boost holds, at most."""

AHEAD_DAYS = 90
"""So long before it holds it can be set, at most."""

HALVES = (2, 1, -1, -2)
"""By how many halves of the spread of a shelf's scores a boost moves a release: once the spread at most, either way."""

Put = TypeVar("Put", Pin, Boost)

_LOCK = 0x70696E73  # "pins": who sets pins and boosts does so one after the other, or limits would not hold


class TooMuch(Conflict):
    """It would be more than the limits allow; the message says which, and what to do."""


class BadChoice(WavecrateError):
    """A pin or boost like that can't be set; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A release on a place, from 1, of a shelf."""

    shelf: ShelfName
    release_id: str
    place: int


@dataclass(frozen=True, slots=True)
class Boosted:
    """A release whose score is moved by so many spreads, on one shelf or (None) on each that takes boosts."""

    shelf: ShelfName | None
    release_id: str
    spreads: float


@dataclass(frozen=True, slots=True)
class Today:
    """What holds at this moment, read once for a whole page; pins by place."""

    pins: Sequence[Pinned] = ()
    boosts: Sequence[Boosted] = ()


def today() -> Today:
    """The pins and boosts that hold now."""
    now = _today()
    both: CompoundSelect[Any] = union_all(
        select(Pin.release_id, Pin.shelf, Pin.place, literal(0).label("halves")).where(_holds(Pin, now)),
        select(Boost.release_id, Boost.shelf, literal(0), Boost.halves).where(_holds(Boost, now)),
    )
    found = db.session.execute(both.order_by("place", "release_id")).all()
    return Today(
        [Pinned(ShelfName(one.shelf), one.release_id, one.place) for one in found if one.place],
        [
            Boosted(ShelfName(one.shelf) if one.shelf else None, one.release_id, one.halves / 2)
            for one in found
            if one.halves
        ],
    )


def boosted(shelf: ShelfName, candidates: Sequence[Candidate], at: Today) -> list[Candidate]:
    """The candidates with the scores that boosts give them, the best first; before diversity and caps.

    A boost adds up to one spread (standard deviation) of these candidates' own scores, up or down; it brings nothing
    onto the shelf that is no candidate. Ties stay in order.
    """
    moved = {
        boost.release_id: boost.spreads
        for boost in at.boosts
        if shelf in BOOSTED_SHELVES and boost.shelf in (None, shelf)
    }
    if not any(each.release_id in moved for each in candidates):
        return list(candidates)
    scores = [each.score for each in candidates]
    # Equal scores have no spread: there a boost decides the order, and nothing more.
    spread = pstdev(scores) or 1e-9 * max(1.0, abs(scores[0]))
    scored = [replace(each, score=each.score + moved.get(each.release_id, 0.0) * spread) for each in candidates]
    return sorted(scored, key=lambda each: -each.score)


def pinned(shelf: ShelfName, chosen: Sequence[Candidate], at: Today) -> list[Candidate]:
    """What was chosen for a shelf, with its pins on their places, as `Source.EDITOR`; after diversity and caps.

    Whether the person may be shown what is pinned, and where the shelf ends, is the caller's to see to. A release that
    stands where its pin wants it, or before, stands there for its own reasons. An empty shelf stays empty.
    """
    left = list(chosen)
    for pin in at.pins if chosen and shelf in PINNED_SHELVES else ():
        if pin.shelf != shelf:
            continue
        stands = next((n for n, one in enumerate(left, 1) if one.release_id == pin.release_id), None)
        if stands is not None and stands <= pin.place:
            continue
        if stands is not None:
            del left[stands - 1]
        score = left[min(pin.place, len(left)) - 1].score if left else 0.0
        left.insert(pin.place - 1, Candidate(pin.release_id, score, Source.EDITOR))
    return left


def pin(by: Account, release: Release, shelf: ShelfName, place: int, from_on: date, until_on: date) -> Pin:
    """Pin a release of a label of the editor's; raise NotFound for another's, BadChoice or TooMuch, saying why."""
    _may(by, release)
    if shelf not in PINNED_SHELVES:
        raise BadChoice(_("That shelf takes no pins: what stands there has to be what its heading says."))
    if not 1 <= place <= PLACES:
        raise BadChoice(_("A pin stands on one of the first %(places)s places.", places=PLACES))
    if not release.is_published:
        raise BadChoice(_("Publish the release first: nobody could see it."))
    _check_dates(from_on, until_on)
    _in_turn()
    others = _overlapping(Pin, from_on, until_on, Pin.shelf == shelf)
    if any(other.release_id == release.id for other in others):
        raise TooMuch(_("It is pinned there in those days already. Take that pin off first, or choose other days."))
    if any(other.place == place for other in others):
        raise TooMuch(_("That place is taken in those days. Choose another place or other days."))
    _limit(
        others,
        from_on,
        until_on,
        MOST_PINS,
        _(
            "That shelf has %(most)s pins on one of those days, which is all it takes. Choose other days.",
            most=MOST_PINS,
        ),
    )
    _limit(
        [other for other in others if other.release.label_id == release.label_id],
        from_on,
        until_on,
        MOST_PINS_OF_A_LABEL,
        _(
            "That shelf has a pin of this label on one of those days; it takes %(most)s. Choose other days.",
            most=MOST_PINS_OF_A_LABEL,
        ),
    )
    made = Pin(release=release, shelf=shelf, place=place, from_on=from_on, until_on=until_on)
    db.session.add(made)
    db.session.flush()
    return made


def boost(by: Account, release: Release, shelf: ShelfName | None, halves: int, from_on: date, until_on: date) -> Boost:
    """Boost a release of a label of the editor's, on one shelf or on all that take boosts; raises as `pin` does."""
    _may(by, release)
    if shelf is not None and shelf not in BOOSTED_SHELVES:
        raise BadChoice(_("That shelf takes no boosts: its order says something itself."))
    if halves not in HALVES:
        raise BadChoice(_("A boost moves a release by half the spread of a shelf’s scores, or by all of it."))
    _check_dates(from_on, until_on)
    _in_turn()
    others = _overlapping(Boost, from_on, until_on)
    own = [other for other in others if other.release_id == release.id]
    if any(shelf is None or other.shelf in (None, shelf) for other in own):
        raise TooMuch(_("It has a boost there in those days already. Take that off first, or choose other days."))
    _limit(
        others,
        from_on,
        until_on,
        MOST_BOOSTS,
        _(
            "There are %(most)s boosts on one of those days, which is all there may be. Choose other days.",
            most=MOST_BOOSTS,
        ),
    )
    _limit(
        [other for other in others if other.release.label_id == release.label_id],
        from_on,
        until_on,
        MOST_BOOSTS_OF_A_LABEL,
        _(
            "This label has %(most)s boosts on one of those days, which is all it may have. Choose other days.",
            most=MOST_BOOSTS_OF_A_LABEL,
        ),
    )
    made = Boost(release=release, shelf=shelf, halves=halves, from_on=from_on, until_on=until_on)
    db.session.add(made)
    db.session.flush()
    return made


def take_off(by: Account, table: type[Put], one_id: str) -> Put:
    """Take a pin or a boost off, and return what it was; raise NotFound where it isn't there, or isn't theirs."""
    found = db.session.get(table, one_id)
    if found is None:
        raise NotFound(_("It is not there any more. Load the page again."))
    _may(by, found.release)
    db.session.delete(found)
    db.session.flush()
    return found


def pins(upto: int = 200) -> list[Pin]:
    """The pins that hold or are to hold, by shelf and place."""
    query = select(Pin).where(Pin.until_on >= _today()).order_by(Pin.shelf, Pin.from_on, Pin.place, Pin.id)
    return list(db.session.scalars(query.limit(upto)).unique())


def boosts(upto: int = 200) -> list[Boost]:
    """The boosts that hold or are to hold, the earliest first."""
    query = select(Boost).where(Boost.until_on >= _today()).order_by(Boost.from_on, Boost.id)
    return list(db.session.scalars(query.limit(upto)).unique())


def _today() -> date:
    return clock.now().astimezone(UTC).date()


def _holds(table: type[Put], day: date) -> ColumnElement[bool]:
    return and_(table.from_on <= day, table.until_on >= day)


def _may(by: Account, release: Release) -> None:
    if not rights.may_edit(by, release):
        raise NotFound(_("There is no such release among those of your labels."))


def _check_dates(from_on: date, until_on: date) -> None:
    now = _today()
    if until_on < from_on:
        raise BadChoice(_("It would end before it begins."))
    if until_on < now:
        raise BadChoice(_("Those days are over. Choose days to come."))
    if (until_on - from_on).days >= MOST_DAYS:
        raise BadChoice(_("It can hold for %(most)s days at most. Choose an earlier last day.", most=MOST_DAYS))
    if (from_on - now).days > AHEAD_DAYS:
        raise BadChoice(_("It can be set %(most)s days ahead at most. Choose an earlier first day.", most=AHEAD_DAYS))


def _in_turn() -> None:
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _overlapping(table: type[Put], from_on: date, until_on: date, *where: ColumnElement[bool]) -> list[Put]:
    query = select(table).where(table.from_on <= until_on, table.until_on >= from_on, *where)
    return list(db.session.scalars(query.execution_options(populate_existing=True)).unique())


def _limit(others: Sequence[Pin | Boost], from_on: date, until_on: date, most: int, says: str) -> None:
    """Raise TooMuch where on any of the days there are so many already."""
    days = (from_on + timedelta(days=n) for n in range((until_on - from_on).days + 1))
    if any(sum(other.from_on <= day <= other.until_on for other in others) >= most for day in days):
        raise TooMuch(says)
