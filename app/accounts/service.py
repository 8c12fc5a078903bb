"""Sign-up, sign-in, and who a person is. Passwords are kept as argon2id."""

from __future__ import annotations

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Account, Role
from app.core.db import db
from app.core.errors import Conflict, WavecrateError
from app.core.i18n import LOCALES

PASSWORD_MIN = 8  # NIST SP 800-63B-4, 3.1.1.2: with a length of 8 or more, no rules of composition
PASSWORD_MAX = 200
NAME_MAX = 80

# argon2-cffi's defaults are RFC 9106's second recommended set: 64 MiB, 3 passes, 4 lanes.
_hasher = PasswordHasher()
_UNUSABLE = "!"  # the hash of no password
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)+")


class BadAccount(WavecrateError):
    """A sign-up that cannot stand; the message says what to change."""


class EmailTaken(Conflict):
    """There is an account with this e-mail address already."""


def normalise_email(email: str) -> str:
    """The one form an address is kept and looked up in: trimmed, NFC, lower case, the domain in ASCII (IDNA).

    Raises BadAccount where the text is no address.
    """
    text = unicodedata.normalize("NFC", email.strip()).lower()
    if not _EMAIL.fullmatch(text):
        raise BadAccount(_("This is no e-mail address. Write it like name@example.com."))
    local, domain = text.rsplit("@", 1)
    try:
        text = f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise BadAccount(_("This is no e-mail address. Write it like name@example.com.")) from None
    if len(text) > 254:
        raise BadAccount(_("This e-mail address is too long."))
    return text


def register(
    email: str, password: str | None, name: str, locale: str | None = None, role: Role = Role.LISTENER
) -> Account:
    """Make an account; raise BadAccount or EmailTaken, each naming the remedy.

    Without a password, nobody can sign in to it.
    """
    normalised = normalise_email(email)
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not 1 <= len(name) <= NAME_MAX:
        raise BadAccount(_("Tell us a name of 1 to %(most)s characters.", most=NAME_MAX))
    password_hash = _UNUSABLE if password is None else _hash(password)
    account = Account(
        email=normalised,
        name=name,
        password_hash=password_hash,
        role=Role(role),
        locale=locale if locale in LOCALES else None,
    )
    try:
        with db.session.begin_nested():
            db.session.add(account)
    except IntegrityError as error:
        if "uq_account_email" not in str(error.orig):
            raise
        raise EmailTaken(_("There is an account with this e-mail address already. Sign in instead.")) from None
    return account


def authenticate(email: str, password: str) -> Account | None:
    """The account these belong to, or None, after the same work whether or not the address is known.

    A hash made with weaker settings than today's is replaced, since here the password is at hand.
    """
    password = unicodedata.normalize("NFKC", password)
    if len(password) > PASSWORD_MAX:
        password = ""
    account = by_email(email)
    if account is None:
        _hasher.hash(password)  # as long as a verification takes
        return None
    if not _matches(account, password):
        return None
    if _hasher.check_needs_rehash(account.password_hash):
        account.password_hash = _hasher.hash(password)
    return account


def by_email(email: str) -> Account | None:
    """The account with this address, however it is written, or None."""
    try:
        normalised = normalise_email(email)
    except BadAccount:
        return None
    return db.session.scalar(select(Account).where(Account.email == normalised))


def ensure_account(
    email: str, password: str, name: str, role: Role = Role.LISTENER, locale: str | None = None
) -> Account:
    """The account with this address, made if missing; an existing one gets this password and role. For set-up."""
    account = by_email(email)
    if account is None:
        return register(email, password, name, locale=locale, role=role)
    if account.role != role:
        account.role = Role(role)
    if not _matches(account, unicodedata.normalize("NFKC", password)):
        account.password_hash = _hash(password)
    return account


def set_locale(account: Account, locale: str) -> None:
    """Remember which language a person reads; raise BadAccount for one the shop doesn't speak."""
    if locale not in LOCALES:
        raise BadAccount(_("The shop does not speak this language."))
    account.locale = locale


def _hash(password: str) -> str:
    password = unicodedata.normalize("NFKC", password)
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise BadAccount(
            _(
                "A password has %(least)s to %(most)s characters; a few words in a row make a good one.",
                least=PASSWORD_MIN,
                most=PASSWORD_MAX,
            )
        )
    return _hasher.hash(password)


def _matches(account: Account, password: str) -> bool:
    try:
        return _hasher.verify(account.password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
