"""A person's address book."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from flask_babel import gettext as _
from sqlalchemy import func, select

from app.accounts.errors import BadAccount
from app.accounts.models import AccountAddress
from app.core.db import db
from app.core.errors import NotFound

MOST = 50


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address as it was typed; `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    country: str
    line2: str | None = None
    postal_code: str | None = None
    region: str | None = None


def of_account(account_id: str) -> list[AccountAddress]:
    """The person's addresses, the oldest first."""
    return list(
        db.session.scalars(
            select(AccountAddress)
            .where(AccountAddress.account_id == account_id)
            .order_by(AccountAddress.created_at, AccountAddress.id)
        )
    )


def home_of(account_id: str) -> str | None:
    """The country of the person's first address: where they are, as long as they say no other; None without one."""
    return next((address.country for address in of_account(account_id)), None)


def one(account_id: str, address_id: str) -> AccountAddress:
    """An address of the person's; else NotFound."""
    found = db.session.get(AccountAddress, address_id)
    if found is None or found.account_id != account_id:
        raise NotFound(_("There is no such address in your book."))
    return found


def add(account_id: str, address: Address) -> AccountAddress:
    """Write an address into the book; raise BadAccount where it is full."""
    held = db.session.scalar(
        select(func.count()).select_from(AccountAddress).where(AccountAddress.account_id == account_id)
    )
    if (held or 0) >= MOST:
        raise BadAccount(_("The book is full. Remove an address that you no longer need."))
    made = AccountAddress(account_id=account_id, **asdict(address))
    db.session.add(made)
    db.session.flush()
    return made


def change(held: AccountAddress, address: Address) -> None:
    """Write it anew."""
    for name, value in asdict(address).items():
        setattr(held, name, value)
    db.session.flush()


def remove(held: AccountAddress) -> None:
    """Take it out of the book."""
    db.session.delete(held)
    db.session.flush()
