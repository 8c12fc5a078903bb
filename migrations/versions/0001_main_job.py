"""The tables of the main job: catalogue to sale to license to stream."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for extension in ("vector", "pg_trgm", "unaccent"):
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    op.create_table(
        "account",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('listener', 'editor', 'admin')", name=op.f("ck_account_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_account_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
    )
    op.create_table(
        "artist",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artist")),
        sa.UniqueConstraint("name", name=op.f("uq_artist_name")),
    )
    op.create_table(
        "genre",
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genre")),
        sa.UniqueConstraint("slug", name=op.f("uq_genre_slug")),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("name", name=op.f("uq_label_name")),
    )
    op.create_table(
        "payment_event",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_event")),
    )
    op.create_index(op.f("ix_payment_event_type"), "payment_event", ["type"], unique=False)
    op.create_table(
        "recommender_model",
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommender_model")),
    )
    op.create_index(op.f("ix_recommender_model_active"), "recommender_model", ["active"], unique=False)
    op.create_table(
        "account_vector",
        sa.Column("model_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("vector", Vector(dim=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_account_vector_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["recommender_model.id"],
            name=op.f("fk_account_vector_model_id_recommender_model"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_id", "account_id", name=op.f("pk_account_vector")),
    )
    op.create_table(
        "cart",
        sa.Column("account_id", sa.String(length=16), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_cart_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
        sa.UniqueConstraint("account_id", name=op.f("uq_cart_account_id")),
    )
    op.create_table(
        "customer_order",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.Integer(), nullable=False),
        sa.Column("checkout_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'paid', 'cancelled', 'refunded')", name=op.f("ck_customer_order_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('paid', 'refunded') OR paid_at IS NOT NULL", name=op.f("ck_customer_order_paid_at")
        ),
        sa.CheckConstraint("total_minor > 0", name=op.f("ck_customer_order_total_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_customer_order_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_order")),
        sa.UniqueConstraint("checkout_id", name=op.f("uq_customer_order_checkout_id")),
        sa.UniqueConstraint("number", name=op.f("uq_customer_order_number")),
    )
    op.create_index(op.f("ix_customer_order_account_id"), "customer_order", ["account_id"], unique=False)
    op.create_index(op.f("ix_customer_order_state"), "customer_order", ["state"], unique=False)
    op.create_table(
        "release",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("artist_id", sa.String(length=16), nullable=False),
        sa.Column("label_id", sa.String(length=16), nullable=True),
        sa.Column("genre_id", sa.String(length=16), nullable=True),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_when_ready", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("description_zh", sa.Text(), nullable=True),
        sa.Column("cover_key", sa.String(length=90), nullable=True),
        sa.Column("import_key", sa.String(length=64), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("title_zh", sa.String(length=300), nullable=True),
        sa.CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", name=op.f("ck_release_published_at")),
        sa.CheckConstraint("kind IN ('audio', 'film')", name=op.f("ck_release_kind")),
        sa.CheckConstraint("status IN ('draft', 'published')", name=op.f("ck_release_status")),
        sa.ForeignKeyConstraint(["artist_id"], ["artist.id"], name=op.f("fk_release_artist_id_artist")),
        sa.ForeignKeyConstraint(["genre_id"], ["genre.id"], name=op.f("fk_release_genre_id_genre")),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name=op.f("fk_release_label_id_label")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint("import_key", name=op.f("uq_release_import_key")),
    )
    op.create_index(op.f("ix_release_artist_id"), "release", ["artist_id"], unique=False)
    op.create_index(op.f("ix_release_genre_id"), "release", ["genre_id"], unique=False)
    op.create_index(op.f("ix_release_label_id"), "release", ["label_id"], unique=False)
    op.create_index(op.f("ix_release_published_at"), "release", ["published_at"], unique=False)
    op.create_index(
        "ix_release_title_trgm",
        "release",
        ["title"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
    )
    op.create_table(
        "archive",
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("format", sa.String(length=24), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("key", sa.String(length=90), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('building', 'ready', 'failed')", name=op.f("ck_archive_state")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_archive_release_id_release")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive")),
        sa.UniqueConstraint(
            "release_id", "format", "fingerprint", name=op.f("uq_archive_release_id_format_fingerprint")
        ),
    )
    op.create_index(op.f("ix_archive_release_id"), "archive", ["release_id"], unique=False)
    op.create_table(
        "release_vector",
        sa.Column("model_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("vector", Vector(dim=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["recommender_model.id"],
            name=op.f("fk_release_vector_model_id_recommender_model"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["release_id"],
            ["release.id"],
            name=op.f("fk_release_vector_release_id_release"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_id", "release_id", name=op.f("pk_release_vector")),
    )
    op.create_table(
        "track",
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("disc", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("artist_id", sa.String(length=16), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("isrc", sa.String(length=12), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("title_zh", sa.String(length=300), nullable=True),
        sa.CheckConstraint("disc >= 1 AND position >= 1", name=op.f("ck_track_place")),
        sa.ForeignKeyConstraint(["artist_id"], ["artist.id"], name=op.f("fk_track_artist_id_artist")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_track_release_id_release")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_track")),
        sa.UniqueConstraint("release_id", "disc", "position", name=op.f("uq_track_release_id_disc_position")),
    )
    op.create_index(op.f("ix_track_release_id"), "track", ["release_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=False),
        sa.Column("track_id", sa.String(length=16), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('view', 'preview', 'play', 'cart', 'purchase', 'download', 'refund')",
            name=op.f("ck_event_kind"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_event_account_id_account")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_event_release_id_release")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_event_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_account_id_at", "event", ["account_id", "at"], unique=False)
    op.create_index(op.f("ix_event_at"), "event", ["at"], unique=False)
    op.create_index(
        "ix_event_refund",
        "event",
        ["account_id", "release_id", "at"],
        unique=False,
        postgresql_where="kind = 'refund'",
    )
    op.create_index(op.f("ix_event_release_id"), "event", ["release_id"], unique=False)
    op.create_table(
        "license",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=16), nullable=True),
        sa.Column("track_id", sa.String(length=16), nullable=True),
        sa.Column("grant_key", sa.String(length=40), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(length=200), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(release_id IS NULL) <> (track_id IS NULL)", name=op.f("ck_license_one_subject")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name=op.f("ck_license_revoked_reason")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_license_account_id_account")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_license_release_id_release")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_license_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_license")),
        sa.UniqueConstraint("grant_key", name=op.f("uq_license_grant_key")),
    )
    op.create_index(op.f("ix_license_account_id"), "license", ["account_id"], unique=False)
    op.create_index(op.f("ix_license_release_id"), "license", ["release_id"], unique=False)
    op.create_index(op.f("ix_license_track_id"), "license", ["track_id"], unique=False)
    op.create_table(
        "master",
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("probe", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_master_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_master")),
    )
    op.create_index(op.f("ix_master_sha256"), "master", ["sha256"], unique=False)
    op.create_index(op.f("ix_master_track_id"), "master", ["track_id"], unique=False)
    op.create_index("uq_master_track_id_sha256", "master", ["track_id", "sha256"], unique=True)
    op.create_table(
        "offer",
        sa.Column("release_id", sa.String(length=16), nullable=True),
        sa.Column("track_id", sa.String(length=16), nullable=True),
        sa.Column("price_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(release_id IS NULL) <> (track_id IS NULL)", name=op.f("ck_offer_one_subject")),
        sa.CheckConstraint("price_minor > 0", name=op.f("ck_offer_price_positive")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_offer_release_id_release")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_offer_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
    )
    op.create_index(op.f("ix_offer_release_id"), "offer", ["release_id"], unique=False)
    op.create_index(op.f("ix_offer_track_id"), "offer", ["track_id"], unique=False)
    op.create_index(
        "uq_offer_active_release",
        "offer",
        ["release_id", "currency"],
        unique=True,
        postgresql_where="active AND release_id IS NOT NULL",
    )
    op.create_index(
        "uq_offer_active_track",
        "offer",
        ["track_id", "currency"],
        unique=True,
        postgresql_where="active AND track_id IS NOT NULL",
    )
    op.create_table(
        "play_session",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("played_share", sa.Double(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("played_share BETWEEN 0 AND 1", name=op.f("ck_play_session_played_share")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_play_session_account_id_account")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_play_session_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_play_session")),
    )
    op.create_index(op.f("ix_play_session_account_id"), "play_session", ["account_id"], unique=False)
    op.create_table(
        "resume_position",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("position_ms", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_resume_position_account_id_account")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_resume_position_track_id_track")),
        sa.PrimaryKeyConstraint("account_id", "track_id", name=op.f("pk_resume_position")),
    )
    op.create_table(
        "stream_key",
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(key) = 16", name=op.f("ck_stream_key_key_length")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_stream_key_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_key")),
        sa.UniqueConstraint("track_id", name=op.f("uq_stream_key_track_id")),
    )
    op.create_table(
        "upload",
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("track_id", sa.String(length=16), nullable=True),
        sa.Column("refused", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_upload_account_id_account")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_upload_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_account_id"), "upload", ["account_id"], unique=False)
    op.create_table(
        "cart_item",
        sa.Column("cart_id", sa.String(length=16), nullable=False),
        sa.Column("offer_id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["cart_id"], ["cart.id"], name=op.f("fk_cart_item_cart_id_cart"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_cart_item_offer_id_offer")),
        sa.PrimaryKeyConstraint("cart_id", "offer_id", name=op.f("pk_cart_item")),
    )
    op.create_table(
        "order_line",
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("offer_id", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("price_minor", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.CheckConstraint("price_minor > 0", name=op.f("ck_order_line_price_positive")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_order_line_offer_id_offer")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["customer_order.id"], name=op.f("fk_order_line_order_id_customer_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
    )
    op.create_index(op.f("ix_order_line_order_id"), "order_line", ["order_id"], unique=False)
    op.create_table(
        "rendition",
        sa.Column("track_id", sa.String(length=16), nullable=False),
        sa.Column("master_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("content_type", sa.String(length=80), nullable=False),
        sa.Column("suffix", sa.String(length=5), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('stream', 'preview', 'download', 'poster', 'thumbnails')",
            name=op.f("ck_rendition_kind"),
        ),
        sa.ForeignKeyConstraint(["master_id"], ["master.id"], name=op.f("fk_rendition_master_id_master")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_rendition_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rendition")),
    )
    op.create_index(op.f("ix_rendition_master_id"), "rendition", ["master_id"], unique=False)
    op.create_index(op.f("ix_rendition_track_id"), "rendition", ["track_id"], unique=False)
    op.create_index("uq_rendition_track_id_kind_name", "rendition", ["track_id", "kind", "name"], unique=True)
    op.create_table(
        "transcode_job",
        sa.Column("master_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_transcode_job_reason")),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_transcode_job_state")),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_transcode_job_progress")),
        sa.ForeignKeyConstraint(["master_id"], ["master.id"], name=op.f("fk_transcode_job_master_id_master")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transcode_job")),
        sa.UniqueConstraint("master_id", name=op.f("uq_transcode_job_master_id")),
    )
    op.create_index(op.f("ix_transcode_job_state"), "transcode_job", ["state"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_transcode_job_state"), table_name="transcode_job")
    op.drop_table("transcode_job")
    op.drop_index("uq_rendition_track_id_kind_name", table_name="rendition")
    op.drop_index(op.f("ix_rendition_track_id"), table_name="rendition")
    op.drop_index(op.f("ix_rendition_master_id"), table_name="rendition")
    op.drop_table("rendition")
    op.drop_index(op.f("ix_order_line_order_id"), table_name="order_line")
    op.drop_table("order_line")
    op.drop_table("cart_item")
    op.drop_index(op.f("ix_upload_account_id"), table_name="upload")
    op.drop_table("upload")
    op.drop_table("stream_key")
    op.drop_table("resume_position")
    op.drop_index(op.f("ix_play_session_account_id"), table_name="play_session")
    op.drop_table("play_session")
    op.drop_index("uq_offer_active_track", table_name="offer", postgresql_where="active AND track_id IS NOT NULL")
    op.drop_index("uq_offer_active_release", table_name="offer", postgresql_where="active AND release_id IS NOT NULL")
    op.drop_index(op.f("ix_offer_track_id"), table_name="offer")
    op.drop_index(op.f("ix_offer_release_id"), table_name="offer")
    op.drop_table("offer")
    op.drop_index("uq_master_track_id_sha256", table_name="master")
    op.drop_index(op.f("ix_master_track_id"), table_name="master")
    op.drop_index(op.f("ix_master_sha256"), table_name="master")
    op.drop_table("master")
    op.drop_index(op.f("ix_license_track_id"), table_name="license")
    op.drop_index(op.f("ix_license_release_id"), table_name="license")
    op.drop_index(op.f("ix_license_account_id"), table_name="license")
    op.drop_table("license")
    op.drop_index(op.f("ix_event_release_id"), table_name="event")
    op.drop_index("ix_event_refund", table_name="event", postgresql_where="kind = 'refund'")
    op.drop_index(op.f("ix_event_at"), table_name="event")
    op.drop_index("ix_event_account_id_at", table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_track_release_id"), table_name="track")
    op.drop_table("track")
    op.drop_table("release_vector")
    op.drop_index(op.f("ix_archive_release_id"), table_name="archive")
    op.drop_table("archive")
    op.drop_index(
        "ix_release_title_trgm",
        table_name="release",
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
    )
    op.drop_index(op.f("ix_release_published_at"), table_name="release")
    op.drop_index(op.f("ix_release_label_id"), table_name="release")
    op.drop_index(op.f("ix_release_genre_id"), table_name="release")
    op.drop_index(op.f("ix_release_artist_id"), table_name="release")
    op.drop_table("release")
    op.drop_index(op.f("ix_customer_order_state"), table_name="customer_order")
    op.drop_index(op.f("ix_customer_order_account_id"), table_name="customer_order")
    op.drop_table("customer_order")
    op.drop_table("cart")
    op.drop_table("account_vector")
    op.drop_index(op.f("ix_recommender_model_active"), table_name="recommender_model")
    op.drop_table("recommender_model")
    op.drop_index(op.f("ix_payment_event_type"), table_name="payment_event")
    op.drop_table("payment_event")
    op.drop_table("label")
    op.drop_table("genre")
    op.drop_table("artist")
    op.drop_table("account")
