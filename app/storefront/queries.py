"""Reads for the shop's pages, gathered from the rooms below."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, or_, select

from app.accounts.models import Account
from app.catalog import queries as catalog
from app.catalog import rights, territory
from app.catalog.models import Genre, Kind, Offer, Release, Track
from app.core.db import db
from app.discovery import tastes
from app.discovery.models import Opinion
from app.licenses import queries as licenses
from app.licenses.models import License
from app.licenses.queries import Owned
from app.media import queries as media
from app.playback.models import ResumePosition
from app.shelves import queries as shelves
from app.shelves.shelf import Shelf, ShelfName
from app.wishlist import queries as wishlist

LEFT_OFF = 3


@dataclass(frozen=True, slots=True)
class Home:
    """The front of the shop. `to_be_asked`: whether the person is still to say if what they play and view may shape
    it; `more_without`, what further shelves are to leave out, None where there are none."""

    featured: Release | None
    to_be_asked: bool
    shelves: list[Shelf]
    more_without: list[str] | None
    genres: list[Genre]
    posters: Mapping[str, str]
    owned: set[str]


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """A release, and what this person can do with it. `barred_in`: the country they are in, if it isn't sold there."""

    release: Release
    offer: Offer | None
    rental: Offer | None
    owned_tracks: set[str]
    previews: Mapping[str, str]
    playable: set[str]
    poster: str | None
    shelves: list[Shelf]
    wished: bool = False
    opinion: Opinion | None = None
    bundles: list[Offer] = field(default_factory=list)
    may_play: set[str] = field(default_factory=set)
    rented: License | None = None
    barred_in: str | None = None

    @property
    def owned(self) -> bool:
        """Whether every track is theirs."""
        return bool(self.release.tracks) and all(track.id in self.owned_tracks for track in self.release.tracks)

    @property
    def owned_some(self) -> bool:
        """Whether at least one track is theirs."""
        return any(track.id in self.owned_tracks for track in self.release.tracks)

    @property
    def complete(self) -> bool:
        """Whether buying the rest of it costs less for what they have."""
        return self.owned_some and self.offer is not None and not self.offer.is_free

    @property
    def track_offers(self) -> dict[str, Offer]:
        """What each track sells at alone."""
        return {track.id: track.offer for track in self.release.tracks if track.offer is not None}

    @property
    def film(self) -> Track | None:
        """The one track of a film."""
        return self.release.tracks[0] if self.release.kind == Kind.FILM and self.release.tracks else None


@dataclass(frozen=True, slots=True)
class Left:
    """A track that was left in the middle, `share` of the way through (0 to 1)."""

    track: Track
    position_ms: int

    @property
    def share(self) -> float:
        """How far it was heard."""
        return min(self.position_ms / self.track.duration_ms, 1.0) if self.track.duration_ms else 0.0


@dataclass(frozen=True, slots=True)
class Library:
    """What a person owns, and where they left off."""

    left: list[Left]
    music: list[Owned]
    films: list[Owned]
    posters: Mapping[str, str]


def in_reach(country: str | None, owned: Collection[str]) -> ColumnElement[bool]:
    """What the shop shows somebody there who has these releases: what they may buy, and what is theirs already."""
    sold = territory.sold_in(country)
    return or_(sold, Release.id.in_(owned)) if owned else sold


def home(account_id: str | None, country: str | None = None) -> Home:
    """The front page. What the person asked not to be shown is nowhere on it, nor what isn't sold in their country."""
    front, owned = shelves.home(account_id, country), licenses.owned_release_ids(account_id)
    films = [pick.release for shelf in front.shelves if shelf.name == ShelfName.FILMS for pick in shelf.picks]
    return Home(
        featured=front.featured,
        to_be_asked=tastes.to_be_asked(account_id),
        shelves=front.shelves,
        more_without=front.more_without,
        genres=catalog.genres(only=in_reach(country, owned)),
        posters=posters_of(films),
        owned=owned,
    )


def release_page(release: Release, account_id: str | None, country: str | None = None) -> ReleasePage:
    """All that the release's page shows to somebody in that country."""
    ids = [track.id for track in release.tracks]
    return ReleasePage(
        release=release,
        offer=release.offer,
        rental=release.rental,
        owned_tracks=licenses.owned_track_ids(account_id) & set(ids),
        previews={track_id: f"/{rendition.key}" for track_id, rendition in media.previews_of(ids).items()},
        playable=set(media.streams_of(ids)),
        poster=posters_of([release]).get(release.id),
        shelves=shelves.release(release, account_id, country),
        wished=wishlist.is_wished(account_id, release.id),
        opinion=tastes.opinion(account_id, release.id),
        bundles=[
            bundle
            for bundle in catalog.bundles(release.id)
            if bundle.on_sale and territory.offer_is_sold_in(bundle, country)
        ],
        barred_in=None if territory.is_sold_in(release, country) else country,
        may_play=licenses.playable_track_ids(account_id) & set(ids),
        rented=licenses.rentals(account_id).get(release.id),
    )


def visible_release(release_id: str, viewer: Account | None) -> Release | None:
    """The release if this person may see it: published, theirs, or a draft that is theirs to edit."""
    found = catalog.release(release_id, include_drafts=True)
    if found is None or found.is_published or rights.may_edit(viewer, found):
        return found
    account_id = viewer.id if viewer else None
    mine = licenses.owned_track_ids(account_id) | licenses.playable_track_ids(account_id)
    return found if any(track.id in mine for track in found.tracks) else None


def library(account_id: str) -> Library:
    """What a person owns, newest first."""
    owned = licenses.library(account_id)
    films = [one for one in owned if one.release.kind == Kind.FILM]
    return Library(
        left=left_off(account_id),
        music=[one for one in owned if one.release.kind != Kind.FILM],
        films=films,
        posters=posters_of([one.release for one in films]),
    )


def left_off(account_id: str) -> list[Left]:
    """The tracks a person left in the middle and may still play, the latest first."""
    rows = db.session.execute(
        select(ResumePosition.track_id, ResumePosition.position_ms)
        .where(ResumePosition.account_id == account_id, ResumePosition.position_ms > 0)
        .order_by(ResumePosition.updated_at.desc())
    )
    mine = licenses.playable_track_ids(account_id)
    positions = {track_id: position for track_id, position in rows if track_id in mine}
    tracks = catalog.tracks_by_ids(list(positions)[:LEFT_OFF])
    return [Left(track, positions[track.id]) for track in tracks]


def posters_of(releases: Iterable[Release]) -> dict[str, str]:
    """Release id → object key of a still, for the films among them."""
    films = {release.tracks[0].id: release.id for release in releases if release.kind == Kind.FILM and release.tracks}
    return {films[track_id]: still.key for track_id, still in media.posters_of(list(films)).items()}
