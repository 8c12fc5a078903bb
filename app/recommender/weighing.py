"""How much a count says: ten plays are more than one, and less than ten times as much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEAST_MEAN = np.log(2.0)
"""What a single whole listen says. A person's weights are not scaled up beyond it: a glance stays a glance."""


def weights(counts: csr_matrix, power: float, *, even: bool = True) -> csr_matrix:
    """log(1 + r)^power of each r > 0, where `even` over the mean of its row: people who play much say no more than
    others.

    With power 0 every touch weighs 1. Same shape and places, float32.
    """
    made = counts.astype(np.float32)
    if power == 0:
        made.data = np.ones_like(made.data)
        return made
    made.data = np.log1p(made.data) ** np.float32(power)
    if not even:
        return made
    sizes = np.diff(made.indptr)
    sums = np.add.reduceat(np.append(made.data, np.float32(0)), made.indptr[:-1]) * (sizes > 0)
    means = np.divide(sums, sizes, out=np.ones(len(sizes), np.float32), where=sizes > 0)
    made.data /= np.repeat(np.maximum(means, np.float32(LEAST_MEAN**power)), sizes)
    return made
