"""Releases as vectors: alike where they share an artist, a genre, a time or a sound, and the same every time."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from flask import Flask
from support import rows

from app.catalog.models import Artist, Genre, Kind, Label, Release
from app.core.db import db
from app.discovery import content
from app.media.models import Master, RenditionKind, Sound
from transcoder.contract import SOUND_NAMES, SOUND_VERSION

USUAL = {name: usual for name, (usual, _spread) in content._USUAL.items()}
SPREAD = {name: spread for name, (_usual, spread) in content._USUAL.items()}
BRIGHT = {"centroid_mean": 2.0, "roll_off_mean": 2.0, "flux_mean": 1.5, "cepstrum_1_mean": -2.0}
DARK = {name: -by for name, by in BRIGHT.items()}


def genre(slug: str) -> Genre:
    return db.session.query(Genre).filter_by(slug=slug).one_or_none() or Genre(slug=slug, name=slug)


def release(title: str, *, artist: str | None = None, kind: Kind = Kind.AUDIO, tracks: int = 1, **told) -> Release:
    made = rows.release(title, tracks=tracks, artist=artist or f"by {title}", kind=kind)
    if "genre" in told:
        made.genre = genre(told["genre"])
    if "label" in told:
        name = told["label"]
        made.label = db.session.query(Label).filter_by(name=name).one_or_none() or Label(name=name)
    if "year" in told:
        made.released_on = date(told["year"], 3, 1)
    db.session.commit()
    return made


def sounds_like(made: Release, off: dict[str, float] | None = None, language: str = "", **told) -> None:
    """Every track of a release is published with that sound: figures so many deviations from the usual."""
    values = [USUAL.get(name, 0.0) + (off or {}).get(name, 0.0) * SPREAD.get(name, 0.0) for name in SOUND_NAMES]
    for track in made.tracks:
        stream = rows.rendition(track, RenditionKind.STREAM, "stream", f"streams/{track.id}/", "x", 1)
        master = db.session.get(Master, stream.master_id)
        master.probe = {"audio": {}, "sounds": [{"language": language}]}
        figures = {"tempo_confidence": 1.0, "key_confidence": 1.0, "vector": values} | told
        db.session.add(Sound(track_id=track.id, master_id=master.id, version=SOUND_VERSION, **figures))
    db.session.commit()


def likeness(one: Release, other: Release) -> float:
    ids, matrix = content.vectors([one.id, other.id])
    return float(matrix[ids.index(one.id)].multiply(matrix[ids.index(other.id)]).sum())


def test_a_vector_has_the_length_one_and_is_the_same_whoever_asks_for_it(app: Flask) -> None:
    made = [release(f"R{n}", genre="techno", year=2000 + n) for n in range(4)]
    made[3].tracks[0].artist = Artist(name="A guest")
    sounds_like(made[0], BRIGHT, "de", tempo=128.0, key=9, mode="minor", loudness=-9.0, loudness_range=4.0)
    sounds_like(made[1], DARK, "en", tempo=64.0)
    ids, matrix = content.vectors([each.id for each in made])
    assert ids == sorted(each.id for each in made)
    assert matrix.dtype == np.float32
    assert np.allclose(np.sqrt(matrix.multiply(matrix).sum(axis=1)), 1, atol=1e-5)
    again, same = content.vectors([each.id for each in reversed(made)])
    assert (again, same.data.tobytes(), same.indices.tobytes()) == (
        ids,
        matrix.data.tobytes(),
        matrix.indices.tobytes(),
    )
    _one, alone = content.vectors([made[0].id])
    assert np.array_equal(alone.toarray()[0], matrix.toarray()[ids.index(made[0].id)])


def test_a_release_that_is_not_there_is_left_out(app: Flask) -> None:
    made = release("Tides")
    ids, matrix = content.vectors([made.id, "nothing", made.id])
    assert (ids, matrix.shape[0]) == ([made.id], 1)
    assert content.vectors([])[1].shape[0] == 0


@pytest.mark.parametrize(
    ("like", "unlike"),
    [
        ({"genre": "techno"}, {"genre": "folk"}),
        ({"genre": "dub-techno"}, {"genre": "folk"}),
        ({"label": "Kiln"}, {"label": "Loft"}),
        ({"artist": "Mira Sol"}, {"artist": "Somebody"}),
        ({"year": 2019}, {"year": 1990}),
        ({"kind": Kind.AUDIO}, {"kind": Kind.FILM}),
    ],
)
def test_what_shares_something_is_more_alike(app: Flask, like: dict, unlike: dict) -> None:
    first = {"genre": "techno", "label": "Kiln", "artist": "Mira Sol", "year": 2021, "kind": Kind.AUDIO}
    one = release("One", **{name: first[name] for name in like})
    assert likeness(one, release("Two", **like)) > likeness(one, release("Three", **unlike)) + 0.05


@pytest.mark.parametrize(
    ("same", "like", "unlike"),
    [
        ({"off": BRIGHT}, {"off": {**BRIGHT, "flux_mean": 1.0}}, {"off": DARK}),
        ({"tempo": 140.0}, {"tempo": 70.5}, {"tempo": 100.0}),
        ({"key": 0, "mode": "major"}, {"key": 9, "mode": "minor"}, {"key": 6, "mode": "major"}),
        ({"loudness": -6.0}, {"loudness": -7.0}, {"loudness": -24.0}),
        ({"language": "de"}, {"language": "de"}, {"language": "fr"}),
    ],
)
def test_what_sounds_alike_is_more_alike(app: Flask, same: dict, like: dict, unlike: dict) -> None:
    made = [release(title) for title in ("One", "Two", "Three")]
    for each, told in zip(made, (same, like, unlike), strict=True):
        sounds_like(each, **told)
    assert likeness(made[0], made[1]) > likeness(made[0], made[2]) + 0.03


def test_a_tempo_nobody_is_sure_of_says_little(app: Flask) -> None:
    made = [release(title) for title in ("One", "Two", "Three", "Four")]
    for each, sure in zip(made, (1.0, 1.0, 0.05, 0.05), strict=True):
        sounds_like(each, tempo=120.0, tempo_confidence=sure)
    assert likeness(made[0], made[1]) > likeness(made[2], made[3]) + 0.1


def test_nothing_known_is_no_likeness_and_no_fault(app: Flask) -> None:
    bare, silent = release("Bare"), release("Silent", tracks=2)
    for track in silent.tracks:
        stream = rows.rendition(track, RenditionKind.STREAM, "stream", f"streams/{track.id}/", "x", 1)
        figures = {"tempo_confidence": 0.0, "key_confidence": 0.0, "vector": [], "loudness": -70.0}
        db.session.add(Sound(track_id=track.id, master_id=stream.master_id, version=SOUND_VERSION, **figures))
    db.session.commit()
    assert 0 < likeness(bare, silent) < 0.5, "both are music, by different people"


def test_figures_of_another_version_of_hearing_are_not_compared(app: Flask) -> None:
    made = release("One")
    before = content.vectors([made.id])[1].toarray()
    sounds_like(made, BRIGHT)
    assert not np.array_equal(content.vectors([made.id])[1].toarray(), before)
    db.session.query(Sound).update({"version": SOUND_VERSION - 1})
    db.session.commit()
    assert np.array_equal(content.vectors([made.id])[1].toarray(), before)


def test_every_part_has_a_weight_and_every_figure_but_the_tones_a_usual_value() -> None:
    assert {name for name in SOUND_NAMES if name not in USUAL} == set(SOUND_NAMES[-12:])
    assert all(weight > 0 for weight in content.WEIGHTS.values())
