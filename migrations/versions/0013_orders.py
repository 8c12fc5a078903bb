"""Orders as immutable quotes, for guests too; rentals, gifts and claims; refunds and cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was ordered before was asked for at its list price, without tax."""
    _carts()
    _orders()
    _licenses()
    _after_sales()


def _carts() -> None:
    op.add_column("cart", sa.Column("email", sa.String(length=254), nullable=True))
    op.add_column("cart", sa.Column("country", sa.String(length=2), nullable=True))
    op.add_column("cart", sa.Column("vat_number", sa.String(length=20), nullable=True))
    op.add_column("cart", sa.Column("coupon_code", sa.String(length=40), nullable=True))
    op.add_column("cart_item", sa.Column("named_minor", sa.Integer(), nullable=True))
    op.add_column("cart_item", sa.Column("named_currency", sa.String(length=3), nullable=True))
    op.add_column("cart_item", sa.Column("seen_minor", sa.Integer(), nullable=True))
    op.add_column("cart_item", sa.Column("seen_currency", sa.String(length=3), nullable=True))
    op.add_column("cart_item", sa.Column("gift_to", sa.String(length=254), nullable=True))
    op.add_column("cart_item", sa.Column("gift_on", sa.Date(), nullable=True))
    op.add_column("cart_item", sa.Column("gift_from", sa.String(length=100), nullable=True))
    op.add_column("cart_item", sa.Column("gift_message", sa.String(length=1000), nullable=True))
    op.add_column("cart_item", sa.Column("id", sa.String(length=16), nullable=True))
    op.create_index(op.f("ix_cart_item_cart_id"), "cart_item", ["cart_id"], unique=False)
    op.create_index(
        "uq_cart_item_cart_id_offer_id_gift_to",
        "cart_item",
        ["cart_id", "offer_id", "gift_to"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.execute("UPDATE cart_item SET id = substr(md5(random()::text || offer_id), 1, 16)")
    for name in ("id",):
        op.alter_column("cart_item", name, nullable=False)
    op.drop_constraint("pk_cart_item", "cart_item", type_="primary")
    op.create_primary_key("pk_cart_item", "cart_item", ["id"])
    op.create_check_constraint("named", "cart_item", "(named_minor IS NULL) = (named_currency IS NULL)")
    op.create_check_constraint("seen", "cart_item", "(seen_minor IS NULL) = (seen_currency IS NULL)")
    op.create_check_constraint(
        "gift", "cart_item", "gift_to IS NOT NULL OR num_nonnulls(gift_on, gift_from, gift_message) = 0"
    )


def _orders() -> None:
    op.add_column("customer_order", sa.Column("email", sa.String(length=254), nullable=True))
    op.add_column("customer_order", sa.Column("locale", sa.String(length=10), nullable=True))
    op.add_column("customer_order", sa.Column("billing", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("customer_order", sa.Column("inclusive", sa.Boolean(), nullable=True))
    op.add_column("customer_order", sa.Column("reverse_charge", sa.Boolean(), nullable=True))
    op.add_column("customer_order", sa.Column("coupon_code", sa.String(length=40), nullable=True))
    op.add_column("customer_order", sa.Column("checkout_url", sa.Text(), nullable=True))
    op.add_column("customer_order", sa.Column("paid_by", sa.String(length=40), nullable=True))
    op.add_column("customer_order", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("customer_order", "account_id", existing_type=sa.VARCHAR(length=16), nullable=True)
    op.create_index("ix_customer_order_email", "customer_order", ["email"], unique=False)
    op.create_unique_constraint(op.f("uq_customer_order_payment_id"), "customer_order", ["payment_id"])
    op.add_column("order_line", sa.Column("position", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("list_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("credit_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("discount_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("relief_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("net_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("tax_minor", sa.Integer(), nullable=True))
    op.add_column("order_line", sa.Column("tax_rate", sa.Numeric(precision=7, scale=4), nullable=True))
    op.add_column("order_line", sa.Column("tax_country", sa.String(length=2), nullable=True))
    op.add_column("order_line", sa.Column("tax_name", sa.String(length=40), nullable=True))
    op.add_column("order_line", sa.Column("credits", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("order_line", sa.Column("awaited", sa.Boolean(), nullable=True))
    op.add_column("order_line", sa.Column("gift_to", sa.String(length=254), nullable=True))
    op.add_column("order_line", sa.Column("gift_on", sa.Date(), nullable=True))
    op.add_column("order_line", sa.Column("gift_from", sa.String(length=100), nullable=True))
    op.add_column("order_line", sa.Column("gift_message", sa.String(length=1000), nullable=True))
    op.create_index(op.f("ix_order_line_offer_id"), "order_line", ["offer_id"], unique=False)
    op.execute(
        "UPDATE customer_order SET email = (SELECT email FROM account WHERE account.id = account_id), "
        "locale = 'en', billing = '{}', inclusive = true, reverse_charge = false"
    )
    for name in (
        "email",
        "locale",
        "billing",
        "inclusive",
        "reverse_charge",
    ):
        op.alter_column("customer_order", name, nullable=False)
    op.execute(
        "UPDATE order_line SET position = 1, list_minor = price_minor, credit_minor = 0, "
        "discount_minor = 0, relief_minor = 0, net_minor = price_minor, tax_minor = 0, credits = '[]', "
        "awaited = false"
    )
    for name in (
        "position",
        "list_minor",
        "credit_minor",
        "discount_minor",
        "relief_minor",
        "net_minor",
        "tax_minor",
        "credits",
        "awaited",
    ):
        op.alter_column("order_line", name, nullable=False)
    op.drop_constraint("total_positive", "customer_order", type_="check")
    op.create_check_constraint("total", "customer_order", "total_minor >= 0")
    op.drop_constraint("price_positive", "order_line", type_="check")
    op.create_check_constraint("price", "order_line", "price_minor >= 0 AND net_minor >= 0 AND tax_minor >= 0")
    op.create_check_constraint("sum", "order_line", "net_minor + tax_minor = price_minor")


def _licenses() -> None:
    op.add_column("license", sa.Column("rental_days", sa.Integer(), nullable=True))
    op.add_column("license", sa.Column("rental_hours", sa.Integer(), nullable=True))
    op.add_column("license", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("license", sa.Column("first_played_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("license", sa.Column("downloaded_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("license", "account_id", existing_type=sa.VARCHAR(length=16), nullable=True)
    op.create_check_constraint("rental", "license", "(rental_days IS NULL) = (rental_hours IS NULL)")


def _after_sales() -> None:
    op.create_table(
        "order_refund",
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("payment_id", sa.String(length=255), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=6), nullable=False),
        sa.Column("gateway_id", sa.String(length=255), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("origin IN ('customer', 'staff', 'duplicate')", name=op.f("ck_order_refund_origin")),
        sa.CheckConstraint("state IN ('asked', 'done', 'failed')", name=op.f("ck_order_refund_state")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_order_refund_amount")),
        sa.ForeignKeyConstraint(["asked_by"], ["account.id"], name=op.f("fk_order_refund_asked_by_account")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["customer_order.id"], name=op.f("fk_order_refund_order_id_customer_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_refund")),
        sa.UniqueConstraint("gateway_id", name=op.f("uq_order_refund_gateway_id")),
    )
    op.create_index(op.f("ix_order_refund_asked_by"), "order_refund", ["asked_by"], unique=False)
    op.create_index(op.f("ix_order_refund_order_id"), "order_refund", ["order_id"], unique=False)
    op.create_index(op.f("ix_order_refund_payment_id"), "order_refund", ["payment_id"], unique=False)
    op.create_index(op.f("ix_order_refund_state"), "order_refund", ["state"], unique=False)
    op.create_table(
        "payment_case",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=16), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=16), nullable=True),
        sa.Column("outcome", sa.String(length=1000), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('mismatch', 'refund_refused', 'dispute', 'country', 'books')", name=op.f("ck_payment_case_kind")
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_payment_case_closed")),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_payment_case_closed_by_account")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["customer_order.id"], name=op.f("fk_payment_case_order_id_customer_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_case")),
        sa.UniqueConstraint("key", name=op.f("uq_payment_case_key")),
        sa.UniqueConstraint("number", name=op.f("uq_payment_case_number")),
    )
    op.create_index(op.f("ix_payment_case_closed_at"), "payment_case", ["closed_at"], unique=False)
    op.create_index(op.f("ix_payment_case_closed_by"), "payment_case", ["closed_by"], unique=False)
    op.create_index(op.f("ix_payment_case_order_id"), "payment_case", ["order_id"], unique=False)
    op.create_table(
        "claim",
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("line_id", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("to_email", sa.String(length=254), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=16), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(kind = 'gift') = (line_id IS NOT NULL)", name=op.f("ck_claim_line")),
        sa.CheckConstraint("kind IN ('guest', 'gift')", name=op.f("ck_claim_kind")),
        sa.CheckConstraint("(claimed_at IS NULL) = (claimed_by IS NULL)", name=op.f("ck_claim_claimed")),
        sa.ForeignKeyConstraint(["claimed_by"], ["account.id"], name=op.f("fk_claim_claimed_by_account")),
        sa.ForeignKeyConstraint(["line_id"], ["order_line.id"], name=op.f("fk_claim_line_id_order_line")),
        sa.ForeignKeyConstraint(["order_id"], ["customer_order.id"], name=op.f("fk_claim_order_id_customer_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("code", name=op.f("uq_claim_code")),
    )
    op.create_index(op.f("ix_claim_claimed_by"), "claim", ["claimed_by"], unique=False)
    op.create_index(op.f("ix_claim_send_at"), "claim", ["send_at"], unique=False)
    op.create_index(
        "uq_claim_order_id_line_id", "claim", ["order_id", "line_id"], unique=True, postgresql_nulls_not_distinct=True
    )


def downgrade() -> None:
    """What an older shop cannot hold (guests' orders, unclaimed licenses, gifts, what was free) goes."""
    for statement in (
        "DELETE FROM claim",
        "DELETE FROM payment_case",
        "DELETE FROM order_refund",
        "DELETE FROM license WHERE account_id IS NULL OR rental_days IS NOT NULL",
        "DELETE FROM order_line USING customer_order o WHERE o.id = order_id AND (o.account_id IS NULL"
        " OR o.total_minor = 0)",
        "DELETE FROM order_line WHERE price_minor = 0",
        "DELETE FROM customer_order WHERE account_id IS NULL OR total_minor = 0",
        "DELETE FROM cart_item WHERE gift_to IS NOT NULL",
    ):
        op.execute(statement)
    op.drop_constraint("rental", "license", type_="check")
    op.drop_constraint("sum", "order_line", type_="check")
    op.drop_constraint("price", "order_line", type_="check")
    op.create_check_constraint("price_positive", "order_line", "price_minor > 0")
    op.drop_constraint("total", "customer_order", type_="check")
    op.create_check_constraint("total_positive", "customer_order", "total_minor > 0")
    for name in ("gift", "seen", "named"):
        op.drop_constraint(name, "cart_item", type_="check")
    op.drop_constraint("pk_cart_item", "cart_item", type_="primary")
    op.create_primary_key("pk_cart_item", "cart_item", ["cart_id", "offer_id"])
    op.drop_index(op.f("ix_order_line_offer_id"), table_name="order_line")
    op.drop_column("order_line", "gift_message")
    op.drop_column("order_line", "gift_from")
    op.drop_column("order_line", "gift_on")
    op.drop_column("order_line", "gift_to")
    op.drop_column("order_line", "awaited")
    op.drop_column("order_line", "credits")
    op.drop_column("order_line", "tax_name")
    op.drop_column("order_line", "tax_country")
    op.drop_column("order_line", "tax_rate")
    op.drop_column("order_line", "tax_minor")
    op.drop_column("order_line", "net_minor")
    op.drop_column("order_line", "relief_minor")
    op.drop_column("order_line", "discount_minor")
    op.drop_column("order_line", "credit_minor")
    op.drop_column("order_line", "list_minor")
    op.drop_column("order_line", "position")
    op.alter_column("license", "account_id", existing_type=sa.VARCHAR(length=16), nullable=False)
    op.drop_column("license", "downloaded_at")
    op.drop_column("license", "first_played_at")
    op.drop_column("license", "claimed_at")
    op.drop_column("license", "rental_hours")
    op.drop_column("license", "rental_days")
    op.drop_constraint(op.f("uq_customer_order_payment_id"), "customer_order", type_="unique")
    op.drop_index("ix_customer_order_email", table_name="customer_order")
    op.alter_column("customer_order", "account_id", existing_type=sa.VARCHAR(length=16), nullable=False)
    op.drop_column("customer_order", "settled_at")
    op.drop_column("customer_order", "paid_by")
    op.drop_column("customer_order", "checkout_url")
    op.drop_column("customer_order", "coupon_code")
    op.drop_column("customer_order", "reverse_charge")
    op.drop_column("customer_order", "inclusive")
    op.drop_column("customer_order", "billing")
    op.drop_column("customer_order", "locale")
    op.drop_column("customer_order", "email")
    op.drop_index("uq_cart_item_cart_id_offer_id_gift_to", table_name="cart_item", postgresql_nulls_not_distinct=True)
    op.drop_index(op.f("ix_cart_item_cart_id"), table_name="cart_item")
    op.drop_column("cart_item", "id")
    op.drop_column("cart_item", "gift_message")
    op.drop_column("cart_item", "gift_from")
    op.drop_column("cart_item", "gift_on")
    op.drop_column("cart_item", "gift_to")
    op.drop_column("cart_item", "seen_currency")
    op.drop_column("cart_item", "seen_minor")
    op.drop_column("cart_item", "named_currency")
    op.drop_column("cart_item", "named_minor")
    op.drop_column("cart", "coupon_code")
    op.drop_column("cart", "vat_number")
    op.drop_column("cart", "country")
    op.drop_column("cart", "email")
    op.drop_index("uq_claim_order_id_line_id", table_name="claim", postgresql_nulls_not_distinct=True)
    op.drop_index(op.f("ix_claim_send_at"), table_name="claim")
    op.drop_index(op.f("ix_claim_claimed_by"), table_name="claim")
    op.drop_table("claim")
    op.drop_index(op.f("ix_payment_case_order_id"), table_name="payment_case")
    op.drop_index(op.f("ix_payment_case_closed_by"), table_name="payment_case")
    op.drop_index(op.f("ix_payment_case_closed_at"), table_name="payment_case")
    op.drop_table("payment_case")
    op.drop_index(op.f("ix_order_refund_state"), table_name="order_refund")
    op.drop_index(op.f("ix_order_refund_payment_id"), table_name="order_refund")
    op.drop_index(op.f("ix_order_refund_order_id"), table_name="order_refund")
    op.drop_index(op.f("ix_order_refund_asked_by"), table_name="order_refund")
    op.drop_table("order_refund")
