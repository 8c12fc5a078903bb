"""Pins, boosts and trials of shelves; what was shown on them, and what was followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty at first."""
    op.create_table(
        "shelf_sample",
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf_sample")),
    )
    op.create_index(op.f("ix_shelf_sample_taken_at"), "shelf_sample", ["taken_at"], unique=False)
    op.create_table(
        "shelf_trial",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("question", sa.String(length=40), nullable=False),
        sa.Column("variants", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metric", sa.String(length=12), nullable=False),
        sa.Column("salt", sa.String(length=16), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("metric IN ('clicks', 'purchases')", name=op.f("ck_shelf_trial_metric")),
        sa.CheckConstraint("started_at IS NULL OR until_at IS NOT NULL", name=op.f("ck_shelf_trial_until")),
        sa.CheckConstraint("stopped_at IS NULL OR started_at IS NOT NULL", name=op.f("ck_shelf_trial_stopped")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf_trial")),
        sa.UniqueConstraint("name", name=op.f("uq_shelf_trial_name")),
    )
    op.create_table(
        "exposure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=8), nullable=False),
        sa.Column("shelf", sa.String(length=24), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=True),
        sa.Column("source", sa.String(length=12), nullable=True),
        sa.Column("unit", sa.String(length=32), nullable=True),
        sa.Column("trial_id", sa.String(length=16), nullable=True),
        sa.Column("variant", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "unit IS NOT NULL OR (trial_id IS NULL AND date_trunc('day', at, 'UTC') = at)",
            name=op.f("ck_exposure_nobody"),
        ),
        sa.CheckConstraint("what IN ('shown', 'followed')", name=op.f("ck_exposure_what")),
        sa.CheckConstraint("(trial_id IS NULL) = (variant IS NULL)", name=op.f("ck_exposure_variant")),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_exposure_release_id_release"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["shelf_trial.id"], name=op.f("fk_exposure_trial_id_shelf_trial"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposure")),
    )
    op.create_index("ix_exposure_at", "exposure", ["at"], unique=False)
    op.create_index("ix_exposure_release_id_at", "exposure", ["release_id", "at"], unique=False)
    op.create_index(
        "ix_exposure_trial_id", "exposure", ["trial_id"], unique=False, postgresql_where=sa.text("trial_id IS NOT NULL")
    )
    op.create_index(
        "ix_exposure_unit", "exposure", ["unit", "at"], unique=False, postgresql_where=sa.text("unit IS NOT NULL")
    )
    op.create_table(
        "exposure_count",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("shelf", sa.String(length=24), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("followed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_exposure_count_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("day", "release_id", "shelf", name=op.f("pk_exposure_count")),
    )
    op.create_index(op.f("ix_exposure_count_release_id"), "exposure_count", ["release_id"], unique=False)
    op.create_table(
        "shelf_boost",
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("shelf", sa.String(length=24), nullable=True),
        sa.Column("halves", sa.SmallInteger(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("halves BETWEEN -2 AND 2 AND halves <> 0", name=op.f("ck_shelf_boost_halves")),
        sa.CheckConstraint("until_on >= from_on", name=op.f("ck_shelf_boost_dates")),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_shelf_boost_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf_boost")),
    )
    op.create_index(op.f("ix_shelf_boost_release_id"), "shelf_boost", ["release_id"], unique=False)
    op.create_index("ix_shelf_boost_until_on", "shelf_boost", ["until_on"], unique=False)
    op.create_table(
        "shelf_pin",
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("shelf", sa.String(length=24), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("place BETWEEN 1 AND 6", name=op.f("ck_shelf_pin_place")),
        sa.CheckConstraint("until_on >= from_on", name=op.f("ck_shelf_pin_dates")),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_shelf_pin_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf_pin")),
    )
    op.create_index(op.f("ix_shelf_pin_release_id"), "shelf_pin", ["release_id"], unique=False)
    op.create_index("ix_shelf_pin_until_on", "shelf_pin", ["until_on"], unique=False)


def downgrade() -> None:
    """All of it is lost."""
    for table in ("shelf_pin", "shelf_boost", "exposure_count", "exposure", "shelf_trial", "shelf_sample"):
        op.drop_table(table)
