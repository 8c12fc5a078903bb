"""How a person comes in, and comes in again: by a letter to their address, whether the shop knows it or not.

Whoever asks learns nothing: an address with an account and one without get the same answer after the same work (as
many statements, one letter). No account exists before its address is proved, so nobody can hold another's.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask_babel import gettext as _

from app.accounts import notices, service, sessions, tokens
from app.accounts.errors import BadAccount, EmailTaken
from app.accounts.models import Account, AccountToken, TokenPurpose
from app.accounts.notices import Notice, Told
from app.audit import service as audit
from app.core.db import db
from app.core.store import settings


def ask_for_account(email: str, *, locale: str, onward: str | None = None) -> None:
    """Send the letter that leads to an account; where there is one, a letter that says so and leads to a new password.

    `onward` is a path of ours to go to at the end. Raises BadAccount for what is no address.
    """
    _invite(email, locale, onward, known=Notice.ALREADY_REGISTERED, unknown=Notice.REGISTER)


def ask_for_password(email: str, *, locale: str, onward: str | None = None) -> None:
    """Send the letter that leads to a new password; where there is no account, one that says so and leads to one."""
    _invite(email, locale, onward, known=Notice.RESET, unknown=Notice.UNKNOWN)


def complete(token: str, *, name: str, password: str, locale: str | None) -> Account:
    """Make the account that a letter was sent for; raise BadToken, BadAccount or EmailTaken."""
    redeemed = tokens.redeem(TokenPurpose.REGISTER, token)
    return service.register(redeemed.email, password, name, locale=locale)


def reset_password(token: str, password: str) -> Account:
    """Set a new password by a letter's link, and sign out everywhere; raise BadToken or BadPassword."""
    account = _account_of(tokens.redeem(TokenPurpose.RESET, token))
    service.change_password(account, password)
    return account


def ask_for_new_email(account: Account, email: str) -> None:
    """Send a letter to the address that is to be the person's; it counts once its link was followed.

    Raises BadAccount for what is no address, or is theirs already. Where it is another account's, the letter says so
    to whom it belongs, and the person who asked learns nothing.
    """
    normalised = service.normalise_email(email)
    if normalised == account.email:
        raise BadAccount(_("This is your address already."))
    taken = service.by_email(normalised) is not None
    made, text = tokens.issue(TokenPurpose.CHANGE_EMAIL, normalised, account.id)
    if taken:
        service.tell(account, Notice.EMAIL_IN_USE, to=normalised, key=made.id)
    else:
        service.tell(
            account, Notice.CHANGE_EMAIL, to=normalised, key=made.id, link=_link(f"/account/email/{text}", None)
        )


def change_email(token: str, *, keep_session: str | None = None) -> Account:
    """Make the address that a letter was sent to the account's; the old one is told. Other sessions are signed out.

    Raises BadToken, or EmailTaken where somebody else has it by now.
    """
    redeemed = tokens.redeem(TokenPurpose.CHANGE_EMAIL, token)
    account = _account_of(redeemed)
    if service.by_email(redeemed.email) is not None:
        raise EmailTaken(_("This address cannot be yours: another account has it."))
    old, account.email = account.email, redeemed.email
    db.session.flush()
    tokens.end_all(account.id)
    sessions.revoke_all(account.id, but=keep_session)
    service.tell(account, Notice.EMAIL_CHANGED, to=old, key=redeemed.id, new_email=account.email)
    audit.record(account.id, "account.email", f"account:{account.id}")
    return account


def _invite(email: str, locale: str, onward: str | None, *, known: Notice, unknown: Notice) -> None:
    normalised = service.normalise_email(email)
    account = service.by_email(normalised)
    if account is not None:
        made, text = tokens.issue(TokenPurpose.RESET, normalised, account.id)
        service.tell(account, known, key=made.id, link=_link(f"/password/{text}", onward))
        return
    made, text = tokens.issue(TokenPurpose.REGISTER, normalised, None)
    link = _link(f"/welcome/{text}", onward)
    notices.tell(Told(unknown, normalised, locale, f"account:{unknown}:{made.id}", facts={"link": link}))


def _account_of(token: AccountToken) -> Account:
    return db.session.get_one(Account, token.account_id)


def _link(path: str, onward: str | None) -> str:
    return settings().base_url + path + ("?" + urlencode({"next": onward}) if onward else "")
