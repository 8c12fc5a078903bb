"""The secrets of authenticator apps are sealed under SECRET_KEY, and an order keeps who sold it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Secrets stay as they are: the app reads them, and the nightly round seals them. Who sold an earlier order is not
    known; its invoice names who sells today, as before."""
    op.alter_column("account_totp", "secret", type_=sa.String(255), existing_nullable=False)
    op.add_column("customer_order", sa.Column("seller", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    """The secrets' column stays as wide: an older version can't read what was sealed, and asks for a recovery code or
    a passkey."""
    op.drop_column("customer_order", "seller")
