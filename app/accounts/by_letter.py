"""What a person must be told goes out as a letter; and what letters hold of them is told and forgotten."""

from __future__ import annotations

from typing import Any

from app.accounts import leaving, notices, tokens
from app.accounts.models import Account
from app.accounts.notices import Notice, Told
from app.core import clock
from app.core.store import settings
from app.letters import queries
from app.letters import service as letters

# Where a letter leads that carries no link of its own: to what its reader can do if they did not do what it tells of.
_REMEDY = {
    Notice.PASSWORD_CHANGED: "/password",
    Notice.SECOND_FACTOR_CHANGED: "/password",
    Notice.NEW_SIGN_IN: "/account/devices",
}
# These go to an address that nobody has shown to be the person's: among what is theirs, they would tell
# them whether it is somebody else's.
_TO_ANYBODY = (Notice.CHANGE_EMAIL, Notice.EMAIL_IN_USE)


def _write(told: Told) -> None:
    facts: dict[str, Any] = {"at": clock.now(), "minutes": int(tokens.GOOD_FOR.total_seconds() // 60)}
    if told.notice in _REMEDY:
        facts["link"] = settings().base_url + _REMEDY[told.notice]
    letters.enqueue(
        told.notice,
        told.to,
        told.locale,
        facts | told.facts,
        key=told.key,
        account_id=None if told.notice in _TO_ANYBODY else told.account_id,
    )


def _export(account: Account) -> list[dict[str, Any]]:
    return [
        {"at": one.created_at.isoformat(), "to": one.to_address, "what": one.kind, "subject": one.subject}
        for one in queries.of_account(account.id)
    ]


def _forget(account: Account) -> None:
    letters.forget(account.id)


notices.on_notice.append(_write)
leaving.on_export["letters"] = _export
leaving.on_close.append(_forget)
