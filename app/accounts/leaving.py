"""Taking one's data along, and going: what each room holds of a person is told and forgotten by that room."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete

from app.accounts import addresses, factors, passwords, service, sessions
from app.accounts.errors import BadAccount
from app.accounts.models import (
    Account,
    AccountAddress,
    AccountSession,
    AccountToken,
    Passkey,
    RecoveryCode,
    Role,
    Totp,
)
from app.accounts.notices import Notice
from app.audit import service as audit
from app.core import clock
from app.core.db import db

# Rooms add theirs (in their `personal.py`): a name of a file to what it holds of the account, in JSON; and what they
# forget when the person goes. What the books must keep stays, and then names an account that names nobody.
on_export: dict[str, Callable[[Account], Any]] = {}
on_close: list[Callable[[Account], None]] = []


def export(account: Account) -> bytes:
    """Everything the shop holds of the person, as a ZIP of JSON files."""
    parts = {"account": _account(account)} | {name: told(account) for name, told in sorted(on_export.items())}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            packed.writestr(f"wavecrate/{name}.json", json.dumps(part, ensure_ascii=False, indent=2, default=str))
    return body.getvalue()


def close(account: Account) -> None:
    """Delete the account: nobody signs in to it again, and nothing but what the books must keep speaks of the person.

    Raises BadAccount for staff: another admin ends their role first. What was bought can be played no more.
    """
    if account.is_staff:
        raise BadAccount(_("Whoever runs the shop cannot simply go. Ask an admin to end your role first."))
    service.tell(account, Notice.CLOSED, key=account.id)
    for forget in on_close:
        forget(account)
    for table in (AccountAddress, AccountToken, Totp, Passkey, RecoveryCode, AccountSession):
        db.session.execute(delete(table).where(table.account_id == account.id))
    account.email = f"closed-{account.id.lower()}@closed.invalid"
    account.name = "—"
    account.password_hash = passwords.UNUSABLE
    account.role = Role.CUSTOMER
    account.locale = account.currency = None
    account.second_factor = False
    account.closed_at = clock.now()
    db.session.flush()
    audit.record(account.id, "account.close", f"account:{account.id}")


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "language": account.locale,
        "currency": account.currency,
        "made_at": account.created_at.isoformat(),
        "addresses": [
            {
                "name": one.name,
                "line1": one.line1,
                "line2": one.line2,
                "postal_code": one.postal_code,
                "city": one.city,
                "region": one.region,
                "country": one.country,
            }
            for one in addresses.of_account(account.id)
        ],
        "passkeys": [{"name": one.name, "made_at": one.created_at.isoformat()} for one in factors.passkeys(account.id)],
        "signed_in_on": [
            {
                "since": one.created_at.isoformat(),
                "used_at": one.seen_at.isoformat(),
                "address": one.address,
                "browser": one.user_agent,
            }
            for one in sessions.of_account(account.id)
        ],
    }
