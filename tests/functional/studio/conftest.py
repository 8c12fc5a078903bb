"""Somebody who may use the studio."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from support import rows

from app.accounts.models import Account, Role
from app.core.db import db


@pytest.fixture
def editor(client: FlaskClient) -> Account:
    """Somebody who may work on every label's releases, signed in."""
    account = rows.account("Edda")
    account.role = Role.MANAGER
    db.session.commit()
    rows.sign_in(client, account)
    return account
