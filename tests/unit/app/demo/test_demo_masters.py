"""Masters and covers as files: every format is what it says, twice the same, and written once."""

from __future__ import annotations

import hashlib
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.demo import build, covers, films, masters
from app.demo.catalogue import AIFF, ALAC, FLAC, FLAC_96, MKV, MP3, MP4, RELEASES, WAV_48, Master, by_key
from app.demo.dsp import Signal, osc
from transcoder.probe import probe_file
from transcoder.tags import read_tags, write_tags


def _tone(rate: int, seconds: float = 1.0) -> Signal:
    n = int(rate * seconds)
    return 0.25 * np.stack([osc("sine", 440.0, n, rate), osc("sine", 554.4, n, rate)], axis=1)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("master", [FLAC, FLAC_96, WAV_48, ALAC, AIFF, MP3], ids=lambda m: f"{m.codec}-{m.rate}")
def test_each_kind_of_master_is_what_it_says(tmp_path: Path, master: Master) -> None:
    spec = by_key("river")
    files = [tmp_path / name / f"01 Tone{master.suffix}" for name in ("a", "b")]
    for path in files:
        path.parent.mkdir()
        masters.write_audio(path, _tone(master.rate), master)
        write_tags(path, build.tags_of(spec, 0), covers.cover("save", 64))
    probe = probe_file(files[0])
    assert probe.kind == "audio"
    assert probe.audio is not None
    assert (probe.audio.sample_rate, probe.audio.bit_depth, probe.audio.channels) == (master.rate, master.bits, 2)
    assert probe.audio.lossless == bool(master.bits)
    assert probe.duration == pytest.approx(1.0, abs=0.06)
    tags, cover = read_tags(files[0])
    assert tags == build.tags_of(spec, 0)
    assert cover is not None
    assert _digest(files[0]) == _digest(files[1])


@pytest.mark.parametrize(("key", "master"), [("tide", MP4), ("fold", MKV)])
def test_a_film_is_picture_and_sound(tmp_path: Path, key: str, master: Master) -> None:
    film, rate = films.FILMS[key], films.FRAMES_A_SECOND
    files = [tmp_path / f"{name}{master.suffix}" for name in "ab"]
    for path in files:
        pictures = film.draw(0.5)
        masters.write_film(path, pictures, (film.width, film.height), rate, _tone(48_000, 0.5), master, {"TITLE": "X"})
    probe = probe_file(files[0])
    assert probe.kind == "film"
    assert probe.video is not None
    assert (probe.video.width, probe.video.height, probe.video.frame_rate) == (film.width, film.height, (rate, 1))
    assert probe.audio is not None
    assert read_tags(files[0])[0].title == "X"
    assert _digest(files[0]) == _digest(files[1])


def test_frames_of_a_film_move() -> None:
    for film in films.FILMS.values():
        frames = [np.asarray(frame.reduce(8), float) for frame in film.draw(3.0)]
        assert np.abs(frames[30] - frames[40]).mean() > 0.3


def test_masters_are_written_once_and_come_out_the_same_again(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    chosen = [by_key("save")]
    paths = build.write_masters(tmp_path, workers=2, releases=chosen, on_progress=lambda *step: seen.append(step))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "Cartridge Widow/Save Point/01 Press Start Politely.flac",
        "Cartridge Widow/Save Point/02 The Cellar.flac",
        "Cartridge Widow/Save Point/03 Boss with a Day Job.flac",
        "Cartridge Widow/Save Point/04 Continue.flac",
    ]
    assert [step[0] for step in seen] == list(range(6))
    assert {step[1] for step in seen} == {5}
    before = {path: (_digest(path), path.stat().st_mtime_ns) for path in paths}

    paths[1].unlink()
    (paths[1].parent / ".part-02 The Cellar.flac").write_bytes(b"half")
    assert build.write_masters(tmp_path, workers=1, releases=chosen) == paths
    assert {path: _digest(path) for path in paths} == {path: digest for path, (digest, _) in before.items()}
    kept = [path for path in paths if path.stat().st_mtime_ns == before[path][1]]
    assert kept == [paths[0], *paths[2:]]
    assert not list(tmp_path.rglob(".part-*"))


def test_masters_of_another_recipe_are_made_anew(tmp_path: Path) -> None:
    old = tmp_path / "Somebody" / "01 Old.flac"
    old.parent.mkdir()
    old.write_bytes(b"old")
    (tmp_path / ".recipe").write_text("0")
    assert build.write_masters(tmp_path, workers=1, releases=[]) == []
    assert not old.exists()


def test_covers_are_square_jpegs_that_differ() -> None:
    small = {spec.key: Image.open(BytesIO(covers.cover(spec.key, 256))) for spec in RELEASES}
    assert {(image.size, image.format) for image in small.values()} == {((256, 256), "JPEG")}
    thumbs = {key: np.asarray(image.convert("RGB").resize((16, 16)), float) for key, image in small.items()}
    for one, other in combinations(thumbs, 2):
        assert np.abs(thumbs[one] - thumbs[other]).mean() > 20, (one, other)
    for key, thumb in thumbs.items():
        assert thumb.std() > 12, key
    assert covers.cover("orbit", 256) == covers.cover("orbit", 256)


def test_a_cover_is_large_enough_for_a_shop() -> None:
    assert Image.open(BytesIO(covers.cover("save"))).size == (1400, 1400)


def test_everything_is_said_in_both_languages() -> None:
    for spec in RELEASES:
        chinese = [spec.title_zh, spec.artist_zh, spec.label_zh, spec.genre_zh, spec.description_zh]
        chinese += [track.title_zh for track in spec.tracks]
        assert all(any("\u4e00" <= character <= "\u9fff" for character in text) for text in chinese), spec.title
        assert len(spec.description) > 80
        assert len(spec.description_zh) > 25
    assert len({spec.title for spec in RELEASES}) == len(RELEASES)
    tracks = [(spec.title, track.title) for spec in RELEASES for track in spec.tracks]
    assert len(set(tracks)) == len(tracks)
    isrcs = [build.tags_of(spec, k).isrc for spec in RELEASES for k in range(len(spec.tracks))]
    assert len(set(isrcs)) == len(isrcs)


def test_prices_fit_one_cart() -> None:
    assert {spec.price.currency for spec in RELEASES} == {"EUR"}
    assert min(spec.price.minor for spec in RELEASES) == 150
    assert all(600 <= spec.price.minor <= 1400 for spec in RELEASES if len(spec.tracks) > 1)
    assert all(800 <= spec.price.minor <= 1200 for spec in RELEASES if spec.film)


def test_one_release_has_two_discs() -> None:
    spec = by_key("orbit")
    places = [
        (tags.disc, tags.disc_total, tags.track, tags.track_total) for tags in map(build.tags_of, [spec] * 4, range(4))
    ]
    assert places == [(1, 2, 1, 2), (1, 2, 2, 2), (2, 2, 1, 2), (2, 2, 2, 2)]
