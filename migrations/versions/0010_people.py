"""People: sessions as rows, roles by what they may do, letters' tokens, addresses, tries, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Listeners are customers; who was signed in signs in again, since their sessions were no rows."""
    op.drop_constraint(op.f("ck_account_role"), "account", type_="check")
    op.execute("UPDATE account SET role = 'customer' WHERE role = 'listener'")
    op.create_check_constraint(
        op.f("ck_account_role"), "account", "role IN ('customer', 'editor', 'support', 'manager', 'admin')"
    )
    op.add_column("account", sa.Column("currency", sa.String(3), nullable=True))
    op.add_column("account", sa.Column("second_factor", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("account", "second_factor", server_default=None)
    op.add_column("account", sa.Column("closed_at", _MOMENT, nullable=True))

    op.create_table(
        "account_session",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("address", sa.String(45), nullable=True),
        sa.Column("user_agent", sa.String(300), nullable=True),
        sa.Column("proved_at", _MOMENT, nullable=True),
        sa.Column("second_factor_at", _MOMENT, nullable=True),
        sa.Column("revoked_at", _MOMENT, nullable=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_account_session_token_hash")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_session_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_session_token_hash")),
    )
    op.create_index(op.f("ix_account_session_account_id"), "account_session", ["account_id"])
    op.create_index(op.f("ix_account_session_expires_at"), "account_session", ["expires_at"])

    op.create_table(
        "account_token",
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("account_id", sa.String(16), nullable=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("purpose IN ('register', 'reset', 'change_email')", name=op.f("ck_account_token_purpose")),
        sa.CheckConstraint("(purpose = 'register') = (account_id IS NULL)", name=op.f("ck_account_token_account")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_token_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_token_token_hash")),
    )
    op.create_index("ix_account_token_email_purpose", "account_token", ["email", "purpose"])
    op.create_index(op.f("ix_account_token_account_id"), "account_token", ["account_id"])
    op.create_index(op.f("ix_account_token_expires_at"), "account_token", ["expires_at"])

    op.create_table(
        "account_address",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("line1", sa.String(200), nullable=False),
        sa.Column("line2", sa.String(200), nullable=True),
        sa.Column("postal_code", sa.String(20), nullable=True),
        sa.Column("city", sa.String(120), nullable=False),
        sa.Column("region", sa.String(120), nullable=True),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_address_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_address")),
    )
    op.create_index(op.f("ix_account_address_account_id"), "account_address", ["account_id"])

    op.create_table(
        "account_totp",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("confirmed_at", _MOMENT, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_totp_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_totp")),
    )
    op.create_table(
        "account_passkey",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_passkey_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_account_passkey_credential_id")),
    )
    op.create_index(op.f("ix_account_passkey_account_id"), "account_passkey", ["account_id"])
    op.create_table(
        "account_recovery_code",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_recovery_code_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_recovery_code")),
    )
    op.create_index(op.f("ix_account_recovery_code_account_id"), "account_recovery_code", ["account_id"])
    op.create_table(
        "account_challenge",
        sa.Column("session_id", sa.String(16), nullable=False),
        sa.Column("purpose", sa.String(8), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["account_session.id"],
            name=op.f("fk_account_challenge_session_id_account_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "purpose", name=op.f("pk_account_challenge")),
    )

    op.create_table(
        "rate_hit",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("bucket", sa.LargeBinary(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_hit")),
    )
    op.create_index("ix_rate_hit_bucket_at", "rate_hit", ["bucket", "at"])
    op.create_index("ix_rate_hit_at", "rate_hit", ["at"])

    op.create_table(
        "editor_label",
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("label_id", sa.String(16), nullable=False),
        sa.Column("given_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_editor_label_account_id_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name=op.f("fk_editor_label_label_id_label")),
        sa.PrimaryKeyConstraint("account_id", "label_id", name=op.f("pk_editor_label")),
    )
    op.create_index(op.f("ix_editor_label_label_id"), "editor_label", ["label_id"])
    # Editors could work on everything so far: whoever is one keeps the labels there are.
    op.execute(
        "INSERT INTO editor_label (account_id, label_id, given_at)"
        " SELECT account.id, label.id, now() FROM account CROSS JOIN label WHERE account.role = 'editor'"
    )

    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor_id", sa.String(16), nullable=True),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_audit_entry_seq")),
        sa.CheckConstraint(
            "octet_length(prev_hash) = 32 AND octet_length(hash) = 32", name=op.f("ck_audit_entry_hashes")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_index("ix_audit_entry_actor_id", "audit_entry", ["actor_id", "seq"])
    op.create_index("ix_audit_entry_action", "audit_entry", ["action", "seq"])
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject", "seq"])
    op.execute(
        """
        CREATE FUNCTION audit_entry_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_entry_rows BEFORE UPDATE OR DELETE ON audit_entry"
        " FOR EACH ROW EXECUTE FUNCTION audit_entry_is_never_changed()"
    )
    op.execute(
        "CREATE TRIGGER audit_entry_whole BEFORE TRUNCATE ON audit_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_never_changed()"
    )


def downgrade() -> None:
    """Nobody gains by it: support staff are listeners again, managers editors. The log and the sessions go."""
    op.drop_table("audit_entry")
    op.execute("DROP FUNCTION audit_entry_is_never_changed()")
    for table in (
        "editor_label",
        "rate_hit",
        "account_challenge",
        "account_recovery_code",
        "account_passkey",
        "account_totp",
        "account_address",
        "account_token",
        "account_session",
    ):
        op.drop_table(table)
    for column in ("closed_at", "second_factor", "currency"):
        op.drop_column("account", column)
    op.drop_constraint(op.f("ck_account_role"), "account", type_="check")
    op.execute("UPDATE account SET role = 'listener' WHERE role IN ('customer', 'support')")
    op.execute("UPDATE account SET role = 'editor' WHERE role = 'manager'")
    op.create_check_constraint(op.f("ck_account_role"), "account", "role IN ('listener', 'editor', 'admin')")
