"""Shelves: which releases to show whom. Every list holds published releases, each once, none that the person owns or
said is not to be shown them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import func, select

from app.catalog.models import Release, Status, Track
from app.core import clock
from app.core.db import db
from app.discovery import folded, signal, tastes, vectors
from app.discovery.models import Event, Mode, RecommenderModel, ReleaseVector
from app.licenses import queries as licenses

# Cosine distance (0 to 2) up to which two releases are said to have the same fans.
_NEAR = 0.6


def popular(limit: int, account_id: str | None = None) -> list[Release]:
    """What people do most of late (weights of `signal`, halved every HALF_LIFE_DAYS), then what is newest."""
    return _popular(limit, _kept_off(account_id))


def for_you(account_id: str, limit: int) -> list[Release]:
    """What the person may like best, filled up with what is popular; for one of whom nothing is known, or who has
    recommendations off, all of it."""
    kept_off = _kept_off(account_id)
    model = active_model() if tastes.mode(account_id) != Mode.OFF else None
    vector = folded.taste(model, account_id) if model else None
    liked: list[Release] = []
    if model and vector is not None:
        found = vectors.nearest(model, vector, limit, Release.id.not_in(kept_off))
        liked = _releases([one for one, distance in found if distance < 0])
    if len(liked) == limit:
        return liked
    return liked + _popular(limit - len(liked), kept_off | {release.id for release in liked})


def fans_also_bought(release_id: str, account_id: str | None, limit: int) -> list[Release]:
    """Releases liked by the people who like this one, nearest first; none where the model doesn't know of any."""
    model = active_model()
    if model is None:
        return []
    vector = db.session.scalar(
        select(ReleaseVector.vector).where(ReleaseVector.model_id == model.id, ReleaseVector.release_id == release_id)
    )
    if vector is None:
        return []
    others = Release.id.not_in(_kept_off(account_id) | {release_id})
    found = vectors.nearest(model, vector, limit, others, near=vectors.Near.ANGLE)
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


def _popular(limit: int, excluded: Collection[str]) -> list[Release]:
    heat = {release_id: heat for release_id, heat in heat_of_releases().items() if heat > 0}
    shown = select(Release.id).where(Release.status == Status.PUBLISHED, Release.id.not_in(excluded))
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


def _kept_off(account_id: str | None) -> set[str]:
    """What no shelf shows the person: theirs already, or not to be shown again."""
    return _owned(account_id) | tastes.hidden(account_id)


def _owned(account_id: str | None) -> set[str]:
    """Releases the person owns whole, be it track by track."""
    tracks = licenses.owned_track_ids(account_id)
    by_tracks = select(Track.release_id).group_by(Track.release_id).having(func.bool_and(Track.id.in_(tracks)))
    return licenses.owned_release_ids(account_id) | (set(db.session.scalars(by_tracks)) if tracks else set())
