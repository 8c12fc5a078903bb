"""Why a release is shown to somebody: their own releases that moved its score most, by the model's own explanation.

Section 5 of Hu, Koren, Volinsky 2008: a score is a sum over what the person touched, p̂_ui = Σⱼ s_ij · c_uj, taken from
the very equation by which the person is folded in. Nothing that doesn't count for them, because they dismissed it or
took it out of their taste, is in that equation, so nothing of that is ever a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from app.core.db import db
from app.discovery import folded, queries
from app.discovery.models import RecommenderModel, ReleaseVector

MOST = 3
"""How many reasons a release is shown with."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A release that the person did something with, and its share (0 to 1) of all that speaks for the one shown."""

    release_id: str
    share: float


def of(account_id: str, release_ids: Sequence[str], model: RecommenderModel | None = None) -> dict[str, list[Reason]]:
    """For each of the releases, up to MOST reasons of that person's, the strongest first; by the model in use, which
    whoever has read it hands in.

    Each release has an entry. It is empty where the model in use doesn't know it, or knows nothing the person likes,
    where they have recommendations off, or where nothing of theirs speaks for it. No release is a reason for itself,
    though it takes its share. A reason may have been withdrawn from sale since.
    """
    told: dict[str, list[Reason]] = {one: [] for one in release_ids}
    model = model or queries.active_model()
    person = folded.of(model, account_id) if model and told else None
    if model is None or person is None:
        return told
    query = select(ReleaseVector.release_id, ReleaseVector.vector).where(
        ReleaseVector.model_id == model.id, ReleaseVector.release_id.in_(told)
    )
    found = db.session.execute(query).all()
    if found:
        shown = np.array([row.vector for row in found], dtype=np.float32)
        for row, parts in zip(found, np.maximum(person.equation.contributions(shown), 0.0), strict=True):
            told[row.release_id] = _strongest(row.release_id, person.release_ids, parts)
    return told


def _strongest(shown: str, release_ids: list[str], parts: np.ndarray) -> list[Reason]:
    total = float(parts.sum())
    order = np.argsort(-parts, kind="stable")
    ranked = [(release_ids[one], float(parts[one])) for one in order if parts[one] > 0 and release_ids[one] != shown]
    return [Reason(one, part / total) for one, part in ranked[:MOST]]
