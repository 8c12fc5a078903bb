"""Listeners whose tastes are planted, as a matrix: communities that touch their own items, and a few at random."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def communities(groups: int = 4, people: int = 40, items: int = 25, *, own: int = 9, stray: int = 1) -> csr_matrix:
    """groups·people × groups·items counts: each person touches `own` items of their group and `stray` of any."""
    random = np.random.default_rng(11)
    made = np.zeros((groups * people, groups * items), np.float32)
    for person in range(len(made)):
        home = (person // people) * items
        made[person, home + random.choice(items, own, replace=False)] = 1 + random.poisson(3, own)
        made[person, random.choice(groups * items, stray)] = 1
    return csr_matrix(made)
