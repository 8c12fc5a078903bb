"""From candidates to shelves: boosted, made to differ, capped, pinned, each release on one shelf of a page only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from app.catalog import queries as catalog
from app.catalog.models import Artist, Release
from app.core.db import db
from app.discovery.models import FACTORS
from app.discovery.ranking import Ranking
from app.recommender import diversity
from app.recommender.diversity import TRADE
from app.shelves import editing, experiments
from app.shelves.shelf import Because, Candidate, Completing, Pick, Shelf, ShelfName, Source, Tie
from app.shelves.viewer import Viewer, showable
from app.shelves.ways import QUESTIONS, Question
from app.shelves.why import Why

LENGTH = 6
"""Of a shelf: a row of five on a wide screen and one to spare, three rows of two on a phone."""

MOST_BY_ONE = 2
"""So many releases by one artist stand on a shelf that is not about artists."""

LEAST = 3
"""A shelf that has to say what it is about says it of no fewer."""

IN_ORDER = 1.0
"""For shelves whose order is a promise, such as the newest first: nothing moves for being like another."""


@dataclass(frozen=True, slots=True)
class _Drafted:
    name: ShelfName
    chosen: list[Candidate]
    about: str | Artist | None
    tie: Tie | None
    completing: Mapping[str, Completing]


class Page:
    """The shelves of one page, top to bottom. `without` are releases that it shows already, or is about."""

    def __init__(self, viewer: Viewer, ranking: Ranking, without: Collection[str] = ()) -> None:
        self.viewer = viewer
        self.ranking = ranking
        self.dealt = experiments.deal(viewer.account_id)
        self._editors = editing.today()
        self._taken = set(without)
        self._artists: dict[str, str] = {}
        self._vectors: dict[str, np.ndarray] = {}
        self._drafted: list[_Drafted] = []

    def count(self, name: ShelfName) -> int:
        """How many releases stand on the shelf of that name; 0 where there is none."""
        return sum(len(draft.chosen) for draft in self._drafted if draft.name == name)

    @property
    def taken(self) -> frozenset[str]:
        """What the page shows so far, and the releases that its shelves start from."""
        return frozenset(self._taken)

    def free(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that the page doesn't show yet, nor starts a shelf from."""
        return [one for one in candidates if one.release_id not in self._taken]

    def add(
        self,
        name: ShelfName,
        candidates: list[Candidate],
        *,
        trade: float | None = None,
        most: int | None = MOST_BY_ONE,
        least: int = 1,
        about: str | Artist | None = None,
        tie: Tie | None = None,
        completing: Mapping[str, Completing] | None = None,
    ) -> bool:
        """Put a shelf of LENGTH at most under those there are, if there is enough for one; whether there was.

        `about` is an artist, or the id of a release.
        """
        trade = self._trade(name) if trade is None else trade
        free = self.free(editing.boosted(name, candidates, self._editors))
        chosen = self._chosen(free, trade, most)
        pinned = editing.pinned(name, chosen, self._editors)
        if pinned != chosen:
            chosen = self._allowed(pinned, chosen)
        if len(chosen) < least:
            return False
        self._taken |= {one.release_id for one in chosen} | ({about} if isinstance(about, str) else set())
        self._drafted.append(_Drafted(name, chosen, about, tie, completing or {}))
        return True

    def shelves(self, why: Why | None = None) -> list[Shelf]:
        """All of them, with the releases they need, read at once."""
        reasons = {one.release_id: (why.of(one.release_id) if why else []) for one in self._all()}
        named = {release_id for found in reasons.values() for release_id, _tie in found}
        named |= {draft.about for draft in self._drafted if isinstance(draft.about, str)}
        releases = _releases(named | reasons.keys())

        def pick(draft: _Drafted, one: Candidate) -> Pick:
            because = tuple(Because(releases[name], tie) for name, tie in reasons[one.release_id])
            by_taste = one.source == Source.MODEL
            completing = draft.completing.get(one.release_id)
            return Pick(releases[one.release_id], one.score, one.source, because if by_taste else (), completing)

        return [
            Shelf(
                draft.name,
                tuple(pick(draft, one) for one in draft.chosen),
                releases[draft.about] if isinstance(draft.about, str) else draft.about,
                draft.tie,
                self.dealt.kept(draft.name),
            )
            for draft in self._drafted
        ]

    def _trade(self, name: ShelfName) -> float:
        """λ: as it is dealt to the person, on shelves on which that may be tried."""
        tried = name in QUESTIONS[Question.DIVERSITY].shelves
        return float(self.dealt.way(Question.DIVERSITY).value) if tried else TRADE

    def _all(self) -> list[Candidate]:
        return [one for draft in self._drafted for one in draft.chosen]

    def _chosen(self, free: list[Candidate], trade: float, most: int | None) -> list[Candidate]:
        self._know([one.release_id for one in free], vectors=trade < IN_ORDER)
        nowhere = np.zeros(FACTORS, np.float32)
        there = [one for one in free if one.release_id in self._artists]
        order = diversity.order(
            [one.score for one in there],
            np.array([self._vectors.get(one.release_id, nowhere) for one in there]).reshape(-1, FACTORS),
            LENGTH,
            trade=trade,
            groups=[self._artists[one.release_id] for one in there],
            most=most,
        )
        return [there[one] for one in order]

    def _know(self, release_ids: Sequence[str], *, vectors: bool) -> None:
        new = [one for one in release_ids if one not in self._artists]
        if new:
            self._artists |= catalog.artists_of(new)
        if vectors:
            self._vectors |= self.ranking.vectors([one for one in release_ids if one not in self._vectors])

    def _allowed(self, pinned: list[Candidate], chosen: list[Candidate]) -> list[Candidate]:
        """Without what may not be shown, or is on the page; each once, and no more than a shelf holds."""
        fresh = {one.release_id for one in pinned} - {one.release_id for one in chosen} - self._taken
        fine = showable(self.viewer, fresh) | {one.release_id for one in chosen}
        return list({one.release_id: one for one in pinned if one.release_id in fine}.values())[:LENGTH]


def _releases(ids: Collection[str]) -> dict[str, Release]:
    if not ids:
        return {}
    return {one.id: one for one in db.session.scalars(select(Release).where(Release.id.in_(ids)))}
