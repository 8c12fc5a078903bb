"""A station: from any track, on and on, what is near it and near the person's taste; nothing twice in a round.

The station is the listener's own: what was played and skipped is told by the player each time and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, exists, or_, select

from app.catalog import queries as catalog
from app.catalog.models import Kind, Release, Track
from app.core.db import db
from app.core.errors import NotFound, WavecrateError
from app.discovery import queries as discovery
from app.discovery import ranking as rankings
from app.discovery.models import FACTORS
from app.discovery.ranking import Ranking
from app.licenses import queries as licenses
from app.media import queries as media
from app.media.models import Rendition, RenditionKind
from app.recommender import diversity
from app.shelves import viewer as viewers
from app.shelves.neighbours import NEAR
from app.shelves.viewer import Viewer

HANDFUL = 5
MOST_TOLD = 1000
"""So many of the tracks that were played count, the latest: about three days of music."""

SEED_SHARE = 0.7
"""Of what a track is worth to a station; the rest is how near it is to the person's taste. The station is named after
the track, so that weighs more."""

_POOL = 200
_SKIPPED = 0.5  # taken off, times the likeness to what was skipped
_TRADE = 0.9  # what is near one track is alike, and is to be: one of each artist at a time is change enough
_JUST_HEARD = 0.3  # taken off what is by the artist of the last track
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Said:
    """What the player tells of the station so far: ids of tracks, the latest last."""

    played: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A track to play: whole where the person may hear it whole, else the preview under that key."""

    track: Track
    preview_key: str | None

    @property
    def whole(self) -> bool:
        """Whether all of it plays."""
        return self.preview_key is None


@dataclass(frozen=True, slots=True)
class Handful:
    """What plays next, in order. `again`: everything was played, so a new round begins."""

    entries: list[Entry]
    again: bool = False


def said(body: object) -> Said:
    """What came from outside, read; of too many ids the latest count. Raises WavecrateError for anything else."""
    told = body if isinstance(body, dict) else {}
    return Said(_ids(told.get("played", [])), _ids(told.get("skipped", [])))


def tune(track_id: str, told: Said, account_id: str | None, country: str | None = None) -> Handful:
    """The next HANDFUL at most of the station that begins at this track.

    Raises NotFound where the person may not know of the track, WavecrateError where it is a film.
    """
    seed = catalog.track(track_id, include_drafts=True)
    whole = licenses.playable_track_ids(account_id)
    if seed is None or not (seed.release.is_published or seed.id in whole):
        raise NotFound(_("There is no such track. It may have been withdrawn."))
    if seed.release.kind == Kind.FILM:
        raise WavecrateError(_("A radio plays music: begin it from a track, not from a film."))
    station = _Station(seed, viewers.of(account_id, country), rankings.of(account_id), whole)
    played = dict.fromkeys((seed.id, *told.played))
    found = station.next(played.keys(), told.skipped)
    if found:
        return Handful(found)
    return Handful(station.next([*played][-1:], told.skipped), again=True)


class _Station:
    def __init__(self, seed: Track, viewer: Viewer, ranking: Ranking, whole: set[str]) -> None:
        self._seed = seed
        self._viewer = viewer
        self._ranking = ranking
        self._whole = whole

    def next(self, played: Collection[str], skipped: Sequence[str]) -> list[Entry]:
        releases = self._near(self._playable(played))
        if not releases:
            return []
        heard = {track.id: track.release for track in catalog.tracks_by_ids([*[*played][-1:], *skipped])}
        turned_down = [heard[one] for one in skipped if one in heard]
        last = heard.get([*played][-1])
        artist_of = catalog.artists_of(releases)
        known = self._ranking.vectors({*releases, *(release.id for release in turned_down)})
        worth = [
            score
            - _SKIPPED * _likeness(one, [release.id for release in turned_down], known)
            - (_SKIPPED if artist_of[one] in {release.artist_id for release in turned_down} else 0)
            - (_JUST_HEARD if last is not None and artist_of[one] == last.artist_id else 0)
            for one, score in releases.items()
        ]
        nowhere = np.zeros(FACTORS, np.float32)
        ids = list(releases)
        order = diversity.order(
            worth,
            np.array([known.get(one, nowhere) for one in ids]),
            HANDFUL,
            trade=_TRADE,
            groups=[artist_of[one] for one in ids],
            most=1,
        )
        return self._entries([ids[one] for one in order], played)

    def _near(self, playable: ColumnElement[bool]) -> dict[str, float]:
        """Releases with something left to play and their worth: near the seed, or, where the model doesn't know that,
        near the person's taste; once there are none, of its artist and genre, and all others."""
        conditions = self._viewer.may_be_heard(Release.kind == Kind.AUDIO, playable)
        vector = self._ranking.vectors([self._seed.release_id]).get(self._seed.release_id)
        taste = self._ranking.taste
        found = self._ranking.beside(taste if vector is None else vector, _POOL, *conditions)
        near = {one: score for one, score in found if score >= NEAR}
        if not near:
            return self._others(conditions)
        if taste is not None and vector is not None:
            vectors = self._ranking.vectors(near.keys())
            suits = {one: _cosine(vectors[one], np.asarray(taste, np.float32)) for one in near}
            near = {one: SEED_SHARE * score + (1 - SEED_SHARE) * suits[one] for one, score in near.items()}
        return near

    def _others(self, conditions: tuple[ColumnElement[bool], ...]) -> dict[str, float]:
        release = self._seed.release
        of_its_genre = (Release.genre_id == release.genre_id).desc().nulls_last()
        query = (
            select(Release.id, Release.genre_id, Release.artist_id)
            .where(*conditions)
            .order_by(of_its_genre, Release.published_at.desc(), Release.id)
            .limit(_POOL)
        )
        heat = discovery.heat_of_releases()
        most = max(heat.values(), default=0) or 1
        return {
            one: (1 if genre is not None and genre == release.genre_id else 0)
            + (0.5 if artist == release.artist_id else 0)
            + 0.4 * max(heat.get(one, 0.0), 0.0) / most
            for one, genre, artist in db.session.execute(query)
        }

    def _playable(self, played: Collection[str]) -> ColumnElement[bool]:
        """Whether a release has a track that was not played and can be: whole, or as a preview."""
        whole = and_(Rendition.kind == RenditionKind.STREAM, Track.id.in_(self._whole))
        rendered = exists().where(Rendition.track_id == Track.id, or_(Rendition.kind == RenditionKind.PREVIEW, whole))
        return exists().where(Track.release_id == Release.id, Track.id.not_in(played), rendered)

    def _entries(self, release_ids: list[str], played: Collection[str]) -> list[Entry]:
        """Of each release one track: the first that plays whole, else the first of which there is a preview."""
        releases = catalog.releases_by_ids(release_ids)
        left = [track.id for release in releases for track in release.tracks if track.id not in played]
        streams, previews = media.streams_of([one for one in left if one in self._whole]), media.previews_of(left)
        entries = []
        for release in releases:
            tracks = [track for track in release.tracks if track.id not in played]
            whole = next((track for track in tracks if track.id in streams), None)
            heard = whole or next((track for track in tracks if track.id in previews), None)
            if heard is not None:
                entries.append(Entry(heard, None if whole else previews[heard.id].key))
        return entries


def _likeness(one: str, others: Sequence[str], known: dict[str, np.ndarray]) -> float:
    if one not in known:
        return 0.0
    return max((_cosine(known[one], known[other]) for other in others if other in known), default=0.0)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return max(float(one @ other) / lengths, 0.0) if lengths else 0.0


def _ids(told: object) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(one, str) and len(one) == _ID_LENGTH for one in told):
        raise WavecrateError(_("The radio did not understand what was played before. Start it again from a track."))
    return tuple(told[-MOST_TOLD:])
