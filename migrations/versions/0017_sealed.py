"""The secrets of authenticator apps are sealed under SECRET_KEY."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there stays as it is: the app reads it, and the nightly round seals it."""
    op.alter_column("account_totp", "secret", type_=sa.String(255), existing_nullable=False)


def downgrade() -> None:
    """Kept as wide: an older version can't read what was sealed, and asks for a recovery code or a passkey."""
