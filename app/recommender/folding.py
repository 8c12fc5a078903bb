"""A person's vector from what they did, and the best items for it: exactly, in a fraction of a millisecond.

The vector that training would give a person whose items are held fixed (equation 4 of Hu, Koren, Volinsky 2008):

    x = (α YᵀY + Yᵀ D Y + λ I)⁻¹ Yᵀ c        over the items they touched: c their confidence, D = diag(c − α)

α is what an untouched item weighs, 1 in that paper. Three things make it quick without making it approximate:

- YᵀY = Q Λ Qᵀ is decomposed once and the items are turned by Q, so that (α YᵀY + λI)⁻¹ is diagonal for every α and λ,
  also where λ depends on the person (frequency-scaled regularisation);
- by Woodbury's identity k touched items then cost a system of k equations, where k is less than the factors;
- items stand in falling order of length, so that the search for the best ends where Cauchy and Schwarz say that
  nothing longer is left to beat what was found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Numbers = NDArray[np.intp]

_BLOCK = 4096


class Folding:
    """A model's items, prepared once; not written to afterwards, so threads may share it.

    `items`: (n, f), float32. Takes as much memory again. `gram` is what they amount to, where it is not YᵀY: items that
    nobody can have touched yet say nothing of who did not touch them.
    """

    def __init__(self, items: Vectors, gram: NDArray[np.float64] | None = None) -> None:
        if not np.isfinite(items).all():
            raise ValueError("an item's vector is not finite")
        values, self._turn = np.linalg.eigh(_gram(items) if gram is None else gram)
        self._spread = np.maximum(values, 0.0)
        turned = items @ self._turn.astype(np.float32)
        lengths = np.linalg.norm(turned, axis=1)
        self._order = np.argsort(-lengths, kind="stable")
        self._place = np.empty(len(items), dtype=np.intp)
        self._place[self._order] = np.arange(len(items))
        self._items = np.ascontiguousarray(turned[self._order])
        # Rounding must never end a search too soon.
        self._longest = lengths[self._order][::_BLOCK].astype(np.float64) * (1 + 1e-5)

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._items)

    def fold(
        self, touched: Numbers, confidence: NDArray[np.float64], *, regularisation: float, untouched: float = 1.0
    ) -> Vectors:
        """The person's vector in the items' own space: (f,), float32. `confidence` is c, above `untouched`."""
        return (self._turn @ self._fold(touched, confidence, regularisation, untouched)).astype(np.float32)

    def best(self, vector: Vectors, count: int, *, without: Numbers | None = None) -> tuple[Numbers, Vectors]:
        """The `count` items of greatest inner product with a vector, greatest first, and those products.

        `without` are items not to be named. Fewer where there are no more.
        """
        return self._best((self._turn.T @ vector).astype(np.float32), count, without)

    def shelf(
        self,
        touched: Numbers,
        confidence: NDArray[np.float64],
        count: int,
        *,
        regularisation: float,
        untouched: float = 1.0,
    ) -> tuple[Numbers, Vectors]:
        """`fold`, then `best` of what they did not touch."""
        turned = self._fold(touched, confidence, regularisation, untouched)
        return self._best(turned.astype(np.float32), count, touched)

    def _fold(
        self, touched: Numbers, confidence: NDArray[np.float64], regularisation: float, untouched: float
    ) -> NDArray[np.float64]:
        rows = self._items[self._place[touched]].astype(np.float64)
        base = untouched * self._spread + regularisation
        extra = confidence - untouched
        count, factors = rows.shape
        if count >= factors:
            left = rows.T @ (extra[:, None] * rows)
            left[np.diag_indices(factors)] += base
            return np.asarray(np.linalg.solve(left, rows.T @ confidence), dtype=np.float64)
        # (P⁻¹ + Uᵀ D U)⁻¹ Uᵀ c = P Uᵀ w  with  (I + D U P Uᵀ) w = c
        scaled = rows / base
        inner = extra[:, None] * (scaled @ rows.T)
        inner[np.diag_indices(count)] += 1.0
        return np.asarray(np.linalg.solve(inner, confidence) @ scaled, dtype=np.float64)

    def _best(self, turned: Vectors, count: int, without: Numbers | None) -> tuple[Numbers, Vectors]:
        length = float(np.linalg.norm(turned))
        barred = np.sort(self._place[without]) if without is not None else np.empty(0, dtype=np.intp)
        places, scores = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32)
        for number, longest in enumerate(self._longest):
            full = len(places) == count
            if full and longest * length < scores.min():
                break
            start = number * _BLOCK
            found = self._items[start : start + _BLOCK] @ turned
            first, last = np.searchsorted(barred, (start, start + _BLOCK))
            found[barred[first:last] - start] = -np.inf
            better = np.flatnonzero(found > (scores.min() if full else -np.inf))
            places = np.concatenate([places, better + start])
            scores = np.concatenate([scores, found[better]])
            if len(places) > count:
                chosen = np.argpartition(scores, len(scores) - count)[len(scores) - count :]
                places, scores = places[chosen], scores[chosen]
        order = np.argsort(-scores, kind="stable")
        return self._order[places[order]], scores[order]


@dataclass(frozen=True, slots=True)
class Equation:
    """The same equation where only the items that a person touched are at hand, and what all items amount to.

    `gram` is YᵀY over all items, (f, f); `touched` the rows of Y with p = 1, (k, f), and `confidence` their c, (k,),
    above `untouched`. Items that weren't touched drop out of the rest, because D and p are zero there.
    """

    gram: NDArray[np.float64]
    touched: Vectors
    confidence: NDArray[np.float64]
    regularisation: float
    untouched: float = 1.0

    def solve(self) -> Vectors:
        """The person's vector: (f,), float32."""
        return (self._solved(self.touched.astype(np.float64).T) @ self.confidence).astype(np.float32)

    def contributions(self, items: Vectors) -> NDArray[np.float64]:
        """How much each touched item adds to the score of each of some `items` (n, f): (n, k).

        s_ij · c_j of section 5 of the paper, with s_ij = yᵢᵀ (α YᵀY + Yᵀ D Y + λ I)⁻¹ yⱼ. The sum of a row is that
        item's score, yᵢᵀx.
        """
        return items.astype(np.float64) @ self._solved(self.touched.astype(np.float64).T) * self.confidence

    def _solved(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = self.touched.astype(np.float64)
        left = self.untouched * self.gram + rows.T @ ((self.confidence - self.untouched)[:, None] * rows)
        left[np.diag_indices_from(left)] += self.regularisation
        return np.asarray(np.linalg.solve(left, right), dtype=np.float64)


def _gram(items: Vectors) -> NDArray[np.float64]:
    made = np.zeros((items.shape[1], items.shape[1]))
    for start in range(0, len(items), 1 << 15):
        part = items[start : start + (1 << 15)].astype(np.float64)
        made += part.T @ part
    return made
