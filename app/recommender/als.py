"""Matrix factorisation for implicit feedback, by alternating least squares with regularisation that follows frequency.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008: a person either
touched an item (p = 1, with confidence c) or didn't (p = 0, c = 1), and xᵀy is to be near p. S. Rendle, W. Krichene,
L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022: a row that
appears often needs more regularisation than one that appears once, λ·(n/n̄)^ν here, with n̄ the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Vectors = NDArray[np.float32]

# Rows of like counts share one λ, for the library's solver takes one: more groups are nearer to the formula, and each
# costs the product of the other side's vectors once more.
_GROUPS = 4
_SEED = 20


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """`regularisation` is λ and `scaling` ν; with ν = 0 it is the plain algorithm. `alpha`: c = 1 + alpha·weight."""

    factors: int = 128
    regularisation: float = 40.0
    scaling: float = 0.5
    alpha: float = 15.0
    iterations: int = 15


@dataclass(frozen=True, slots=True)
class ItemFactors:
    """A vector per item, and what it takes to give a person one: `people` had `mean_count` items each."""

    settings: AlsSettings
    vectors: Vectors  # items × factors
    mean_count: float

    def regularisation_of(self, count: int) -> float:
        """λ of somebody with so many items."""
        return self.settings.regularisation * (max(count, 1) / self.mean_count) ** self.settings.scaling


def fit(weights: csr_matrix, settings: AlsSettings) -> tuple[ItemFactors, Vectors]:
    """Factors of the items, and of the people, of people × items weights (0 where nothing was touched).

    The same input gives the same factors on one machine.
    """
    # Heavy, and only training needs them: a web process never imports either.
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    model = AlternatingLeastSquares(factors=settings.factors)
    solve = model.solver
    sides = [_Side(_confidence(weights, settings), settings), _Side(_confidence(weights.T.tocsr(), settings), settings)]
    random = np.random.default_rng(_SEED)
    people, items = (random.standard_normal((len(side), settings.factors), np.float32) * 0.01 for side in sides)
    # The solver runs threads of its own over the rows; BLAS threads beneath them would fight for the same cores.
    with threadpool_limits(limits=1, user_api="blas"):
        for _iteration in range(settings.iterations):
            sides[0].solve(solve, people, items)
            sides[1].solve(solve, items, people)
    return ItemFactors(settings, items, sides[0].mean), people


class _Side:
    """The rows of one side, in groups of like counts."""

    def __init__(self, confidence: csr_matrix, settings: AlsSettings) -> None:
        counts = np.diff(confidence.indptr)
        self.mean = float(counts[counts > 0].mean()) if counts.any() else 1.0
        self._rows = confidence.shape[0]
        self._groups = list(self._grouped(confidence, counts, settings))

    def __len__(self) -> int:
        return int(self._rows)

    def _grouped(
        self, confidence: csr_matrix, counts: NDArray[Any], settings: AlsSettings
    ) -> Iterator[tuple[Any, csr_matrix, float]]:
        if settings.scaling == 0:
            yield slice(None), confidence, settings.regularisation
            return
        scaled = (np.maximum(counts, 1) / self.mean) ** settings.scaling
        order = np.argsort(counts, kind="stable")
        edges = np.linspace(scaled.min(), scaled.max() * (1 + 1e-9), _GROUPS + 1)
        cuts = np.searchsorted(scaled[order], edges[1:-1])
        for rows in np.split(order, cuts):
            if len(rows):
                yield rows, confidence[rows], settings.regularisation * float(scaled[rows].mean())

    def solve(self, solver: Any, own: Vectors, other: Vectors) -> None:
        """Make `own` the best for `other` as it is."""
        for rows, confidence, regularisation in self._groups:
            part = np.ascontiguousarray(own[rows])
            solver(confidence, part, other, regularisation)
            own[rows] = part


def _confidence(weights: csr_matrix, settings: AlsSettings) -> csr_matrix:
    made = weights.astype(np.float32)
    made.data = 1 + settings.alpha * made.data
    return made
