"""The ledger, which nothing can change, and how far the gateway's events were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Orders from before get their entries when the sweep has asked the gateway what was paid."""
    op.create_table(
        "ledger_entry",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=16), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('order', 'payment', 'fee', 'refund', 'refund_failed', 'dispute', 'dispute_won', 'dispute_lost',"
            " 'gift')",
            name=op.f("ck_ledger_entry_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("key", name=op.f("uq_ledger_entry_key")),
        sa.UniqueConstraint("number", name=op.f("uq_ledger_entry_number")),
    )
    op.create_index(op.f("ix_ledger_entry_at"), "ledger_entry", ["at"], unique=False)
    op.create_index(op.f("ix_ledger_entry_kind"), "ledger_entry", ["kind"], unique=False)
    op.create_index(op.f("ix_ledger_entry_order_id"), "ledger_entry", ["order_id"], unique=False)
    op.create_index(op.f("ix_ledger_entry_payment_id"), "ledger_entry", ["payment_id"], unique=False)
    op.create_table(
        "payment_sweep",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("read_to", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_payment_sweep")),
    )
    op.create_table(
        "ledger_posting",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("entry_id", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.String(length=16), nullable=True),
        sa.CheckConstraint(
            "account IN ('gateway', 'buyers', 'sales', 'tax', 'gifts', 'fees', 'disputes', 'losses', 'unapplied')",
            name=op.f("ck_ledger_posting_account"),
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_ledger_posting_currency")),
        sa.CheckConstraint("minor <> 0", name=op.f("ck_ledger_posting_minor")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name=op.f("fk_ledger_posting_entry_id_ledger_entry")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_posting")),
    )
    op.create_index("ix_ledger_posting_account_currency", "ledger_posting", ["account", "currency"], unique=False)
    op.create_index(op.f("ix_ledger_posting_entry_id"), "ledger_posting", ["entry_id"], unique=False)
    op.create_index(op.f("ix_ledger_posting_line_id"), "ledger_posting", ["line_id"], unique=False)
    op.execute(
        """
        CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the ledger is written once: correct an entry by another'
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE entry varchar(16) := CASE TG_TABLE_NAME WHEN 'ledger_entry' THEN to_jsonb(NEW)->>'id'
                                                      ELSE to_jsonb(NEW)->>'entry_id' END;
        BEGIN
            IF (SELECT count(*) FROM ledger_posting WHERE entry_id = entry) < 2 OR EXISTS (
                SELECT FROM ledger_posting WHERE entry_id = entry GROUP BY currency HAVING sum(minor) <> 0
            ) THEN
                RAISE EXCEPTION 'ledger entry % does not balance', entry USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    for table in ("ledger_entry", "ledger_posting"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
        )
        op.execute(
            f"CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION ledger_entry_balances()"
        )


def downgrade() -> None:
    """The books go with their tables."""
    op.drop_index(op.f("ix_ledger_posting_line_id"), table_name="ledger_posting")
    op.drop_index(op.f("ix_ledger_posting_entry_id"), table_name="ledger_posting")
    op.drop_index("ix_ledger_posting_account_currency", table_name="ledger_posting")
    op.drop_table("ledger_posting")
    op.drop_table("payment_sweep")
    op.drop_index(op.f("ix_ledger_entry_payment_id"), table_name="ledger_entry")
    op.drop_index(op.f("ix_ledger_entry_order_id"), table_name="ledger_entry")
    op.drop_index(op.f("ix_ledger_entry_kind"), table_name="ledger_entry")
    op.drop_index(op.f("ix_ledger_entry_at"), table_name="ledger_entry")
    op.drop_table("ledger_entry")
    op.execute("DROP FUNCTION ledger_is_append_only()")
    op.execute("DROP FUNCTION ledger_entry_balances()")
