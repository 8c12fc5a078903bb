"""Vectors for releases that nobody has touched yet, in the space that training learned from those that people did.

What a release is (`content`) is turned into what people would make of it: a map from content vectors to factors is
learned from the releases that have both, in one of two ways, and the better is taken. Ridge regression (as Gantner et
al., "Learning Attribute-to-Feature Mappings for Cold-Start Recommendations", ICDM 2010) says what each tag, label or
figure of the sound adds; neighbours, as in the same paper, take the likeness-weighted mean of the factors of the most
alike. Which, and how strong, is found by holding back a fifth of the releases and comparing.

Where a release has been touched a little, both vectors say something: `blend` weighs them by Bühlmann's credibility.

Nothing here knows a database. Rows of content have the length 1 or 0. The same input gives the same output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Method = Literal["ridge", "neighbours"]

RIDGE_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
NEIGHBOURS = (5, 15, 50, 150)
LEAST_KNOWN = 10
"""With fewer releases to learn from there is nothing to hold back."""

LEARNED_FROM = 5
"""A release that fewer people touched has factors that are mostly chance: nothing is learned from it."""

MOST_CHOSEN_ON, MOST_FITTED = 5_000, 50_000
"""Of a larger catalogue so many releases, those that most people touched, choose the way and are learned from."""

USUAL_CREDIBILITY = 5.0
_CREDIBILITY = (0.5, 50.0)
_SEED = 20
_HELD_BACK = 0.2
_STEPS, _NEAR_ENOUGH = 200, 1e-5
_ROUNDS = 5
_ROWS = 256  # of likenesses at a time


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that was taken: the ridge's λ or the number of neighbours, and the mean cosine of what it predicted to
    what was learned for the releases held back. `average` is the cosine that the mean of all factors has there, and
    `tried` every way with its cosine."""

    method: Method
    strength: float
    cosine: float
    average: float
    tried: tuple[tuple[Method, float, float], ...]


@dataclass(frozen=True, slots=True)
class Predictor:
    """Content to factors. `choice` says how."""

    choice: Choice
    _predict: Callable[[Any], NDArray[np.float64]] = field(repr=False)
    _scale: float = field(repr=False)

    def predict(self, content: Any) -> Vectors:
        """Factors (rows, factors) for rows of content, scaled to be right on average where they were held back.

        Of a release nothing is known of, they are those of the average release.
        """
        return (self._scale * self._predict(content)).astype(np.float32)


def fit(
    content: Any,
    factors: Vectors,
    counts: NDArray[Any] | None = None,
    *,
    way: tuple[Method, float] | None = None,
) -> Predictor | None:
    """Learn from releases that have both: rows of content (dense or a SciPy CSR matrix) and of factors.

    `counts` are how many people touched each; `way` is the only one to try, where one was found before. None where
    there are too few to learn from, or where nothing that was tried predicts those held back better than the average
    release would.
    """
    rows = _learned_from(factors, counts)
    if len(rows) < LEAST_KNOWN:
        return None
    rng = np.random.default_rng(_SEED)
    chosen_on = rng.permutation(rows[:MOST_CHOSEN_ON])
    held = max(2, round(_HELD_BACK * len(chosen_on)))
    back, rest = np.sort(chosen_on[:held]), np.sort(chosen_on[held:])
    known, truth = factors[rest].astype(np.float64), factors[back].astype(np.float64)
    average = _cosine(np.broadcast_to(known.mean(axis=0), truth.shape), truth)
    tried: list[tuple[Method, float, float]] = []
    best: NDArray[np.float64] | None = None
    for method, strength in [way] if way else _ways(len(rest)):
        said = _fitted(method, strength, content[rest], known)(content[back])
        tried.append((method, strength, _cosine(said, truth)))
        if tried[-1][2] == max(cosine for _method, _strength, cosine in tried):
            best = said
    method, strength, cosine = max(tried, key=lambda each: each[2])
    if best is None or cosine <= average:
        return None
    scale = float(np.sum(best * truth) / max(float(np.sum(best * best)), 1e-12))
    all_rows = np.sort(rows[:MOST_FITTED])
    predict = _fitted(method, strength, content[all_rows], factors[all_rows].astype(np.float64))
    return Predictor(Choice(method, strength, cosine, average, tuple(tried)), predict, max(scale, 0.0))


def credibility(learned: Vectors, predicted: Vectors, counts: NDArray[Any]) -> float:
    """Bühlmann's k: at how many people a release's own factors are worth as much as what its content predicts.

    Between what was learned from n people and what was predicted lie the prediction's own error a and the chance in
    the learning, s / n: k = s / a, both by weighted least squares of the squared distances on 1 / n.
    `USUAL_CREDIBILITY` where they tell nothing of the sort.
    """
    counts = np.asarray(counts, np.float64)
    some = counts > 0
    if some.sum() < LEAST_KNOWN or len(np.unique(counts[some])) < 2:
        return USUAL_CREDIBILITY
    distances = np.sum((learned[some].astype(np.float64) - predicted[some]) ** 2, axis=1)
    few, sure = 1 / counts[some], np.ones(int(some.sum()))
    for _round in range(_ROUNDS):
        chance, error = np.polyfit(few, distances, 1, w=sure)
        if chance <= 0 or error <= 0:
            return USUAL_CREDIBILITY
        sure = 1 / (error + chance * few)  # a squared distance varies as much as it is large
    return float(np.clip(chance / error, *_CREDIBILITY))


def blend(learned: Vectors, predicted: Vectors, counts: NDArray[Any], k: float = USUAL_CREDIBILITY) -> Vectors:
    """z · learned + (1 - z) · predicted, row by row, where z = n / (n + k) and n people touched the release.

    Bühlmann, "Experience rating and credibility", ASTIN Bulletin 4 (1967): the best linear estimate where what was
    seen of one is scarce and what is known of its like is not. Nobody (n = 0) leaves the prediction; many, what was
    learned.
    """
    n = np.asarray(counts, np.float32)[:, None]
    z = n / (n + np.float32(k))
    return (z * learned + (1 - z) * predicted).astype(np.float32)


def _learned_from(factors: Vectors, counts: NDArray[Any] | None) -> NDArray[np.intp]:
    """The rows to learn from, those that most people touched first."""
    usable = np.isfinite(factors).all(axis=1) & factors.any(axis=1)
    if counts is None:
        return np.flatnonzero(usable)
    counts = np.asarray(counts)
    rows = np.flatnonzero(usable & (counts >= LEARNED_FROM))
    return rows[np.argsort(-counts[rows], kind="stable")]


def _ways(known: int) -> Iterator[tuple[Method, float]]:
    for strength in RIDGE_STRENGTHS:
        yield "ridge", strength
    for neighbours in NEIGHBOURS:
        if neighbours <= known:
            yield "neighbours", neighbours


def _fitted(
    method: Method, strength: float, content: Any, factors: NDArray[np.float64]
) -> Callable[[Any], NDArray[np.float64]]:
    mean = factors.mean(axis=0)
    if method == "ridge":
        weights = _ridge(content, factors - mean, strength)
        return lambda new: mean + np.asarray(new @ weights)
    return lambda new: _neighbours(new, content, factors, int(strength), mean)


def _ridge(content: Any, factors: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """W that makes |XW - Y|² + λ|W|² least, by conjugate gradients on (XᵀX + λI) W = XᵀY, every factor at once."""
    right = np.asarray(content.T @ factors)
    weights = np.zeros_like(right)
    left_over, direction = right.copy(), right.copy()
    size = np.sum(left_over**2, axis=0)
    enough = _NEAR_ENOUGH**2 * size
    for _step in range(_STEPS):
        if (size <= enough).all():
            break
        moved = np.asarray(content.T @ np.asarray(content @ direction)) + strength * direction
        step = size / np.maximum(np.sum(direction * moved, axis=0), 1e-300)
        weights += step * direction
        left_over -= step * moved
        before, size = size, np.sum(left_over**2, axis=0)
        direction = left_over + size / np.maximum(before, 1e-300) * direction
    return weights


def _neighbours(
    new: Any, content: Any, factors: NDArray[np.float64], count: int, mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean of the factors of the most alike, weighed by likeness; `mean` where nothing is alike."""
    told = np.empty((new.shape[0], factors.shape[1]))
    others = content.T
    for first in range(0, new.shape[0], _ROWS):
        likeness = new[first : first + _ROWS] @ others
        likeness = np.asarray(likeness.todense() if hasattr(likeness, "todense") else likeness, np.float64)
        nearest = np.argpartition(-likeness, min(count, likeness.shape[1]) - 1, axis=1)[:, :count]
        weights = np.maximum(np.take_along_axis(likeness, nearest, axis=1), 0)
        total = weights.sum(axis=1, keepdims=True)
        near = np.einsum("nk,nkf->nf", weights, factors[nearest]) / np.maximum(total, 1e-12)
        told[first : first + _ROWS] = np.where(total > 1e-9, near, mean)
    return told


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean(np.sum(one * other, axis=1) / np.maximum(lengths, 1e-12)))
