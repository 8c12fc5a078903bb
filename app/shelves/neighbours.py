"""Artists near an artist: their releases, all together, point where this one's do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import numpy as np
from sqlalchemy import select

from app.catalog import queries as catalog
from app.catalog.models import Release, Status
from app.core.db import db
from app.discovery.ranking import Ranking
from app.shelves.candidates import POOL
from app.shelves.shelf import Candidate, Source
from app.shelves.viewer import Viewer

NEAR = 0.4
"""The cosine from which two things are said to have the same fans."""


def fans(viewer: Viewer, ranking: Ranking, release_id: str) -> list[Candidate]:
    """What else is liked by the people who like a release."""
    vector = ranking.vectors([release_id]).get(release_id)
    found = ranking.beside(vector, POOL, *viewer.may_be_shown(Release.id != release_id))
    return [Candidate(one, score, Source.MODEL) for one, score in found if score >= NEAR]


def near_artist(viewer: Viewer, ranking: Ranking, artist_id: str, without: Collection[str]) -> list[Candidate]:
    """The nearest artists by a release each: the one, not among `without`, that points most where this artist's
    releases point."""
    here = _centres(ranking, [artist_id]).get(artist_id)
    found = ranking.beside(here, POOL, *viewer.may_be_shown(Release.artist_id != artist_id, Release.id.not_in(without)))
    if here is None or not found:
        return []
    artist_of = catalog.artists_of([one for one, _score in found])
    first: dict[str, str] = {}
    for one, _score in found:
        first.setdefault(artist_of[one], one)
    nearness = {artist: float(here @ centre) for artist, centre in _centres(ranking, list(first)).items()}
    ordered = sorted(nearness, key=lambda artist: (-nearness[artist], artist))
    return [Candidate(first[one], nearness[one], Source.MODEL) for one in ordered if nearness[one] >= NEAR]


def _centres(ranking: Ranking, artist_ids: list[str]) -> dict[str, np.ndarray]:
    """For each artist of whose releases the model knows any, the direction of all of them together, of length 1."""
    query = select(Release.id, Release.artist_id).where(
        Release.artist_id.in_(artist_ids), Release.status == Status.PUBLISHED
    )
    artist_of = {row.id: row.artist_id for row in db.session.execute(query)}
    pointing: dict[str, list[np.ndarray]] = defaultdict(list)
    for one, vector in ranking.vectors(artist_of.keys()).items():
        pointing[artist_of[one]].append(vector / np.linalg.norm(vector))
    centres = {artist: np.sum(vectors, axis=0) for artist, vectors in pointing.items()}
    return {artist: centre / length for artist, centre in centres.items() if (length := np.linalg.norm(centre)) > 0}
