"""The job queue's tables, by Procrastinate's own SQL.

The lock file pins Procrastinate; whoever raises it adds a revision that runs what its
`procrastinate/sql/migrations` holds between the two versions.
"""

from __future__ import annotations

from alembic import op
from procrastinate import App, PsycopgConnector
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the queue."""
    schema = SchemaManager(connector=App(connector=PsycopgConnector()).connector).get_schema()
    cursor = op.get_bind().connection.cursor()
    cursor.execute(schema)


def downgrade() -> None:
    """Unmake it: nothing else in the database carries its prefix."""
    op.execute(
        """
        DO $$
        DECLARE item record;
        BEGIN
            FOR item IN SELECT tablename AS name FROM pg_tables
                WHERE schemaname = current_schema() AND starts_with(tablename, 'procrastinate_')
            LOOP EXECUTE format('DROP TABLE %I CASCADE', item.name); END LOOP;
            FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p
                WHERE starts_with(p.proname, 'procrastinate_')
            LOOP EXECUTE format('DROP FUNCTION %s CASCADE', item.name); END LOOP;
            FOR item IN SELECT typname AS name FROM pg_type
                WHERE starts_with(typname, 'procrastinate_') AND typtype IN ('e', 'c')
            LOOP EXECUTE format('DROP TYPE IF EXISTS %I CASCADE', item.name); END LOOP;
        END $$
        """
    )
