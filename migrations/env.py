"""Alembic's entry: one connection, one transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from app.models import metadata


def include_object(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Procrastinate's tables are its own; its SQL makes and unmakes them."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = create_engine(url, poolclass=pool.NullPool)
with engine.begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
