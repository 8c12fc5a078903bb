"""From a cart to an order: an immutable snapshot of what the buyer was quoted."""

from __future__ import annotations

from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _

from app.accounts import addresses
from app.accounts.models import Account
from app.cart import pricing
from app.cart import service as carts
from app.cart.models import Cart, CartItem
from app.cart.pricing import Priced
from app.catalog.models import Offer, OfferKind
from app.core import ids
from app.core.db import db
from app.core.errors import Conflict
from app.core.money import Money
from app.orders import holdings, invoices, locks
from app.orders.models import Order, OrderLine, OrderState
from app.payments import methods
from app.pricing import coupons
from app.pricing import service as evidence
from app.pricing.contract import Line, Quote, Treatment

_TITLE_MAX = 300


class CartChanged(Conflict):
    """The cart isn't what the buyer saw; nothing was ordered."""


class TooLittle(CartChanged):
    """It comes to less than the gateway can charge."""


def place(cart: Cart, *, account: Account | None, email: str, locale: str, expected: Money | None) -> Order:
    """Make a pending order of the cart, at the prices of this moment, in the caller's transaction.

    `email` is where it is sent; a guest's is all that is known of them. `expected` is the total the buyer was shown
    (None: whatever it comes to): an order for another amount is not what they agreed to. Raises CartChanged, TooLittle,
    or CouponRefused where somebody else was faster; the caller's transaction must then be rolled back.
    """
    # Before the cart: whoever takes in a payment locks in that order, too. A refund of what gives a credit waits.
    locks.buyer(account.id if account is not None else email.lower())
    dropped = carts.prune(cart, pricing.preferred(account))
    if dropped:
        raise CartChanged(" ".join(dropped.messages()) + " " + _("Look at your cart again before you pay."))
    priced = pricing.priced(cart, account, email=email, placing=True)
    quote = priced.quote
    if quote is None:
        raise CartChanged(_("Your cart is empty."))
    if priced.bounds.refusal:
        raise CartChanged(priced.bounds.refusal)
    if priced.tax_unknown:
        raise CartChanged(priced.tax_unknown)
    if priced.coupon_refusal and expected is None:
        raise coupons.CouponRefused(priced.coupon_refusal)
    if expected is not None and expected != quote.gross:
        if pricing.priced(cart, account, email=email).total == expected:
            raise CartChanged(
                _(
                    "The payment of an order before is under way, and holds your code or what comes off."
                    " Wait until it is done, or pay without."
                )
            )
        raise CartChanged(_("Your cart has changed since you saw it. Look at it again before you pay."))
    if 0 < quote.gross.minor < methods.least(quote.currency).minor:
        raise TooLittle(
            _(
                "Less than %(least)s can’t be paid. Put something more into your cart, or pay without a code.",
                least=methods.least(quote.currency).format(locale),
            )
        )
    order = Order(
        id=ids.new_id(),
        account_id=account.id if account is not None else None,
        email=email,
        locale=locale,
        billing=_billing(account, priced),
        seller=invoices.seller_today(),
        state=OrderState.PENDING,
        currency=quote.currency,
        total_minor=quote.gross.minor,
        inclusive=quote.inclusive,
        reverse_charge=quote.basis.treatment == Treatment.REVERSE_CHARGE,
        coupon_code=quote.coupon,
    )
    with force_locale(locale):
        order.lines = [_line(number, item, line, locale) for number, (item, line) in enumerate(priced.lines, 1)]
    db.session.add(order)
    db.session.flush()
    _reserve(order, account, quote)
    evidence.keep_evidence(order.id, quote.basis)
    db.session.refresh(order)
    return order


def line_title(offer: Offer, locale: str) -> str:
    """What an order, its payment page and its invoice call the offer; in the locale that is in force."""
    title = offer.title_in(locale)
    if offer.kind != OfferKind.BUNDLE:
        artist = offer.track.credited_artist if offer.track else offer.subject_release.artist
        title = f"{title} – {artist.name_in(locale)}"
    if offer.kind == OfferKind.RENTAL:
        title = _("%(title)s (rental)", title=title[: _TITLE_MAX - 20])
    return title[:_TITLE_MAX]


def _line(number: int, item: CartItem, line: Line, locale: str) -> OrderLine:
    return OrderLine(
        id=ids.new_id(),
        position=number,
        offer_id=item.offer_id,
        offer=item.offer,
        title=line_title(item.offer, locale),
        list_minor=line.list_price.minor,
        credit_minor=line.credit.minor,
        discount_minor=line.discount.minor,
        relief_minor=line.relief.minor,
        net_minor=line.net.minor,
        tax_minor=line.tax.minor,
        price_minor=line.gross.minor,
        tax_rate=line.rate.percent if line.rate else None,
        tax_country=line.rate.country if line.rate else None,
        tax_name=line.rate.name if line.rate else None,
        credits=[
            {"line": credit.holding, "track": credit.track_id, "minor": credit.amount.minor} for credit in line.credits
        ],
        awaited=item.offer.is_awaited,
        gift_to=item.gift_to,
        gift_on=item.gift_on,
        gift_from=item.gift_from,
        gift_message=item.gift_message,
    )


def _billing(account: Account | None, priced: Priced) -> dict[str, Any]:
    """Who the invoice is for, as far as they said; the address only where it is in the country that is taxed for."""
    told: dict[str, Any] = {
        "country": priced.country,
        "vat_id": priced.vat_number.number if priced.vat_number else None,
        "name": account.name if account is not None else None,
    }
    if account is not None:
        for address in addresses.of_account(account.id):
            if address.country == priced.country:
                town = " ".join(part for part in (address.postal_code, address.city) if part)
                told["name"] = address.name
                told["address"] = [part for part in (address.line1, address.line2, town, address.region) if part]
                break
    return {key: value for key, value in told.items() if value}


def _reserve(order: Order, account: Account | None, quote: Quote) -> None:
    if quote.coupon is None:
        return
    past = holdings.past(account, order.email, placing=True)
    coupons.reserve(order.id, quote.coupon, pricing.customer_of(account, order.email, past), quote.discount)
