"""The event log's one writer, and the training that turns it into vectors."""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import delete, exists, func, insert, or_, select, text, update

from app.accounts.models import Account
from app.catalog.models import Release, Status
from app.core import clock
from app.core.db import db
from app.discovery import als, queries, signal
from app.discovery.models import FACTORS, AccountVector, Event, EventKind, RecommenderModel, ReleaseVector, Taste

KEPT_MODELS = 2
"""The model in use, and the one before it for pages that began with it."""

KEPT_HOT = 500
"""How many releases a model remembers as popular at the time."""

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
    """Whether anything happened since the active model was trained, or somebody took back what it learned from."""
    model = queries.active_model()
    if model is None:
        return True
    happened = exists().where(Event.id > model.settings["until_event"])
    changed = exists().where(Taste.changed_at > model.created_at)
    left = exists().where(Account.closed_at > model.created_at)
    return bool(db.session.scalar(select(or_(happened, changed, left))))


def train(most_factors: int = FACTORS) -> RecommenderModel:
    """Learn from the events that stand of published releases, and make the new model the active one.

    Never called within a request. With nothing to learn from, the active model is an empty one, and every shelf
    shows what is popular.
    """
    started = perf_counter()
    db.session.execute(select(func.pg_advisory_xact_lock(_TRAINING_LOCK)))
    began = clock.now()
    until = db.session.scalar(select(func.max(Event.id))) or 0
    factors = als.factorise(_preferences(until), most_factors=min(most_factors, FACTORS))
    model = RecommenderModel(
        created_at=began,  # what people decide from here on, it may not have heard of
        active=True,
        settings={
            "factors": factors.releases.shape[1] if factors else 0,
            "alpha": als.ALPHA,
            "regularisation": als.REGULARISATION,
            "iterations": als.ITERATIONS,
            "accounts": len(factors.account_ids) if factors else 0,
            "releases": len(factors.release_ids) if factors else 0,
            "until_event": until,
            "heat": _heat(until),
            "seconds": round(perf_counter() - started, 3),
        },
    )
    db.session.execute(update(RecommenderModel).where(RecommenderModel.active).values(active=False))
    db.session.add(model)
    db.session.flush()
    if factors:
        for table, column, ids, vectors in (
            (ReleaseVector, "release_id", factors.release_ids, factors.releases),
            (AccountVector, "account_id", factors.account_ids, factors.accounts),
        ):
            rows = _vector_rows(model.id, column, ids, vectors)
            if rows:
                db.session.execute(insert(table), rows)
    _leave_out(began)
    _prune()
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


def _preferences(until: int) -> list[tuple[str, str, float]]:
    liked = signal.preference(clock.now())
    query = (
        select(Event.account_id, Event.release_id, liked)
        .join(Release, Release.id == Event.release_id)
        .where(signal.counts(), signal.welcome(), Event.id <= until, Release.status == Status.PUBLISHED)
        .group_by(Event.account_id, Event.release_id)
        .having(liked > 0)
    )
    return [(account_id, release_id, float(r)) for account_id, release_id, r in db.session.execute(query)]


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


def _vector_rows(model_id: str, column: str, ids: list[str], vectors: als.Vectors) -> list[dict[str, Any]]:
    """Rows to insert; a vector of no length points nowhere and is left out (its cosine would be no number)."""
    padded = np.zeros((len(ids), FACTORS), dtype=np.float32)
    padded[:, : vectors.shape[1]] = vectors
    return [
        {"model_id": model_id, column: one, "vector": vector}
        for one, vector in zip(ids, padded, strict=True)
        if np.isfinite(vector).all() and vector.any()
    ]


def _prune() -> None:
    newest = select(RecommenderModel.id).order_by(
        RecommenderModel.active.desc(), RecommenderModel.created_at.desc(), RecommenderModel.id
    )
    db.session.execute(
        delete(RecommenderModel)
        .where(RecommenderModel.id.not_in(newest.limit(KEPT_MODELS)))
        .execution_options(synchronize_session=False)
    )
