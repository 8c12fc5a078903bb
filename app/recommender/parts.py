"""Scorers of people by what they did: each is fitted on some people's counts, and scores others'.

Dense item-item matrices are made of the `most` items touched by most people; the others score 0 there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.recommender import als
from app.recommender.folding import Folding
from app.recommender.recipe import FoldedIn, Recipe
from app.recommender.weighing import weights

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Scores = NDArray[np.float32]
MOST_DENSE = 12_000


class Scorer(Protocol):
    """Something fitted."""

    def score(self, counts: csr_matrix) -> Scores:
        """People × items, of people × items counts; greater is better, in no unit that compares between people."""


class Part(Protocol):
    """Settings that can be fitted."""

    def fit(self, counts: csr_matrix) -> Scorer:
        """On people × items counts."""


@dataclass(frozen=True, slots=True)
class Popularity:
    """How many people touched an item, whoever asks."""

    def fit(self, counts: csr_matrix) -> Scorer:
        """On people × items counts."""
        return _Same(np.asarray((counts > 0).sum(0), dtype=np.float32).ravel())


@dataclass(frozen=True, slots=True)
class Als:
    """`als`, and people folded into it."""

    settings: als.AlsSettings = field(default_factory=als.AlsSettings)
    power: float = 2.0

    def fit(self, counts: csr_matrix) -> Scorer:
        """On people × items counts."""
        items, _people = als.fit(weights(counts, self.power), self.settings)
        return FoldedIn(Recipe(self.settings, self.power), Folding(items.vectors), items.vectors, items.mean_count)


@dataclass(frozen=True, slots=True)
class Ease:
    """H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, with λ that follows frequency.

    B = I − P·diag(1/P) with P = (XᵀX + Λ)⁻¹ and Λ = λ·(n/n̄)^scaling on the diagonal; scaling 0 is the paper's.
    """

    regularisation: float = 100.0
    scaling: float = 0.0
    power: float = 0.0
    most: int = MOST_DENSE

    def fit(self, counts: csr_matrix) -> Between:
        """On people × items counts."""
        from scipy.linalg import cho_factor, cho_solve

        items, often = dense_items(counts, self.most)
        given = weights(counts, self.power)[:, items]
        gram = (given.T @ given).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.regularisation * (often / often.mean()) ** self.scaling
        precision = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(gram)), overwrite_b=True)
        between = precision / -np.diag(precision)
        np.fill_diagonal(between, 0)
        return Between(between.astype(np.float32), items, self.power)


@dataclass(frozen=True, slots=True)
class Walk:
    """B. Paudel et al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications",
    ACM TiiS 2017 (RP³β): three steps at random from person to item, over the item's popularity to the `beta`."""

    beta: float = 0.7
    power: float = 1.0
    most: int = MOST_DENSE

    def fit(self, counts: csr_matrix) -> Between:
        """On people × items counts."""
        from scipy.sparse import diags

        items, often = dense_items(counts, self.most)
        given = weights(counts, self.power)[:, items]
        of_person = np.maximum(np.asarray(given.sum(1)).ravel(), 1e-9)
        of_item = np.maximum(np.asarray(given.sum(0)).ravel(), 1e-9)
        between = (diags(1 / of_item) @ given.T @ diags(1 / of_person) @ given).toarray()
        between /= often**self.beta
        np.fill_diagonal(between, 0)
        return Between(between.astype(np.float32), items, self.power)


@dataclass(frozen=True, slots=True)
class Bm25:
    """Items like items, by the people they share, in the weights of Okapi BM25 (k₁, b); the `nearest` of each only."""

    k1: float = 1.2
    b: float = 0.75
    nearest: int = 100
    most: int = MOST_DENSE

    def fit(self, counts: csr_matrix) -> Between:
        """On people × items counts."""
        items, often = dense_items(counts, self.most)
        given = weights(counts, 1)[:, items]
        sizes = np.diff(given.indptr)
        rare = np.log(1 + counts.shape[0] / (1 + often))
        share = np.repeat(1 - self.b + self.b * sizes / max(sizes.mean(), 1e-9), sizes)
        given.data = (given.data * (self.k1 + 1) / (given.data + self.k1 * share) * rare[given.indices]).astype(
            np.float32
        )
        between = (given.T @ given).toarray()
        np.fill_diagonal(between, 0)
        if self.nearest < len(between):
            least = -np.partition(-between, self.nearest - 1, axis=1)[:, self.nearest - 1 : self.nearest]
            between[between < least] = 0
        return Between(between.astype(np.float32), items, 1)


@dataclass(frozen=True)
class _Same:
    scores: Scores

    def score(self, counts: csr_matrix) -> Scores:
        return np.tile(self.scores, (counts.shape[0], 1))


@dataclass(frozen=True)
class Between:
    """Items × items of what each touched one says of each; `weights` has the dense `items` only."""

    weights: Scores
    items: NDArray[np.intp]
    power: float

    def score(self, counts: csr_matrix) -> Scores:
        """People × items."""
        given = weights(counts, self.power)[:, self.items]
        scores = np.zeros(counts.shape, np.float32)
        scores[:, self.items] = given @ self.weights
        return scores


def dense_items(counts: csr_matrix, most: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """The items touched by most people, in ascending order, and by how many each (at least 1)."""
    often = np.bincount(counts.indices, minlength=counts.shape[1])
    items = np.sort(np.argsort(-often, kind="stable")[:most])
    return items, np.maximum(often[items], 1).astype(np.float64)
