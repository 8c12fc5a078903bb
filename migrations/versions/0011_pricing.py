"""Offers that are free, open, lent or bundled; price lists; coupons; the evidence that orders are taxed by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_CURRENCY = "currency ~ '^[A-Z]{3}$'"


def upgrade() -> None:
    """What is sold today stays sold at its price: a plain offer of the kind `buy`."""
    _offers()
    _coupons()
    op.create_table(
        "tax_evidence",
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("taxed_in", sa.String(length=2), nullable=True),
        sa.Column("treatment", sa.String(length=16), nullable=False),
        sa.Column("agreement", sa.String(length=8), nullable=False),
        sa.Column("billing_country", sa.String(length=2), nullable=True),
        sa.Column("ip_country", sa.String(length=2), nullable=True),
        sa.Column("card_country", sa.String(length=2), nullable=True),
        sa.Column("vat_number", sa.String(length=20), nullable=True),
        sa.Column("vat_verdict", sa.String(length=8), nullable=True),
        sa.Column("vat_source", sa.String(length=60), nullable=True),
        sa.Column("vat_reference", sa.String(length=60), nullable=True),
        sa.Column("vat_name", sa.String(length=300), nullable=True),
        sa.Column("vat_asked_at", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "treatment IN ('taxed', 'reverse_charge', 'not_collected')", name=op.f("ck_tax_evidence_treatment")
        ),
        sa.CheckConstraint(
            "agreement IN ('agreed', 'single', 'conflict', 'none')", name=op.f("ck_tax_evidence_agreement")
        ),
        sa.CheckConstraint(
            "treatment <> 'reverse_charge' OR vat_number IS NOT NULL", name=op.f("ck_tax_evidence_vat_number")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_tax_evidence")),
    )
    op.create_index(op.f("ix_tax_evidence_agreement"), "tax_evidence", ["agreement"], unique=False)
    op.create_table(
        "wish",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_wish_account_id_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_wish_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "release_id", name=op.f("pk_wish")),
    )
    op.create_index(op.f("ix_wish_release_id"), "wish", ["release_id"], unique=False)


def downgrade() -> None:
    """Only what could be sold before stays on sale; other offers are retired."""
    op.drop_table("wish")
    op.drop_table("tax_evidence")
    for table in ("coupon_tally", "coupon_use", "coupon_code", "coupon_scope", "coupon_terms", "coupon"):
        op.drop_table(table)
    # What the older shop can't express: it may not sell it, and what was sold of it must stay told. A bundle that was
    # sold becomes a retired offer of its first release; what was free gets a price that nobody is asked any more.
    op.execute("UPDATE offer SET active = false WHERE kind <> 'buy' OR price_minor = 0 OR open_price")
    op.drop_constraint(op.f("ck_offer_one_subject"), "offer", type_="check")
    op.execute(
        "UPDATE offer SET release_id ="
        " (SELECT release_id FROM bundled_release WHERE offer_id = offer.id ORDER BY position LIMIT 1)"
        " WHERE kind = 'bundle'"
    )
    op.drop_constraint(op.f("ck_offer_price"), "offer", type_="check")
    op.execute("UPDATE offer SET price_minor = 1 WHERE price_minor = 0")
    op.drop_table("bundled_release")
    op.drop_table("price")
    op.drop_index("uq_offer_active_track", table_name="offer")
    op.drop_index("uq_offer_active_release", table_name="offer")
    for name in ("kind", "bundle_title", "rental_terms", "open_price", "currency"):
        op.drop_constraint(op.f(f"ck_offer_{name}"), "offer", type_="check")
    for column in ("kind", "title", "title_zh", "open_price", "rental_days", "rental_hours"):
        op.drop_column("offer", column)
    op.create_check_constraint(op.f("ck_offer_one_subject"), "offer", "(release_id IS NULL) <> (track_id IS NULL)")
    op.create_check_constraint(op.f("ck_offer_price_positive"), "offer", "price_minor > 0")
    for subject in ("release", "track"):
        op.create_index(
            f"uq_offer_active_{subject}",
            "offer",
            [f"{subject}_id", "currency"],
            unique=True,
            postgresql_where=sa.text(f"active AND {subject}_id IS NOT NULL"),
        )


def _offers() -> None:
    op.add_column("offer", sa.Column("kind", sa.String(length=8), nullable=False, server_default="buy"))
    op.add_column("offer", sa.Column("title", sa.String(length=300), nullable=True))
    op.add_column("offer", sa.Column("title_zh", sa.String(length=300), nullable=True))
    op.add_column("offer", sa.Column("open_price", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("offer", sa.Column("rental_days", sa.Integer(), nullable=True))
    op.add_column("offer", sa.Column("rental_hours", sa.Integer(), nullable=True))
    op.alter_column("offer", "kind", server_default=None)
    op.alter_column("offer", "open_price", server_default=None)
    op.drop_constraint(op.f("ck_offer_price_positive"), "offer", type_="check")
    op.drop_constraint(op.f("ck_offer_one_subject"), "offer", type_="check")
    for name, rule in (
        ("kind", "kind IN ('buy', 'rental', 'bundle')"),
        (
            "one_subject",
            "CASE kind WHEN 'bundle' THEN num_nonnulls(release_id, track_id) = 0"
            " WHEN 'rental' THEN release_id IS NOT NULL AND track_id IS NULL"
            " ELSE num_nonnulls(release_id, track_id) = 1 END",
        ),
        ("bundle_title", "(kind = 'bundle') = (title IS NOT NULL)"),
        (
            "rental_terms",
            "CASE kind WHEN 'rental' THEN num_nulls(rental_days, rental_hours) = 0"
            " AND rental_days BETWEEN 1 AND 365 AND rental_hours BETWEEN 1 AND 8760"
            " ELSE num_nonnulls(rental_days, rental_hours) = 0 END",
        ),
        ("open_price", "NOT open_price OR kind <> 'rental'"),
        ("price", "price_minor BETWEEN 0 AND 99999999"),
        ("currency", _CURRENCY),
    ):
        op.create_check_constraint(op.f(f"ck_offer_{name}"), "offer", rule)
    # One way to buy a thing at a time, whatever the currency: the newest of what was there stays.
    op.execute(
        "UPDATE offer SET active = false FROM offer AS newer WHERE offer.active AND newer.active"
        " AND (newer.release_id = offer.release_id OR newer.track_id = offer.track_id)"
        " AND (newer.created_at, newer.id) > (offer.created_at, offer.id)"
    )
    op.drop_index("uq_offer_active_release", table_name="offer")
    op.drop_index("uq_offer_active_track", table_name="offer")
    op.create_index(
        "uq_offer_active_release",
        "offer",
        ["release_id", "kind"],
        unique=True,
        postgresql_where=sa.text("active AND release_id IS NOT NULL"),
    )
    op.create_index(
        "uq_offer_active_track",
        "offer",
        ["track_id"],
        unique=True,
        postgresql_where=sa.text("active AND track_id IS NOT NULL"),
    )
    op.create_table(
        "price",
        sa.Column("offer_id", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=False),
        sa.CheckConstraint("minor BETWEEN 0 AND 99999999", name=op.f("ck_price_minor")),
        sa.CheckConstraint(_CURRENCY, name=op.f("ck_price_currency")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_price_offer_id_offer"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("offer_id", "currency", name=op.f("pk_price")),
    )
    op.create_table(
        "bundled_release",
        sa.Column("offer_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("position >= 1", name=op.f("ck_bundled_release_position")),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.id"], name=op.f("fk_bundled_release_offer_id_offer"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_bundled_release_release_id_release")),
        sa.PrimaryKeyConstraint("offer_id", "release_id", name=op.f("pk_bundled_release")),
        sa.UniqueConstraint("offer_id", "position", name=op.f("uq_bundled_release_offer_id_position")),
    )
    op.create_index(op.f("ix_bundled_release_release_id"), "bundled_release", ["release_id"], unique=False)


def _coupons() -> None:
    op.create_table(
        "coupon",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("percent", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("first_order_only", sa.Boolean(), nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("max_uses_each", sa.Integer(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("percent > 0 AND percent <= 100", name=op.f("ck_coupon_percent")),
        sa.CheckConstraint("max_uses > 0 AND max_uses_each > 0", name=op.f("ck_coupon_limits")),
        sa.CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name=op.f("ck_coupon_uses")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_coupon_dates")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon")),
    )
    op.create_table(
        "coupon_terms",
        sa.Column("coupon_id", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("off_minor", sa.Integer(), nullable=True),
        sa.Column("least_minor", sa.Integer(), nullable=True),
        sa.CheckConstraint("off_minor > 0 AND least_minor > 0", name=op.f("ck_coupon_terms_positive")),
        sa.CheckConstraint("num_nonnulls(off_minor, least_minor) > 0", name=op.f("ck_coupon_terms_says_something")),
        sa.CheckConstraint(_CURRENCY, name=op.f("ck_coupon_terms_currency")),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_terms_coupon_id_coupon"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("coupon_id", "currency", name=op.f("pk_coupon_terms")),
    )
    op.create_table(
        "coupon_scope",
        sa.Column("coupon_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=True),
        sa.Column("label_id", sa.String(length=16), nullable=True),
        sa.Column("account_id", sa.String(length=16), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(release_id, label_id, account_id) = 1", name=op.f("ck_coupon_scope_one_subject")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_coupon_scope_account_id_account")),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_scope_coupon_id_coupon"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name=op.f("fk_coupon_scope_label_id_label")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_coupon_scope_release_id_release")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_scope")),
        sa.UniqueConstraint("coupon_id", "account_id", name=op.f("uq_coupon_scope_coupon_id_account_id")),
        sa.UniqueConstraint("coupon_id", "label_id", name=op.f("uq_coupon_scope_coupon_id_label_id")),
        sa.UniqueConstraint("coupon_id", "release_id", name=op.f("uq_coupon_scope_coupon_id_release_id")),
    )
    op.create_table(
        "coupon_code",
        sa.Column("coupon_id", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("code ~ '^[0-9A-Z]{3,40}$'", name=op.f("ck_coupon_code_code")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_code_coupon_id_coupon")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_code")),
        sa.UniqueConstraint("code", name=op.f("uq_coupon_code_code")),
    )
    op.create_index(op.f("ix_coupon_code_coupon_id"), "coupon_code", ["coupon_id"], unique=False)
    op.create_table(
        "coupon_use",
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("coupon_id", sa.String(length=16), nullable=False),
        sa.Column("code_id", sa.String(length=16), nullable=False),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("customers", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("discount_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('reserved', 'taken', 'released', 'late')", name=op.f("ck_coupon_use_state")),
        sa.CheckConstraint("discount_minor > 0", name=op.f("ck_coupon_use_discount")),
        sa.ForeignKeyConstraint(["code_id"], ["coupon_code.id"], name=op.f("fk_coupon_use_code_id_coupon_code")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_use_coupon_id_coupon")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_coupon_use")),
    )
    op.create_index(op.f("ix_coupon_use_code_id"), "coupon_use", ["code_id"], unique=False)
    op.create_index(op.f("ix_coupon_use_coupon_id"), "coupon_use", ["coupon_id"], unique=False)
    op.create_index(
        "uq_coupon_use_single",
        "coupon_use",
        ["code_id"],
        unique=True,
        postgresql_where=sa.text("single_use AND state IN ('reserved', 'taken')"),
    )
    op.create_table(
        "coupon_tally",
        sa.Column("coupon_id", sa.String(length=16), nullable=False),
        sa.Column("customer", sa.String(length=64), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.CheckConstraint("uses >= 0", name=op.f("ck_coupon_tally_uses")),
        sa.ForeignKeyConstraint(
            ["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_tally_coupon_id_coupon"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("coupon_id", "customer", name=op.f("pk_coupon_tally")),
    )
