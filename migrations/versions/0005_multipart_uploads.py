"""Uploads in parts that can be resumed; jobs that say in one word how they failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Uploads know their transfer in parts, the file they are of, and the track they are meant for."""
    op.add_column("upload", sa.Column("identity", sa.String(length=100), nullable=True))
    op.add_column("upload", sa.Column("replaces_id", sa.String(length=16), nullable=True))
    op.add_column("upload", sa.Column("multipart_id", sa.String(length=1024), nullable=True))
    op.add_column("upload", sa.Column("part_size", sa.Integer(), nullable=True))
    op.add_column("upload", sa.Column("active_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE upload SET active_at = created_at")
    # With a default in the database too: the web processes of the release before do not know the column.
    op.alter_column("upload", "active_at", nullable=False, server_default=sa.func.now())
    op.create_foreign_key(op.f("fk_upload_replaces_id_track"), "upload", "track", ["replaces_id"], ["id"])
    op.add_column("transcode_job", sa.Column("failure", sa.String(length=12), nullable=True))
    op.create_table(
        "upload_part",
        sa.Column("upload_id", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("number BETWEEN 1 AND 10000", name=op.f("ck_upload_part_number")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_upload_part_sha256")),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["upload.id"], name=op.f("fk_upload_part_upload_id_upload"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_part")),
    )


def downgrade() -> None:
    """Uploads are single objects again."""
    op.drop_table("upload_part")
    op.drop_column("transcode_job", "failure")
    op.drop_constraint(op.f("fk_upload_replaces_id_track"), "upload", type_="foreignkey")
    for column in ("active_at", "part_size", "multipart_id", "replaces_id", "identity"):
        op.drop_column("upload", column)
