"""The parts of a film that workers share, and streams that are on air while they are made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Where a job's stream is made, and a film's chunks."""
    op.add_column("transcode_job", sa.Column("stream_prefix", sa.String(length=120), nullable=True))
    op.create_table(
        "film_chunk",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("chunk", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("taken_by", sa.String(length=40), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done')", name=op.f("ck_film_chunk_state")),
        sa.CheckConstraint("(state = 'done') = (report IS NOT NULL)", name=op.f("ck_film_chunk_report")),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["transcode_job.id"],
            name=op.f("fk_film_chunk_job_id_transcode_job"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_film_chunk")),
    )
    op.create_index("uq_film_chunk_job_id_number", "film_chunk", ["job_id", "number"], unique=True)


def downgrade() -> None:
    """Films are whole again."""
    op.drop_table("film_chunk")
    op.drop_column("transcode_job", "stream_prefix")
