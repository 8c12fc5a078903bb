"""The model in use as one person sees it: releases by how well they suit, with scores, for shelves to choose from.

Nothing here knows what may be shown: that comes as conditions about columns of `Release`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, select

from app.core.db import db
from app.discovery import folded, queries, tastes, vectors
from app.discovery.models import Mode, RecommenderModel, ReleaseVector
from app.discovery.vectors import Near, Vectors

Scored = list[tuple[str, float]]
"""Release ids with their scores, the best first."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """For the length of one page: `taste` is the person's vector, None where nothing is known of them or used."""

    model: RecommenderModel | None
    taste: Any = None

    @property
    def is_personal(self) -> bool:
        """Whether there is anything of the person to rank by."""
        return self.taste is not None

    def liked(self, limit: int, *conditions: ColumnElement[bool]) -> Scored:
        """What suits the person best: by inner product, which knows how popular a release is; above zero only."""
        return [(one, -away) for one, away in self._nearest(self.taste, limit, Near.PRODUCT, conditions) if away < 0]

    def alike(self, limit: int, *conditions: ColumnElement[bool]) -> Scored:
        """What points where the person's taste points: by cosine, which knows nothing of popularity; above zero."""
        return self.beside(self.taste, limit, *conditions)

    def beside(self, vector: Any, limit: int, *conditions: ColumnElement[bool]) -> Scored:
        """What points where `vector` points, by cosine; above zero only."""
        return [(one, 1 - away) for one, away in self._nearest(vector, limit, Near.ANGLE, conditions) if away < 1]

    def vectors(self, release_ids: Collection[str]) -> dict[str, Vectors]:
        """The vectors of those releases that the model knows."""
        if self.model is None or not release_ids:
            return {}
        query = select(ReleaseVector.release_id, ReleaseVector.vector).where(
            ReleaseVector.model_id == self.model.id, ReleaseVector.release_id.in_(release_ids)
        )
        return {one: np.asarray(vector, np.float32) for one, vector in db.session.execute(query)}

    def _nearest(self, vector: Any, limit: int, near: Near, conditions: tuple[ColumnElement[bool], ...]) -> Scored:
        if self.model is None or vector is None:
            return []
        return vectors.nearest(self.model, vector, limit, *conditions, near=near)


def of(account_id: str | None) -> Ranking:
    """How the model in use ranks for that person; for a guest, and who has recommendations off, without a taste."""
    model = queries.active_model()
    if model is None or account_id is None or tastes.mode(account_id) == Mode.OFF:
        return Ranking(model)
    return Ranking(model, folded.taste(model, account_id))
