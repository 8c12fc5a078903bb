"""PostgreSQL's binary COPY in blocks of numpy records: rows by the million without a Python object for each value.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". A row is the number of its fields
(int16) and each field's length (int32) and bytes, all in network order; with columns of fixed width, rows are records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from sqlalchemy import ClauseElement

from app.core.db import db

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_BLOCK_ROWS = 1 << 16


def record(**columns: str) -> np.dtype[Any]:
    """The record of a row whose columns have these types of numpy, like `>f4` or `S16`, none of them NULL."""
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        parts += [(f"{name}_bytes", ">i4"), (name, kind)]
    return np.dtype(parts)


def blank(dtype: np.dtype[Any], rows: int) -> NDArray[Any]:
    """So many records to fill in, their lengths in place."""
    made = np.zeros(rows, dtype)
    names = [name for name in dtype.names or () if f"{name}_bytes" in (dtype.names or ())]
    made["fields"] = len(names)
    for name in names:
        made[f"{name}_bytes"] = dtype[name].itemsize
    return made


def read(query: ClauseElement, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """The query's rows in blocks of records, as the open transaction sees them; one snapshot, nothing held but a block.

    ValueError where a row isn't of the record's widths. Consume it before asking the session anything else.
    """
    compiled = query.compile(dialect=db.engine.dialect, compile_kwargs={"literal_binds": True})
    # psycopg's placeholders are doubled percent signs in what SQLAlchemy compiles; nothing is bound here.
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(sql.SQL(str(compiled).replace("%%", "%")))  # type: ignore[arg-type]
    with connection().cursor() as cursor, cursor.copy(statement) as copy:
        rows: Iterator[Any] = iter(copy)
        left = b""
        first = True
        while taken := b"".join(islice(rows, _BLOCK_ROWS)):
            left += taken
            if first:
                left, first = left[len(HEADER) :], False
            whole = len(left) // dtype.itemsize * dtype.itemsize
            if whole:
                yield _checked(np.frombuffer(left, dtype, whole // dtype.itemsize))
            left = left[whole:]
        if left != TRAILER:
            raise ValueError("a row of the answer is not of the width that was expected")


def write(table: str, columns: Iterable[str], blocks: Iterable[bytes]) -> None:
    """Rows into a table, within the open transaction; each block holds whole rows."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection().cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for block in blocks:
            copy.write(block)
        copy.write(TRAILER)


def connection() -> Connection[Any]:
    """psycopg's connection beneath the session, with what the session has to say already said."""
    db.session.flush()
    driver: Any = db.session.connection().connection.driver_connection
    return driver  # type: ignore[no-any-return]


def _checked(block: NDArray[Any]) -> NDArray[Any]:
    wanted = blank(block.dtype, 1)
    for name in block.dtype.names or ():
        if (name == "fields" or name.endswith("_bytes")) and (block[name] != wanted[name]).any():
            raise ValueError("a row of the answer is not of the width that was expected")
    return block
