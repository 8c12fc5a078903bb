"""The studio's writes to the catalogue: masters become drafts, drafts become releases. Uploads: see `uploads`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from app.accounts.models import Account
from app.audit import service as audit
from app.catalog import queries as catalog_queries
from app.catalog import rights
from app.catalog import service as catalog
from app.catalog.models import Artist, Kind, Label, Release, Track
from app.catalog.territory import Territory
from app.core.auth import Permission
from app.core.db import db
from app.core.errors import Forbidden
from app.core.money import Money
from app.media import queries as media_queries
from app.media import service as media
from app.studio import queries, sale
from app.studio.grouping import Candidate, Group, fold
from app.studio.sale import NotReady as NotReady
from transcoder.contract import Probe
from transcoder.errors import N_, NotMedia


@dataclass(slots=True)
class TakenIn:
    """What became of a group: its release, the files that were new, and those that were there already."""

    release: Release
    added: list[tuple[Candidate, Track]] = field(default_factory=list)
    already: list[tuple[Candidate, Track]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrackEdit:
    """A track as an editor wants it; no artist: its release's; no price: sold only with its release."""

    title: str
    title_zh: str | None
    disc: int
    position: int
    price: Money | None
    artist: str | None = None
    isrc: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseEdit:
    """A release as an editor wants it; `tracks` by id. No price: not for sale; no territory: sold where it is now."""

    title: str
    title_zh: str | None
    artist: str
    artist_zh: str | None
    label: str | None
    genre: str | None
    released_on: date | None
    description: str | None
    description_zh: str | None
    price: Money | None
    tracks: dict[str, TrackEdit]
    territory: Territory | None = None


def take_in(
    group: Group,
    *,
    cover_key: str | None,
    price: Money | None = None,
    track_price: Money | None = None,
    keep_apart: bool = False,
    by: Account | None = None,
) -> TakenIn:
    """Make or complete the release of a group of stored masters, and put the new ones on the transcoder's queue.

    A master that is there already changes nothing. One that has the place and title of an older track is that track's
    new master. `keep_apart` makes a release of its own that later imports won't add to. Without a price nothing is
    offered. The masters must lie in the store before this is called.

    `by` is who sent them: what they may not work on is left alone, and their release is of a label of theirs, the one
    that the tags name or else their first. None is the terminal, which may do anything. Raises NotYourLabel for
    somebody without a label.
    """
    label = _label_for(group, by)
    keys = [] if keep_apart else _import_keys(group, label, by)
    known = _existing(group, keys, by)
    release = known or _new_release(group, label, keys[0] if keys else None)
    result = TakenIn(release)
    held = _masters(release)
    earlier = list(release.tracks)
    for file in group.files:
        track = held.get(file.sha256)
        if track is not None:
            result.already.append((file, track))
            continue
        track = _replaced(earlier, file) or _new_track(release, group, file)
        _make_master(track, file)
        held[file.sha256] = track
        result.added.append((file, track))
    if cover_key and release.cover_key is None:
        catalog.update_release(release, cover_key=cover_key)
    if price is not None:
        sale.offer_new(release, price, track_price, [track for _file, track in result.added])
    return result


def edit_release(release: Release, wanted: ReleaseEdit, by: Account, *, cover_key: str | None = None) -> None:
    """Bring a release to what the editor wants; raise WavecrateError, and change nothing, where that can't be.

    Tracks that are not named stay as they are. A published release keeps its price.
    """
    free = release.offer is not None and release.offer.price_minor == 0
    if wanted.price is None and not free and release.rental is None:
        sale.may_go_unsold(release)
    asked_before = sale.asked(release)
    label = rights.label_for(by, wanted.label)
    before = (release.title, release.title_zh)
    artist = catalog.ensure_artist(wanted.artist)
    if catalog.clean(wanted.artist_zh, catalog.NAME_LIMIT) != artist.name_zh:
        _may_rename(by, artist, release)
        catalog.set_chinese_name(artist, wanted.artist_zh)
    catalog.update_release(
        release,
        title=wanted.title,
        title_zh=wanted.title_zh,
        artist=artist,
        label=catalog.ensure_label(label) if label and label.strip() else None,
        genre=catalog.ensure_genre(wanted.genre) if wanted.genre and wanted.genre.strip() else None,
        released_on=wanted.released_on,
        description=wanted.description,
        description_zh=wanted.description_zh,
    )
    if cover_key is not None:
        catalog.update_release(release, cover_key=cover_key)
    sale.change_price(wanted.price, release=release)
    known = {track.id: track for track in release.tracks}
    edits = {track_id: edit for track_id, edit in wanted.tracks.items() if track_id in known}
    for track_id, edit in edits.items():
        track = known[track_id]
        if len(known) == 1 and before == (track.title, track.title_zh) == (edit.title, edit.title_zh or None):
            # A single or film and its only recording were called the same: they go on to be.
            catalog.update_track(track, title=release.title, title_zh=release.title_zh)
        else:
            catalog.update_track(track, title=edit.title, title_zh=edit.title_zh)
        own = edit.artist and fold(edit.artist) != fold(artist.name)
        catalog.update_track(
            track, artist=catalog.ensure_artist(edit.artist) if edit.artist and own else None, isrc=edit.isrc or None
        )
        sale.change_price(edit.price, track=known[track_id])
    catalog.reorder(release, {track_id: (edit.disc, edit.position) for track_id, edit in edits.items()})
    media.retag(release)
    sale.note_change(release, asked_before, by)
    if wanted.territory is not None:
        sale.confine(release, wanted.territory, by)


def announce(release: Release, title: str) -> Track:
    """A place in a release that is to come out, for a track whose master comes later; raise NotReady for any other."""
    if not release.is_awaited:
        raise NotReady(_("Only a release that is still to come out has tracks without a master. Upload the master."))
    return catalog.add_track(release, title=title)


def publish(release: Release, by: str | None) -> None:
    """Show the release to the public; raise NotReady or catalog's Incomplete, which say what is missing.

    What is still to come out needs no recordings yet: its tracks are shown as places to be filled. `by` is the id of
    who does it, for the log; None is the terminal.
    """
    state = queries.readiness([release])[release.id]
    if release.tracks and not state.ready and not release.is_awaited:
        if state.failed:
            names = ", ".join(track.title for track, _reason in state.failed)
            raise NotReady(_("These tracks could not be transcoded: %(names)s. Send their masters again.", names=names))
        waiting = state.total - state.done
        raise NotReady(
            ngettext(
                "One track is still being transcoded. Publish when it is ready.",
                "%(num)s tracks are still being transcoded. Publish when they are ready.",
                waiting,
            )
        )
    _publish(release, by)


def publish_once_ready(release: Release, by: str | None) -> None:
    """Show the release now if every track can be heard, else as soon as that is so."""
    _lock(release)
    if queries.readiness([release])[release.id].ready:
        _publish(release, by)
    elif not release.is_published:
        catalog.publish_when_ready(release)
        audit.record(by, "release.publish_when_ready", f"release:{release.id}")


def track_ready(track: Track) -> None:
    """A track's renditions are there: it is as long as they are, and its release may be what waited for them."""
    release = track.release
    master = media_queries.master_of(track.id)
    if master is not None:
        catalog.update_track(track, duration_ms=round(Probe.from_dict(master.probe).duration * 1000))
    # Two tracks may finish at once, or one just as the wish to publish is noted: the lock makes one see the other.
    _lock(release)
    if release.publish_when_ready and queries.readiness([release])[release.id].ready:
        _publish(release, None)


def unpublish(release: Release, by: str | None) -> None:
    """Hide the release; those who bought it keep it."""
    shown = release.is_published or release.publish_when_ready
    catalog.unpublish(release)
    if shown:
        audit.record(by, "release.unpublish", f"release:{release.id}")


def retry(track: Track) -> None:
    """Transcode a track's master again where that had failed; anything else is left alone."""
    master = media_queries.master_of(track.id)
    if master is not None:
        media.enqueue_master(
            track,
            sha256=master.sha256,
            size=master.size,
            filename=master.filename,
            probe=Probe.from_dict(master.probe),
        )


def replace_master(track: Track, file: Candidate) -> None:
    """Make a stored master the track's own; what is heard stays until all of its renditions are there.

    Raises NotMedia where the file is of another kind than the release.
    """
    if file.is_film != (track.release.kind == Kind.FILM):
        wanted = N_("holds a picture, and this is a music release") if file.is_film else N_("holds no picture")
        raise NotMedia(wanted)
    _make_master(track, file)


def _publish(release: Release, by: str | None) -> None:
    shown = release.is_published
    catalog.publish(release)
    if not shown:
        audit.record(by, "release.publish", f"release:{release.id}")


def _make_master(track: Track, file: Candidate) -> None:
    if track.duration_ms is None:  # else it is the length of what is heard now
        catalog.update_track(track, duration_ms=round(file.probe.duration * 1000))
    media.enqueue_master(track, sha256=file.sha256, size=file.size, filename=file.name, probe=file.probe)


def _lock(release: Release) -> None:
    locking = select(Release).where(Release.id == release.id).with_for_update(of=Release)
    db.session.scalars(locking.execution_options(populate_existing=True)).one()


def _may_rename(by: Account, artist: Artist, release: Release) -> None:
    others = [one for one in catalog_queries.releases_of_artist(artist.id, include_drafts=True) if one is not release]
    if not all(rights.may_edit(by, one) for one in others):
        raise Forbidden(
            _("“%(name)s” has releases of other labels too. Ask a manager to change the name.", name=artist.name)
        )


def _label_for(group: Group, by: Account | None) -> Label | None:
    named = group.first("label")
    if by is None or by.may(Permission.EVERY_LABEL):
        return catalog.ensure_label(named) if named else None
    rights.some_label(by)
    own = rights.labels(by)
    return next((label for label in own if label.name.casefold() == (named or "").strip().casefold()), own[0])


def _import_keys(group: Group, label: Label | None, by: Account | None) -> list[str]:
    """What the group's release is found by; the first is what a new one gets. An editor of some labels is not in the
    way of others, nor they in theirs, so theirs has the label in it."""
    if by is None or by.may(Permission.EVERY_LABEL):
        return [group.key]
    of_label = hashlib.sha256(f"{label.id if label else ''}:{group.key}".encode()).hexdigest()
    return [of_label, group.key]


def _existing(group: Group, keys: list[str], by: Account | None) -> Release | None:
    """The release that an earlier import made of the same thing, locked: two imports add one after the other."""
    found = [r for key in keys if (r := catalog_queries.release_by_import_key(key)) is not None]
    # The artist's name may have been mended, or a guest have joined: the recordings themselves say it is the same.
    found += [r for r in queries.releases_with_masters(f.sha256 for f in group.files) if _same_title(r, group)]
    release = next((r for r in found if by is None or rights.may_edit(by, r)), None)
    if release is not None:
        _lock(release)
    return release


def _same_title(release: Release, group: Group) -> bool:
    return group.is_film or fold(release.title) == fold(group.title)


def _masters(release: Release) -> dict[str, Track]:
    by_id = {track.id: track for track in release.tracks}
    return {sha256: by_id[track_id] for sha256, track_id in queries.masters_of(release).items() if track_id in by_id}


def _new_release(group: Group, label: Label | None, import_key: str | None) -> Release:
    genre, year = group.genre, group.year
    return catalog.create_release(
        title=group.title,
        title_zh=group.title_zh,
        artist=catalog.ensure_artist(group.artist, group.artist_zh),
        kind=Kind.FILM if group.is_film else Kind.AUDIO,
        label=label,
        genre=catalog.ensure_genre(genre) if genre else None,
        released_on=date(year, 1, 1) if year else None,
        description=group.files[0].tags.comment if group.is_film else None,
        import_key=import_key,
    )


def _new_track(release: Release, group: Group, file: Candidate) -> Track:
    disc, position = file.place
    artist: Artist | None = None
    if file.tags.artist and fold(file.tags.artist) != fold(release.artist.name):
        artist = catalog.ensure_artist(file.tags.artist, file.tags.artist_zh)
    return catalog.add_track(
        release,
        title=file.title,
        title_zh=file.tags.title_zh,
        disc=1 if group.is_film else disc,
        position=1 if group.is_film else position,
        artist=artist,
        isrc=file.tags.isrc,
    )


def _replaced(earlier: list[Track], file: Candidate) -> Track | None:
    """The track that was there before this import and that the file is a better master of."""
    disc, position = file.place
    for track in earlier:
        same_place = track.disc == disc and position in (None, track.position)
        if same_place and fold(track.title) == fold(file.title) and file.tags.artist:
            return track
    return None
