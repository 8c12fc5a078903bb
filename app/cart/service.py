"""Every write to carts. Whoever changes a cart holds its row, so that two tabs take turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from flask_babel import gettext as _
from sqlalchemy import CursorResult, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Account
from app.cart import rules, territory
from app.cart.gifts import Gift
from app.cart.models import Cart, CartItem
from app.cart.queries import cart_of
from app.cart.rules import AlreadyIn, CannotAdd, Having
from app.catalog.models import Offer, OfferKind
from app.core import clock, ids
from app.core.db import db
from app.core.errors import NotFound
from app.core.i18n import locale_code
from app.core.money import Money
from app.discovery import events
from app.discovery.models import EventKind
from app.pricing.contract import Unpriceable
from app.pricing.quoting import check_named

__all__ = ["AlreadyIn", "CannotAdd"]  # what `add` raises, for those who call it


@dataclass
class Dropped:
    """What a cart lost, as titles to be told to the person, by reason; and sentences about the rest."""

    off_sale: list[str] = field(default_factory=list)
    owned: list[str] = field(default_factory=list)
    rented: list[str] = field(default_factory=list)
    other_currency: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.off_sale or self.owned or self.rented or self.other_currency or self.said)

    def messages(self) -> list[str]:
        """One sentence per reason."""
        told = []
        if self.off_sale:
            told.append(_("No longer on sale, so taken out of your cart: %(titles)s.", titles=_listed(self.off_sale)))
        if self.owned:
            told.append(_("Yours already, so taken out of your cart: %(titles)s.", titles=_listed(self.owned)))
        if self.rented:
            told.append(_("You rent these now, so taken out of your cart: %(titles)s.", titles=_listed(self.rented)))
        if self.other_currency:
            told.append(
                _(
                    "Priced in another currency than the rest, so taken out of your cart: %(titles)s."
                    " Buy these in an order of their own.",
                    titles=_listed(self.other_currency),
                )
            )
        return told + self.said


def open_cart(account_id: str | None, guest_cart_id: str | None = None) -> Cart:
    """The person's or guest's cart, made where there is none."""
    cart = cart_of(account_id, guest_cart_id)
    if cart is not None:
        return cart
    made = ids.new_id()
    # Two tabs may be here at once; an account has one cart, and the constraint says which.
    db.session.execute(
        insert(Cart).values(id=made, account_id=account_id).on_conflict_do_nothing(index_elements=[Cart.account_id])
    )
    cart = cart_of(account_id, made)
    assert cart is not None
    return cart


def hold(cart: Cart) -> None:
    """Wait for whoever changes the cart, then see it as it is; until the transaction ends nobody else changes it."""
    db.session.flush()
    held = db.session.scalar(
        select(Cart).where(Cart.id == cart.id).with_for_update().execution_options(populate_existing=True)
    )
    if held is None:
        raise NotFound(_("This cart is not there any more. Load the page again."))


def add(
    cart: Cart, offer_id: str, *, named: Money | None = None, gift: Gift | None = None, country: str | None = None
) -> Offer:
    """Put an offer in the cart, for the buyer or as a gift, and return it; raise CannotAdd, saying why, or NotFound.

    `named` is what they give where the price is open; `country`, where they are, as far as it is known: what isn't
    sold there is refused. A release swallows its own tracks, and a bundle all that is in it: they leave the cart as it
    comes in.
    """
    offer = db.session.get(Offer, offer_id)
    if offer is None:
        raise NotFound(_("This is not on sale. Look at its page for what is."))
    hold(cart)
    title = offer.title_in(locale_code())
    if not offer.on_sale:
        raise CannotAdd(
            _("%(title)s is not on sale any more, or its price has changed. Load its page again.", title=title)
        )
    territory.refuse_barred(offer, country)
    to = gift.to if gift else None
    if gift is None:
        rules.refuse_had(offer, Having.of(cart.account_id))
    rules.refuse_twice(offer, to, cart.items)
    gone = [] if gift else rules.swallowed(offer, cart.items)
    currency = _currency_with(cart, offer, gone)
    named = _named(offer, named, gift, title)
    _remove(cart, gone)
    _insert(cart, offer, named, gift, named if named and named.currency == currency else offer.price_in(currency))
    if cart.account_id is not None and gift is None:  # what one gives says nothing of what one likes
        releases = [release.id for release in offer.releases]
        events.note_together(cart.account_id, releases, EventKind.CART, track_id=offer.track_id)
    return offer


def remove(cart: Cart, item_id: str) -> None:
    """Take an item out; one that isn't in is no error."""
    hold(cart)
    _remove(cart, [item for item in cart.items if item.id == item_id])


def name_price(cart: Cart, item_id: str, named: Money) -> None:
    """The buyer gives that for an item of an open price; raise CannotAdd where it is out of its bounds."""
    item = _item(cart, item_id)
    gift = Gift(item.gift_to) if item.gift_to else None
    amount = _named(item.offer, named, gift, item.offer.title_in(locale_code()))
    if amount is not None:
        item.named_minor, item.named_currency = amount.minor, amount.currency
        item.seen_minor, item.seen_currency = amount.minor, amount.currency
    db.session.flush()


def change_gift(cart: Cart, item_id: str, gift: Gift) -> None:
    """Give it to somebody else, or with other words; raise AlreadyIn where they get it already."""
    item = _item(cart, item_id)
    if item.gift_to is None:
        raise NotFound(_("This gift is not in your cart any more."))
    rules.refuse_twice(item.offer, gift.to, [other for other in cart.items if other is not item])
    item.gift_to, item.gift_on = gift.to, gift.on
    item.gift_from, item.gift_message = gift.sender, gift.message
    db.session.flush()


def prune(cart: Cart, preferred: str | None = None) -> Dropped:
    """Make the cart one that can be bought as it stands, and say what that changed.

    What can't be bought any more goes; what was put up for sale anew, at another price, stays at that price.
    """
    hold(cart)
    dropped = Dropped()
    locale, having = locale_code(), Having.of(cart.account_id)
    gone = []
    for item in list(cart.items):
        title = item.offer.title_in(locale)
        if not item.offer.on_sale and not _follow(cart, item):
            dropped.off_sale.append(title)
        elif not item.is_gift and having.owns(item.offer):
            dropped.owned.append(title)
        elif not item.is_gift and having.rents(item.offer):
            dropped.rented.append(title)
        else:
            if item.gift_on is not None and item.gift_on < clock.now().date():
                item.gift_on = None
                dropped.said.append(_("The day for %(title)s is past: it goes out once it is paid.", title=title))
            continue
        gone.append(item)
    _remove(cart, gone)
    _currency, strangers = rules.one_currency([item.offer for item in cart.items], preferred)
    dropped.other_currency = [offer.title_in(locale) for offer in strangers]
    _remove(cart, [item for item in cart.items if item.offer in strangers])
    return dropped


def note_seen(cart: Cart, prices: Sequence[tuple[CartItem, Money]]) -> list[str]:
    """The buyer sees the cart at these list prices now; what changed since they last saw it, in sentences."""
    said = []
    moved = {price.currency for item, price in prices if item.seen_currency not in (None, price.currency)}
    if moved:
        said.append(_("Your cart is in %(currency)s now, in which all of it has a price.", currency=sorted(moved)[0]))
    for item, price in prices:
        before = item.seen
        if before is not None and before.currency == price.currency and before != price:
            said.append(
                _(
                    "%(title)s costs %(now)s now. It was %(before)s when you last saw your cart.",
                    title=item.offer.title_in(locale_code()),
                    now=price.format(locale_code()),
                    before=before.format(locale_code()),
                )
            )
        item.seen_minor, item.seen_currency = price.minor, price.currency
    db.session.flush()
    return said


def merge(account: Account, guest_cart_id: str | None) -> Dropped:
    """Bring the guest's cart into the account's, at sign-in. What the guest chose is the fresher wish, so where the
    currencies don't go together, it stays and the older things go."""
    dropped = Dropped()
    guest = cart_of(None, guest_cart_id)
    if guest is None:
        return dropped
    locale, having = locale_code(), Having.of(account.id)
    cart = open_cart(account.id)
    hold(guest)
    hold(cart)
    fresh = [item.offer for item in guest.items]
    _currency, strangers = rules.one_currency([*fresh, *(item.offer for item in cart.items)], account.currency)
    leaving = [item for item in cart.items if item.offer in strangers]
    dropped.other_currency = [item.offer.title_in(locale) for item in leaving]
    _remove(cart, leaving)
    for item in list(guest.items):
        if not item.is_gift and having.owns(item.offer):
            dropped.owned.append(item.offer.title_in(locale))
            continue
        gift = Gift(item.gift_to, item.gift_on, item.gift_from, item.gift_message) if item.gift_to else None
        try:
            add(cart, item.offer_id, named=item.named, gift=gift)
        except AlreadyIn:
            continue
        except CannotAdd as error:
            dropped.said.append(str(error))
    cart.country, cart.vat_number = guest.country or cart.country, guest.vat_number or cart.vat_number
    cart.coupon_code = guest.coupon_code or cart.coupon_code
    db.session.delete(guest)
    db.session.flush()
    return dropped


def forget_guests(before: datetime) -> int:
    """Drop guests' carts that nothing was put in since that moment; return how many."""
    fresh = exists().where(CartItem.cart_id == Cart.id, CartItem.created_at >= before)
    old = delete(Cart).where(Cart.account_id.is_(None), Cart.created_at < before, ~fresh)
    gone = db.session.execute(old.execution_options(synchronize_session=False))
    return int(cast("CursorResult[Any]", gone).rowcount)


def clear_bought(account_id: str | None, email: str, bought: Sequence[tuple[Offer, str | None]]) -> None:
    """After a purchase of these offers, each with whom it is a gift for: take them out, and what they swallow.

    Of the account's cart; a guest's carts are known by the e-mail they were to be paid with.
    """
    whose = Cart.account_id == account_id if account_id else (Cart.email == email) & Cart.account_id.is_(None)
    for cart in db.session.scalars(select(Cart).where(whose).order_by(Cart.id)).all():
        hold(cart)
        gone = [item for item in cart.items if any(_was_bought(item, offer, to) for offer, to in bought)]
        for offer, to in bought:
            gone += rules.swallowed(offer, cart.items) if to is None else []
        if gone:
            cart.coupon_code = None
        _remove(cart, list(dict.fromkeys(gone)))


def _was_bought(item: CartItem, offer: Offer, to: str | None) -> bool:
    if item.gift_to != to:
        return False
    if item.offer_id == offer.id:
        return True
    # Put up for sale anew since: a person has each thing once.
    subject = (offer.kind, offer.release_id, offer.track_id)
    return (
        to is None
        and offer.kind != OfferKind.BUNDLE
        and subject
        == (
            item.offer.kind,
            item.offer.release_id,
            item.offer.track_id,
        )
    )


def _currency_with(cart: Cart, offer: Offer, gone: Sequence[CartItem]) -> str:
    preferred = db.session.get(Account, cart.account_id) if cart.account_id else None
    present = [item.offer for item in cart.items if item not in gone]
    currency, strangers = rules.one_currency([*present, offer], preferred.currency if preferred else None)
    if strangers:
        before, _none = rules.one_currency(present, preferred.currency if preferred else None)
        raise CannotAdd(
            _(
                "Your cart is in %(cart)s and %(title)s is sold in %(currency)s. Buy what is in the cart first.",
                cart=before,
                title=offer.title_in(locale_code()),
                currency=", ".join(sorted(offer.currencies)),
            )
        )
    assert currency is not None
    return currency


def _named(offer: Offer, named: Money | None, gift: Gift | None, title: str) -> Money | None:
    if offer.open_price and named is not None:
        try:
            check_named(named, offer.price_in(named.currency))
        except Unpriceable as error:
            raise CannotAdd(str(error)) from None
    given = named if offer.open_price and named is not None else offer.price
    if gift is not None and given.minor == 0:
        # Anybody could have us write to anybody else.
        raise CannotAdd(_("%(title)s costs nothing. Send the address of its page instead.", title=title))
    return named if offer.open_price else None


def _follow(cart: Cart, item: CartItem) -> bool:
    """The offer is retired; where its subject is sold anew in the same way, the item is for that."""
    offer = item.offer
    subject = offer.release or offer.track
    if offer.active or subject is None:
        return False
    anew = offer.release.rental if offer.kind == OfferKind.RENTAL and offer.release else subject.offer
    if anew is None or not anew.on_sale or (item.is_gift and anew.is_free):
        return False
    if any(other.offer_id == anew.id and other.gift_to == item.gift_to for other in cart.items):
        return False
    item.offer = anew
    if not anew.open_price:
        item.named_minor = item.named_currency = None
    db.session.flush()
    return True


def _item(cart: Cart, item_id: str) -> CartItem:
    hold(cart)
    found = next((item for item in cart.items if item.id == item_id), None)
    if found is None:
        raise NotFound(_("This is not in your cart any more."))
    return found


def _insert(cart: Cart, offer: Offer, named: Money | None, gift: Gift | None, seen: Money) -> None:
    cart.items.append(
        CartItem(
            offer_id=offer.id,
            offer=offer,
            named_minor=named.minor if named else None,
            named_currency=named.currency if named else None,
            seen_minor=seen.minor,
            seen_currency=seen.currency,
            gift_to=gift.to if gift else None,
            gift_on=gift.on if gift else None,
            gift_from=gift.sender if gift else None,
            gift_message=gift.message if gift else None,
        )
    )
    db.session.flush()


def _remove(cart: Cart, items: Sequence[CartItem]) -> None:
    for item in items:
        cart.items.remove(item)
    db.session.flush()


def _listed(titles: list[str]) -> str:
    return _(", ").join(titles)
