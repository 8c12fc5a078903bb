"""What a release is, as a vector: who made it, what it is called a kind of, when it is from, and how it sounds.

A vector is made of parts, each of the length 1 (0 where nothing is known, less than 1 where it is unsure or usual)
times the root of its weight, and the whole is given the length 1: so the inner product of two vectors is a likeness
from -1 to 1, the mean of how alike their parts are, weighed by `WEIGHTS`. A release gets the same vector whichever
others are asked for with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from app.catalog.models import Artist, Genre, Label, Release, Track
from app.core.db import db
from app.media import sounds
from app.media.sounds import Heard
from transcoder.contract import SOUND_NAMES

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WEIGHTS: dict[str, float] = {
    "artist": 1.0,  # the release's own and its tracks'
    "genre": 1.0,
    "word": 0.4,  # of the genre's name: dub techno is near techno, and near dub
    "label": 0.5,
    "timbre": 0.8,  # bright or dark, tones or noise, even or full of change
    "year": 0.3,
    "kind": 0.3,  # music or film
    "language": 0.3,  # of what is spoken or sung, where a master says so
    "tempo": 0.3,  # a tempo and its double are one
    "loudness": 0.2,  # how loud it was mastered, and how much of a range it keeps
    "key": 0.1,
}
"""How much each part says: the shop's judgement, and the one place of it. They are scales, not verdicts: what a map
learns from vectors (`cold`) weighs the parts anew by what people do."""

FIRST_YEAR, YEARS_APART = 1900, 5
_LAST_YEAR = 2100
_AT_ONCE = 5_000
_FURTHEST = 3.0  # deviations from the usual
_USUAL_TEMPO = 120.0
# Parts whose length says something: how sure a tempo or a key is, how unusual a loudness.
_AS_LONG = {"tempo", "key", "loudness"}
# Loudness and its range: what is usual (LUFS, LU), and how far masters are from it.
_LOUDNESS = ((-14.0, 5.0), (7.0, 4.0))
# The same for the figures of a sound's vector, over music of twelve kinds from field recordings to techno. The twelve
# tones are left to the key.
_USUAL: dict[str, tuple[float, float]] = {
    "centroid_mean": (1300, 600), "centroid_deviation": (480, 260),
    "bandwidth_mean": (1600, 560), "bandwidth_deviation": (470, 280),
    "roll_off_mean": (2600, 1400), "roll_off_deviation": (1200, 700),
    "flatness_mean": (-34, 9.3), "flatness_deviation": (7.9, 4.1),
    "crossings_mean": (0.055, 0.027), "crossings_deviation": (0.028, 0.017),
    "flux_mean": (0.73, 0.24), "flux_deviation": (1.1, 0.56),
    "level_deviation": (6.2, 2.5),
    "cepstrum_1_mean": (76, 20), "cepstrum_1_deviation": (17, 6.2),
    "cepstrum_2_mean": (10, 16), "cepstrum_2_deviation": (13, 5.5),
    "cepstrum_3_mean": (6.2, 9.6), "cepstrum_3_deviation": (8.7, 3.4),
    "cepstrum_4_mean": (1.6, 5.4), "cepstrum_4_deviation": (7.7, 3.1),
    "cepstrum_5_mean": (0, 3.9), "cepstrum_5_deviation": (6.7, 2.4),
    "cepstrum_6_mean": (0, 4.1), "cepstrum_6_deviation": (6.2, 2.1),
    "cepstrum_7_mean": (0, 3.7), "cepstrum_7_deviation": (6, 2.2),
    "cepstrum_8_mean": (0, 3.8), "cepstrum_8_deviation": (5.9, 2.1),
    "cepstrum_9_mean": (0, 4), "cepstrum_9_deviation": (6.1, 2),
    "cepstrum_10_mean": (0, 3.2), "cepstrum_10_deviation": (5.7, 1.8),
    "cepstrum_11_mean": (0, 3), "cepstrum_11_deviation": (5.6, 1.7),
    "cepstrum_12_mean": (0, 2.6), "cepstrum_12_deviation": (5.3, 1.7),
}  # fmt: skip
_PLACES = [SOUND_NAMES.index(name) for name in _USUAL]
_CENTRES, _SPREADS = (np.array(column) for column in zip(*_USUAL.values(), strict=True))

Part = dict[int, float]
"""Column to value."""


def vectors(release_ids: Sequence[str]) -> tuple[list[str], csr_matrix]:
    """The releases there are among those, sorted by id, and a row of the length 1 for each, in float32.

    The columns depend on which artists, labels and genres the catalogue has, so only rows of one call, or of calls in
    one transaction, are to be compared. A release nothing is known of has its kind still.
    """
    from scipy.sparse import csr_matrix

    columns = _Columns.of_catalogue()
    ids: list[str] = []
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    wanted = sorted(set(release_ids))
    for begin in range(0, len(wanted), _AT_ONCE):
        for release_id, parts in _described(wanted[begin : begin + _AT_ONCE], columns):
            row = _joined(parts)
            ids.append(release_id)
            indices += row.keys()
            values += row.values()
            ends.append(len(indices))
    shape = (len(ids), columns.count)
    return ids, csr_matrix((np.array(values, np.float32), np.array(indices, np.int64), np.array(ends)), shape=shape)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where what is told lies in a row."""

    first: dict[str, int]
    artists: dict[str, int]
    labels: dict[str, int]
    genres: dict[str, int]
    words: dict[str, int]
    words_of: dict[str, tuple[str, ...]]
    languages: dict[str, int]
    count: int

    @classmethod
    def of_catalogue(cls) -> _Columns:
        """Every artist, label, genre, word of a genre and language there is has a column, in order of their ids."""
        slugs = {row.id: row.slug for row in db.session.execute(select(Genre.id, Genre.slug))}
        words_of = {genre: tuple(sorted(set(re.findall(r"[^\W\d_]{2,}", slug)))) for genre, slug in slugs.items()}
        artists = _numbered(db.session.scalars(select(Artist.id)))
        labels = _numbered(db.session.scalars(select(Label.id)))
        genres = _numbered(slugs)
        words = _numbered({word for told in words_of.values() for word in told})
        languages = _numbered(sounds.languages())
        sizes = {
            "kind": 2,
            "year": (_LAST_YEAR - FIRST_YEAR) // YEARS_APART + 2,
            "tempo": 2,
            "key": 3,
            "loudness": 2,
            "timbre": len(_USUAL),
            "genre": len(genres),
            "word": len(words),
            "language": len(languages),
            "label": len(labels),
            "artist": len(artists),
        }
        ends = np.cumsum(list(sizes.values())).tolist()
        first = dict(zip(sizes, [0, *ends[:-1]], strict=True))
        return cls(first, artists, labels, genres, words, words_of, languages, ends[-1])


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names))}


def _described(release_ids: Sequence[str], columns: _Columns) -> Iterator[tuple[str, dict[str, Part]]]:
    rows = db.session.execute(
        select(
            Release.id, Release.kind, Release.artist_id, Release.label_id, Release.genre_id, Release.released_on
        ).where(Release.id.in_(release_ids))
    )
    found = {row.id: row for row in rows}
    tracks: dict[str, list[Any]] = {release_id: [] for release_id in found}
    for track in db.session.execute(
        select(Track.id, Track.release_id, Track.artist_id).where(Track.release_id.in_(found)).order_by(Track.id)
    ):
        tracks[track.release_id].append(track)
    track_ids = [track.id for told in tracks.values() for track in told]
    heard, spoken = sounds.heard(track_ids), sounds.languages_of(track_ids)
    for release_id, row in sorted(found.items()):
        own = tracks[release_id]
        artists = [row.artist_id, *(track.artist_id for track in own if track.artist_id)]
        tongues = [tongue for track in own for tongue in spoken.get(track.id, ())]
        at = columns.first
        parts = {
            "kind": {at["kind"] + (row.kind == "film"): 1.0},
            "artist": _counted(artists, columns.artists, at["artist"]),
            "label": _counted([row.label_id], columns.labels, at["label"]),
            "genre": _counted([row.genre_id], columns.genres, at["genre"]),
            "word": _counted(columns.words_of.get(row.genre_id, ()), columns.words, at["word"]),
            "language": _counted(tongues, columns.languages, at["language"]),
            "year": _year(row.released_on.year, at["year"]) if row.released_on else {},
        }
        for name, figures in _sound([heard[track.id] for track in own if track.id in heard]).items():
            parts[name] = {at[name] + number: float(value) for number, value in enumerate(figures)}
        yield release_id, parts


def _counted(names: Iterable[str | None], places: dict[str, int], first: int) -> Part:
    part: Part = {}
    for name in names:
        if name in places:
            part[first + places[name]] = part.get(first + places[name], 0.0) + 1.0
    return part


def _year(year: int, first: int) -> Part:
    """Two neighbouring marks, five years apart, share the year: 2024 is nearer to 2026 than to 1990."""
    mark, rest = divmod(min(max(year, FIRST_YEAR), _LAST_YEAR) - FIRST_YEAR, YEARS_APART)
    return {first + mark: 1 - rest / YEARS_APART} | ({first + mark + 1: rest / YEARS_APART} if rest else {})


def _sound(tracks: Sequence[Heard]) -> dict[str, NDArray[np.float64]]:
    """How a release's tracks sound together: the mean of each part over the tracks that have it."""
    parts: dict[str, NDArray[np.float64]] = {}
    timbre = [_standard(np.array(track.vector)[_PLACES], _CENTRES, _SPREADS) for track in tracks if track.vector]
    if timbre:
        parts["timbre"] = np.mean(timbre, axis=0)
    beats = [_turn(np.log2(track.tempo / _USUAL_TEMPO)) * track.tempo_confidence for track in tracks if track.tempo]
    if beats:
        parts["tempo"] = np.mean(beats, axis=0)
    keys = [_key(track.key, track.mode) * track.key_confidence for track in tracks if track.key is not None]
    if keys:
        parts["key"] = np.mean(keys, axis=0)
    loud = [(track.loudness, track.loudness_range) for track in tracks if track.loudness is not None and track.vector]
    if loud:
        usual, spread = np.array(_LOUDNESS).T
        figures = [_standard(np.array([level, span or 0.0]), usual, spread) for level, span in loud]
        parts["loudness"] = np.mean(figures, axis=0) / _FURTHEST
    return parts


def _standard(figures: NDArray[Any], usual: NDArray[Any], spread: NDArray[Any]) -> NDArray[np.float64]:
    return np.clip((figures - usual) / spread, -_FURTHEST, _FURTHEST)


def _turn(share: float) -> NDArray[np.float64]:
    return np.array([np.cos(2 * np.pi * share), np.sin(2 * np.pi * share)])


def _key(key: int, mode: str | None) -> NDArray[np.float64]:
    """A place on the circle of fifths, where a minor key stands with its relative major, and which of the two it is."""
    minor = mode == "minor"
    around = _turn((7 * (key + 3 * minor) % 12) / 12)
    return np.array([*around, -0.5 if minor else 0.5])


def _joined(parts: dict[str, Part]) -> Part:
    row: Part = {}
    for name in sorted(parts):
        length = np.sqrt(sum(value**2 for value in parts[name].values()))
        if length > 0:
            scale = np.sqrt(WEIGHTS[name]) / (max(1.0, length) if name in _AS_LONG else length)
            row |= {column: value * scale for column, value in sorted(parts[name].items())}
    length = np.sqrt(sum(value**2 for value in row.values()))
    return {column: float(value / length) for column, value in sorted(row.items())}
