"""What a few of a person's items say of another one, rather than all of them.

The models of `parts` add up all that speaks for an item, so that many faint likenesses outweigh a few close ones, and
one strong word against it is lost among them. Here the strongest words count alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.recommender.parts import MOST_DENSE, Between, Ease, Part, Scorer, Scores, dense_items
from app.recommender.weighing import weights

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Of who touched more items than this, those with the greatest counts speak: each costs a row of all items.
_SPEAKERS = 64


@dataclass(frozen=True, slots=True)
class Jaccard:
    """Items like items, by the people they share over those of either, with `shrink` people added to the latter so
    that rare items aren't alike by accident."""

    shrink: float = 10.0
    most: int = MOST_DENSE

    def fit(self, counts: csr_matrix) -> Between:
        """On people × items counts."""
        items, often = dense_items(counts, self.most)
        touched = weights(counts, 0)[:, items]
        between = (touched.T @ touched).toarray()
        for row, shared in enumerate(between):
            shared /= often[row] + often - shared + self.shrink
        np.fill_diagonal(between, 0)
        return Between(between, items, 0)


@dataclass(frozen=True, slots=True)
class Extremes:
    """An item's score is the mean of the `count` greatest words that the person's items have for it in another model,
    or with a `count` below 0 of the least."""

    of: Jaccard | Ease
    count: int

    def fit(self, counts: csr_matrix) -> FewWords:
        """On people × items counts."""
        return self.on(self.of.fit(counts))

    def on(self, fitted: Between) -> FewWords:
        """By a model that was fitted already."""
        return FewWords(fitted, self.count)


@dataclass(frozen=True)
class FewWords:
    """A fitted `Extremes`."""

    of: Between
    count: int

    def score(self, counts: csr_matrix) -> Scores:
        """People × items."""
        scores, known = np.zeros(counts.shape, np.float32), counts[:, self.of.items]
        sign = np.sign(self.count)
        for row in range(counts.shape[0]):
            own = slice(known.indptr[row], known.indptr[row + 1])
            touched = known.indices[own]
            if len(touched) > _SPEAKERS:
                touched = touched[np.argsort(-known.data[own], kind="stable")[:_SPEAKERS]]
            if len(touched):
                words, few = self.of.weights[touched] * sign, min(abs(self.count), len(touched))
                scores[row, self.of.items] = np.partition(words, len(words) - few, axis=0)[-few:].mean(0) * sign
        return scores


def fit_all(parts: Sequence[Part], counts: csr_matrix, known: Mapping[Part, Scorer]) -> list[Scorer]:
    """Each part fitted, but for those `known`; what several are derived from is fitted once."""
    done = dict(known)
    for part in parts:
        if part in done:
            continue
        if isinstance(part, Extremes):
            if part.of not in done:
                done[part.of] = part.of.fit(counts)
            base = done[part.of]
            assert isinstance(base, Between)
            done[part] = part.on(base)
        else:
            done[part] = part.fit(counts)
    return [done[part] for part in parts]
