"""Counts from a file: one line per person and item, as public data sets have them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.recommender.interactions import Interactions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BETWEEN = re.compile(r"\t|::|,|;|\s+")


class UnreadableData(ValueError):
    """The file isn't what `read` takes; the message says what to change."""


def read(path: Path, *, at_least: float = 0.0) -> Interactions:
    """Lines of person, item and, where there is one, a count or rating; tabs, commas, `;`, `::` or blanks between.

    A first line that is no data is taken for names. More columns are let be. A pair that comes twice counts for both;
    what is not above 0, or below `at_least`, is left out. Raises UnreadableData, OSError.
    """
    triples: dict[tuple[str, str], float] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            parts = _BETWEEN.split(line.strip())
            if len(parts) < 2:
                raise UnreadableData(f"Line {number} has no person and item: {line.strip()[:60]!r}.")
            try:
                count = float(parts[2]) if len(parts) > 2 else 1.0
            except ValueError:
                if number == 1:
                    continue
                raise UnreadableData(f"Line {number} has {parts[2][:40]!r} where a count is expected.") from None
            if count > 0 and count >= at_least and np.isfinite(count):
                pair = parts[0], parts[1]
                triples[pair] = triples.get(pair, 0.0) + count
    if not triples:
        raise UnreadableData("There is no person with an item in it: is it the right file?")
    return Interactions.of([(person, item, count) for (person, item), count in triples.items()])


def dense_enough(data: Interactions, *, people_of_item: int = 5, items_of_person: int = 5) -> Interactions:
    """Items that so many people touched, then people with so many of those items.

    Raises UnreadableData where fewer than 20 people are left: too few to hold anybody out.
    """
    matrix = data.matrix
    items = np.flatnonzero(_touched(matrix.indices, matrix.shape[1]) >= people_of_item)
    matrix = matrix[:, items]
    people = np.flatnonzero(np.diff(matrix.indptr) >= items_of_person)
    if len(people) < 20:
        raise UnreadableData(
            f"{len(people)} people have {items_of_person} items that {people_of_item} people touched:"
            " at least 20 are needed to hold some of them out."
        )
    return Interactions(data.person_ids[people], data.item_ids[items], matrix[people])


def _touched(columns: NDArray[Any], count: int) -> NDArray[Any]:
    return np.bincount(columns, minlength=count)
