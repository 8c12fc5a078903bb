"""The event log as a matrix: aggregated by PostgreSQL, streamed by COPY, in memory only as what it becomes.

Peak memory is the result's arrays, grown block by block, and one block; the events themselves never leave the
database, which sorts and sums them within its own `work_mem` and spills to disk beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CHAR, REAL, Select, cast, collate, func, select, text

from app.catalog.models import Release, Status
from app.core import clock
from app.core.db import db
from app.discovery import copying, signal
from app.discovery.models import Event
from app.recommender.interactions import Ids, Interactions

# Ids are shorter than this or as long; CHAR(16) fills them up with blanks, so that every row is as wide.
_ID = CHAR(16)
_RECORD = copying.record(person="S16", item="S16", r=">f4")

# What one sort or hash of the reading may take; a plan has a few, in up to three processes.
_WORK_MEM = "128MB"
_AT_ONCE = 1 << 18


def preferences(until: int) -> Select[tuple[str, str, float]]:
    """(account id, release id, r > 0 of now) by the events that count, of published releases, up to that id.

    Ordered by account, as bytes are and not as the database's collation would have it.
    """
    liked = signal.preference(clock.now())
    summed = (
        select(collate(Event.account_id, "C").label("person_id"), Event.release_id, liked.label("preference"))
        .join(Release, Release.id == Event.release_id)
        .where(signal.counts(), signal.welcome(), Event.id <= until, Release.status == Status.PUBLISHED)
        .group_by(Event.account_id, Event.release_id)
        .having(liked > 0)
        .subquery()
    )
    return select(
        cast(summed.c.person_id, _ID), cast(summed.c.release_id, _ID), cast(summed.c.preference, REAL)
    ).order_by(summed.c.person_id)


class Stream:
    """The pairs of `preferences` as numbers, a block at a time: people in ascending order, items as they first come.

    Only the tables of ids are held. One statement of the open transaction: one snapshot.
    """

    def __init__(self, until: int) -> None:
        self._until = until
        self._people = _Column("S16")
        self._items: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]]:
        """Blocks of (person's number, item's number, r > 0); never an empty one. Once only."""
        db.session.execute(text("SELECT set_config('work_mem', :size, true)"), {"size": _WORK_MEM})
        last = b""
        for block in copying.read(preferences(self._until), _RECORD):
            ids = block["person"]
            first_of = np.concatenate(([ids[0] != last], ids[1:] != ids[:-1]))
            people = np.cumsum(first_of, dtype=np.int32) + np.int32(self._people.length - 1)
            self._people.append(ids[first_of])
            last = ids[-1]
            found, where = np.unique(block["item"], return_inverse=True)
            numbers = [self._items.setdefault(item, len(self._items)) for item in found.tolist()]
            yield people, np.array(numbers, dtype=np.int32)[where], block["r"].astype(np.float32)

    def person_ids(self) -> Ids:
        """The people's, by number; once the blocks are through."""
        return np.char.rstrip(self._people.held[: self._people.length])

    def item_ids(self) -> Ids:
        """The items', by number; once the blocks are through."""
        return np.char.rstrip(np.fromiter(self._items, dtype="S16", count=len(self._items)))


def interactions(until: int) -> Interactions:
    """The matrix of all events up to that id, as one statement of the open transaction sees them: one snapshot.

    The same events give the same matrix. Without any, it has no rows and no columns.
    """
    from scipy.sparse import csr_matrix

    stream = Stream(until)
    pairs_of, columns, values = _Column("i4"), _Column("i4"), _Column("f4")
    for people, items, r in stream:
        counts = np.bincount(people - people[0])
        if people[0] < pairs_of.length:  # somebody whom the block before had begun
            pairs_of.held[people[0]] += counts[0]
            counts = counts[1:]
        pairs_of.append(counts)
        columns.append(items)
        values.append(r)
    item_ids = stream.item_ids()
    order = np.argsort(item_ids)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    indices = columns.done()
    for start in range(0, len(indices), _AT_ONCE):  # in place, so that they are not there twice
        part = slice(start, start + _AT_ONCE)
        indices[part] = rank[indices[part]]
    counts = pairs_of.done()
    indptr = np.zeros(len(counts) + 1, dtype=np.int32 if len(indices) < 2**31 else np.int64)
    np.cumsum(counts, out=indptr[1:])
    matrix = csr_matrix((values.done(), indices, indptr), shape=(len(counts), len(item_ids)), copy=False)
    matrix.sort_indices()
    return Interactions(stream.person_ids(), item_ids[order], matrix)


def interactions_so_far() -> Interactions:
    """The matrix of all events there are."""
    return interactions(db.session.scalar(select(func.max(Event.id))) or 0)


class _Column:
    """An array that grows in place: the system hands out its pages as they are written, and moves none."""

    def __init__(self, dtype: str) -> None:
        self.held: NDArray[Any] = np.empty(_AT_ONCE, dtype)
        self.length = 0

    def append(self, block: NDArray[Any]) -> None:
        needed = self.length + len(block)
        if needed > len(self.held):
            self.held.resize(max(needed, len(self.held) * 3 // 2), refcheck=False)
        self.held[self.length : needed] = block
        self.length = needed

    def done(self) -> NDArray[Any]:
        self.held.resize(self.length, refcheck=False)
        return self.held
