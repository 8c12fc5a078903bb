"""The event log's one writer, and the training that turns it into vectors."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import delete, exists, func, or_, select, text

from app.accounts.models import Account
from app.catalog.models import Release, Status
from app.core import clock
from app.core.db import db
from app.discovery import hybrid, promotion, queries, reading, signal, tuned, vectors
from app.discovery.hybrid import Completed
from app.discovery.models import FACTORS, AccountVector, Event, EventKind, RecommenderModel, Taste
from app.discovery.tuned import Tuned
from app.recommender import factorising
from app.recommender.device import Device
from app.recommender.factorising import Vectors
from app.recommender.recipe import Recipe

KEPT_MODELS = 2
"""The model in use, and the one before it for pages that began with it."""

KEPT_DAYS = 7
"""For so many days back the last model of each day is kept, to be put back."""

KEPT_HOT = 500
"""How many releases a model remembers as popular at the time."""

ELSEWHERE = Recipe.of({"alpha": 10.0, "regularisation": 5.0})
"""What the export tells another engine to learn by, and what people are folded into its factors by."""

# Any number that nothing else in the database locks on.
_TRAINING_LOCK = 0x57_43_41_4C_53


def record(
    account_id: str,
    release_id: str,
    kind: EventKind,
    *,
    track_id: str | None = None,
    value: float = 1.0,
    at: datetime | None = None,
) -> Event:
    """Append one event within the open transaction, as it is; what happens in the shop goes through `events`.

    `value` is how much of it, 0 to 1: the share of a track played; a rating goes down to -1. `at` (aware) dates an
    event that happened earlier, for imported history.
    """
    event = Event(
        account_id=account_id,
        release_id=release_id,
        kind=EventKind(kind),
        track_id=track_id,
        value=min(max(value, -1.0 if kind == EventKind.RATING else 0.0), 1.0),
        at=at or clock.now(),
    )
    db.session.add(event)
    return event


def is_stale() -> bool:
    """Whether anything happened since the active model was trained, a release came out, or somebody took back what it
    learned from."""
    model = queries.active_model()
    if model is None:
        return True
    happened = exists().where(Event.id > model.settings["until_event"])
    changed = exists().where(Taste.changed_at > model.created_at)
    left = exists().where(Account.closed_at > model.created_at)
    new = exists().where(Release.status == Status.PUBLISHED, Release.published_at > model.created_at)
    return bool(db.session.scalar(select(or_(happened, changed, left, new))))


def train(most_factors: int = FACTORS, device: Device = "auto", found: Tuned | None = None) -> RecommenderModel:
    """Learn from the events that stand of published releases; the new model is used if it does no worse (`promotion`).

    By the recipe that tuning has `found`; else as the model in use was tuned; else as suits so much data. Never called
    within a request. With nothing to learn from, the active model is an empty one, and every shelf shows what is
    popular. NoGpu where the device is the GPU and there is none to use.
    """
    started = perf_counter()
    db.session.execute(select(func.pg_advisory_xact_lock(_TRAINING_LOCK)))
    began = clock.now()
    until = db.session.scalar(select(func.max(Event.id))) or 0
    given = reading.interactions(until)
    active = queries.active_model()
    recipe = found.recipe if found else tuned.wanted(active, given.matrix.shape, min(most_factors, FACTORS))
    settings = found.settings() if found else tuned.settings_of(active)
    factors = factorising.factorise(given, recipe, device=device)
    completed = hybrid.complete(factors, given, active.settings.get("content") if active else None) if factors else None
    model = _keep(completed, until, began, **settings, seconds=round(perf_counter() - started, 3))
    promotion.promote_if_better(model, given, unproven=True, proven=found is not None)
    _leave_out(began)
    _prune()
    return model


def adopt(release_ids: list[str], releases: Vectors, origin: str) -> RecommenderModel:
    """Keep a model that was trained elsewhere: its releases' factors, by which the people of the log are folded in.

    It isn't used: whether it is any better than the one in use is for `promotion.promote_if_better` to find out.
    """
    db.session.execute(select(func.pg_advisory_xact_lock(_TRAINING_LOCK)))
    began = clock.now()
    until = db.session.scalar(select(func.max(Event.id))) or 0
    factors = factorising.people_of(reading.interactions(until), release_ids, releases, ELSEWHERE)
    model = _keep(Completed(factors, [], releases[:0], {}), until, began, origin=origin)
    _leave_out(began)
    return model


def _leave_out(began: datetime) -> None:
    """Take out the vectors of people who changed their mind, or went, while the training ran.

    Whoever does so from here on waits for this transaction to end, and then deletes the vector themselves
    (`choices`): a change is written to `taste` first. Nothing that such a change deletes is locked before this.
    """
    db.session.execute(text("LOCK TABLE taste IN SHARE MODE"))
    changed = select(Taste.account_id).where(Taste.changed_at >= began)
    gone = select(Account.id).where(Account.closed_at >= began)
    db.session.execute(
        delete(AccountVector)
        .where(or_(AccountVector.account_id.in_(changed), AccountVector.account_id.in_(gone)))
        .execution_options(synchronize_session=False)
    )


def _keep(completed: Completed | None, until: int, began: datetime, **facts: Any) -> RecommenderModel:
    factors = completed.factors if completed else None
    size = {"accounts": 0, "releases": 0, "factors": 0}
    if completed and factors:
        size = {"accounts": len(factors.account_ids), "releases": len(factors.release_ids) + len(completed.new_ids)}
        size |= factors.recipe.settings() | {"factors": factors.releases.shape[1], "mean_count": factors.mean_count}
        size |= completed.facts
    model = RecommenderModel(
        created_at=began,  # what people decide from here on, it may not have heard of
        active=False,
        settings=size | {"until_event": until, "heat": _heat(until)} | facts,
    )
    db.session.add(model)
    db.session.flush()
    if completed and factors:
        ids, made = factors.release_ids + completed.new_ids, np.vstack([factors.releases, completed.new])
        kept = vectors.store("release_vector", "release_id", model.id, ids, made)
        vectors.store("account_vector", "account_id", model.id, factors.account_ids, factors.accounts)
        exact = factors.releases.astype(np.float64)
        model.gram = (exact.T @ exact).tobytes()
        model.settings = model.settings | {"indexed": vectors.index(model.id, kept)}
    return model


def _heat(until: int) -> dict[str, float]:
    now = clock.now()
    heat = signal.heat(now)
    query = (
        select(Event.release_id, heat)
        .where(signal.counts(), signal.lately(now), Event.id <= until)
        .group_by(Event.release_id)
        .having(heat > 0)
        .order_by(heat.desc())
        .limit(KEPT_HOT)
    )
    return {release_id: float(value) for release_id, value in db.session.execute(query)}


def _prune() -> None:
    newest = select(RecommenderModel).order_by(
        RecommenderModel.active.desc(), RecommenderModel.created_at.desc(), RecommenderModel.id
    )
    models = db.session.scalars(newest).all()
    kept = [model.id for model in models[:KEPT_MODELS]]
    vectors.drop_indexes(kept=kept)
    last_of: dict[date, str] = {}
    for model in models:
        if not model.settings.get("refused") and model.created_at > clock.now() - timedelta(days=KEPT_DAYS):
            last_of.setdefault(model.created_at.date(), model.id)
    kept += last_of.values()
    db.session.execute(
        delete(RecommenderModel).where(RecommenderModel.id.not_in(kept)).execution_options(synchronize_session=False)
    )
