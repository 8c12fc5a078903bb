"""The second factor: an app's six digits, passkeys, and the codes for the day when both are lost."""

from __future__ import annotations

import hashlib
import logging
import secrets

import pyotp
from flask_babel import gettext as _
from sqlalchemy import delete, exists, func, select

from app.accounts import sealing, service
from app.accounts.errors import BadAccount
from app.accounts.models import Account, Passkey, RecoveryCode, Totp
from app.accounts.notices import Notice
from app.audit import service as audit
from app.core import clock
from app.core.db import db

log = logging.getLogger(__name__)

ISSUER = "Wavecrate"
CODES = 10
_STEP = 30  # seconds that a code holds
_DRIFT = 1  # how many steps a person's clock may be off, either way
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"


def totp(account_id: str) -> Totp | None:
    """The person's app, whether it counts yet or not."""
    return db.session.get(Totp, account_id, populate_existing=True)


def passkeys(account_id: str) -> list[Passkey]:
    """The person's passkeys, the oldest first."""
    return list(
        db.session.scalars(
            select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.created_at, Passkey.id)
        )
    )


def codes_left(account_id: str) -> int:
    """How many recovery codes are unused."""
    asked = select(func.count()).select_from(RecoveryCode)
    return db.session.scalar(asked.where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))) or 0


def begin_totp(account: Account) -> Totp:
    """A secret for the person's app; one that was begun before and never confirmed is shown again.

    Raises BadAccount where an app counts already.
    """
    present = totp(account.id)
    if present is not None and present.confirmed_at is not None:
        raise BadAccount(_("You have an app already. Remove it first."))
    if begun(present) is None:
        present = present or Totp(account_id=account.id, made_at=clock.now(), last_step=0)
        present.secret = sealing.seal(pyotp.random_base32())
        db.session.add(present)
        db.session.flush()
    assert present is not None
    return present


def begun(held: Totp | None) -> str | None:
    """The secret of an app that was begun and doesn't count yet; None where there is none, or it can't be read."""
    if held is None or held.confirmed_at is not None:
        return None
    try:
        return secret_of(held)
    except sealing.Unreadable:
        return None


def setup_address(account: Account, secret: str) -> str:
    """What an authenticator app opens to take the secret over (otpauth://)."""
    return pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=ISSUER)


def secret_of(held: Totp) -> str:
    """The app's secret, base32; raises `sealing.Unreadable`."""
    return held.secret if _is_plain(held.secret) else sealing.unseal(held.secret)


def seal_anew() -> int:
    """Seal what is not sealed under the key of today; return how many were. What nothing opens any more stays."""
    count = 0
    for held in db.session.scalars(select(Totp).with_for_update(skip_locked=True)):
        if _is_plain(held.secret) or not sealing.is_fresh(held.secret):
            try:
                held.secret = sealing.seal(secret_of(held))
            except sealing.Unreadable:
                log.warning("the authenticator app of account %s was sealed under a lost key", held.account_id)
                continue
            count += 1
    db.session.flush()
    return count


def confirm_totp(account: Account, code: str) -> list[str]:
    """The app counts from now on; returns the recovery codes where these are the first. BadAccount for a wrong code."""
    present = begin_totp(account)
    if not _opens(present, code):
        raise BadAccount(_("This is not the code that the app shows now. Look at the clock of the device, too."))
    present.confirmed_at = clock.now()
    return _added(account, "totp")


def check_code(account: Account, code: str) -> bool:
    """Whether it is the code that the app shows now, or a recovery code; either is used up by this."""
    typed = "".join(code.split()).replace("-", "").lower()
    present = db.session.scalars(
        select(Totp).where(Totp.account_id == account.id, Totp.confirmed_at.is_not(None)).with_for_update()
    ).one_or_none()
    if present is not None and typed.isdigit() and len(typed) == 6:
        return _opens(present, typed)
    found = db.session.scalars(
        select(RecoveryCode)
        .where(
            RecoveryCode.account_id == account.id,
            RecoveryCode.code_hash == _hash(account.id, typed),
            RecoveryCode.used_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    if found is None:
        return False
    found.used_at = clock.now()
    db.session.flush()
    audit.record(account.id, "account.recovery_code", f"account:{account.id}", {"left": codes_left(account.id)})
    return True


def add_passkey(account: Account, *, credential_id: bytes, public_key: bytes, sign_count: int, name: str) -> list[str]:
    """Keep a passkey that was verified; returns the recovery codes where these are the first."""
    if db.session.scalar(select(exists().where(Passkey.credential_id == credential_id))):
        raise BadAccount(_("This passkey is known already."))
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:80]
    db.session.add(
        Passkey(
            account_id=account.id,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            name=cleaned or _("Passkey"),
        )
    )
    return _added(account, "passkey")


def passkey(account_id: str, credential_id: bytes) -> Passkey | None:
    """The person's passkey of that id."""
    return db.session.scalars(
        select(Passkey).where(Passkey.account_id == account_id, Passkey.credential_id == credential_id)
    ).one_or_none()


def used_passkey(held: Passkey, sign_count: int) -> None:
    """It was shown just now."""
    held.sign_count, held.used_at = sign_count, clock.now()
    db.session.flush()


def remove_totp(account: Account) -> None:
    """The app counts no longer."""
    db.session.execute(delete(Totp).where(Totp.account_id == account.id))
    _removed(account, "totp")


def remove_passkey(account: Account, passkey_id: str) -> bool:
    """The passkey counts no longer; True if it was the person's."""
    gone = db.session.execute(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account.id).returning(Passkey.id)
    ).first()
    if gone is not None:
        _removed(account, "passkey")
    return gone is not None


def new_codes(account: Account) -> list[str]:
    """Ten fresh recovery codes, shown once and kept as hashes; all older ones end."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    made = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(CODES)]
    db.session.add_all(RecoveryCode(account_id=account.id, code_hash=_hash(account.id, code)) for code in made)
    db.session.flush()
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in made]


def _is_plain(secret: str) -> bool:
    """Whether it was kept before secrets were sealed: base32 has no lower case, and what is sealed has."""
    return secret.isupper()


def _opens(held: Totp, code: str) -> bool:
    """Whether the code is of this moment's step, or the one before or after, and of a later one than was used last."""
    now = int(clock.now().timestamp())
    try:
        generator = pyotp.TOTP(secret_of(held))
    except sealing.Unreadable:
        return False  # recovery codes and passkeys still open
    typed = "".join(code.split()).encode()
    for drift in range(-_DRIFT, _DRIFT + 1):
        step = now // _STEP + drift
        if step > held.last_step and secrets.compare_digest(generator.at(step * _STEP).encode(), typed):
            held.last_step = step
            db.session.flush()
            return True
    return False


def _added(account: Account, what: str) -> list[str]:
    first = not account.second_factor
    account.second_factor = True
    db.session.flush()
    service.tell(account, Notice.SECOND_FACTOR_CHANGED, what=f"{what} added")
    codes = new_codes(account) if first else []
    audit.record(account.id, "account.second_factor", f"account:{account.id}", {"added": what})
    return codes


def _removed(account: Account, what: str) -> None:
    db.session.flush()
    held = totp(account.id)
    account.second_factor = bool(passkeys(account.id)) or (held is not None and held.confirmed_at is not None)
    if not account.second_factor:
        db.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    db.session.flush()
    service.tell(account, Notice.SECOND_FACTOR_CHANGED, what=f"{what} removed")
    audit.record(account.id, "account.second_factor", f"account:{account.id}", {"removed": what})


def _hash(account_id: str, code: str) -> bytes:
    return hashlib.sha256(f"{account_id}\n{code}".encode()).digest()
