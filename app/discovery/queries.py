"""Shelves: which releases to show whom. Every list holds published releases, each once, none that the person owns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Double, cast, func, select

from app.catalog.models import Release, Status, Track
from app.core import clock
from app.core.db import db
from app.discovery import signal
from app.discovery.models import Event
from app.licenses import queries as licenses

HALF_LIFE_DAYS = 14
"""After so many days an event counts half towards what is popular."""


def popular(limit: int, account_id: str | None = None) -> list[Release]:
    """What people do most of late (weights of `signal`, halved every HALF_LIFE_DAYS), then what is newest."""
    return _popular(limit, _owned(account_id))


def for_you(account_id: str, limit: int) -> list[Release]:
    """What the person may like best; what is popular where nothing is known of them."""
    return popular(limit, account_id)


def fans_also_bought(release_id: str, account_id: str | None, limit: int) -> list[Release]:
    """Releases liked by the people who like this one, nearest first."""
    return _popular(limit, _owned(account_id) | {release_id})


def _popular(limit: int, excluded: Collection[str]) -> list[Release]:
    age_days = cast(func.extract("epoch", clock.now() - Event.at), Double) / 86_400
    heat = func.sum(signal.weight() * func.power(0.5, func.greatest(age_days, 0) / HALF_LIFE_DAYS))
    hot = select(Event.release_id, heat.label("heat")).where(signal.stands()).group_by(Event.release_id).subquery("hot")
    query = (
        select(Release)
        .outerjoin(hot, hot.c.release_id == Release.id)
        .where(Release.status == Status.PUBLISHED, Release.id.not_in(excluded))
        .order_by(func.coalesce(hot.c.heat, 0).desc(), Release.published_at.desc(), Release.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def _by_rank(release_ids: Sequence[str]) -> list[Release]:
    found = {release.id: release for release in db.session.scalars(select(Release).where(Release.id.in_(release_ids)))}
    return [found[release_id] for release_id in release_ids if release_id in found]


def _owned(account_id: str | None) -> set[str]:
    """Releases the person owns whole, be it track by track."""
    tracks = licenses.owned_track_ids(account_id)
    by_tracks = select(Track.release_id).group_by(Track.release_id).having(func.bool_and(Track.id.in_(tracks)))
    return licenses.owned_release_ids(account_id) | (set(db.session.scalars(by_tracks)) if tracks else set())
