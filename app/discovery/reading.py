"""The event log as a matrix: aggregated by PostgreSQL, streamed by COPY, in memory only as what it becomes.

Peak memory is the result's arrays, grown block by block, and one block; the events themselves never leave the
database, which sorts and sums them within its own `work_mem` and spills to disk beyond it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CHAR, REAL, Select, cast, collate, select, text

from app.catalog.models import Release, Status
from app.core.db import db
from app.discovery import copying, signal
from app.discovery.models import Event
from app.recommender.interactions import Interactions

# Ids are shorter than this or as long; CHAR(16) fills them up with blanks, so that every row is as wide.
_ID = CHAR(16)
_RECORD = copying.record(person="S16", item="S16", r=">f4")

# What one sort or hash of the reading may take; a plan has a few, in up to three processes.
_WORK_MEM = "128MB"
_AT_ONCE = 1 << 18


def preferences(until: int) -> Select[tuple[str, str, float]]:
    """(account id, release id, r > 0) by the events that stand, of published releases, up to that id.

    Ordered by account, as bytes are and not as the database's collation would have it.
    """
    summed = (
        select(
            collate(Event.account_id, "C").label("person_id"), Event.release_id, signal.preference().label("preference")
        )
        .join(Release, Release.id == Event.release_id)
        .where(signal.stands(), Event.id <= until, Release.status == Status.PUBLISHED)
        .group_by("person_id", Event.release_id)
        .having(signal.preference() > 0)
        .subquery()
    )
    return select(
        cast(summed.c.person_id, _ID), cast(summed.c.release_id, _ID), cast(summed.c.preference, REAL)
    ).order_by(summed.c.person_id)


def interactions(until: int) -> Interactions:
    """The matrix of all events up to that id, as one statement of the open transaction sees them: one snapshot.

    The same events give the same matrix. Without any, it has no rows and no columns.
    """
    from scipy.sparse import csr_matrix

    db.session.execute(text("SELECT set_config('work_mem', :size, true)"), {"size": _WORK_MEM})
    people, pairs_of = _Column("S16"), _Column("i4")
    columns, values = _Column("i4"), _Column("f4")
    number_of: dict[bytes, int] = {}
    last = b""
    for block in copying.read(preferences(until), _RECORD):
        ids = block["person"]
        starts = np.flatnonzero(np.concatenate(([ids[0] != last], ids[1:] != ids[:-1])))
        counts = np.diff(np.append(starts, len(ids)))
        if ids[0] == last:
            pairs_of.held[pairs_of.length - 1] += starts[0] if len(starts) else len(ids)
        people.append(ids[starts])
        pairs_of.append(counts)
        last = ids[-1]
        found, where = np.unique(block["item"], return_inverse=True)
        numbers = [number_of.setdefault(item, len(number_of)) for item in found.tolist()]
        columns.append(np.array(numbers, dtype=np.int32)[where])
        values.append(block["r"])
    item_ids = np.array(sorted(number_of), dtype="S16")
    rank = np.empty(len(number_of), dtype=np.int32)
    rank[[number_of[item] for item in item_ids.tolist()]] = np.arange(len(item_ids))
    indices = columns.done()
    for start in range(0, len(indices), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        indices[part] = rank[indices[part]]
    counts = pairs_of.done()
    indptr = np.zeros(len(counts) + 1, dtype=np.int32 if len(indices) < 2**31 else np.int64)
    np.cumsum(counts, out=indptr[1:])
    matrix = csr_matrix((values.done(), indices, indptr), shape=(len(counts), len(item_ids)), copy=False)
    matrix.sort_indices()
    return Interactions(np.char.rstrip(people.done()), np.char.rstrip(item_ids), matrix)


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
