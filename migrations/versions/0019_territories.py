"""Where a release may be sold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was sold everywhere still is."""
    op.add_column("release", sa.Column("territories", sa.ARRAY(sa.String(length=2)), nullable=True))
    op.add_column("release", sa.Column("territories_barred", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_check_constraint(
        "territories",
        "release",
        "CASE WHEN territories IS NULL THEN NOT territories_barred"
        " ELSE cardinality(territories) > 0 AND array_position(territories, NULL) IS NULL END",
    )


def downgrade() -> None:
    """The shop before knew no territories. What may not be sold everywhere goes back to draft: who bought it keeps it,
    and nobody sells it where it may not be."""
    op.execute(
        "UPDATE release SET status = 'draft', published_at = NULL, publish_when_ready = false"
        " WHERE territories IS NOT NULL"
    )
    op.drop_constraint("territories", "release", type_="check")
    op.drop_column("release", "territories_barred")
    op.drop_column("release", "territories")
