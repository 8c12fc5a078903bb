"""What was shown on shelves and what was followed from there. Nothing here commits.

Whoever consents to being learned from (`discovery.tastes`) is written down under a pseudonym, by which one person's
rows can be told from another's, and deleted; of everybody else only that it was shown, and on which day. Of people who
run the shop nothing is kept. Every night what is nobody's becomes counts per day, and so does what is older than
KEEP_DAYS.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core import clock
from app.core.db import db
from app.shelves.models import Exposure, ExposureCount, ShelfSample
from app.shelves.shelf import Shelf, ShelfName
from app.shelves.units import is_staff, unit_of, units_of

KEEP_DAYS = 90
"""How long a pseudonym's rows are kept; a trial is shorter (`experiments.MOST_DAYS`)."""

KEEP_COUNTS_DAYS = 400
"""How long counts per day are kept."""

CLICK_WITHIN = timedelta(days=1)
"""A release that a person follows was shown to them on that shelf no longer ago."""


def shown(shelves: Iterable[Shelf], account_id: str | None) -> int:
    """Keep what a page shows, in one INSERT; return how many rows that were."""
    if is_staff(account_id):
        return 0
    rows = [
        {
            "at": _moment(shelf.kept.unit),
            "what": "shown",
            "shelf": shelf.name,
            "release_id": pick.release.id,
            "place": place,
            "source": pick.source,
            "unit": shelf.kept.unit,
            "trial_id": shelf.kept.trial_id,
            "variant": shelf.kept.variant,
        }
        for shelf in shelves
        for place, pick in enumerate(shelf.picks, 1)
    ]
    if rows:
        _without_waiting()
        db.session.execute(insert(Exposure), rows)
    return len(rows)


def followed(shelf: str | None, release_id: str, account_id: str | None) -> bool:
    """Keep that a card of that shelf was followed to the release; whether it counts.

    `shelf` comes from an address, so it is not believed: it has to be a shelf, and where the person has a unit, they
    were shown the release there, and it counts once a day.
    """
    if shelf not in set(ShelfName) or is_staff(account_id):
        return False
    unit = unit_of(account_id)
    at, trial_id, variant = _moment(unit), None, None
    if unit is not None:
        since = select(Exposure.trial_id, Exposure.variant).where(
            Exposure.unit == unit,
            Exposure.shelf == shelf,
            Exposure.release_id == release_id,
            Exposure.at > at - CLICK_WITHIN,
        )
        newest = since.where(Exposure.what == "shown").order_by(Exposure.id.desc()).limit(1)
        seen = db.session.execute(newest).first()
        if seen is None or db.session.execute(since.where(Exposure.what == "followed").limit(1)).first():
            return False
        trial_id, variant = seen
    _without_waiting()
    db.session.execute(
        insert(Exposure).values(
            at=at,
            what="followed",
            shelf=shelf,
            release_id=release_id,
            unit=unit,
            trial_id=trial_id,
            variant=variant,
        )
    )
    return True


def forget(account_id: str) -> None:
    """Delete what was kept under the person's pseudonyms."""
    db.session.execute(delete(Exposure).where(Exposure.unit.in_(units_of(account_id))))


def of_person(account_id: str) -> list[Exposure]:
    """What is kept under the person's pseudonyms, in order."""
    query = select(Exposure).where(Exposure.unit.in_(units_of(account_id))).order_by(Exposure.id)
    return list(db.session.scalars(query))


def prune() -> None:
    """Make counts per day of what is nobody's and of what is old; delete old counts."""
    now = clock.now()
    today = _day(now)
    old = today - timedelta(days=KEEP_DAYS)
    gone = (
        delete(Exposure)
        .where((Exposure.at < old) | (Exposure.unit.is_(None) & (Exposure.at < today)))
        .returning(Exposure.at, Exposure.release_id, Exposure.shelf, Exposure.what)
        .cte("gone")
    )
    day = func.date(func.timezone("UTC", gone.c.at))
    summed = select(
        day,
        gone.c.release_id,
        gone.c.shelf,
        func.count().filter(gone.c.what == "shown"),
        func.count().filter(gone.c.what == "followed"),
    ).group_by(day, gone.c.release_id, gone.c.shelf)
    adding = upsert(ExposureCount).from_select(["day", "release_id", "shelf", "shown", "followed"], summed)
    db.session.execute(
        adding.on_conflict_do_update(
            index_elements=["day", "release_id", "shelf"],
            set_={
                "shown": ExposureCount.shown + adding.excluded.shown,
                "followed": ExposureCount.followed + adding.excluded.followed,
            },
        )
    )
    db.session.execute(
        delete(ExposureCount).where(ExposureCount.day < (today - timedelta(days=KEEP_COUNTS_DAYS)).date())
    )
    db.session.execute(delete(ShelfSample).where(ShelfSample.taken_at < today - timedelta(days=7)))


def _moment(unit: str | None) -> datetime:
    """When, for somebody; the day, for nobody."""
    now = clock.now()
    return now if unit else _day(now)


def _day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _without_waiting() -> None:
    """Let this transaction's commit not wait for the disk: a crash may lose the last moment's rows, and no page is
    slower for them."""
    db.session.execute(text("SET LOCAL synchronous_commit TO off"))
