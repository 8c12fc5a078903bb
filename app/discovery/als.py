"""Matrix factorisation for implicit feedback, by alternating least squares.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. What a person did
with a release is r; that they like it at all is p = 1; how sure we are of it is c = 1 + α·log(1 + r/ε), the paper's
equation for counts that spread widely, with ε = 1. Of what they never touched, p = 0 and c = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.recommender.device import Device, alternating_least_squares, to_host
from app.recommender.interactions import Interactions, names

Vectors = NDArray[np.float32]

# Chosen on planted tastes of 2 to 6 groups with noise, 12 to 120 releases: top-3 shelves are 93 % of the person's own
# group. With the customary λ of 0.01 to 0.1 a small shop's model learns each person by heart (65 to 87 %).
ALPHA = 10.0
REGULARISATION = 5.0
ITERATIONS = 20
_SEED = 20


@dataclass(frozen=True, slots=True)
class Factors:
    """One vector per person and per release, in the order of the ids; their inner product is near p."""

    account_ids: list[str]
    release_ids: list[str]
    accounts: Vectors
    releases: Vectors


def confidence(preference: Any) -> Any:
    """c of the paper, for r in whole listens."""
    return 1.0 + ALPHA * np.log1p(preference)


def suitable_factors(accounts: int, releases: int, most: int) -> int:
    """How many factors so much data can fill; more would learn each person by heart and generalise to nobody."""
    return max(1, min(most, ceil(sqrt(min(accounts, releases)))))


def factorise(given: Interactions, *, most_factors: int, device: Device = "auto") -> Factors | None:
    """Factors of what people did; None where they did nothing. The same input gives the same on one machine.

    NoGpu where the device is the GPU and there is none to use.
    """
    if not len(given):
        return None
    # Heavy, and only training needs them: a web process never imports either.
    from threadpoolctl import threadpool_limits

    matrix = given.matrix.copy()
    matrix.data = confidence(matrix.data)
    people, items = matrix.shape
    # implicit runs threads of its own over the rows; BLAS threads beneath them would fight for the same cores.
    with threadpool_limits(limits=1, user_api="blas"):
        model = alternating_least_squares(
            device,
            factors=suitable_factors(people, items, most_factors),
            regularization=REGULARISATION,
            alpha=1.0,  # the matrix holds confidences already
            iterations=ITERATIONS,
            use_cg=matrix.nnz > 100_000,  # the exact solver is quick enough below, and gives the same each time
            random_state=_SEED,
        )
        model.fit(matrix, show_progress=False)
    return Factors(
        names(given.person_ids), names(given.item_ids), to_host(model.user_factors), to_host(model.item_factors)
    )


def people_of(given: Interactions, release_ids: list[str], releases: Vectors) -> Factors:
    """Factors of which the releases' are given: everybody's who did something with one of those, by equation 4."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    column_of = {one: number for number, one in enumerate(release_ids)}
    columns = np.array([column_of.get(one, -1) for one in names(given.item_ids)], dtype=np.int32)
    pairs = given.matrix.tocoo()
    where = columns[pairs.col] if len(columns) else np.empty(0, dtype=np.int32)
    known = where >= 0
    matrix = csr_matrix(
        (confidence(pairs.data[known]), (pairs.row[known], where[known])),
        shape=(given.matrix.shape[0], len(release_ids)),
    )
    people = np.flatnonzero(np.diff(matrix.indptr))
    vectors = np.empty((0, releases.shape[1]), dtype=np.float32)
    if len(people):
        model = AlternatingLeastSquares(factors=releases.shape[1], regularization=REGULARISATION, alpha=1.0)
        model.item_factors = releases
        vectors = model.recalculate_user(people, matrix[people])
    return Factors(names(given.person_ids[people]), release_ids, vectors, releases)
