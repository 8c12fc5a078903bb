"""What a track sounds like: tempo, key, loudness and a vector of figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty at first: a sweep has what is published heard."""
    op.create_table(
        "sound",
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("master_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tempo", sa.Double(), nullable=True),
        sa.Column("tempo_confidence", sa.Double(), nullable=False),
        sa.Column("key", sa.SmallInteger(), nullable=True),
        sa.Column("mode", sa.String(length=5), nullable=True),
        sa.Column("key_confidence", sa.Double(), nullable=False),
        sa.Column("loudness", sa.Double(), nullable=True),
        sa.Column("loudness_range", sa.Double(), nullable=True),
        sa.Column("vector", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tempo > 0", name=op.f("ck_sound_tempo")),
        sa.CheckConstraint("key BETWEEN 0 AND 11", name=op.f("ck_sound_key")),
        sa.CheckConstraint("(key IS NULL) = (mode IS NULL) AND mode IN ('major', 'minor')", name=op.f("ck_sound_mode")),
        sa.CheckConstraint(
            "tempo_confidence BETWEEN 0 AND 1 AND key_confidence BETWEEN 0 AND 1", name=op.f("ck_sound_confidence")
        ),
        sa.ForeignKeyConstraint(["master_id"], ["master.id"], name=op.f("fk_sound_master_id_master")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_sound_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sound")),
        sa.UniqueConstraint("track_id", name=op.f("uq_sound_track_id")),
    )
    op.create_index(op.f("ix_sound_master_id"), "sound", ["master_id"], unique=False)


def downgrade() -> None:
    """Nobody hears."""
    op.drop_table("sound")
