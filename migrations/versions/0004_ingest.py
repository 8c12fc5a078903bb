"""What an ingest report says of a master, and its acoustic fingerprint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Findings and fingerprints by the master's SHA-256, and which of them are one recording."""
    op.create_table(
        "inspection",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection")),
        sa.UniqueConstraint("sha256", name=op.f("uq_inspection_sha256")),
    )
    op.create_index("ix_inspection_words", "inspection", ["words"], unique=False, postgresql_using="gin")
    op.create_table(
        "sound_alike",
        sa.Column("one", sa.String(length=64), nullable=False),
        sa.Column("other", sa.String(length=64), nullable=False),
        sa.Column("difference", sa.Double(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("one < other", name=op.f("ck_sound_alike_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sound_alike")),
    )
    op.create_index("uq_sound_alike_one_other", "sound_alike", ["one", "other"], unique=True)
    op.create_index(op.f("ix_sound_alike_other"), "sound_alike", ["other"], unique=False)


def downgrade() -> None:
    """Nobody listens to masters."""
    op.drop_table("sound_alike")
    op.drop_table("inspection")
