"""Settings by search: each kind of part tried on a validation split, never on test, within a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from time import monotonic

import numpy as np

from app.recommender.als import AlsSettings
from app.recommender.kernel import Kernel
from app.recommender.parts import Als, Bm25, Ease, Part, Popularity, Walk
from app.recommender.protocol import METRICS, Split, drawn, measure

_SEED = 5
# Settings are told apart on so many validation people.
_PEOPLE = 2_000
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
    plain = [AlsSettings(most_factors, 30.0, 0.0, 15.0)]
    plain += [AlsSettings(f, λ, 0.0, alpha) for f, λ, alpha in product(factors, tight, alphas)]
    scaled = [(AlsSettings(most_factors, 40.0, 0.5, 15.0), 2.0)]
    scaled += [
        (AlsSettings(f, λ, ν, alpha), power)
        for f, λ, ν, alpha, power in product(
            factors, (5.0, 15.0, 30.0, 40.0, 60.0, 100.0), (0.5, 1.0), alphas, (0.0, 1.0, 2.0)
        )
    ]
    bm25 = product((1.2, 0.5, 3.0), (0.75, 0.2), (200, 50))
    ease = product((80.0, 30.0, 200.0, 500.0), (0.5, 0.25, 0.75), (1.0, 0.0))
    kernel = product((1.0, 0.5, 2.0), (0.5, 0.25, 0.75), (1.0, 0.0, 2.0), (0.5, 0.0, 1.0), (1.0, 0.0))
    return {
        "popularity": [Popularity()],
        "EASE": [Ease(λ) for λ in (100.0, 20.0, 50.0, 200.0, 500.0, 1000.0)],
        "item-item BM25": [Bm25(k1, b, nearest) for k1, b, nearest in bm25],
        "plain ALS": [Als(settings, 0.0) for settings in plain],
        "scaled ALS": [Als(settings, power) for settings, power in scaled],
        "scaled EASE": [Ease(λ, scaling, power) for λ, scaling, power in ease],
        "walk": [Walk(beta, power) for beta, power in product((0.6, 0.3), (1.0, 0.0))],
        "kernel regression": [Kernel(*each) for each in kernel],
    }


def search(
    ground: Split, parts: dict[str, list[Part]], seconds: float, tell: Callable[[str], None] = lambda said: None
) -> dict[str, Tried]:
    """The best found of each kind. Kinds take turns, each going through its settings, but for the first in an order
    drawn by lot, until all were tried or the time is up; one of each kind is tried whatever it takes."""
    random, asked = np.random.default_rng(_SEED), drawn(ground.validation, _PEOPLE)
    waiting: dict[str, Iterator[Part]] = {}
    for kind, some in parts.items():
        rest = [some[at] for at in 1 + random.permutation(len(some) - 1)]
        waiting[kind] = iter([some[0], *rest])
    until, best = monotonic() + seconds, dict[str, Tried]()
    while waiting:
        for kind in list(waiting):
            if kind in best and monotonic() > until:
                return best
            part = next(waiting[kind], None)
            if part is None:
                del waiting[kind]
                continue
            score = float(measure(part.fit(ground.train), asked)[:, _JUDGE].mean())
            if kind not in best or score > best[kind].score:
                best[kind] = Tried(part, score)
                tell(f"{kind}: NDCG@100 {score:.4f} by {part}")
    return best
