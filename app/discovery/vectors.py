"""Vectors in PostgreSQL: written by COPY, found by nearness, exactly in a small catalogue and by HNSW in a large one.

Each model in a large catalogue has indexes of its own, over its own rows only, made before it is used and dropped with
it: HNSW: Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
Small World graphs", TPAMI 2020, as pgvector has it. `docs/recommender.md` tells how its numbers were chosen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from psycopg import sql
from psycopg.errors import LockNotAvailable
from sqlalchemy import ColumnElement, cast, func, select, text

from app.catalog.models import Release, Status
from app.core.db import db
from app.discovery import copying
from app.discovery.models import FACTORS, RecommenderModel, ReleaseVector

Vectors = NDArray[np.float32]

EXACT_UP_TO = 5_000
"""So many releases are compared one by one: that forgets none, needs no index, and takes twice an index's time at most
(measured beside it; at 20,000 it takes ten times as long)."""

M, EF_CONSTRUCTION = 16, 64
"""Neighbours of a node of the graph, and how many are looked at to choose them."""

EF_SEARCH = 100
"""How many candidates a search keeps before it filters; it goes on for more where a filter left too few."""

_MEBIBYTE = 1 << 20
_BYTES_PER_NODE = 1200  # a halfvec of FACTORS, its neighbours and what the build keeps beside them
_MOST_MEMORY = 2048 * _MEBIBYTE
_BLOCK = 4096


class Near(StrEnum):
    """What nearness means, and pgvector's class of operators for it."""

    PRODUCT = "halfvec_ip_ops"  # a person and releases: the inner product, which knows how popular a release is
    ANGLE = "halfvec_cosine_ops"  # a release and others: the angle, which doesn't


def padded(vectors: Vectors) -> Vectors:
    """Zero-padded to FACTORS."""
    made = np.zeros((len(vectors), FACTORS), dtype=np.float32)
    made[:, : vectors.shape[1]] = vectors
    return made


def store(table: str, column: str, model_id: str, ids: Sequence[str], vectors: Vectors) -> int:
    """Write a model's vectors (one a row, FACTORS wide at most) within the open transaction; answers how many.

    A vector of no length points nowhere and is left out (its cosine would be no number), and so is what isn't finite.
    """
    fit = np.flatnonzero(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
    copying.write(table, ("model_id", column, "vector"), _rows(model_id, ids, vectors, fit))
    return len(fit)


def _rows(model_id: str, ids: Sequence[str], vectors: Vectors, fit: NDArray[np.intp]) -> Iterator[bytes]:
    model = model_id.encode()
    start = struct.pack(">hi", 3, len(model)) + model
    size = 4 + 4 * FACTORS
    # pgvector's binary form: dimensions (int16), an unused int16, then float4s.
    head = struct.pack(">ihh", size, FACTORS, 0)
    for first in range(0, len(fit), _BLOCK):
        chosen = fit[first : first + _BLOCK]
        body = padded(vectors[chosen]).astype(">f4").tobytes()
        parts = []
        for place, number in enumerate(chosen.tolist()):
            one = ids[number].encode()
            vector = body[place * 4 * FACTORS : (place + 1) * 4 * FACTORS]
            parts += [start, struct.pack(">i", len(one)), one, head, vector]
        yield b"".join(parts)


def index(model_id: str, releases: int) -> bool:
    """Index a model's releases where they are more than EXACT_UP_TO; whether it did.

    Within the open transaction, for the worker: a million releases take minutes. Shelves go on meanwhile.
    """
    if releases <= EXACT_UP_TO:
        return False
    memory = min(releases * _BYTES_PER_NODE + 64 * _MEBIBYTE, _MOST_MEMORY)
    db.session.execute(select(func.set_config("maintenance_work_mem", f"{memory // 1024}kB", True)))
    for near in Near:
        statement = sql.SQL(
            "CREATE INDEX IF NOT EXISTS {} ON release_vector USING hnsw ((vector::halfvec({})) {})"
            " WITH (m = {}, ef_construction = {}) WHERE model_id = {}"
        ).format(
            sql.Identifier(_index_name(model_id, near)),
            sql.Literal(FACTORS),
            sql.SQL(near.value),
            sql.Literal(M),
            sql.Literal(EF_CONSTRUCTION),
            sql.Literal(model_id),
        )
        copying.connection().execute(statement)
    return True


def drop_indexes(*, kept: Sequence[str]) -> None:
    """Drop what `index` made for other models than those; where somebody reads the table at length, the next time."""
    query = text("SELECT indexname FROM pg_indexes WHERE tablename = 'release_vector' AND indexname LIKE 'hnsw\\_%'")
    wanted = {_index_name(model_id, near) for model_id in kept for near in Near}
    there = [name for name in db.session.scalars(query) if name not in wanted]
    if not there:
        return
    try:
        with db.session.begin_nested():
            # Whoever wants to read waits behind us while we wait for the lock.
            db.session.execute(text("SET LOCAL lock_timeout = '500ms'"))
            copying.connection().execute(
                sql.SQL("DROP INDEX IF EXISTS {}").format(sql.SQL(", ").join(map(sql.Identifier, there)))
            )
            db.session.execute(text("SET LOCAL lock_timeout = DEFAULT"))
    except LockNotAvailable:
        pass  # they serve nobody, and cost only their room


def nearest(
    model: RecommenderModel, vector: Any, limit: int, *conditions: ColumnElement[bool], near: Near = Near.PRODUCT
) -> list[tuple[str, float]]:
    """Published releases that meet the conditions, nearest first: at most so many (release id, distance).

    Distance is the negative inner product, or 1 − cosine. `conditions` are about columns of `Release`, like
    `catalog.territory.sold_in`. They are tried as the search goes on, so that it finds `limit` of them though they be
    few: all there are in a small catalogue, in an index those among the nearest 20,000 (pgvector's
    hnsw.max_scan_tuples).
    """
    indexed = bool(model.settings.get("indexed"))
    column: Any = cast(ReleaseVector.vector, HALFVEC(FACTORS)) if indexed else ReleaseVector.vector
    distance = column.max_inner_product(vector) if near is Near.PRODUCT else column.cosine_distance(vector)
    query = (
        select(ReleaseVector.release_id, distance.label("distance"))
        .join(Release, ReleaseVector.release_id == Release.id)
        .where(ReleaseVector.model_id == model.id, Release.status == Status.PUBLISHED, *conditions)
        .limit(limit)
    )
    if indexed:
        # Relaxed: a little out of order, and put in order below; strict would throw away what comes late.
        db.session.execute(
            select(
                func.set_config("hnsw.iterative_scan", "relaxed_order", True),
                func.set_config("hnsw.ef_search", str(EF_SEARCH), True),
            )
        )
        query = query.order_by(distance)
    else:
        query = query.order_by(distance, ReleaseVector.release_id)
    found = [(release_id, float(away)) for release_id, away in db.session.execute(query)]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _index_name(model_id: str, near: Near) -> str:
    return f"hnsw_release_vector_{near.name.lower()}_{model_id}"
