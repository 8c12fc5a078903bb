"""Several scorers as one, with weights learnt from what people did next.

Each part's scores are brought to one scale, person by person (mean 0, spread 1 over what they didn't touch), and taken
twice: as they are, and with their square root and their sign, for the few that stand out far are not that much better.
The weights maximise the likelihood of what was held out, each such item chosen among what else there is (a softmax,
as in Z. Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007): a convex problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.recommender.parts import Part, Scorer, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Held-out items compete with so many others, drawn by lot: were they the best ones only, to be far down would be a
# sign of having been held out.
_OTHERS = 3000
_SEED = 3
_RIDGE = 1e-3
_BATCH = 500


@dataclass(frozen=True)
class Blend:
    """Fitted parts and what each is worth: `weights` holds those of the plain scores, then those of the roots."""

    parts: tuple[Scorer, ...]
    weights: NDArray[np.float64]

    def score(self, counts: csr_matrix) -> Scores:
        """People × items."""
        made = np.empty(counts.shape, np.float32)
        for first in range(0, counts.shape[0], _BATCH):
            batch = counts[first : first + _BATCH]
            made[first : first + _BATCH] = sum(
                weight * feature
                for weight, feature in zip(self.weights, _features(self.parts, batch), strict=True)
                if weight
            )
        return made


def learn(parts: Sequence[Part], counts: csr_matrix, given: csr_matrix, held_out: Sequence[NDArray[Any]]) -> Blend:
    """Fit the parts on some people's counts, and weigh them by others': what they are `given`, and what of theirs was
    `held_out` (item numbers, one array for each of their rows)."""
    fitted = tuple(part.fit(counts) for part in parts)
    return Blend(fitted, weigh(fitted, given, held_out))


def weigh(parts: Sequence[Scorer], given: csr_matrix, held_out: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The weights of fitted parts."""
    from scipy.optimize import minimize

    random, tables, wanted = np.random.default_rng(_SEED), [], []
    for first in range(0, given.shape[0], _BATCH):
        batch, out = given[first : first + _BATCH], held_out[first : first + _BATCH]
        features = list(_features(parts, batch))
        for row, items in enumerate(out):
            if not len(items):
                continue
            others = np.setdiff1d(np.arange(given.shape[1]), batch[row].indices)
            if len(others) > _OTHERS:
                others = random.choice(others, _OTHERS, replace=False)
            among = np.union1d(others, items)
            tables.append(np.stack([feature[row, among] for feature in features], axis=1))
            wanted.append(np.searchsorted(among, items))
    count = 2 * len(parts)
    if not tables:
        return np.concatenate([np.ones(len(parts)), np.zeros(len(parts))])
    total = sum(len(each) for each in wanted)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = 0.0, np.zeros(count)
        for table, chosen in zip(tables, wanted, strict=True):
            score = table @ weights.astype(np.float32)
            score -= score.max()
            odds = np.exp(score)
            whole = odds.sum()
            value -= float((score[chosen] - np.log(whole)).sum())
            slope -= table[chosen].sum(0) - len(chosen) * (odds @ table).astype(np.float64) / float(whole)
        return value / total + _RIDGE * float(weights @ weights) / 2, slope / total + _RIDGE * weights

    return np.asarray(minimize(loss, np.full(count, 0.1), jac=True, method="L-BFGS-B").x)


def _features(parts: Sequence[Scorer], counts: csr_matrix) -> Iterator[Scores]:
    """Each part's scores on one scale, then each's roots; what was touched already stands at 0."""
    touched = counts.nonzero()
    scaled = []
    for part in parts:
        score = part.score(counts).astype(np.float32)
        score[touched] = np.nan
        score -= np.nanmean(score, axis=1, keepdims=True)
        spread = np.nanstd(score, axis=1, keepdims=True)
        score /= np.where(spread > 0, spread, 1)
        score[touched] = 0
        scaled.append(score)
    yield from scaled
    for score in scaled:
        yield np.sign(score) * np.sqrt(np.abs(score))
