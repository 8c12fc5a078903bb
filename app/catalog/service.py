"""Every write to the catalogue, and the rules it keeps.

Nothing here commits: the entry point that called does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import TypedDict, TypeVar, Unpack

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Artist, Genre, Kind, Label, Release, Status, Track
from app.catalog.offers import retire_offers as retire_offers
from app.catalog.offers import set_price as set_price
from app.catalog.territory import Territory
from app.core import clock, ids
from app.core.db import db
from app.core.errors import Conflict, WavecrateError

TITLE_LIMIT = 300
NAME_LIMIT = 200
DESCRIPTION_LIMIT = 10_000

WithName = TypeVar("WithName", Artist, Label, Genre)


class Incomplete(WavecrateError):
    """What was asked for lacks something; the message says what to add."""


class ReleaseChanges(TypedDict, total=False):
    """What `update_release` may change; what is left out stays."""

    title: str
    title_zh: str | None
    artist: Artist
    label: Label | None
    genre: Genre | None
    released_on: date | None
    description: str | None
    description_zh: str | None
    cover_key: str | None
    territory: Territory


class TrackChanges(TypedDict, total=False):
    """What `update_track` may change; what is left out stays."""

    title: str
    title_zh: str | None
    artist: Artist | None
    duration_ms: int | None
    isrc: str | None


def clean(text: str | None, limit: int) -> str | None:
    """One line of text as it is kept: NFC, no control characters, single spaces, cut at `limit`; None if empty."""
    if text is None:
        return None
    folded = unicodedata.normalize("NFC", text)
    visible = "".join(" " if c.isspace() else c for c in folded if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join(visible.split())[:limit].rstrip() or None


def ensure_artist(name: str, name_zh: str | None = None) -> Artist:
    """The artist of that name, made if new. A Chinese name fills in a missing one and replaces none."""
    return _ensure(Artist, name, name_zh)


def set_chinese_name(named: Artist | Label | Genre, name_zh: str | None) -> None:
    """Set or take away the Chinese name."""
    named.name_zh = clean(name_zh, NAME_LIMIT)
    db.session.flush()


def ensure_label(name: str, name_zh: str | None = None) -> Label:
    """The label of that name, made if new."""
    return _ensure(Label, name, name_zh)


def ensure_genre(name: str, name_zh: str | None = None) -> Genre:
    """The genre of that name, made if new; spelling that differs only in case and punctuation is the same genre."""
    cleaned = _required(name, NAME_LIMIT, _("A genre needs a name."))
    slug = genre_slug(cleaned)
    values = {"id": ids.new_id(), "slug": slug, "name": cleaned, "name_zh": clean(name_zh, NAME_LIMIT)}
    db.session.execute(insert(Genre).values(**values).on_conflict_do_nothing(index_elements=["slug"]))
    return _with_chinese(db.session.scalars(select(Genre).where(Genre.slug == slug)).one(), name_zh)


def genre_slug(name: str) -> str:
    """A genre's address: "Hip-Hop" and "hip hop" are both `hip-hop`; Chinese stays Chinese."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    words = re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c)))
    return "-".join(words)[:60].strip("-") or "other"


def create_release(
    *,
    title: str,
    artist: Artist,
    kind: Kind = Kind.AUDIO,
    title_zh: str | None = None,
    label: Label | None = None,
    genre: Genre | None = None,
    released_on: date | None = None,
    description: str | None = None,
    description_zh: str | None = None,
    cover_key: str | None = None,
    import_key: str | None = None,
) -> Release:
    """A new release, in draft and without tracks."""
    release = Release(
        title=_required(title, TITLE_LIMIT, _("A release needs a title.")),
        title_zh=clean(title_zh, TITLE_LIMIT),
        artist=artist,
        kind=kind,
        status=Status.DRAFT,
        label=label,
        genre=genre,
        released_on=released_on,
        description=_prose(description),
        description_zh=_prose(description_zh),
        cover_key=cover_key,
        import_key=import_key,
    )
    db.session.add(release)
    db.session.flush()
    return release


def update_release(release: Release, **changes: Unpack[ReleaseChanges]) -> Release:
    """Change what is given. The title can be changed, not taken away."""
    if "title" in changes:
        release.title = _required(changes["title"], TITLE_LIMIT, _("A release needs a title."))
    if "title_zh" in changes:
        release.title_zh = clean(changes["title_zh"], TITLE_LIMIT)
    if "artist" in changes:
        release.artist = changes["artist"]
    if "label" in changes:
        release.label = changes["label"]
    if "genre" in changes:
        release.genre = changes["genre"]
    if "released_on" in changes:
        release.released_on = changes["released_on"]
    if "description" in changes:
        release.description = _prose(changes["description"])
    if "description_zh" in changes:
        release.description_zh = _prose(changes["description_zh"])
    if "cover_key" in changes:
        release.cover_key = changes["cover_key"]
    if "territory" in changes:
        _confine(release, changes["territory"])
    db.session.flush()
    return release


def add_track(
    release: Release,
    *,
    title: str,
    title_zh: str | None = None,
    disc: int = 1,
    position: int | None = None,
    artist: Artist | None = None,
    duration_ms: int | None = None,
    isrc: str | None = None,
) -> Track:
    """A new track on the release, at `position` if that place is free, else after the last of its disc."""
    if release.kind == Kind.FILM and release.tracks:
        raise Conflict(_("A film has one recording. Make a new release for another film."))
    disc = max(1, disc)
    taken = {track.position for track in release.tracks if track.disc == disc}
    if position is None or position < 1 or position in taken:
        position = max(taken, default=0) + 1
    track = Track(
        title=_required(title, TITLE_LIMIT, _("A track needs a title.")),
        title_zh=clean(title_zh, TITLE_LIMIT),
        disc=disc,
        position=position,
        artist=None if artist is release.artist else artist,
        duration_ms=duration_ms,
        isrc=isrc,
    )
    release.tracks.append(track)
    db.session.flush()
    return track


def update_track(track: Track, **changes: Unpack[TrackChanges]) -> Track:
    """Change what is given."""
    if "title" in changes:
        track.title = _required(changes["title"], TITLE_LIMIT, _("A track needs a title."))
    if "title_zh" in changes:
        track.title_zh = clean(changes["title_zh"], TITLE_LIMIT)
    if "artist" in changes:
        track.artist = None if changes["artist"] is track.release.artist else changes["artist"]
    if "duration_ms" in changes:
        track.duration_ms = changes["duration_ms"]
    if "isrc" in changes:
        track.isrc = changes["isrc"]
    db.session.flush()
    return track


def reorder(release: Release, places: Mapping[str, tuple[int, int]]) -> None:
    """Put tracks (by id) at (disc, position); tracks that are not named stay. Two on one place is a Conflict."""
    wanted = {track.id: places.get(track.id, (track.disc, track.position)) for track in release.tracks}
    if any(disc < 1 or position < 1 for disc, position in wanted.values()):
        raise WavecrateError(_("Discs and positions count from 1."))
    if len(set(wanted.values())) < len(wanted):
        raise Conflict(_("Two tracks cannot have the same number. Give each its own."))
    if all((track.disc, track.position) == wanted[track.id] for track in release.tracks):
        return
    # The places are unique at every moment, so everything first steps aside, beyond any number in use.
    beyond = max([track.position for track in release.tracks] + [position for _disc, position in wanted.values()])
    for track in release.tracks:
        track.position += beyond
    db.session.flush()
    for track in release.tracks:
        track.disc, track.position = wanted[track.id]
    db.session.flush()
    release.tracks.sort(key=lambda track: (track.disc, track.position))


def missing_for_publishing(release: Release) -> list[str]:
    """What the catalogue still wants before the public may see the release, in words; empty when nothing."""
    missing = []
    if not release.title:
        missing.append(_("a title"))
    if not release.tracks:
        missing.append(_("at least one track"))
    if not any(offer.active for offer in release.offers):
        missing.append(_("a price"))
    return missing


def publish(release: Release) -> None:
    """Show the release to the public; raise Incomplete, which says what is missing, unless it can be sold.

    Whether its recordings are ready to be heard is not known here: studio.service.publish asks that.
    """
    _refuse_incomplete(release)
    if not release.is_published:
        release.status = Status.PUBLISHED
        release.published_at = clock.now()
    release.publish_when_ready = False
    db.session.flush()


def unpublish(release: Release) -> None:
    """Hide the release; those who bought it keep it."""
    release.status = Status.DRAFT
    release.published_at = None
    release.publish_when_ready = False
    db.session.flush()


def publish_when_ready(release: Release) -> None:
    """Note that the release is to be published once its recordings can be heard; raise Incomplete as `publish` does."""
    _refuse_incomplete(release)
    release.publish_when_ready = not release.is_published
    db.session.flush()


def _confine(release: Release, territory: Territory) -> None:
    release.territories = None if territory.is_everywhere else sorted(territory.countries)
    release.territories_barred = territory.barred and not territory.is_everywhere


def _refuse_incomplete(release: Release) -> None:
    missing = missing_for_publishing(release)
    if missing:
        raise Incomplete(
            _(
                "%(title)s cannot be published yet. It needs: %(missing)s.",
                title=release.title,
                missing=", ".join(missing),
            )
        )


def _ensure(model: type[WithName], name: str, name_zh: str | None) -> WithName:
    cleaned = _required(name, NAME_LIMIT, _("A name is needed."))
    values = {"id": ids.new_id(), "created_at": clock.now(), "name": cleaned, "name_zh": clean(name_zh, NAME_LIMIT)}
    # Two imports may meet the same new artist at once: the constraint decides, and both go on with its row.
    db.session.execute(insert(model).values(**values).on_conflict_do_nothing(index_elements=["name"]))
    return _with_chinese(db.session.scalars(select(model).where(model.name == cleaned)).one(), name_zh)


def _with_chinese(row: WithName, name_zh: str | None) -> WithName:
    if row.name_zh is None and name_zh:
        row.name_zh = clean(name_zh, NAME_LIMIT)
        db.session.flush()
    return row


def _required(text: str, limit: int, complaint: str) -> str:
    cleaned = clean(text, limit)
    if cleaned is None:
        raise Incomplete(complaint)
    return cleaned


def _prose(text: str | None) -> str | None:
    """Several lines as they are kept: NFC, line ends as \\n, no other control characters."""
    if text is None:
        return None
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    visible = "".join(c for c in lines if c == "\n" or unicodedata.category(c) != "Cc")
    return visible.strip()[:DESCRIPTION_LIMIT] or None
