"""Why a release is shown to whom: in numbers, and none from which a person could be told.

Once a night the shelves of people drawn by lot are made as they would be for them, and counted; a page only reads the
counts. Nothing is kept of fewer than LEAST_PEOPLE, nor anything from which such a number could be reckoned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select

from app.accounts.models import Account
from app.catalog.models import Release
from app.core import auth, clock
from app.core.db import db
from app.discovery.models import Mode, Taste
from app.shelves.models import Exposure, ExposureCount, ShelfSample
from app.shelves.shelf import Shelf

MOST_PEOPLE = 1_000
"""So many people are drawn, at most."""

LEAST_PEOPLE = 5
"""What holds of fewer people is not told (k-anonymity)."""

SEED = "wavecrate"
"""The lot: the same people each night, as long as they are there, so that numbers can be compared."""

DAYS = 28
REASONS = 5


@dataclass(frozen=True, slots=True)
class OnShelf:
    """How many of the people have the release on one shelf; how many of those at which place, and by which source."""

    shelf: str
    people: int
    places: list[tuple[int, int]]
    sources: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a release stands: of `asked` people, `people` have it on a shelf; None: too few to tell.

    `reasons` are the releases that it is shown because of, and to how many people each.
    """

    taken_at: datetime
    asked: int
    people: int | None
    shelves: list[OnShelf]
    reasons: list[tuple[Release, int]]


@dataclass(frozen=True, slots=True)
class Shown:
    """How often a release was shown on a shelf, and followed from there; None: too seldom to tell."""

    shelf: str
    shown: int | None
    followed: int | None


def drawn() -> list[str]:
    """The people drawn by lot: buyers, not closed, who don't have recommendations off."""
    off = select(Taste.account_id).where(Taste.account_id == Account.id, Taste.mode == Mode.OFF).exists()
    query = select(Account.id).where(Account.role.not_in(sorted(auth.STAFF)), Account.closed_at.is_(None), ~off)
    return list(db.session.scalars(query.order_by(func.md5(literal(SEED) + Account.id)).limit(MOST_PEOPLE)))


def take(shelves_of: Callable[[str], Iterable[Shelf]]) -> ShelfSample:
    """Make the shelves of the people drawn, count them, and keep the counts; `shelves_of` is asked by account id."""
    tally: dict[str, _Tally] = defaultdict(_Tally)
    people = drawn()
    for account_id in people:
        for release_id, standing in _of_person(shelves_of(account_id)).items():
            tally[release_id].add(standing)
        db.session.expunge_all()  # nothing is written here, and a thousand people's releases need not stay
    made = ShelfSample(people=len(people), facts={one: facts for one, each in tally.items() if (facts := each.told())})
    db.session.add(made)
    db.session.flush()
    return made


def of(release_id: str) -> Standing | None:
    """Where the release stood when that was last counted; None where it never was."""
    newest = select(ShelfSample.taken_at, ShelfSample.people, ShelfSample.facts[release_id])
    found = db.session.execute(newest.order_by(ShelfSample.taken_at.desc(), ShelfSample.id).limit(1)).first()
    if found is None:
        return None
    taken_at, asked, facts = found
    if facts is None:
        return Standing(taken_at, asked, None, [], [])
    reasons = dict(facts["reasons"])
    releases = {one.id: one for one in db.session.scalars(select(Release).where(Release.id.in_(reasons))).unique()}
    return Standing(
        taken_at,
        asked,
        facts["people"],
        [
            OnShelf(
                each["shelf"],
                each["people"],
                [(place, count) for place, count in each["places"]],
                [(source, count) for source, count in each["sources"]],
            )
            for each in facts["shelves"]
        ],
        [(releases[one], count) for one, count in facts["reasons"] if one in releases],
    )


def lately(release_id: str) -> list[Shown]:
    """How often it was shown and followed in the last DAYS days, by shelf, the most shown first."""
    since = clock.now() - timedelta(days=DAYS)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    new = (
        select(
            Exposure.shelf,
            func.count().filter(Exposure.what == "shown"),
            func.count().filter(Exposure.what == "followed"),
        )
        .where(Exposure.release_id == release_id, Exposure.at >= since)
        .group_by(Exposure.shelf)
    )
    old = (
        select(ExposureCount.shelf, func.sum(ExposureCount.shown), func.sum(ExposureCount.followed))
        .where(ExposureCount.release_id == release_id, ExposureCount.day >= since.date())
        .group_by(ExposureCount.shelf)
    )
    for query in (new, old):
        for shelf, shown, followed in db.session.execute(query):
            sums[shelf][0] += int(shown)
            sums[shelf][1] += int(followed)
    ranked = sorted(sums.items(), key=lambda each: (-each[1][0], each[0]))
    return [Shown(shelf, _enough(shown), _enough(followed)) for shelf, (shown, followed) in ranked]


def partition(counts: Mapping[Any, int], whole: int) -> dict[Any, int]:
    """The counts of which each is of LEAST_PEOPLE or more, and what is left of `whole` is none or as many.

    `counts` divide `whole` people up, so one that is left out could be reckoned from the others: then the smallest of
    those goes, too.
    """
    kept = {name: count for name, count in counts.items() if count >= LEAST_PEOPLE}
    while kept and 0 < whole - sum(kept.values()) < LEAST_PEOPLE:
        del kept[min(kept, key=lambda name: (kept[name], str(name)))]
    return kept


@dataclass(slots=True)
class _Person:
    """One person's: shelf → place and source; and the reasons, on any shelf."""

    shelves: dict[str, tuple[int, str]]
    reasons: set[str]


class _Tally:
    """One release's counts, of people."""

    def __init__(self) -> None:
        self.people = 0
        self.shelves: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.reasons: Counter[str] = Counter()

    def add(self, person: _Person) -> None:
        self.people += 1
        for shelf, standing in person.shelves.items():
            self.shelves[shelf].append(standing)
        self.reasons.update(person.reasons)

    def told(self) -> dict[str, Any] | None:
        """What may be kept of it; None where that is nothing."""
        if self.people < LEAST_PEOPLE:
            return None
        shelves = [
            {
                "shelf": shelf,
                "people": len(each),
                "places": sorted(partition(Counter(place for place, _source in each), len(each)).items()),
                "sources": _ranked(partition(Counter(source for _place, source in each), len(each))),
            }
            for shelf, each in sorted(self.shelves.items(), key=lambda item: (-len(item[1]), item[0]))
            if len(each) >= LEAST_PEOPLE
        ]
        reasons = {one: count for one, count in self.reasons.items() if count >= LEAST_PEOPLE}
        return {"people": self.people, "shelves": shelves, "reasons": _ranked(reasons)[:REASONS]}


def _of_person(shelves: Iterable[Shelf]) -> dict[str, _Person]:
    found: dict[str, _Person] = {}
    for shelf in shelves:
        for place, pick in enumerate(shelf.picks, 1):
            person = found.setdefault(pick.release.id, _Person({}, set()))
            person.shelves.setdefault(str(shelf.name), (place, str(pick.source)))
            person.reasons.update(one.release.id for one in pick.because)
    return found


def _ranked(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _enough(count: int) -> int | None:
    return count if count >= LEAST_PEOPLE else None
