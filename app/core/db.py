"""The database session, the declarative base, and the one way to commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, MetaData, String, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from app.core import clock, ids


class Base(DeclarativeBase):
    """Every constraint has a predictable name, so that migrations and error handlers can say it."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={datetime: DateTime(timezone=True)},
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
if TYPE_CHECKING:
    Model = Base  # what db.Model is, in words the type checker can follow
else:
    Model = db.Model


class Identified:
    """An unguessable id, safe to show in a URL."""

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=ids.new_id)


class Timestamped:
    """When the row was made (UTC, aware)."""

    # Asked of the module each time: a test moves the clock there.
    created_at: Mapped[datetime] = mapped_column(default=lambda: clock.now())


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what the block did, or roll all of it back. Only entry points open one."""
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@event.listens_for(Engine, "connect")
def _utc(connection: object, _record: object) -> None:
    """Times come back in UTC whatever the server's own zone is."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("SET timezone TO 'UTC'")
    cursor.close()
    connection.commit()  # type: ignore[attr-defined]
