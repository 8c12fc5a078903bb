"""How counts become a model: everything that was decided, kept with the model, so that it goes on as it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.recommender import als, weighing
from app.recommender.als import AlsSettings
from app.recommender.folding import Folding, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Chosen on planted tastes (24 shops of 2 to 6 groups, 12 to 120 releases, with noise, people of 2 to 8 releases and of
# one), where 96 % of the top three are of the person's own group (94 % with plain ALS at its best there, λ = 5), and
# looked at on Last.fm's counts: NDCG@100 0.44 with 128 factors, where λ = 40 would be as good.
_USUAL = AlsSettings(regularisation=20.0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the factorisation, and how a count weighs: log(1 + r)^power, over the person's mean where `even`
    (`weighing.weights`)."""

    als: AlsSettings = field(default_factory=lambda: _USUAL)
    power: float = 1.0
    even: bool = True

    @classmethod
    def suitable(cls, people: int, items: int, most_factors: int) -> Recipe:
        """What does well where nothing was searched for: no more factors than a third of the people or items, for more
        would learn each person by heart and generalise to nobody."""
        return cls(replace(_USUAL, factors=max(1, min(most_factors, -(-min(people, items) // 3)))))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Recipe:
        """Out of a model's settings. Those of older models, which name `alpha` and `regularisation` only, were learned
        with one λ for everybody and log(1 + r)."""
        known = ("factors", "regularisation", "alpha", "iterations")
        found = AlsSettings(**{name: settings[name] for name in known if name in settings})
        scaling = settings.get("scaling", 0.0)
        return cls(replace(found, scaling=scaling), settings.get("power", 1.0), settings.get("even", False))

    def settings(self) -> dict[str, Any]:
        """As a model keeps it."""
        return asdict(self.als) | {"power": self.power, "even": self.even}

    def weights(self, counts: csr_matrix) -> csr_matrix:
        """What each r > 0 of people × items weighs."""
        return weighing.weights(counts, self.power, even=self.even)

    def confidence(self, preferences: NDArray[np.float64]) -> NDArray[np.float64]:
        """c of the paper, for all that one person did: r > 0 in whole listens."""
        weight = np.log1p(preferences) ** self.power
        if self.even and self.power and len(weight):
            weight = weight / max(float(weight.mean()), weighing.LEAST_MEAN**self.power)
        return np.asarray(1.0 + self.als.alpha * weight, dtype=np.float64)

    def fit(self, counts: csr_matrix) -> FoldedIn:
        """A scorer that was fitted on people × items counts: a `Part` that can be tuned and measured."""
        weights = self.weights(counts)
        items, _people = als.fit(weights, self.als, exact=als.is_little(weights, self.als.factors))
        return FoldedIn(self, Folding(items.vectors), items.vectors, items.mean_count)


@dataclass(frozen=True, slots=True)
class FoldedIn:
    """A scorer of whom a model has not seen, by its items' vectors and what they were learned with."""

    recipe: Recipe
    folding: Folding
    items: Vectors
    mean_count: float

    def score(self, counts: csr_matrix) -> Vectors:
        """People × items."""
        people = np.zeros((counts.shape[0], self.items.shape[1]), np.float32)
        for row in range(len(people)):
            own = slice(counts.indptr[row], counts.indptr[row + 1])
            if own.stop > own.start:
                sure = self.recipe.confidence(counts.data[own].astype(np.float64))
                tight = self.recipe.als.regularisation_of(own.stop - own.start, self.mean_count)
                people[row] = self.folding.fold(counts.indices[own], sure, regularisation=tight)
        return people @ self.items.T
