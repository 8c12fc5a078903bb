"""What is on sale in each of these shops, and who is there to buy it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from support.money.timepiece import BEGINS

from app.accounts.models import Account
from app.catalog.models import Artist, BundledRelease, Kind, Label, Offer, OfferKind, Price, Release, Status, Track
from app.core.db import db, transaction
from app.pricing import coupons
from app.pricing.contract import CurrencyTerms

DAY = 86_400.0
_OPENED = datetime.fromtimestamp(BEGINS, UTC) - timedelta(days=30)


@dataclass
class Stock:
    """Ids of what is on sale, by how it is sold, of who buys, and the codes that take something off."""

    releases: list[str] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)
    rentals: list[str] = field(default_factory=list)
    bundles: list[str] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)
    open_price: list[str] = field(default_factory=list)
    accounts: list[tuple[str, str]] = field(default_factory=list)
    staff: str = ""
    single_use: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[str]:
        """Every offer."""
        return [
            *self.releases, *self.tracks, *self.rentals, *self.bundles, *self.awaited, *self.free, *self.open_price,
        ]  # fmt: skip


def fill(*, albums: int = 4, people: int = 24) -> Stock:
    """Fill an empty shop, whose context is open."""
    stock = Stock()
    with transaction():
        artist, label = Artist(name="Mira Sol"), Label(name="Tidal House")
        db.session.add_all([artist, label])

        def release(title: str, tracks: int, *, kind: Kind = Kind.AUDIO, out_in: float | None = None) -> Release:
            made = Release(title=title, artist=artist, label=label, kind=kind)
            made.status, made.published_at, made.created_at = Status.PUBLISHED, _OPENED, _OPENED
            if out_in is not None:
                made.released_on = datetime.fromtimestamp(BEGINS + out_in, UTC).date()
            made.tracks = [
                Track(position=number, title=f"{title} {number}", duration_ms=200_000)
                for number in range(1, tracks + 1)
            ]
            db.session.add(made)
            db.session.flush()
            return made

        def offer(minor: int, **what: object) -> str:
            made = Offer(price_minor=minor, currency="EUR", **what)
            db.session.add(made)
            db.session.flush()
            return made.id

        whole = [release(f"Album {number}", 3) for number in range(albums)]
        for number, album in enumerate(whole):
            stock.releases.append(offer(990 + 101 * number, release_id=album.id))
            stock.tracks += [offer(129 + 10 * number, track_id=track.id) for track in album.tracks]
        for number in range(2):
            film = release(f"Film {number}", 1, kind=Kind.FILM)
            stock.releases.append(offer(1490, release_id=film.id))
            terms = {"kind": OfferKind.RENTAL, "rental_days": 30, "rental_hours": 48}
            stock.rentals.append(offer(399, release_id=film.id, **terms))
        for number, days in enumerate((2, 40)):
            stock.awaited.append(offer(1290, release_id=release(f"Awaited {number}", 2, out_in=days * DAY).id))
        for number in range(2):
            stock.free.append(offer(0, release_id=release(f"Free {number}", 1).id))
            stock.open_price.append(offer(300, release_id=release(f"Open {number}", 1).id, open_price=True))
        for number in range(2):
            bundle = offer(1700, kind=OfferKind.BUNDLE, title=f"Bundle {number}")
            stock.bundles.append(bundle)
            for position, album in enumerate(whole[2 * number : 2 * number + 2], 1):
                db.session.add(BundledRelease(offer_id=bundle, release_id=album.id, position=position))
        for offer_id in stock.releases[:2]:
            db.session.add(Price(offer_id=offer_id, currency="CNY", minor=6900))
            db.session.add(Price(offer_id=offer_id, currency="JPY", minor=1500))
        for number in range(people):
            person = Account(email=f"person{number}@example.org", name=f"Person {number}", password_hash="!")
            db.session.add(person)
            db.session.flush()
            stock.accounts.append((person.id, person.email))
        stock.staff = stock.accounts[0][0]
        amount = coupons.create(coupons.CouponWish("three off", terms=[CurrencyTerms("EUR", off=300)]))
        stock.single_use = coupons.make_codes(amount, 40)
        stock.codes = [
            coupons.add_code(coupons.create(wish), code).code
            for code, wish in (
                ("TWENTY", coupons.CouponWish("a fifth off, five times", percent=Decimal(20), max_uses=5)),
                ("GRATIS", coupons.CouponWish("nothing to pay, once each", percent=Decimal(100), max_uses_each=1)),
            )
        ]
    return stock
