"""What the shop has to sell."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.db import Identified, Model, Timestamped
from app.core.money import Money


class Kind(StrEnum):
    """What a release is."""

    AUDIO = "audio"
    FILM = "film"


class Status(StrEnum):
    """Whether the public sees a release."""

    DRAFT = "draft"
    PUBLISHED = "published"


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


class Offer(Identified, Timestamped, Model):
    """A price for a whole release or for one track. One that has been sold is never edited, only retired."""

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("(release_id IS NULL) <> (track_id IS NULL)", name="one_subject"),
        CheckConstraint("price_minor > 0", name="price_positive"),
        Index(
            "uq_offer_active_release",
            "release_id",
            "currency",
            unique=True,
            postgresql_where="active AND release_id IS NOT NULL",
        ),
        Index(
            "uq_offer_active_track",
            "track_id",
            "currency",
            unique=True,
            postgresql_where="active AND track_id IS NOT NULL",
        ),
    )

    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"), index=True)
    track_id: Mapped[str | None] = mapped_column(ForeignKey("track.id"), index=True)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    active: Mapped[bool] = mapped_column(default=True)

    release: Mapped[Release | None] = relationship(back_populates="offers", lazy="joined")
    track: Mapped[Track | None] = relationship(back_populates="offers", lazy="joined")

    @property
    def price(self) -> Money:
        """The price."""
        return Money(self.price_minor, self.currency)

    @property
    def subject_release(self) -> Release:
        """The release it sells, or the one its track is on."""
        if self.release is not None:
            return self.release
        assert self.track is not None
        return self.track.release

    def title_in(self, locale: str) -> str:
        """What the buyer is told they buy."""
        subject = self.release or self.track
        assert subject is not None
        return subject.title_in(locale)
