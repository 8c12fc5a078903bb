"""Subtitles sent beside a film."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Files of subtitles, by the film they belong to."""
    op.create_table(
        "subtitle",
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("captions", sa.Boolean(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("encoding", sa.String(length=12), nullable=False),
        sa.Column("cues", sa.Integer(), nullable=False),
        sa.Column("webvtt", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_subtitle_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subtitle")),
    )
    op.create_index("uq_subtitle_track_id_sha256", "subtitle", ["track_id", "sha256"], unique=True)


def downgrade() -> None:
    """Films have the subtitles that are in their masters."""
    op.drop_table("subtitle")
