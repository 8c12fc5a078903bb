"""Routes of storefront."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from app.cart import visitor
from app.catalog import queries as catalog
from app.catalog import territory
from app.catalog.models import Kind, Offer, OfferKind
from app.core.auth import Access, Permission, access, may
from app.core.db import transaction
from app.core.errors import NotFound
from app.core.store import settings
from app.discovery import events
from app.discovery.looking import looked_at
from app.discovery.models import EventKind
from app.licenses import queries as licenses
from app.orders import queries as orders
from app.pricing import visitor as pricing
from app.shelves import queries as shelves
from app.shelves.visitor import came_by_shelf, seen
from app.storefront import queries

blueprint = Blueprint("storefront", __name__)

SEARCH_LIMIT = 48
# After signing in nobody wants to be back on these.
_NOT_ONWARD = (
    None,
    "accounts.forgotten",
    "accounts.reset",
    "accounts.second.show",
    "accounts.sign_in",
    "accounts.sign_up",
    "accounts.welcome",
    "storefront.home",
)


def _country() -> str | None:
    """Where the visitor is; asked once for each page."""
    if "visitor_country" not in g:
        g.visitor_country = pricing.country()
    found: str | None = g.visitor_country
    return found


class Shell:
    """What the header of every page shows; each fact is read when a template asks for it."""

    @property
    def cart_count(self) -> int:
        """How many things lie in the cart."""
        return visitor.count()

    @cached_property
    def cart_offer_ids(self) -> set[str]:
        """The offers in the cart, for the visitor themselves."""
        return visitor.offer_ids()

    @cached_property
    def owned_ids(self) -> set[str]:
        """The releases that are the visitor's for good."""
        return licenses.owned_release_ids(visitor.account_id())

    @property
    def country(self) -> str | None:
        """Where the visitor is, as far as they said."""
        return _country()

    @property
    def country_url(self) -> str:
        """Where they say it, and then back to the page being read."""
        readable = request.method == "GET" and request.endpoint not in (None, "cart.country")
        return url_for("cart.country", next=request.full_path.rstrip("?") if readable else None)

    def sold_here(self, offer: Offer) -> bool:
        """Whether the offer is sold where the visitor is, as far as that is known."""
        return territory.offer_is_sold_in(offer, self.country)

    @property
    def cart_url(self) -> str:
        """The cart."""
        return url_for("cart.show")

    @property
    def cart_add_url(self) -> str:
        """Where an offer is posted to be put in the cart."""
        return url_for("cart.add")

    @property
    def orders_url(self) -> str:
        """The person's orders."""
        return url_for("orders.history")

    @property
    def wishlist_url(self) -> str:
        """What the person would like to have."""
        return url_for("wishlist.show")

    @property
    def sign_in_url(self) -> str:
        """Sign-in, and then back to the page being read."""
        readable = request.method == "GET" and request.endpoint not in _NOT_ONWARD
        return url_for("accounts.sign_in", next=request.full_path.rstrip("?") if readable else None)

    @property
    def sign_out_url(self) -> str:
        """Where signing out is posted."""
        return url_for("accounts.sign_out")

    @property
    def language_url(self) -> str:
        """Where another language is posted."""
        return url_for("accounts.set_language")

    @property
    def outbox_url(self) -> str | None:
        """Where letters are read on a machine that sends none."""
        return url_for("letters.outbox") if settings().mail_route.folder is not None else None

    @property
    def coupons_url(self) -> str | None:
        """The coupons, for those who may."""
        return url_for("pricing.index") if may(Permission.PRICES_WRITE) else None

    @property
    def open_cases(self) -> int:
        """How many cases wait for a person."""
        return orders.open_cases()

    @property
    def studio_url(self) -> str | None:
        """The studio, for those who may."""
        return url_for("studio.index") if may(Permission.STUDIO) else None

    @staticmethod
    def download_url(release_id: str) -> str:
        """The files of a release."""
        return url_for("downloads.release", release_id=release_id)


@blueprint.app_context_processor
def _shell() -> dict[str, Any]:
    return {"shell": Shell(), "ngettext": ngettext}


@blueprint.get("/")
@access(Access.PUBLIC)
def home() -> str:
    """The front of the shop."""
    found = queries.home(visitor.account_id(), _country())
    seen(found.shelves)
    return render_template("storefront/home.html", home=found)


@blueprint.get("/search")
@access(Access.PUBLIC)
def search() -> str:
    """What matches, or what is popular where nothing does."""
    text = request.args.get("q", "").strip()[:200]
    country, owned = _country(), licenses.owned_release_ids(visitor.account_id())
    found = catalog.search(text, SEARCH_LIMIT, only=queries.in_reach(country, owned)) if text else []
    suggestions = [] if found else shelves.popular(visitor.account_id(), country)
    seen(suggestions)
    return render_template(
        "storefront/search.html",
        text=text,
        found=found,
        suggestions=suggestions,
        owned=owned,
    )


@blueprint.get("/browse")
@access(Access.PUBLIC)
def browse() -> str:
    """The crates: all, by genre, by kind."""
    slug, wanted = request.args.get("genre") or None, request.args.get("kind") or None
    kind = Kind(wanted) if wanted in set(Kind) else None
    genre = catalog.genre(slug) if slug else None
    if slug and genre is None:
        raise NotFound(_("There is no such genre. The list of genres shows those there are."))
    owned = licenses.owned_release_ids(visitor.account_id())
    only = queries.in_reach(_country(), owned)
    page = catalog.browse(slug, kind, request.args.get("page", 1, type=int), only=only)
    return render_template(
        "storefront/browse.html",
        page=page,
        genre=genre,
        kind=str(kind) if kind else None,
        genres=catalog.genres(only=only),
        owned=owned,
        posters=queries.posters_of(page.items),
    )


@blueprint.get("/releases/<release_id>")
@access(Access.PUBLIC)
def release(release_id: str) -> str:
    """A release: to hear, to buy, to play."""
    found = queries.visible_release(release_id, current_user if current_user.is_authenticated else None)
    if found is None:
        raise NotFound(_("This release is not on sale. Search for it: it may have a new address."))
    if current_user.is_authenticated and found.is_published and looked_at(request):
        with transaction():
            events.note(current_user.id, found.id, EventKind.VIEW)
    if found.is_published:
        came_by_shelf(found.id)
    page = queries.release_page(found, visitor.account_id(), _country())
    seen(page.shelves)
    return render_template(
        "storefront/release.html",
        page=page,
        cart_offer_ids=visitor.offer_ids(),
        base_url=settings().base_url,
    )


@blueprint.get("/bundles/<offer_id>")
@access(Access.PUBLIC)
def bundle(offer_id: str) -> str:
    """Several releases sold as one."""
    found = catalog.offer(offer_id)
    if found is None or found.kind != OfferKind.BUNDLE:
        raise NotFound(_("This bundle is not on offer any more. Its releases may be sold one by one."))
    return render_template(
        "storefront/bundle.html",
        bundle=found,
        cart_offer_ids=visitor.offer_ids(),
        owned=licenses.owned_release_ids(visitor.account_id()),
    )


@blueprint.get("/artists/<artist_id>")
@access(Access.PUBLIC)
def artist(artist_id: str) -> str:
    """An artist and what they made."""
    found = catalog.artist(artist_id)
    if found is None:
        raise NotFound(_("Nothing by this artist is on sale. Search for the name: it may be written differently."))
    country, owned = _country(), licenses.owned_release_ids(visitor.account_id())
    releases = catalog.releases_of_artist(artist_id, only=queries.in_reach(country, owned))
    beside = shelves.artist(found, visitor.account_id(), country, [one.id for one in releases])
    seen(beside)
    return render_template(
        "storefront/artist.html",
        artist=found,
        releases=releases,
        shelves=beside,
        owned=owned,
    )


@blueprint.get("/library")
@access(Access.SIGNED_IN)
def library() -> str:
    """What the person owns."""
    return render_template("storefront/library.html", library=queries.library(current_user.id))
