"""A made-up town of listeners whose tastes are planted, for what has to be measured on more data than the shop has.

Every item belongs to a genre and, less, to a second one; popularity falls by rank as in any shop (Zipf); every person
likes three genres, each by a share of their own, and takes a tenth of what they take because others do. So a
factorisation of what they do has low rank, noise and a long tail, as real logs have: pure noise would flatter or damn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_TASTES = 3
_BY_CHANCE = 0.1
_SECOND = 0.3  # how much of an item's popularity is in its second genre


@dataclass(frozen=True, slots=True)
class Town:
    """People and items as numbers; `draw` says who does something with what."""

    people: int
    items: int
    genres: int
    seed: int
    activity: NDArray[np.float64]  # cumulated over people, ends at 1
    tastes: Ints  # people × 3
    shares: NDArray[np.float64]  # people × 3, cumulated, ends at 1
    by_genre: Ints  # items, genre by genre
    mass: NDArray[np.float64]  # their popularity, cumulated
    starts: NDArray[np.float64]  # where each genre's mass starts, and the last one's ends

    @classmethod
    def of(cls, people: int, items: int, *, seed: int) -> Town:
        """The same numbers make the same town."""
        random = np.random.default_rng(seed)
        genres = max(4, min(256, items // 40))
        popularity = 1.0 / (random.permutation(items) + 10.0) ** 0.8
        first, second = random.integers(genres, size=(2, items))
        genre = np.concatenate([first, second])
        order = np.argsort(genre, kind="stable")
        mass = np.cumsum(np.concatenate([popularity, _SECOND * popularity])[order])
        edges = np.searchsorted(genre[order], np.arange(genres + 1))
        activity = np.cumsum(random.lognormal(0.0, 1.0, people))
        return cls(
            people,
            items,
            genres,
            seed,
            activity / activity[-1],
            random.integers(genres, size=(people, _TASTES)),
            np.cumsum(random.dirichlet(np.full(_TASTES, 0.7), people), axis=1),
            np.concatenate([np.arange(items), np.arange(items)])[order],
            mass,
            np.concatenate([[0.0], mass])[edges],
        )

    def draw(self, count: int, *, block: int) -> tuple[Ints, Ints]:
        """So many times somebody did something with something: people and items."""
        random = np.random.default_rng([self.seed, block])
        who = np.minimum(np.searchsorted(self.activity, random.random(count)), self.people - 1)
        which = (random.random(count)[:, None] > self.shares[who]).sum(axis=1)
        genre = self.tastes[who, np.minimum(which, _TASTES - 1)]
        low, high = self.starts[genre], self.starts[genre + 1]
        anywhere = (random.random(count) < _BY_CHANCE) | (high <= low)
        low, high = np.where(anywhere, 0.0, low), np.where(anywhere, self.mass[-1], high)
        place = np.searchsorted(self.mass, low + random.random(count) * (high - low), side="right")
        return who, self.by_genre[np.minimum(place, len(self.by_genre) - 1)]
