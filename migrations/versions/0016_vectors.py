"""Vectors of up to 128 factors, each model's gram kept with it, and how many people and releases meet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLES = ("release_vector", "account_vector")


def upgrade() -> None:
    """Vectors are padded with zeros, which changes no product and no angle: the model in use stays in use."""
    for table in _TABLES:
        op.execute(
            f"ALTER TABLE {table} ALTER COLUMN vector TYPE vector(128)"
            " USING (vector::real[] || array_fill(0::real, ARRAY[64]))::vector(128)"
        )
    op.add_column("recommender_model", sa.Column("gram", sa.LargeBinary(), nullable=True))
    # Without it the planner takes the pairs for far fewer than they are, and the sums for small enough to hash.
    op.execute("CREATE STATISTICS event_pair (ndistinct) ON account_id, release_id FROM event")


def downgrade() -> None:
    """A model of more than 64 factors is forgotten; the next training makes one that fits."""
    op.execute("DROP STATISTICS event_pair")
    op.execute(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT indexname FROM pg_indexes"
        " WHERE tablename = 'release_vector' AND indexname LIKE 'hnsw\\_%'"
        " LOOP EXECUTE format('DROP INDEX %I', name); END LOOP; END $$"
    )
    op.execute("DELETE FROM recommender_model WHERE (settings->>'factors')::int > 64")
    op.execute("UPDATE recommender_model SET settings = settings - 'indexed'")
    op.drop_column("recommender_model", "gram")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN vector TYPE vector(64) USING subvector(vector, 1, 64)")
