"""Somebody who may use the studio."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from support import rows

from app.accounts.models import Account, Role


@pytest.fixture
def editor(client: FlaskClient) -> Account:
    """Somebody who may work on every label's releases, signed in."""
    return rows.staff(client, Role.MANAGER, "Edda")
