"""Settings by search: each kind of part tried on a validation split, never on test, within a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from time import monotonic
from typing import Any

import numpy as np

from app.recommender.als import AlsSettings
from app.recommender.parts import Als, Bm25, Ease, Part, Popularity, Walk
from app.recommender.protocol import METRICS, Split, measure

_SEED = 5
_JUDGE = METRICS.index("ndcg@100")


@dataclass(frozen=True)
class Tried:
    """A part, and its NDCG@100 on the validation split."""

    part: Part
    score: float


def spaces(*, most_factors: int = 256) -> dict[str, list[Part]]:
    """What is tried of each kind, by name; first of each what has been good elsewhere."""
    factors = [f for f in (32, 64, 128, 256, 512) if f <= most_factors]
    alphas, tight = (5.0, 15.0, 40.0), (1.0, 3.0, 10.0, 30.0, 80.0)
    return {
        "popularity": [Popularity()],
        "EASE": [Ease(λ) for λ in (100.0, 20.0, 50.0, 200.0, 500.0, 1000.0)],
        "item-item BM25": [Bm25(k1, b, n) for k1, b, n in product((0.5, 1.2, 3.0), (0.2, 0.75), (50, 200))],
        "plain ALS": [Als(AlsSettings(most_factors, 30.0, 0.0, 15.0), 0.0)]
        + [Als(AlsSettings(f, λ, 0.0, a), 0.0) for f, λ, a in product(factors, tight, alphas)],
        "scaled ALS": [Als(AlsSettings(most_factors, 40.0, 0.5, 15.0), 2.0)]
        + [
            Als(AlsSettings(f, λ, ν, a), power)
            for f, λ, ν, a, power in product(
                factors, (5.0, 15.0, 30.0, 40.0, 60.0, 100.0), (0.5, 1.0), alphas, (0.0, 1.0, 2.0)
            )
        ],
        "scaled EASE": [Ease(80.0, 0.5, 1.0)]
        + [Ease(λ, s, power) for λ, s, power in product((30.0, 80.0, 200.0, 500.0), (0.25, 0.5, 0.75), (0.0, 1.0))],
        "walk": [Walk(beta, power) for beta, power in product((0.6, 0.3), (1.0, 0.0))],
    }


def search(
    ground: Split, parts: dict[str, list[Part]], seconds: float, tell: Callable[[str], None] = lambda said: None
) -> dict[str, Tried]:
    """The best found of each kind. Kinds take turns, each going through its settings, but for the first in an order
    drawn by lot, until all were tried or the time is up; one of each kind is tried whatever it takes."""
    random = np.random.default_rng(_SEED)
    waiting: dict[str, Iterator[Any]] = {
        kind: iter([some[0], *(some[1 + at] for at in random.permutation(len(some) - 1))])
        for kind, some in parts.items()
    }
    until, best = monotonic() + seconds, dict[str, Tried]()
    while waiting:
        for kind in list(waiting):
            if kind in best and monotonic() > until:
                return best
            part = next(waiting[kind], None)
            if part is None:
                del waiting[kind]
                continue
            score = float(measure(part.fit(ground.train), ground.validation)[:, _JUDGE].mean())
            if kind not in best or score > best[kind].score:
                best[kind] = Tried(part, score)
                tell(f"{kind}: NDCG@100 {score:.4f} by {part}")
    return best
