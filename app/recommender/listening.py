"""Counts from a file: one line per person and item, as public data sets have them."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
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
    people, items = dict[str, int](), dict[str, int]()
    rows, columns, values = array("q"), array("q"), array("d")
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            parts = _BETWEEN.split(line.strip(), maxsplit=3)
            if len(parts) < 2:
                raise UnreadableData(f"Line {number} has no person and item: {line.strip()[:60]!r}.")
            try:
                count = float(parts[2]) if len(parts) > 2 else 1.0
            except ValueError:
                if number == 1:
                    continue
                raise UnreadableData(f"Line {number} has {parts[2][:40]!r} where a count is expected.") from None
            if count > 0 and count >= at_least and np.isfinite(count):
                rows.append(people.setdefault(parts[0], len(people)))
                columns.append(items.setdefault(parts[1], len(items)))
                values.append(count)
    if not rows:
        raise UnreadableData("There is no person with an item in it: is it the right file?")
    return _in_order(people, items, rows, columns, values)


def _in_order(
    people: Iterable[str], items: Iterable[str], rows: array[int], columns: array[int], values: array[float]
) -> Interactions:
    """Of ids in the order of their numbers: the ids ascending, and what comes more than once added up."""
    from scipy.sparse import coo_matrix

    (person_ids, person), (item_ids, item) = (
        np.unique(np.array([each.encode() for each in ids]), return_inverse=True) for ids in (people, items)
    )
    places = person[np.frombuffer(rows, np.int64)], item[np.frombuffer(columns, np.int64)]
    made = coo_matrix((np.frombuffer(values), places), shape=(len(person_ids), len(item_ids))).tocsr()
    made.sum_duplicates()
    return Interactions(person_ids, item_ids, made.astype(np.float32))


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
