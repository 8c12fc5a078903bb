"""The models there are, and what is going on in the shop at the moment. What suits whom is in `ranking`."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.core import clock
from app.core.db import db
from app.discovery import signal
from app.discovery.models import Event, RecommenderModel


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


def active_model() -> RecommenderModel | None:
    """The model in use, or None before the first training."""
    query = select(RecommenderModel).where(RecommenderModel.active).order_by(RecommenderModel.created_at.desc())
    return db.session.scalars(query.limit(1)).first()


def models() -> list[RecommenderModel]:
    """Every model that is kept, the newest first."""
    return list(db.session.scalars(select(RecommenderModel).order_by(RecommenderModel.created_at.desc())))
