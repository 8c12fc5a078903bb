"""What people did with items, as one sparse matrix and the ids of its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Ids = NDArray[np.bytes_]
"""ASCII ids, fixed width: a million of 16 characters are 16 MB, where a list of str would take 70."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who did how much with what.

    `matrix` (people × items, float32, canonical CSR) holds r > 0 in whole listens; what is not in it never happened.
    Both tables of ids are in ascending order and hold only those with something in the matrix.
    """

    person_ids: Ids
    item_ids: Ids
    matrix: csr_matrix

    @classmethod
    def of(cls, triples: list[tuple[str, str, float]]) -> Interactions:
        """From (person id, item id, r > 0), each pair at most once, in any order; ValueError for a pair given twice."""
        from scipy.sparse import coo_matrix

        people, rows = np.unique(np.array([each[0] for each in triples], dtype=np.bytes_), return_inverse=True)
        items, columns = np.unique(np.array([each[1] for each in triples], dtype=np.bytes_), return_inverse=True)
        values = np.array([each[2] for each in triples], dtype=np.float32)
        matrix = coo_matrix((values, (rows, columns)), shape=(len(people), len(items))).tocsr()
        if matrix.nnz != len(triples):
            raise ValueError("a person and an item are together more than once")
        return cls(people, items, matrix)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, ids included."""
        matrix = self.matrix
        arrays = (self.person_ids, self.item_ids, matrix.data, matrix.indices, matrix.indptr)
        return sum(int(array.nbytes) for array in arrays)

    def __len__(self) -> int:
        """How many pairs there are."""
        return int(self.matrix.nnz)


def names(ids: Ids) -> list[str]:
    """The ids as Python strings."""
    return [one.decode("ascii") for one in ids.tolist()]
