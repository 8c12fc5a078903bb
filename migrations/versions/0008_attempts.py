"""Attempts that do not count, why a chunk did not succeed, and renditions found by what they hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Numbers of attempts are never given twice; a chunk says what was wrong with it last."""
    op.add_column("transcode_job", sa.Column("uncounted", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("film_chunk", sa.Column("reason", sa.Text(), nullable=True))
    op.create_index(op.f("ix_rendition_key"), "rendition", ["key"], unique=False)


def downgrade() -> None:
    """Every attempt counts again."""
    op.drop_index(op.f("ix_rendition_key"), table_name="rendition")
    op.drop_column("film_chunk", "reason")
    op.drop_column("transcode_job", "uncounted")
