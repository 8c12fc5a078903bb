"""What a cart comes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from flask_babel import gettext as _

from app.accounts import addresses
from app.accounts.models import Account
from app.cart import holdings, rules
from app.cart.models import Cart, CartItem
from app.cart.territory import Bounds, bounds_of
from app.catalog.models import Offer, OfferKind
from app.core.i18n import locale_code
from app.core.money import Money
from app.core.store import settings
from app.pricing import coupons, vat_numbers
from app.pricing.contract import Buyer, Line, Quote, Reduction, TaxUnknown, Unpriceable, VatNumber, Wanted
from app.pricing.quoting import check_named, quote
from app.pricing.service import tax_rules, wanted_of


@dataclass(frozen=True)
class Priced:
    """A cart with its prices of this moment; `messages` are what the buyer should know beside them.

    `coupon_refusal` says why the code in the cart takes nothing off; `tax_unknown`, why the quote is without tax and
    can't be ordered; `bounds`, what isn't sold where the buyer is.
    """

    cart: Cart
    quote: Quote | None = None
    country: str | None = None
    vat_number: VatNumber | None = None
    coupon_refusal: str | None = None
    tax_unknown: str | None = None
    bounds: Bounds = field(default_factory=Bounds)
    messages: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[tuple[CartItem, Line]]:
        """The items, each with its line."""
        by_key = {line.key: line for line in self.quote.lines} if self.quote else {}
        return [(item, by_key[item.id]) for item in self.cart.items if item.id in by_key]

    @property
    def kept_at_once(self) -> bool:
        """Whether all of it is the buyer's own, for good, as soon as it is paid."""
        offers = [item.offer for item in self.cart.items]
        given = any(item.is_gift for item in self.cart.items)
        return not given and not any(offer.kind == OfferKind.RENTAL or offer.is_awaited for offer in offers)

    @property
    def total(self) -> Money | None:
        """What is to be paid; None for an empty cart."""
        return self.quote.gross if self.quote else None


def preferred(account: Account | None) -> str | None:
    """The currency the buyer chose."""
    return account.currency if account is not None else None


def collects_tax() -> bool:
    """Whether the shop needs to know where the buyer is."""
    return bool(tax_rules(settings()).collects_in)


def priced(cart: Cart, account: Account | None, *, email: str | None = None, placing: bool = False) -> Priced:
    """The cart's quote; nothing is written. It takes a cart that was pruned (`service.prune`), of one currency.

    `email` is a guest's, as far as it is known. A coupon that doesn't hold leaves the quote as it is without it.
    `placing`: see `holdings`.
    """
    items = list(cart.items)
    country = country_of(cart, account)
    number = _vat_number(cart.vat_number, country)
    currency, strangers = rules.one_currency([item.offer for item in items], preferred(account))
    items = [item for item in items if item.offer not in strangers]
    if not items or currency is None:
        return Priced(cart, country=country, vat_number=number)
    bounds = bounds_of(items, country)
    said = [bounds.refusal] if bounds.barred and bounds.refusal else []
    wanted = [_wanted(item, currency, said) for item in items]
    address = account.email if account is not None else email or cart.email
    past = holdings.past(account, address, placing=placing)
    reduction, refusal = _reduction(cart, account, address, past)
    buyer = replace(buyer_of(cart, account), holdings=past.holdings)
    taxing, unknown = tax_rules(settings()), None
    try:
        made = quote(wanted, buyer, reduction, tax=taxing)
    except TaxUnknown as error:
        made = quote(wanted, buyer, reduction, tax=replace(taxing, collects_in=frozenset()))
        if not made.is_free:
            unknown = str(error)
            said.append(unknown)
    if reduction is not None and made.refusal is not None:
        refusal = coupons.refusal_text(made.refusal, reduction, currency)
    return Priced(cart, made, country, number, refusal, unknown, bounds, said)


def to_complete(offers: Iterable[Offer], account: Account | None) -> dict[str, Money]:
    """What each of those offers, by its id, asks of that account once what they paid for its tracks comes off; as
    prices are listed, without coupons. Offers at a price that the buyer names are left out."""
    untaxed = replace(tax_rules(settings()), collects_in=frozenset())
    buyer = Buyer(holdings=holdings.past(account, account.email if account else None, placing=False).holdings)
    asked: dict[str, Money] = {}
    for offer in offers:
        if not offer.open_price:
            made = quote([wanted_of(offer, currency=preferred(account))], buyer, tax=untaxed)
            asked[offer.id] = Money(made.list_price.minor - made.credit.minor, made.currency)
    return asked


def buyer_of(cart: Cart, account: Account | None) -> Buyer:
    """Where the buyer is, as far as they said; a region and a postal code are those of their address there."""
    country = country_of(cart, account)
    book = addresses.of_account(account.id) if account is not None else []
    address = next((address for address in book if address.country == country), None)
    return Buyer(
        billing_country=country,
        region=address.region if address is not None else None,
        postal_code=address.postal_code if address is not None else None,
        vat_number=_vat_number(cart.vat_number, country),
    )


def _wanted(item: CartItem, currency: str, said: list[str]) -> Wanted:
    named = item.named if item.offer.open_price else None
    if named is not None:
        title = item.offer.title_in(locale_code())
        least = item.offer.price_in(currency)
        try:
            named = check_named(named, least)
        except Unpriceable as error:
            named = None
            said.append(_("What you give for %(title)s has to be named again.", title=title) + " " + str(error))
    return wanted_of(item.offer, currency=currency, named=named, gift=item.is_gift, key=item.id)


def _reduction(
    cart: Cart, account: Account | None, email: str | None, past: holdings.Past
) -> tuple[Reduction | None, str | None]:
    if not cart.coupon_code:
        return None, None
    customer = customer_of(account, email, past)
    try:
        return coupons.check(cart.coupon_code, customer, given_up=past.given_up), None
    except coupons.CouponRefused as error:
        return None, str(error)


def customer_of(account: Account | None, email: str | None, past: holdings.Past) -> coupons.Customer:
    """Who uses a coupon."""
    return coupons.Customer(account.id if account is not None else None, email, past.has_ordered)


def country_of(cart: Cart, account: Account | None) -> str | None:
    """Where the buyer is: the country they said with the cart, else that of their address book (pricing.visitor)."""
    return cart.country or (addresses.home_of(account.id) if account is not None else None)


def asks_country(priced: Priced) -> bool:
    """Whether the buyer has to say where they are: tax hangs on it, or what they may buy."""
    return collects_tax() or bool(priced.bounds.confined)


def _vat_number(text: str | None, country: str | None) -> VatNumber | None:
    if not text:
        return None
    try:
        return vat_numbers.read(text, country)
    except vat_numbers.BadVatNumber:
        return None
