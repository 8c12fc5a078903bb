"""The rules of carts: nothing twice, nothing owned, one currency, only what is on sale."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask_babel import gettext as _
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Account
from app.cart.models import Cart, CartItem
from app.cart.queries import cart_of
from app.catalog.models import Offer, OfferKind
from app.core import ids
from app.core.db import db
from app.core.errors import Conflict, NotFound
from app.core.i18n import locale_code
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.licenses import queries as licenses


class CannotAdd(Conflict):
    """The cart does not take this; the message says why."""


@dataclass
class Dropped:
    """What a cart lost, as titles to be told to the person, by reason."""

    off_sale: list[str] = field(default_factory=list)
    owned: list[str] = field(default_factory=list)
    other_currency: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.off_sale or self.owned or self.other_currency)

    def messages(self) -> list[str]:
        """One sentence per reason."""
        said = []
        if self.off_sale:
            said.append(_("No longer on sale, so taken out of your cart: %(titles)s.", titles=_listed(self.off_sale)))
        if self.owned:
            said.append(_("Yours already, so taken out of your cart: %(titles)s.", titles=_listed(self.owned)))
        if self.other_currency:
            said.append(
                _(
                    "Priced in another currency than the rest, so taken out of your cart: %(titles)s."
                    " Buy these in an order of their own.",
                    titles=_listed(self.other_currency),
                )
            )
        return said


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


def add(cart: Cart, offer_id: str) -> Offer:
    """Put an offer in the cart and return it; raise CannotAdd, saying why, or NotFound.

    A release swallows its own tracks: they leave the cart as it comes in.
    """
    offer = db.session.get(Offer, offer_id)
    if offer is None:
        raise NotFound(_("This is not on sale. Look at its page for what is."))
    title = offer.title_in(locale_code())
    if not on_sale(offer):
        raise CannotAdd(
            _("%(title)s is not on sale any more, or its price has changed. Load its page again.", title=title)
        )
    if _is_owned(offer, cart.account_id):
        raise CannotAdd(_("%(title)s is yours already. It is in your library.", title=title))
    present = {item.offer_id for item in cart.items}
    if offer.id in present:
        raise CannotAdd(_("%(title)s is in your cart already.", title=title))
    if offer.track is not None and any(item.offer.release_id == offer.track.release_id for item in cart.items):
        raise CannotAdd(_("%(title)s is in your cart already, with the whole release.", title=title))
    currencies = {item.offer.currency for item in cart.items}
    if currencies and offer.currency not in currencies:
        raise CannotAdd(
            _(
                "Your cart is in %(cart)s and %(title)s is sold in %(currency)s. Buy what is in the cart first.",
                cart=currencies.pop(),
                title=title,
                currency=offer.currency,
            )
        )
    if offer.release_id is not None:
        _remove(
            cart, [item for item in cart.items if item.offer.track and item.offer.track.release_id == offer.release_id]
        )
    _insert(cart, offer)
    if cart.account_id is not None:
        discovery.record(cart.account_id, offer.subject_release.id, EventKind.CART, track_id=offer.track_id)
    return offer


def remove(cart: Cart, offer_id: str) -> None:
    """Take an offer out; one that isn't in is no error."""
    _remove(cart, [item for item in cart.items if item.offer_id == offer_id])


def prune(cart: Cart) -> Dropped:
    """Take out what can't be bought any more, and say what that was."""
    dropped = Dropped()
    locale = locale_code()
    releases, tracks = licenses.owned_release_ids(cart.account_id), licenses.owned_track_ids(cart.account_id)
    gone = []
    for item in cart.items:
        title = item.offer.title_in(locale)
        if not on_sale(item.offer):
            dropped.off_sale.append(title)
        elif item.offer.release_id in releases or item.offer.track_id in tracks:
            dropped.owned.append(title)
        else:
            continue
        gone.append(item)
    _remove(cart, gone)
    return dropped


def merge(account: Account, guest_cart_id: str | None) -> Dropped:
    """Bring the guest's cart into the account's, at sign-in. What the guest chose is the fresher wish, so where the
    currencies differ, it stays and the older things go."""
    dropped = Dropped()
    guest = cart_of(None, guest_cart_id)
    if guest is None:
        return dropped
    locale = locale_code()
    cart = open_cart(account.id)
    currencies = {item.offer.currency for item in guest.items}
    if currencies:
        strangers = [item for item in cart.items if item.offer.currency not in currencies]
        dropped.other_currency = [item.offer.title_in(locale) for item in strangers]
        _remove(cart, strangers)
    for item in list(guest.items):
        if _is_owned(item.offer, account.id):
            dropped.owned.append(item.offer.title_in(locale))
            continue
        try:
            add(cart, item.offer_id)
        except CannotAdd:  # there already, or off sale, which the cart page tells
            continue
    db.session.delete(guest)
    db.session.flush()
    return dropped


def clear_bought(account_id: str, offers: list[Offer]) -> None:
    """After a purchase: take out what was bought, and tracks of releases that were."""
    cart = cart_of(account_id)
    if cart is None:
        return
    offer_ids = {offer.id for offer in offers}
    releases = {offer.release_id for offer in offers} - {None}
    tracks = {offer.track_id for offer in offers} - {None}
    _remove(
        cart,
        [
            item
            for item in cart.items
            if item.offer_id in offer_ids
            or item.offer.release_id in releases
            or item.offer.track_id in tracks
            or (item.offer.track is not None and item.offer.track.release_id in releases)
        ],
    )


def on_sale(offer: Offer) -> bool:
    """Whether the public may buy it now."""
    # An order can neither lend, nor sell several releases at once, nor be without a payment.
    return offer.on_sale and offer.kind == OfferKind.BUY and offer.price_minor > 0


def _is_owned(offer: Offer, account_id: str | None) -> bool:
    if offer.release_id is not None:
        return offer.release_id in licenses.owned_release_ids(account_id)
    return offer.track_id in licenses.owned_track_ids(account_id)


def _insert(cart: Cart, offer: Offer) -> None:
    db.session.execute(insert(CartItem).values(cart_id=cart.id, offer_id=offer.id).on_conflict_do_nothing())
    db.session.refresh(cart, ["items"])


def _remove(cart: Cart, items: list[CartItem]) -> None:
    for item in items:
        cart.items.remove(item)
    db.session.flush()


def _listed(titles: list[str]) -> str:
    return _(", ").join(titles)
