"""Long lists, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, UnaryExpression, func, select

from app.core.db import db

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of what was found; `number` counts from 1, `total` is of all pages, `size` of one."""

    items: list[T]
    number: int
    total: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


def page_of(query: Select[T], *order: ColumnElement[Any] | UnaryExpression[Any], number: int, size: int) -> Page[T]:
    """That page of what the query finds, in that order: the first for a number below 1, the last for one beyond."""
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    number = min(max(1, number), max(1, -(-total // size)))
    found = db.session.scalars(query.order_by(*order).limit(size).offset((number - 1) * size))
    return Page(list(found), number, total, size)
