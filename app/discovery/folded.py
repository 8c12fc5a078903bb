"""A person as they are at this moment, folded into a model by what counts of all they did."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import exists, select

from app.core import clock
from app.core.db import db
from app.discovery import signal
from app.discovery.models import FACTORS, AccountVector, Event, RecommenderModel, ReleaseVector
from app.recommender.folding import Equation, Vectors
from app.recommender.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Folded:
    """The releases that a person likes and the model knows, in order of their ids, and the equation they make."""

    release_ids: list[str]
    equation: Equation


def taste(model: RecommenderModel, account_id: str) -> Vectors | None:
    """The person's vector: the trained one, or one folded in where training didn't see all they did, or saw what is
    not to count any more (then `choices` deleted it). None where the model knows nothing they like."""
    since = exists().where(Event.account_id == account_id, Event.id > model.settings["until_event"])
    trained: Vectors | None = db.session.scalar(
        select(AccountVector.vector).where(AccountVector.model_id == model.id, AccountVector.account_id == account_id)
    )
    if trained is not None and not db.session.scalar(select(since)):
        return trained
    found = of(model, account_id)
    return found.equation.solve() if found else None


def of(model: RecommenderModel, account_id: str) -> Folded | None:
    """What the person likes as the model sees it; None where it knows nothing of that."""
    liked = signal.likes_of(account_id, clock.now()).subquery()
    query = (
        select(ReleaseVector.release_id, ReleaseVector.vector, liked.c.liked)
        .join(liked, liked.c.release_id == ReleaseVector.release_id)
        .where(ReleaseVector.model_id == model.id)
        .order_by(ReleaseVector.release_id)
    )
    rows = db.session.execute(query).all()
    if not rows:
        return None
    recipe = Recipe.of(model.settings)
    sure = recipe.confidence(np.array([float(row.liked) for row in rows]))
    touched = np.array([row.vector for row in rows], dtype=np.float32)
    tight = recipe.als.regularisation_of(len(rows), mean_count(model))
    return Folded([row.release_id for row in rows], Equation(gram(model.id), touched, sure, tight))


def mean_count(model: RecommenderModel) -> float:
    """How many releases the people had whom the model was learned from; 1 where no λ depends on it."""
    return float(model.settings.get("mean_count", 1.0))


@lru_cache(maxsize=4)
def gram(model_id: str) -> NDArray[np.float64]:
    """YᵀY over the releases that a model's people touched, FACTORS wide; it never changes once the model is trained."""
    kept = db.session.scalar(select(RecommenderModel.gram).where(RecommenderModel.id == model_id))
    made = np.zeros((FACTORS, FACTORS))
    if kept is not None:
        factors = isqrt(len(kept) // 8)
        made[:factors, :factors] = np.frombuffer(kept).reshape(factors, factors)
        return made
    # Trained by a version of the shop that did not keep it.
    rows = db.session.scalars(
        select(ReleaseVector.vector).where(ReleaseVector.model_id == model_id).execution_options(yield_per=10_000)
    )
    for part in rows.partitions():
        stacked = np.array(part, dtype=np.float64)
        made += stacked.T @ stacked
    return made
