"""What keeps the store clean."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Objects that nothing needs are remembered for a while, and ended plays are found by when they ended."""
    op.create_table(
        "unneeded",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_unneeded")),
    )
    op.create_index(op.f("ix_play_session_expires_at"), "play_session", ["expires_at"], unique=False)


def downgrade() -> None:
    """Forget them."""
    op.drop_index(op.f("ix_play_session_expires_at"), table_name="play_session")
    op.drop_table("unneeded")
