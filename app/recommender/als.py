"""Matrix factorisation for implicit feedback, by alternating least squares with regularisation that follows frequency.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008: a person either
touched an item (p = 1, with confidence c) or didn't (p = 0, c = 1), and xᵀy is to be near p. S. Rendle, W. Krichene,
L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022: a row that
appears often needs more regularisation than one that appears once, λ·(n/n̄)^ν here, with n̄ the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Vectors = NDArray[np.float32]

# Rows of like counts share one λ, for the library's solver takes one: more groups are nearer to the formula, and each
# costs the product of the other side's vectors once more.
_GROUPS = 4
_WORTH_THREADS = 1_000_000  # pairs × factors
_EXACT_UP_TO = 200_000_000  # pairs × factors²
_SEED = 20


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """`regularisation` is λ and `scaling` ν; with ν = 0 it is the plain algorithm. `alpha`: c = 1 + alpha·weight."""

    factors: int = 128
    regularisation: float = 40.0
    scaling: float = 0.5
    alpha: float = 15.0
    iterations: int = 15

    def regularisation_of(self, count: int, mean_count: float) -> float:
        """λ of a row with so many, where rows have `mean_count` on average."""
        return self.regularisation * (max(count, 1) / mean_count) ** self.scaling


@dataclass(frozen=True, slots=True)
class ItemFactors:
    """A vector per item, and what it takes to give a person one: `people` had `mean_count` items each."""

    settings: AlsSettings
    vectors: Vectors  # items × factors
    mean_count: float

    def regularisation_of(self, count: int) -> float:
        """λ of somebody with so many items."""
        return self.settings.regularisation_of(count, self.mean_count)


def is_little(weights: csr_matrix, factors: int) -> bool:
    """Whether there is so little that the exact solver is quick enough."""
    return int(weights.nnz) * factors**2 <= _EXACT_UP_TO


def fit(weights: csr_matrix, settings: AlsSettings, *, exact: bool = False) -> tuple[ItemFactors, Vectors]:
    """Factors of the items, and of the people, of people × items weights (0 where nothing was touched).

    People are solved for last, so that theirs are what folding them into the items gives. `exact`: by Cholesky's
    decomposition and a λ for every count there is, where conjugate gradients and a few λ are quicker from some ten
    thousand pairs on. The same input gives the same factors on one machine.
    """
    # Rows that share a λ are made neighbours, so that a group is a stretch of each array and nothing is copied.
    people, items = (_by_count(weights, axis) for axis in (0, 1))
    confidence = _confidence(weights, settings)[people][:, items]
    sides = [_Side(confidence, settings, exact), _Side(confidence.T.tocsr(), settings, exact)]
    random = np.random.default_rng(_SEED)
    own, other = (random.standard_normal((len(side), settings.factors), np.float32) * 0.01 for side in sides)
    with _solver(settings.factors, weights.nnz, exact) as solve:
        for _iteration in range(settings.iterations):
            sides[1].solve(solve, other, own)
            sides[0].solve(solve, own, other)
    return ItemFactors(settings, _put_back(other, items), sides[0].mean), _put_back(own, people)


def people_of(weights: csr_matrix, items: ItemFactors, *, start: Vectors | None = None) -> Vectors:
    """Factors of people by what they did with items whose factors are given: (people, factors), exactly, or by
    conjugate gradients from where they `start`, which is quicker where that is near."""
    order = _by_count(weights, 0)
    confidence = _confidence(weights, items.settings)[order]
    side = _Side(confidence, items.settings, start is None, items.mean_count)
    factors = items.vectors.shape[1]
    made = np.zeros((len(side), factors), np.float32) if start is None else np.ascontiguousarray(start[order])
    with _solver(factors, weights.nnz, start is None) as solve:
        side.solve(solve, made, np.ascontiguousarray(items.vectors, np.float32))
    return _put_back(made, order)


@contextmanager
def _solver(factors: int, pairs: int, exact: bool) -> Iterator[Any]:
    """The library's solver for rows whose λ is one."""
    # Heavy, and only training needs them: a web process never imports either.
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    # The solver runs threads of its own over the rows; BLAS threads beneath them would fight for the same cores, and
    # over little the threads themselves would.
    with threadpool_limits(limits=1, user_api="blas"):
        solve = AlternatingLeastSquares(factors=factors, use_cg=not exact).solver
        yield partial(solve, num_threads=1 if pairs * factors < _WORTH_THREADS else 0)


class _Side:
    """The rows of one side, which come in the order of their counts, in groups of like counts."""

    def __init__(
        self, confidence: csr_matrix, settings: AlsSettings, exact: bool, mean_count: float | None = None
    ) -> None:
        counts = np.diff(confidence.indptr)
        self.mean = mean_count or (float(counts[counts > 0].mean()) if counts.any() else 1.0)
        self._rows = confidence.shape[0]
        self._groups = list(self._grouped(confidence, counts, settings, exact))

    def __len__(self) -> int:
        return int(self._rows)

    def _grouped(
        self, confidence: csr_matrix, counts: NDArray[Any], settings: AlsSettings, exact: bool
    ) -> Iterator[tuple[slice, csr_matrix, float]]:
        if settings.scaling == 0 or not len(counts):
            yield slice(None), confidence, settings.regularisation
            return
        scaled = (np.maximum(counts, 1) / self.mean) ** settings.scaling
        edges = np.unique(scaled) if exact else np.linspace(scaled[0], scaled[-1] * (1 + 1e-9), _GROUPS + 1)[:-1]
        for first, last in pairwise([*np.searchsorted(scaled, edges).tolist(), len(scaled)]):
            if last > first:
                rows = slice(first, last)
                yield rows, _stretch(confidence, rows), settings.regularisation * float(scaled[rows].mean())

    def solve(self, solver: Any, own: Vectors, other: Vectors) -> None:
        """Make `own` the best for `other` as it is."""
        for rows, confidence, regularisation in self._groups:
            solver(confidence, own[rows], other, regularisation)


def _by_count(weights: csr_matrix, axis: int) -> NDArray[np.intp]:
    counts = weights.getnnz(axis=1 - axis)
    return np.argsort(counts, kind="stable")


def _put_back(sorted_rows: Vectors, order: NDArray[np.intp]) -> Vectors:
    made = np.empty_like(sorted_rows)
    made[order] = sorted_rows
    return made


def _stretch(matrix: csr_matrix, rows: slice) -> csr_matrix:
    """Neighbouring rows, on the same memory."""
    from scipy.sparse import csr_matrix

    starts = matrix.indptr[rows.start : rows.stop + 1]
    inside = slice(starts[0], starts[-1])
    made = csr_matrix((rows.stop - rows.start, matrix.shape[1]), dtype=matrix.dtype)
    made.data, made.indices, made.indptr = matrix.data[inside], matrix.indices[inside], starts - starts[0]
    return made


def _confidence(weights: csr_matrix, settings: AlsSettings) -> csr_matrix:
    made = weights.astype(np.float32)
    made.data = 1 + settings.alpha * made.data
    return made
