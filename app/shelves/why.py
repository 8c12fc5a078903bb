"""Why a release is on somebody's shelf: their own releases that moved its score, and what they did with those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.discovery import reasons, tastes
from app.discovery.models import EventKind
from app.discovery.ranking import Ranking
from app.shelves.shelf import Candidate, Tie
from app.shelves.viewer import Viewer

_TIES = (
    (EventKind.PURCHASE, Tie.BOUGHT),
    (EventKind.ELSEWHERE, Tie.ELSEWHERE),
    (EventKind.FINISH, Tie.PLAYED),
    (EventKind.PLAY, Tie.PLAYED),
    (EventKind.RATING, Tie.RATED),
    (EventKind.WISHLIST, Tie.WISHED),
    (EventKind.CART, Tie.CART),
    (EventKind.PREVIEW, Tie.PREVIEWED),
    (EventKind.VIEW, Tie.LOOKED),
)

_GLANCED = {EventKind.VIEW, EventKind.PREVIEW}

OF_A_SHELF = frozenset({Tie.OWN, Tie.BOUGHT, Tie.ELSEWHERE, Tie.PLAYED})
"""A whole shelf starts only from a release that the person owns or played."""


class Why:
    """The reasons for several releases, read at once."""

    def __init__(self, viewer: Viewer, ranking: Ranking, release_ids: Sequence[str]) -> None:
        self._reasons: dict[str, list[reasons.Reason]] = {}
        self._ties: dict[str, Tie] = {}
        self._known: set[str] = set()
        if viewer.account_id is None or not viewer.personal or not release_ids:
            return
        self._reasons = reasons.of(viewer.account_id, release_ids, ranking.model)
        named = {one.release_id for found in self._reasons.values() for one in found}
        did = tastes.kinds(viewer.account_id, sorted(named | set(release_ids)))
        self._ties = {one: tie for one in named if (tie := _tie(viewer, one, did[one])) is not None}
        self._known = {one for one, kinds in did.items() if not set(kinds) <= _GLANCED}

    def unknown(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that are a discovery, and for which there is a reason to name: not what the person played, wished for,
        rated or put in the cart. What they only looked at or previewed may come again."""
        return [one for one in candidates if one.release_id not in self._known and self.of(one.release_id)]

    def of(self, release_id: str) -> list[tuple[str, Tie]]:
        """The releases that moved it most, the strongest first, each with what the person has to do with it."""
        return [
            (one.release_id, self._ties[one.release_id])
            for one in self._reasons.get(release_id, [])
            if one.release_id in self._ties
        ]

    def strongest(self, candidates: Iterable[Candidate], least: int) -> list[tuple[str, Tie, list[Candidate]]]:
        """The releases, owned or played, that moved most among the candidates, and each one's own: those of which it
        moved the score more than any other did, by how much. Only where there are `least` of them."""
        moved: dict[str, list[Candidate]] = defaultdict(list)
        for one in candidates:
            first = next(iter(self._reasons.get(one.release_id, [])), None)
            if first is not None and self._ties.get(first.release_id) in OF_A_SHELF:
                moved[first.release_id].append(Candidate(one.release_id, one.score * first.share, one.source))
        found = [(name, sorted(own, key=lambda one: -one.score)) for name, own in moved.items() if len(own) >= least]
        found.sort(key=lambda each: (-sum(one.score for one in each[1]), each[0]))
        return [(name, self._ties[name], own) for name, own in found]


def _tie(viewer: Viewer, release_id: str, did: Sequence[EventKind]) -> Tie | None:
    if release_id in viewer.owned or release_id in viewer.held:
        return Tie.OWN
    return next((tie for kind, tie in _TIES if kind in did), None)
