"""Shelves: which releases to show whom. Every list holds published releases, each once, none that the person owns or
said is not to be shown them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, func, select

from app.catalog import territory
from app.catalog.models import Release, Status, Track
from app.core import clock
from app.core.db import db
from app.discovery import als, signal, tastes, vectors
from app.discovery.models import FACTORS, AccountVector, Event, Mode, RecommenderModel, ReleaseVector
from app.licenses import queries as licenses

# Cosine distance (0 to 2) up to which two releases are said to have the same fans.
_NEAR = 0.6


def popular(limit: int, account_id: str | None = None, *, country: str | None = None) -> list[Release]:
    """What people do most of late (weights of `signal`, halved every HALF_LIFE_DAYS), then what is newest."""
    return _popular(limit, _kept_off(account_id), country)


def for_you(account_id: str, limit: int, *, country: str | None = None) -> list[Release]:
    """What the person may like best, filled up with what is popular; for one of whom nothing is known, or who has
    recommendations off, all of it."""
    kept_off = _kept_off(account_id)
    model = active_model() if tastes.mode(account_id) != Mode.OFF else None
    vector = _taste(model, account_id) if model else None
    liked: list[Release] = []
    if model and vector is not None:
        found = vectors.nearest(model, vector, limit, *_may_be_shown(kept_off, country))
        liked = _releases([one for one, distance in found if distance < 0])
    if len(liked) == limit:
        return liked
    return liked + _popular(limit - len(liked), kept_off | {release.id for release in liked}, country)


def fans_also_bought(
    release_id: str, account_id: str | None, limit: int, *, country: str | None = None
) -> list[Release]:
    """Releases liked by the people who like this one, nearest first; none where the model doesn't know of any."""
    model = active_model()
    if model is None:
        return []
    vector = db.session.scalar(
        select(ReleaseVector.vector).where(ReleaseVector.model_id == model.id, ReleaseVector.release_id == release_id)
    )
    if vector is None:
        return []
    others = _may_be_shown(_kept_off(account_id) | {release_id}, country)
    found = vectors.nearest(model, vector, limit, *others, near=vectors.Near.ANGLE)
    return _releases([one for one, distance in found if distance <= _NEAR])


def heat_of_releases() -> dict[str, float]:
    """How much is going on around each release: what the last training counted, cooled since, and what came after.

    So a page reads only the events since then. Without a model it reads all that matter.
    """
    now, model = clock.now(), active_model()
    until = model.settings["until_event"] if model else 0
    fresh = (
        select(Event.release_id, signal.heat(now))
        .where(signal.counts(), signal.lately(now), Event.id > until)
        .group_by(Event.release_id)
    )
    found: dict[str, float] = {}
    if model:
        age_days = max((now - model.created_at) / timedelta(days=1), 0.0)
        found = {one: heat * 0.5 ** (age_days / signal.HALF_LIFE_DAYS) for one, heat in model.settings["heat"].items()}
    for release_id, heat in db.session.execute(fresh):
        found[release_id] = found.get(release_id, 0.0) + heat
    return found


def _popular(limit: int, excluded: Collection[str], country: str | None) -> list[Release]:
    heat = {release_id: heat for release_id, heat in heat_of_releases().items() if heat > 0}
    shown = select(Release.id).where(Release.status == Status.PUBLISHED, *_may_be_shown(excluded, country))
    hot = set(db.session.scalars(shown.where(Release.id.in_(heat))))
    ranked = sorted(hot, key=lambda one: (-heat[one], one))[:limit]
    if len(ranked) < limit:
        rest = shown.where(Release.id.not_in(ranked)).order_by(Release.published_at.desc(), Release.id)
        ranked += db.session.scalars(rest.limit(limit - len(ranked)))
    return _releases(ranked)


def _releases(ids: Sequence[str]) -> list[Release]:
    """Those releases, in that order."""
    found = {release.id: release for release in db.session.scalars(select(Release).where(Release.id.in_(ids)))}
    return [found[one] for one in ids]


def active_model() -> RecommenderModel | None:
    """The model in use, or None before the first training."""
    query = select(RecommenderModel).where(RecommenderModel.active).order_by(RecommenderModel.created_at.desc())
    return db.session.scalars(query.limit(1)).first()


def models() -> list[RecommenderModel]:
    """Every model that is kept, the newest first."""
    return list(db.session.scalars(select(RecommenderModel).order_by(RecommenderModel.created_at.desc())))


def _taste(model: RecommenderModel, account_id: str) -> als.Vectors | None:
    """The person's vector: the trained one, or one folded in where training didn't see all they did, or saw what is
    not to count any more (then `choices` deleted it)."""
    since = exists().where(Event.account_id == account_id, Event.id > model.settings["until_event"])
    trained = db.session.scalar(
        select(AccountVector.vector).where(AccountVector.model_id == model.id, AccountVector.account_id == account_id)
    )
    if trained is not None and not db.session.scalar(select(since)):
        return trained
    liked = signal.likes_of(account_id, clock.now()).subquery()
    query = (
        select(ReleaseVector.vector, liked.c.liked)
        .join(liked, liked.c.release_id == ReleaseVector.release_id)
        .where(ReleaseVector.model_id == model.id)
    )
    rows = db.session.execute(query).all()
    if not rows:
        return None
    return als.fold_in(_gram(model.id), np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows]))


@lru_cache(maxsize=4)
def _gram(model_id: str) -> NDArray[np.float64]:
    """YᵀY over all releases of a model, FACTORS wide; it never changes once the model is trained."""
    kept = db.session.scalar(select(RecommenderModel.gram).where(RecommenderModel.id == model_id))
    made = np.zeros((FACTORS, FACTORS))
    if kept is not None:
        gram = np.frombuffer(kept).reshape(isqrt(len(kept) // 8), -1)
        made[: len(gram), : len(gram)] = gram
        return made
    # Trained by a version of the shop that did not keep it.
    rows = db.session.scalars(
        select(ReleaseVector.vector).where(ReleaseVector.model_id == model_id).execution_options(yield_per=10_000)
    )
    for part in rows.partitions():
        stacked = np.array(part, dtype=np.float64)
        made += stacked.T @ stacked
    return made


def _may_be_shown(kept_off: Collection[str], country: str | None) -> tuple[ColumnElement[bool], ...]:
    """What every shelf asks of a release: none of those kept off it, and sold where the visitor is."""
    return Release.id.not_in(kept_off), territory.sold_in(country)


def _kept_off(account_id: str | None) -> set[str]:
    """What no shelf shows the person: theirs already, or not to be shown again."""
    return _owned(account_id) | tastes.hidden(account_id)


def _owned(account_id: str | None) -> set[str]:
    """Releases the person owns whole, be it track by track."""
    tracks = licenses.owned_track_ids(account_id)
    by_tracks = select(Track.release_id).group_by(Track.release_id).having(func.bool_and(Track.id.in_(tracks)))
    return licenses.owned_release_ids(account_id) | (set(db.session.scalars(by_tracks)) if tracks else set())
