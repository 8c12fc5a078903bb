"""Who a person is: accounts made, found, authenticated and changed."""

from __future__ import annotations

import re
import unicodedata

from babel.numbers import list_currencies
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts import notices, passwords, sessions, tokens
from app.accounts.errors import BadAccount as BadAccount
from app.accounts.errors import BadPassword as BadPassword
from app.accounts.errors import EmailTaken as EmailTaken
from app.accounts.models import Account, Role
from app.accounts.notices import Notice, Told
from app.audit import service as audit
from app.core import ids
from app.core.db import db
from app.core.i18n import LOCALES

NAME_MAX = 80

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)+")


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


def normalise_name(name: str) -> str:
    """A name as it is kept: one line, printable; raise BadAccount where nothing is left or it is too long."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not 1 <= len(name) <= NAME_MAX:
        raise BadAccount(_("Tell us a name of 1 to %(most)s characters.", most=NAME_MAX))
    return name


def register(
    email: str, password: str | None, name: str, locale: str | None = None, role: Role = Role.CUSTOMER
) -> Account:
    """Make an account; raise BadAccount or EmailTaken, each naming the remedy.

    The caller knows that the address is the person's. Without a password, nobody can sign in to it.
    """
    normalised, name = normalise_email(email), normalise_name(name)
    password_hash = passwords.UNUSABLE
    if password is not None:
        password_hash = passwords.hash_new(password, of=(normalised, name))
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
    account = by_email(email)
    if not passwords.matches(account.password_hash if account else passwords.UNUSABLE, password):
        return None
    assert account is not None
    account.password_hash = passwords.renewed(account.password_hash, password) or account.password_hash
    return account


def by_email(email: str) -> Account | None:
    """The account with this address, however it is written, or None."""
    try:
        normalised = normalise_email(email)
    except BadAccount:
        normalised = ""  # looked up all the same: no address costs what an unknown one does
    return db.session.scalar(select(Account).where(Account.email == normalised))


def ensure_account(
    email: str, password: str, name: str, role: Role = Role.CUSTOMER, locale: str | None = None
) -> Account:
    """The account with this address, made if missing; an existing one gets this password and role. For set-up."""
    account = by_email(email)
    if account is None:
        return register(email, password, name, locale=locale, role=role)
    if account.role != role:
        account.role = Role(role)
    if not passwords.matches(account.password_hash, password):
        account.password_hash = passwords.hash_new(password, of=(account.email, account.name))
    return account


def set_locale(account: Account, locale: str) -> None:
    """Remember which language a person reads; raise BadAccount for one the shop doesn't speak."""
    if locale not in LOCALES:
        raise BadAccount(_("The shop does not speak this language."))
    account.locale = locale


def set_profile(account: Account, *, name: str, locale: str | None, currency: str | None) -> None:
    """Change how the person is greeted, in which language, and which currency they prefer; None leaves it open."""
    if currency is not None and currency not in list_currencies():
        raise BadAccount(_("The shop does not know this currency."))
    account.name = normalise_name(name)
    if locale is not None:
        set_locale(account, locale)
    else:
        account.locale = None
    account.currency = currency
    db.session.flush()


def change_password(account: Account, new: str, *, keep_session: str | None = None) -> None:
    """Set another password: every other session is signed out, open links end, and the person is told by letter."""
    account.password_hash = passwords.hash_new(new, of=(account.email, account.name))
    sessions.revoke_all(account.id, but=keep_session)
    tokens.end_all(account.id)
    tell(account, Notice.PASSWORD_CHANGED)
    audit.record(account.id, "account.password", f"account:{account.id}")


def set_role(account: Account, role: Role, *, by: Account | None) -> None:
    """Make the person something else to the shop. Whoever gains or loses by it signs in anew.

    Raises BadAccount where somebody would change their own role: no admin locks the last admin out by a slip.
    """
    if by is not None and by.id == account.id:
        raise BadAccount(_("Nobody changes their own role. Ask another admin."))
    if account.role == role:
        return
    before, account.role = account.role, Role(role)
    sessions.revoke_all(account.id)
    audit.record(by.id if by else None, "account.role", f"account:{account.id}", {"from": str(before), "to": str(role)})


def tell(account: Account, notice: Notice, *, to: str | None = None, key: str | None = None, **facts: str) -> None:
    """Have a letter written to the person, by their name and in their language."""
    notices.tell(
        Told(
            notice=notice,
            to=to or account.email,
            locale=account.locale,
            key=f"account:{notice}:{key or ids.new_id()}",
            account_id=account.id,
            facts={"name": account.name, **facts},
        )
    )
