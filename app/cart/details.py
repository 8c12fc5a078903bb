"""What a buyer says for paying: a guest's e-mail, the country, a VAT number, a code.

What is wrong is told by field, and the rest is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import gettext as _

from app.accounts.errors import BadAccount
from app.accounts.models import Account
from app.accounts.service import normalise_email
from app.cart import pricing
from app.cart.models import Cart
from app.cart.service import hold
from app.cart.territory import bounds_of
from app.core import codes
from app.core.countries import is_country
from app.core.db import db
from app.pricing import vat_numbers

_CODE_MAX = 40


@dataclass(frozen=True, slots=True)
class Details:
    """As typed; None: the field was not on the page."""

    email: str | None = None
    country: str | None = None
    vat_number: str | None = None
    coupon: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Details:
        """From a form."""
        return cls(*(fields.get(name) for name in ("email", "country", "vat_number", "coupon")))


def save(cart: Cart, account: Account | None, typed: Details) -> dict[str, str]:
    """Keep what is right with the cart; say what isn't, by field. Nothing that is wrong is kept."""
    hold(cart)
    wrong: dict[str, str] = {}
    if typed.email is not None and account is None:
        _email(cart, typed.email, wrong)
    if typed.country is not None:
        _country(cart, typed.country, wrong)
    if typed.vat_number is not None:
        _vat_number(cart, typed.vat_number, pricing.country_of(cart, account), wrong)
    if typed.coupon is not None:
        _coupon(cart, typed.coupon, wrong)
    db.session.flush()
    return wrong


def missing(cart: Cart, account: Account | None) -> dict[str, str]:
    """What has to be said before paying and isn't yet, by field."""
    wrong = {}
    if account is None and not cart.email:
        wrong["email"] = _("Type your e-mail address: what you buy is sent there.")
    country = pricing.country_of(cart, account)
    if pricing.collects_tax() and country is None:
        wrong["country"] = _("Choose your country: tax depends on it.")
    elif refusal := bounds_of(cart.items, country).refusal:
        wrong["country"] = refusal
    return wrong


def _email(cart: Cart, text: str, wrong: dict[str, str]) -> None:
    if not text.strip():
        cart.email = None
        return
    try:
        cart.email = normalise_email(text)
    except BadAccount as error:
        cart.email = None
        wrong["email"] = str(error)


def _country(cart: Cart, text: str, wrong: dict[str, str]) -> None:
    code = text.strip().upper()
    if code and not is_country(code):
        wrong["country"] = _("Choose a country of the list.")
    else:
        cart.country = code or None


def _vat_number(cart: Cart, text: str, country: str | None, wrong: dict[str, str]) -> None:
    cart.vat_number = None
    if not text.strip():
        return
    if country is None:
        wrong["vat_number"] = _("Choose your country, too: a VAT number is one of a country.")
        return
    try:
        cart.vat_number = vat_numbers.read(text[:60], country).number
    except vat_numbers.BadVatNumber as error:
        wrong["vat_number"] = str(error)


def _coupon(cart: Cart, text: str, wrong: dict[str, str]) -> None:
    code = codes.normal(text)
    cart.coupon_code = code if 0 < len(code) <= _CODE_MAX and code.isascii() and code.isalnum() else None
    if code and cart.coupon_code is None:
        wrong["coupon"] = _("There is no code “%(code)s”. Check its letters and digits.", code=text.strip()[:60])
