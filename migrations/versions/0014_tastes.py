"""What people say of releases and of being recommended to; more kinds of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BEFORE = "'view', 'preview', 'play', 'cart', 'purchase', 'download', 'refund'"
_SINCE = (
    "'view', 'preview', 'play', 'finish', 'skip', 'wishlist', 'cart', 'purchase', 'download',"
    " 'rating', 'elsewhere', 'dismiss', 'refund'"
)


def upgrade() -> None:
    """Nobody was asked yet whether what they play may count: until they say yes, what is in the log of it doesn't."""
    op.drop_constraint("kind", "event", type_="check")
    op.create_check_constraint("kind", "event", f"kind IN ({_SINCE})")
    op.create_check_constraint("value", "event", "value BETWEEN -1 AND 1")
    op.create_index(
        "ix_event_replacing",
        "event",
        ["account_id", "release_id", "kind", "at"],
        postgresql_where=sa.text("kind IN ('wishlist', 'rating', 'elsewhere', 'dismiss')"),
    )
    op.create_table(
        "taste",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("listening", sa.Boolean(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('on', 'paused', 'off')", name=op.f("ck_taste_mode")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_taste_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_taste")),
    )
    op.create_index(op.f("ix_taste_changed_at"), "taste", ["changed_at"], unique=False)
    op.execute(
        "INSERT INTO taste (account_id, mode, listening, changed_at)"
        " SELECT DISTINCT account_id, 'on', NULL::boolean, now() FROM event WHERE kind IN ('view', 'preview', 'play')"
    )
    op.create_table(
        "opinion",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=True),
        sa.Column("stars", sa.SmallInteger(), nullable=True),
        sa.Column("left_out", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('dismissed', 'elsewhere')", name=op.f("ck_opinion_verdict")),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_opinion_stars")),
        sa.CheckConstraint(
            "verdict IS NOT NULL OR stars IS NOT NULL OR left_out", name=op.f("ck_opinion_says_something")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_opinion_account_id_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_opinion_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "release_id", name=op.f("pk_opinion")),
    )
    op.create_index(op.f("ix_opinion_release_id"), "opinion", ["release_id"], unique=False)


def downgrade() -> None:
    """What was said is lost, and the events of the kinds that there were not."""
    op.drop_table("opinion")
    op.drop_table("taste")
    op.drop_index("ix_event_replacing", table_name="event")
    op.execute(f"DELETE FROM event WHERE kind NOT IN ({_BEFORE})")  # noqa: S608
    op.drop_constraint("value", "event", type_="check")
    op.drop_constraint("kind", "event", type_="check")
    op.create_check_constraint("kind", "event", f"kind IN ({_BEFORE})")
