"""What the shop has to sell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from enum import StrEnum

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock
from app.core.db import Identified, Model, Timestamped
from app.core.money import MOST_MINOR, Money


class Kind(StrEnum):
    """What a release is."""

    AUDIO = "audio"
    FILM = "film"


class Status(StrEnum):
    """Whether the public sees a release."""

    DRAFT = "draft"
    PUBLISHED = "published"


class OfferKind(StrEnum):
    """What the buyer gets: something for good, a film or album for some days, or several releases at once."""

    BUY = "buy"
    RENTAL = "rental"
    BUNDLE = "bundle"


class Titled:
    """A title in its first language and, where there is one, in Chinese."""

    title: Mapped[str] = mapped_column(String(300))
    title_zh: Mapped[str | None] = mapped_column(String(300))

    def title_in(self, locale: str) -> str:
        """The title a reader of that locale expects."""
        return self.title_zh if self.title_zh and locale.startswith("zh") else self.title


class Named:
    """A name, likewise."""

    name: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str | None] = mapped_column(String(200))

    def name_in(self, locale: str) -> str:
        """The name a reader of that locale expects."""
        return self.name_zh if self.name_zh and locale.startswith("zh") else self.name


class Artist(Identified, Timestamped, Named, Model):
    """A person or group that recordings are credited to."""

    __tablename__ = "artist"
    __table_args__ = (UniqueConstraint("name"),)


class Label(Identified, Timestamped, Named, Model):
    """Who puts releases out."""

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("name"),)


class EditorLabel(Model):
    """A label whose releases an editor may work on."""

    __tablename__ = "editor_label"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[str] = mapped_column(ForeignKey("label.id"), primary_key=True, index=True)
    given_at: Mapped[datetime]


class Genre(Identified, Named, Model):
    """A shelf mark."""

    __tablename__ = "genre"
    __table_args__ = (UniqueConstraint("slug"),)

    slug: Mapped[str] = mapped_column(String(60))


class Release(Identified, Timestamped, Titled, Model):
    """An album, single or film."""

    __tablename__ = "release"
    __table_args__ = (
        CheckConstraint("kind IN ('audio', 'film')", name="kind"),
        CheckConstraint("status IN ('draft', 'published')", name="status"),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", name="published_at"),
        CheckConstraint(
            "CASE WHEN territories IS NULL THEN NOT territories_barred"
            " ELSE cardinality(territories) > 0 AND array_position(territories, NULL) IS NULL END",
            name="territories",
        ),
        Index("ix_release_title_trgm", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}),
    )

    kind: Mapped[str] = mapped_column(String(8), default=Kind.AUDIO)
    status: Mapped[str] = mapped_column(String(12), default=Status.DRAFT)
    artist_id: Mapped[str] = mapped_column(ForeignKey("artist.id"), index=True)
    label_id: Mapped[str | None] = mapped_column(ForeignKey("label.id"), index=True)
    genre_id: Mapped[str | None] = mapped_column(ForeignKey("genre.id"), index=True)
    released_on: Mapped[date | None]
    published_at: Mapped[datetime | None] = mapped_column(index=True)
    publish_when_ready: Mapped[bool] = mapped_column(default=False, doc="publish once every track can be heard")
    description: Mapped[str | None] = mapped_column(Text)
    description_zh: Mapped[str | None] = mapped_column(Text)
    cover_key: Mapped[str | None] = mapped_column(String(90), doc="object key of the cover image")
    # What they mean is for `app.catalog.territory` to say.
    territories: Mapped[list[str] | None] = mapped_column(
        ARRAY(String(2)), doc="the countries it is sold in, ISO 3166-1 alpha-2; NULL: everywhere"
    )
    territories_barred: Mapped[bool] = mapped_column(
        default=False, server_default=false(), doc="they are those it is not sold in"
    )
    # What an import groups by (artist and album, folded), so that a second import finds the first.
    import_key: Mapped[str | None] = mapped_column(String(64), unique=True)

    artist: Mapped[Artist] = relationship(lazy="joined")
    label: Mapped[Label | None] = relationship(lazy="joined")
    genre: Mapped[Genre | None] = relationship(lazy="joined")
    tracks: Mapped[list[Track]] = relationship(
        back_populates="release", order_by="(Track.disc, Track.position)", lazy="selectin"
    )
    offers: Mapped[list[Offer]] = relationship(back_populates="release", lazy="selectin")

    def description_in(self, locale: str) -> str | None:
        """The description a reader of that locale expects."""
        return self.description_zh if self.description_zh and locale.startswith("zh") else self.description

    @property
    def is_published(self) -> bool:
        """Whether the public sees it."""
        return self.status == Status.PUBLISHED

    @property
    def duration_ms(self) -> int:
        """The length of all tracks together."""
        return sum(track.duration_ms or 0 for track in self.tracks)

    @property
    def unlocks_at(self) -> datetime | None:
        """When what was bought of it can be used: the first moment, in UTC, of the day it comes out; None: at once."""
        return datetime.combine(self.released_on, time(), UTC) if self.released_on else None

    @property
    def is_awaited(self) -> bool:
        """Whether it is still to come out: until then it is sold as a pre-order, and nobody hears it."""
        return self.unlocks_at is not None and self.unlocks_at > clock.now()

    @property
    def offer(self) -> Offer | None:
        """What it is sold for now."""
        return in_force(self.offers)

    @property
    def rental(self) -> Offer | None:
        """What it is lent for now."""
        return in_force(self.offers, OfferKind.RENTAL)


class Track(Identified, Timestamped, Titled, Model):
    """One recording on a release; a film has one."""

    __tablename__ = "track"
    __table_args__ = (
        UniqueConstraint("release_id", "disc", "position"),
        CheckConstraint("disc >= 1 AND position >= 1", name="place"),
    )

    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    disc: Mapped[int] = mapped_column(default=1)
    position: Mapped[int]
    artist_id: Mapped[str | None] = mapped_column(ForeignKey("artist.id"), doc="where it differs from the release's")
    duration_ms: Mapped[int | None]
    isrc: Mapped[str | None] = mapped_column(String(12))

    release: Mapped[Release] = relationship(back_populates="tracks", lazy="joined")
    artist: Mapped[Artist | None] = relationship(lazy="joined")
    offers: Mapped[list[Offer]] = relationship(back_populates="track", lazy="selectin")

    @property
    def credited_artist(self) -> Artist:
        """Who the track is by."""
        return self.artist or self.release.artist

    @property
    def offer(self) -> Offer | None:
        """What it is sold for by itself now."""
        return in_force(self.offers)


_AMOUNT = f"BETWEEN 0 AND {MOST_MINOR}"
_CURRENCY = "currency ~ '^[A-Z]{3}$'"


class Offer(Identified, Timestamped, Model):
    """A way to buy or rent a release, to buy a track, or to buy several releases at once.

    What it asks stands for good: an offer is retired, never edited. Only its price list in other currencies moves.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("kind IN ('buy', 'rental', 'bundle')", name="kind"),
        CheckConstraint(
            "CASE kind WHEN 'bundle' THEN num_nonnulls(release_id, track_id) = 0"
            " WHEN 'rental' THEN release_id IS NOT NULL AND track_id IS NULL"
            " ELSE num_nonnulls(release_id, track_id) = 1 END",
            name="one_subject",
        ),
        CheckConstraint("(kind = 'bundle') = (title IS NOT NULL)", name="bundle_title"),
        CheckConstraint(
            "CASE kind WHEN 'rental' THEN num_nulls(rental_days, rental_hours) = 0"
            " AND rental_days BETWEEN 1 AND 365 AND rental_hours BETWEEN 1 AND 8760"
            " ELSE num_nonnulls(rental_days, rental_hours) = 0 END",
            name="rental_terms",
        ),
        CheckConstraint("NOT open_price OR kind <> 'rental'", name="open_price"),
        CheckConstraint(f"price_minor {_AMOUNT}", name="price"),
        CheckConstraint(_CURRENCY, name="currency"),
        Index(
            "uq_offer_active_release",
            "release_id",
            "kind",
            unique=True,
            postgresql_where="active AND release_id IS NOT NULL",
        ),
        Index("uq_offer_active_track", "track_id", unique=True, postgresql_where="active AND track_id IS NOT NULL"),
    )

    kind: Mapped[str] = mapped_column(String(8), default=OfferKind.BUY)
    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(300), doc="a bundle's own; anything else has its subject's")
    title_zh: Mapped[str | None] = mapped_column(String(300))
    price_minor: Mapped[int] = mapped_column(doc="0: free; with an open price: the least")
    currency: Mapped[str] = mapped_column(String(3))
    open_price: Mapped[bool] = mapped_column(default=False, doc="the buyer names the amount")
    rental_days: Mapped[int | None] = mapped_column(doc="how long the first play can wait")
    rental_hours: Mapped[int | None] = mapped_column(doc="how long it plays after the first play")
    active: Mapped[bool] = mapped_column(default=True)

    release: Mapped[Release | None] = relationship(back_populates="offers", lazy="joined")
    track: Mapped[Track | None] = relationship(back_populates="offers", lazy="joined")
    prices: Mapped[list[Price]] = relationship(
        order_by="Price.currency", lazy="selectin", cascade="all, delete-orphan", passive_deletes=True
    )
    members: Mapped[list[BundledRelease]] = relationship(order_by="BundledRelease.position", lazy="select")

    @property
    def price(self) -> Money:
        """The price in the offer's own currency; of an open price, the least."""
        return Money(self.price_minor, self.currency)

    @property
    def is_free(self) -> bool:
        """Whether nothing is asked for it, and nothing can be given."""
        return self.price_minor == 0 and not self.open_price

    @property
    def currencies(self) -> set[str]:
        """Every currency it has a price in."""
        return {self.currency, *(row.currency for row in self.prices)}

    def price_in(self, currency: str | None) -> Money:
        """The price a buyer with that currency is shown: in theirs where there is one, else the offer's own.

        What costs nothing costs nothing in every currency.
        """
        if currency is not None and currency != self.currency:
            if self.price_minor == 0:
                return Money(0, currency)
            for row in self.prices:
                if row.currency == currency:
                    return row.price
        return self.price

    @property
    def releases(self) -> list[Release]:
        """Every release it sells something of."""
        if self.kind == OfferKind.BUNDLE:
            return [member.release for member in self.members]
        return [self.subject_release]

    @property
    def subject_release(self) -> Release:
        """The release it sells, the one its track is on, or a bundle's first."""
        if self.release is not None:
            return self.release
        if self.track is not None:
            return self.track.release
        return self.members[0].release

    @property
    def on_sale(self) -> bool:
        """Whether the public may buy it now."""
        return self.active and all(release.is_published for release in self.releases)

    @property
    def is_awaited(self) -> bool:
        """Whether some of what it sells is still to come out: a pre-order."""
        return any(release.is_awaited for release in self.releases)

    def title_in(self, locale: str) -> str:
        """What the buyer is told they buy."""
        if self.title is not None:
            return self.title_zh if self.title_zh and locale.startswith("zh") else self.title
        subject = self.release or self.track
        assert subject is not None
        return subject.title_in(locale)


class Price(Model):
    """What an offer costs in one more currency; it may change, and an order keeps what it was made at."""

    __tablename__ = "price"
    __table_args__ = (CheckConstraint(f"minor {_AMOUNT}", name="minor"), CheckConstraint(_CURRENCY, name="currency"))

    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id", ondelete="CASCADE"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    minor: Mapped[int]

    @property
    def price(self) -> Money:
        """The amount; of an open price, the least."""
        return Money(self.minor, self.currency)


class BundledRelease(Model):
    """A release in a bundle."""

    __tablename__ = "bundled_release"
    __table_args__ = (UniqueConstraint("offer_id", "position"), CheckConstraint("position >= 1", name="position"))

    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id", ondelete="CASCADE"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), primary_key=True, index=True)
    position: Mapped[int]

    release: Mapped[Release] = relationship(lazy="joined")


def in_force(offers: Iterable[Offer], kind: OfferKind = OfferKind.BUY) -> Offer | None:
    """The offer of that kind that holds now."""
    return next((offer for offer in offers if offer.active and offer.kind == kind), None)
