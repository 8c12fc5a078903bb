"""Several scorers as one, with weights learnt from what people did next.

Each part's scores are brought to one scale, person by person (mean 0, spread 1 over what they didn't touch), and taken
twice: as they are, and with their square root and their sign, for the few that stand out far are not that much better.
The weights maximise the likelihood of what was held out, each such item chosen among what else there is (a softmax,
as in Z. Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007): a convex problem.

Who a part was fitted on, it knows too well to be weighed by. Where the people held out are few, the others are asked as
well, a fold at a time, each by parts that were fitted on the other folds (D. Wolpert, "Stacked Generalization", 1992).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.recommender.extremes import fit_all
from app.recommender.parts import Part, Scorer, Scores
from app.recommender.protocol import HeldOut, hold_out

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# So many people are enough to weigh by, and more only take time and memory.
ENOUGH = 2_000
FOLDS = 5
# Held-out items compete with the likeliest others, and with some of the rest, drawn by lot, each of whom stands for
# many: with the likeliest only, to be far down would be a sign of having been held out.
_LIKELIEST = 300
_OTHERS = 200
_SEED = 3
_RIDGE = 1e-3
_BATCH = 500


@dataclass(frozen=True)
class Asked:
    """Of one person: a row of features for each item that competes, the `wanted` ones that were held out first, and
    the logarithm of how many items each row stands for."""

    table: NDArray[np.float32]
    wanted: int
    many: NDArray[np.float32]


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


def learn(
    parts: Sequence[Part],
    counts: csr_matrix,
    held: HeldOut,
    *,
    enough: int = ENOUGH,
    known: Mapping[Part, Scorer] | None = None,
) -> Blend:
    """Fit the parts on some people's counts, and weigh them by others', and by the same people's in folds where the
    others are fewer than `enough`. Parts that are `known` were fitted on those counts already."""
    fitted = tuple(fit_all(parts, counts, known or {}))
    asked = ask(fitted, held, enough)
    if len(asked) < enough and counts.shape[0] >= FOLDS:
        asked += _in_folds(parts, counts, enough - len(asked))
    return Blend(fitted, weigh(asked, len(parts)))


def _in_folds(parts: Sequence[Part], counts: csr_matrix, most: int) -> list[Asked]:
    random, asked = np.random.default_rng(_SEED), list[Asked]()
    share = -(-most // FOLDS)
    for rows in np.array_split(random.permutation(counts.shape[0]), FOLDS):
        others = np.setdiff1d(np.arange(counts.shape[0]), rows)
        fitted = fit_all(parts, counts[others], {})
        asked += ask(fitted, hold_out(counts[rows[:share]], random), share)
    return asked


def ask(parts: Sequence[Scorer], held: HeldOut, most: int = ENOUGH) -> list[Asked]:
    """What fitted parts say of people they were not fitted on: of `most` of those with anything held out, by lot."""
    random, asked = np.random.default_rng(_SEED), list[Asked]()
    people = np.flatnonzero([len(items) > 0 for items in held.wanted])
    if len(people) > most:
        people = np.sort(random.choice(people, most, replace=False))
    for first in range(0, len(people), _BATCH):
        rows = people[first : first + _BATCH]
        given = held.given[rows]
        features = list(_features(parts, given))
        likely = np.sum(features[len(parts) :], axis=0)
        likely[given.nonzero()] = -np.inf
        for row, person in enumerate(rows):
            items, score = held.wanted[person], likely[row]
            score[items] = -np.inf
            others = np.argsort(-score, kind="stable")[: np.isfinite(score).sum()]
            best, rest = others[:_LIKELIEST], others[_LIKELIEST:]
            drawn = random.choice(rest, min(_OTHERS, len(rest)), replace=False)
            among = np.concatenate([items, best, drawn])
            table = np.stack([feature[row, among] for feature in features], axis=1)
            many = np.zeros(len(among), np.float32)
            many[len(items) + len(best) :] = np.log(max(len(rest), 1) / max(len(drawn), 1))
            asked.append(Asked(table, len(items), many))
    return asked


def weigh(asked: Sequence[Asked], parts: int) -> NDArray[np.float64]:
    """The weights of so many parts, of each twice; all alike where nobody could be asked."""
    from scipy.optimize import minimize

    if not asked:
        return np.concatenate([np.ones(parts), np.zeros(parts)])
    total = sum(each.wanted for each in asked)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope, narrow = 0.0, np.zeros(2 * parts), weights.astype(np.float32)
        for each in asked:
            score = each.table @ narrow + each.many
            score -= score.max()
            odds = np.exp(score)
            whole = odds.sum()
            value -= float((score[: each.wanted] - np.log(whole)).sum())
            slope -= each.table[: each.wanted].sum(0) - each.wanted * (odds @ each.table).astype(np.float64) / whole
        return value / total + _RIDGE * float(weights @ weights) / 2, slope / total + _RIDGE * weights

    return np.asarray(minimize(loss, np.full(2 * parts, 0.1), jac=True, method="L-BFGS-B").x)


def _features(parts: Sequence[Scorer], counts: csr_matrix) -> Iterator[Scores]:
    """Each part's scores on one scale, then each's roots; what was touched already stands at 0."""
    touched = counts.nonzero()
    others = np.maximum(counts.shape[1] - np.diff(counts.indptr), 1).astype(np.float32)[:, None]
    scaled = []
    for part in parts:
        score = part.score(counts).astype(np.float32)
        score[touched] = 0
        score -= score.sum(axis=1, keepdims=True) / others
        score[touched] = 0
        spread = np.sqrt((score * score).sum(axis=1, keepdims=True) / others)
        score /= np.where(spread > 0, spread, 1)
        scaled.append(score)
    yield from scaled
    for score in scaled:
        yield np.sign(score) * np.sqrt(np.abs(score))
