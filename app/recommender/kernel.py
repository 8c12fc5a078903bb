"""People like people, by kernel ridge regression: what an endlessly wide network would learn, in closed form.

N. Sachdeva, M. Dhaliwal, C. Wu, J. McAuley, "Infinite Recommendation Networks: A Data-Centric Approach", NeurIPS 2022:
an autoencoder of one hidden layer without end is regression with its neural tangent kernel (A. Jacot et al., 2018),
which for ReLU is a formula of the angle between two people (Y. Cho, L. Saul, "Kernel Methods for Deep Learning", 2009).
Here λ follows an item's frequency as it does in the other models, λ·(n/n̄)^ν: from one decomposition of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.recommender.parts import MOST_DENSE, Scores, dense_items
from app.recommender.weighing import weights

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Matrix = NDArray[np.float64]
# The kernel is people × people, and what it takes to decompose it grows with their third power.
MOST_PEOPLE = 3_000
_SEED = 11


@dataclass(frozen=True, slots=True)
class Kernel:
    """`regularisation` is in mean eigenvalues of the kernel. People are compared by weights to the `power`, times
    log(people/n)^`rarity` of each item, and predicted in weights to the `power` `predicted`."""

    regularisation: float = 1.0
    scaling: float = 0.5
    power: float = 1.0
    rarity: float = 0.5
    predicted: float = 1.0
    most: int = MOST_DENSE
    most_people: int = MOST_PEOPLE

    def fit(self, counts: csr_matrix) -> Fitted:
        """On people × items counts; on `most_people` of them, drawn by lot, where there are more."""
        from scipy.linalg import eigh

        if counts.shape[0] > self.most_people:
            some = np.random.default_rng(_SEED).choice(counts.shape[0], self.most_people, replace=False)
            counts = counts[np.sort(some)]
        items, often = dense_items(counts, self.most)
        rare = np.zeros(counts.shape[1])
        rare[items] = np.maximum(np.log(counts.shape[0] / (1 + often)), 0.1) ** self.rarity
        people = _directions(counts, self.power, rare)
        values, vectors = eigh(tangent((people @ people.T).toarray()), overwrite_a=True)
        wanted = weights(counts, self.predicted)[:, items]
        spread = (
            np.maximum(values, 0)[:, None]
            + self.regularisation * max(float(values.mean()), 1e-9) * (often / often.mean()) ** self.scaling
        )
        worth = vectors @ ((wanted.T @ vectors).T / spread)
        return Fitted(self, rare, people, worth.astype(np.float32), items)


@dataclass(frozen=True)
class Fitted:
    """People of training, and what being like each of them says of every item."""

    settings: Kernel
    rare: Matrix
    people: csr_matrix
    worth: Scores
    items: NDArray[np.intp]

    def score(self, counts: csr_matrix) -> Scores:
        """People × items."""
        like = tangent((_directions(counts, self.settings.power, self.rare) @ self.people.T).toarray())
        like[np.diff(counts.indptr) == 0] = 0
        scores = np.zeros(counts.shape, np.float32)
        scores[:, self.items] = like.astype(np.float32) @ self.worth
        return scores


def tangent(cosines: Matrix) -> Matrix:
    """The neural tangent kernel of one hidden layer of ReLU, for directions whose inner products are `cosines`."""
    near = np.clip(cosines, -1, 1)
    angle = np.arccos(near)
    return np.asarray((np.sqrt(1 - near * near) + 2 * near * (np.pi - angle)) / np.pi)


def _directions(counts: csr_matrix, power: float, rare: Matrix) -> csr_matrix:
    """Rows of length 1, or 0 for who touched nothing that counts."""
    from scipy.sparse import diags

    made = (weights(counts, power) @ diags(rare)).tocsr()
    lengths = np.sqrt(np.asarray(made.multiply(made).sum(1)).ravel())
    return (diags(1 / np.maximum(lengths, 1e-12)) @ made).tocsr()
