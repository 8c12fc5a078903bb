"""What a person told the shop about their taste, and what the shop makes of it. Nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import func, select

from app.catalog.models import Artist, Genre, Release
from app.core import clock
from app.core.db import db
from app.discovery import signal
from app.discovery.models import Event, EventKind, Mode, Opinion, Taste, Verdict

Named = TypeVar("Named", Artist, Genre)

TOLD = 5
"""How many artists and genres the page of one's own taste names."""


@dataclass(frozen=True, slots=True)
class Liked:
    """A release that counts as liked: its `share` of all that the person likes (0 to 1), and what they did with it."""

    release: Release
    share: float
    kinds: list[EventKind]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the shop thinks a person likes, the most first; `count` is how many releases there are in all."""

    liked: list[Liked]
    artists: list[Artist]
    genres: list[Genre]
    count: int


def of(account_id: str) -> Taste:
    """How the person wants to be recommended to; what holds for everybody, not stored, where they never said."""
    return db.session.get(Taste, account_id) or Taste(account_id=account_id, mode=Mode.ON, listening=None)


def mode(account_id: str | None) -> Mode:
    """Whether the shop learns from the person and shows them something for it; `ON` for a guest."""
    return Mode(of(account_id).mode) if account_id else Mode.ON


def to_be_asked(account_id: str | None) -> bool:
    """Whether the person is still to be asked if what they play and view may count."""
    if account_id is None:
        return False
    said = of(account_id)
    return said.mode == Mode.ON and said.listening is None


def hidden(account_id: str | None) -> set[str]:
    """The releases that no shelf shows the person again: dismissed, or owned elsewhere. None for a guest."""
    if account_id is None:
        return set()
    query = select(Opinion.release_id).where(Opinion.account_id == account_id, Opinion.verdict.is_not(None))
    return set(db.session.scalars(query))


def opinion(account_id: str | None, release_id: str) -> Opinion | None:
    """What the person told the shop about the release."""
    return db.session.get(Opinion, (account_id, release_id)) if account_id else None


def said(account_id: str, verdict: Verdict) -> list[Release]:
    """The releases of which the person said so, the latest first."""
    return _releases(account_id, Opinion.verdict == verdict)


def left_out(account_id: str) -> list[Release]:
    """The releases they took out of what the shop thinks they like, the latest first."""
    return _releases(account_id, Opinion.left_out)


def profile(account_id: str, limit: int) -> Profile:
    """What the shop thinks the person likes: up to so many releases, and what they have in common.

    It is what the person's shelf is made from, and nothing besides. Empty where recommendations are off.
    """
    found = db.session.execute(signal.likes_of(account_id, clock.now())).all()
    weights = {release_id: float(liked) for release_id, liked in found}
    total = sum(weights.values())
    ids = sorted(weights, key=lambda one: (-weights[one], one))
    releases = {one.id: one for one in db.session.scalars(select(Release).where(Release.id.in_(ids)))}
    kinds_of = kinds(account_id, ids[:limit])
    return Profile(
        liked=[Liked(releases[one], weights[one] / total, kinds_of[one]) for one in ids[:limit]],
        artists=_heaviest((releases[one].artist, weights[one]) for one in ids),
        genres=_heaviest((genre, weights[one]) for one in ids if (genre := releases[one].genre) is not None),
        count=len(ids),
    )


def kinds(account_id: str, release_ids: Sequence[str]) -> dict[str, list[EventKind]]:
    """What the person did with each of those releases, of what stands and they allow; what says most first."""
    query = (
        select(Event.release_id, func.array_agg(Event.kind.distinct()))
        .where(
            Event.account_id == account_id,
            Event.release_id.in_(release_ids),
            Event.value > 0,
            signal.stands(),
            signal.allowed(),
        )
        .group_by(Event.release_id)
    )
    found = {release_id: set(kinds) for release_id, kinds in db.session.execute(query)}
    by_weight = sorted(signal.SIGNALS, key=lambda kind: -signal.SIGNALS[kind].weight)
    return {one: [kind for kind in by_weight if kind in found.get(one, ())] for one in release_ids}


def _heaviest(weighed: Iterable[tuple[Named, float]]) -> list[Named]:
    things: dict[str, Named] = {}
    weights: dict[str, float] = defaultdict(float)
    for thing, weight in weighed:
        things[thing.id] = thing
        weights[thing.id] += weight
    return [things[one] for one in sorted(weights, key=lambda one: (-weights[one], one))[:TOLD]]


def _releases(account_id: str, condition: object) -> list[Release]:
    query = (
        select(Release)
        .join(Opinion, Opinion.release_id == Release.id)
        .where(Opinion.account_id == account_id, condition)  # type: ignore[arg-type]
        .order_by(Opinion.at.desc(), Release.id)
    )
    return list(db.session.scalars(query).unique())
