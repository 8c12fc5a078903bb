"""Alembic without its command line: the schema goes up and down from code."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

from app.settings import ROOT


def config(sqlalchemy_url: str) -> Config:
    """Alembic's configuration for a database."""
    made = Config()
    made.set_main_option("script_location", str(ROOT / "migrations"))
    made.set_main_option("sqlalchemy.url", sqlalchemy_url.replace("%", "%%"))
    return made


def upgrade(sqlalchemy_url: str, revision: str = "head") -> None:
    """Bring the schema up to a revision."""
    command.upgrade(config(sqlalchemy_url), revision)


def downgrade(sqlalchemy_url: str, revision: str) -> None:
    """Take the schema down to a revision; `base` is the empty database."""
    command.downgrade(config(sqlalchemy_url), revision)
