"""How good a scorer is, on ground that can be compared: strong generalisation, as in D. Liang, R. Krishnan, M. Hoffman,
T. Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018.

Whole people are held out. Of each of them 80 % is folded in, and the rest is to be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.recommender.parts import Scorer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

METRICS = ("recall@20", "recall@50", "ndcg@100")
_BATCH = 500
_DEPTH = 100
_MOST_HELD = 10_000
_LEAST_PEOPLE, _MOST_PEOPLE, _LEAST_ITEMS = 20, 1000, 5
_SEED = 20
_DISCOUNT = 1 / np.log2(np.arange(2, _DEPTH + 2))


@dataclass(frozen=True)
class HeldOut:
    """People kept out of training: what of theirs is told, and what is to be predicted (item numbers, row by row)."""

    given: csr_matrix
    wanted: list[NDArray[np.intp]]


@dataclass(frozen=True)
class Split:
    """Three groups of people who share nobody."""

    train: csr_matrix
    validation: HeldOut
    test: HeldOut


def split(counts: csr_matrix, seed: int, *, share: float = 0.15, predicted: float = 0.2) -> Split:
    """By lot: `share` of the people for validation, as many for test, and of many people 10,000 each, as that paper
    did; of each `predicted` (at least one item)."""
    random = np.random.default_rng(seed)
    order = random.permutation(counts.shape[0])
    some = min(max(1, round(share * counts.shape[0])), _MOST_HELD)
    held = [hold_out(counts[rows], random, predicted) for rows in (order[:some], order[some : 2 * some])]
    return Split(counts[order[2 * some :]], *held)


def hold_out(counts: csr_matrix, random: np.random.Generator, share: float = 0.2) -> HeldOut:
    """Of each person that share of what they touched is to be predicted, drawn by lot; of two or more one at least."""
    given, wanted = counts.copy(), []
    for row in range(counts.shape[0]):
        own = slice(counts.indptr[row], counts.indptr[row + 1])
        places = np.arange(own.start, own.stop)
        out = random.permutation(places)[: max(1, int(share * len(places)))] if len(places) > 1 else places[:0]
        wanted.append(counts.indices[out].astype(np.intp))
        given.data[out] = 0
    given.eliminate_zeros()
    return HeldOut(given, wanted)


def drawn(held: HeldOut, most: int, *, seed: int = 0) -> HeldOut:
    """So many of them, drawn by lot; all, where there are no more."""
    if len(held.wanted) <= most:
        return held
    rows = np.sort(np.random.default_rng(seed).choice(len(held.wanted), most, replace=False))
    return HeldOut(held.given[rows], [held.wanted[row] for row in rows])


def measure(scorer: Scorer, held: HeldOut) -> NDArray[np.float64]:
    """People × METRICS, for people who have something to be predicted.

    recall@R is hits among the first R over min(R, how many there were), NDCG is truncated at 100.
    """
    found: list[tuple[float, float, float]] = []
    for first in range(0, held.given.shape[0], _BATCH):
        given, wanted = held.given[first : first + _BATCH], held.wanted[first : first + _BATCH]
        scores = scorer.score(given).astype(np.float32)
        scores[given.nonzero()] = -np.inf
        found += [_of_person(row, items) for row, items in zip(scores, wanted, strict=True) if len(items)]
    return np.array(found, dtype=np.float64).reshape(-1, len(METRICS))


@dataclass(frozen=True, slots=True)
class Comparison:
    """NDCG@100 of a new scorer and of an old one over so many people, and the 95 % interval of the difference."""

    new: float
    old: float
    low: float
    high: float
    people: int


def asked_of_log(counts: csr_matrix) -> HeldOut | None:
    """Up to 1,000 people with five items or more, always the same ones, of whom a part is to be predicted; None where
    fewer than 20 have as many: they say nothing."""
    enough = np.flatnonzero(np.diff(counts.indptr) >= _LEAST_ITEMS)
    if len(enough) < _LEAST_PEOPLE:
        return None
    random = np.random.default_rng(_SEED)
    chosen = np.sort(random.choice(enough, min(len(enough), _MOST_PEOPLE), replace=False))
    return hold_out(counts[chosen], random)


def compare(new: Scorer, old: Scorer, asked: HeldOut) -> Comparison:
    """Both asked the same of the same people."""
    at = METRICS.index("ndcg@100")
    first, second = (measure(scorer, asked)[:, at] for scorer in (new, old))
    low, high = interval(first - second, draws=2000)
    return Comparison(float(first.mean()), float(second.mean()), low, high, len(first))


def _of_person(scores: NDArray[np.float32], wanted: NDArray[Any]) -> tuple[float, float, float]:
    depth = min(_DEPTH, len(scores))
    best = np.argpartition(-scores, depth - 1)[:depth]
    best = best[np.lexsort((best, -scores[best]))]
    hits = np.isin(best, wanted)
    ideal = _DISCOUNT[: min(len(wanted), depth)].sum()
    return (
        hits[:20].sum() / min(20, len(wanted)),
        hits[:50].sum() / min(50, len(wanted)),
        float((hits * _DISCOUNT[:depth]).sum() / ideal),
    )


def interval(differences: NDArray[np.float64], *, seed: int = 0, draws: int = 10_000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of paired differences, person by person."""
    random = np.random.default_rng(seed)
    means = np.array([differences[random.integers(0, len(differences), len(differences))].mean() for _ in range(draws)])
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def ratio_interval(
    over: Sequence[float] | NDArray[np.float64], under: NDArray[np.float64], *, seed: int = 0, draws: int = 10_000
) -> tuple[float, float]:
    """The same of the ratio of two means over the same people."""
    random, top = np.random.default_rng(seed), np.asarray(over)
    picks = (random.integers(0, len(top), len(top)) for _ in range(draws))
    ratios = np.array([top[pick].mean() / under[pick].mean() for pick in picks])
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
