"""Releases that few or nobody touched, placed in a trained model by what they are (`content`, `cold`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select

from app.catalog.models import Release, Status
from app.core import clock
from app.core.db import db
from app.discovery import cold, content
from app.recommender import protocol
from app.recommender.factorising import Factors, Vectors
from app.recommender.folding import Folding
from app.recommender.interactions import Interactions
from app.recommender.recipe import FoldedIn

MOST_BLENDED = 10
"""A release that so many times k people touched keeps its own factors: content would have less than a tenth's say."""

CHOSEN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Completed:
    """The trained factors, those of releases with few people blended with what their content says; and of published
    releases nobody touched, ids and the factors their content predicts. `facts` are for the model's settings."""

    factors: Factors
    new_ids: list[str]
    new: Vectors
    facts: dict[str, Any]


def complete(factors: Factors, given: Interactions, earlier: Mapping[str, Any] | None = None) -> Completed:
    """With every published release, where content predicts anything; else as it was trained.

    How content predicts is taken from the facts of an `earlier` model for CHOSEN_FOR, then searched for anew. Blended
    factors are left out where people of the log would find what they did less well with them, beyond chance.
    """
    ids, described = content.vectors(_published(factors.release_ids))
    number_of = {one: number for number, one in enumerate(ids)}
    rows = np.array([number_of[one] for one in factors.release_ids], dtype=np.intp)
    counts = given.matrix.getnnz(axis=0)
    way, since = _as_before(earlier)
    predictor = cold.fit(described[rows], factors.releases, counts, way=way)
    if predictor is None and way is not None:
        since = clock.now()
        predictor = cold.fit(described[rows], factors.releases, counts)
    if predictor is None:
        return Completed(factors, [], factors.releases[:0], {"content": None})
    own = predictor.predict(described[rows])
    k = cold.credibility(factors.releases, own, counts)
    blended = np.where(
        (counts < MOST_BLENDED * k)[:, None], cold.blend(factors.releases, own, counts, k), factors.releases
    )
    takes = _no_worse(blended, factors, given)
    if takes:
        factors = factors.with_releases(given, blended.astype(np.float32))
    new = np.setdiff1d(np.arange(len(ids)), rows)
    choice = predictor.choice
    facts: dict[str, Any] = {
        "way": choice.method,
        "strength": choice.strength,
        "cosine": round(choice.cosine, 4),
        "k": k,
    }
    facts["chosen"] = since.isoformat()
    predicted = predictor.predict(described[new]) if len(new) else factors.releases[:0]
    return Completed(factors, [ids[one] for one in new], predicted, {"content": facts | {"blended": takes}})


def _as_before(earlier: Mapping[str, Any] | None) -> tuple[tuple[cold.Method, float] | None, datetime]:
    """The way that was chosen not too long ago, and when."""
    if earlier:
        since = datetime.fromisoformat(earlier["chosen"])
        if clock.now() - since < CHOSEN_FOR:
            return (earlier["way"], earlier["strength"]), since
    return None, clock.now()


def _published(known: list[str]) -> list[str]:
    """Those, and every release that is published."""
    return sorted({*known, *db.session.scalars(select(Release.id).where(Release.status == Status.PUBLISHED))})


def _no_worse(blended: Vectors, factors: Factors, given: Interactions) -> bool:
    """As `promotion` asks of models: NDCG@100 over what people of the log did, of the one less that of the other."""
    asked = protocol.asked_of_log(given.matrix)
    if asked is None:
        return True
    new, old = (
        FoldedIn(factors.recipe, Folding(items), items, factors.mean_count) for items in (blended, factors.releases)
    )
    return protocol.compare(new, old, asked).high >= 0
