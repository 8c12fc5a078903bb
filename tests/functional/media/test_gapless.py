"""Two tracks cut from one continuous master play on into each other: no sample is missing, none is added."""

from __future__ import annotations

import wave

import mutagen
import numpy as np
import pytest
from support.transcodes import Result, Transcode, samples, write_music

from transcoder import boxes

RATE = 44100
CUT = 5 * RATE + 333  # in the middle of every codec's frames


@pytest.fixture(scope="module")
def pair(transcode: Transcode, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, list[Result]]:
    """The whole as samples, and both halves transcoded."""
    folder = tmp_path_factory.mktemp("gapless")
    whole = write_music(folder / "whole.wav", seconds=9.13, rate=RATE, bits=16)
    with wave.open(str(whole)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    made = []
    for name, part in (("one", raw[:CUT]), ("two", raw[CUT:])):
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((2, 2, RATE, 0, "NONE", ""))
            file.writeframes(part.tobytes())
        made.append(transcode(folder / f"{name}.wav"))
    return samples(whole), made


def one_after_the_other(results: list[Result], name: str, rate: int | None = None) -> np.ndarray:
    return np.concatenate([samples(result.fetch(result.downloads[name]), rate) for result in results])


@pytest.mark.parametrize("name", ["flac", "alac", "wav"])
def test_lossless_files_join_to_the_whole(pair: tuple[np.ndarray, list[Result]], name: str) -> None:
    whole, results = pair
    assert np.array_equal(one_after_the_other(results, name), whole)


def test_the_lossless_streams_join_to_the_whole(pair: tuple[np.ndarray, list[Result]]) -> None:
    whole, results = pair
    assert np.array_equal(np.concatenate([samples(result.played("flac")) for result in results]), whole)


@pytest.mark.parametrize("name", ["aac-256", "mp3-320", "mp3-v0", "vorbis"])
def test_lossy_files_have_as_many_samples_and_each_in_its_place(
    pair: tuple[np.ndarray, list[Result]], name: str
) -> None:
    whole, results = pair
    heard = one_after_the_other(results, name)
    assert len(heard) == len(whole)
    _in_place(heard, whole)


def test_opus_is_as_long_as_its_own_rate_can_tell(pair: tuple[np.ndarray, list[Result]]) -> None:
    _whole, results = pair
    for result in results:
        wants = len(samples(result.master)) * 48000 / RATE
        assert abs(len(samples(result.fetch(result.downloads["opus"]))) - wants) <= 1


@pytest.mark.parametrize("name", ["aac-64", "aac-128", "aac-256"])
def test_aac_streams_begin_with_the_first_sample_and_end_within_the_last_frame(
    pair: tuple[np.ndarray, list[Result]], name: str
) -> None:
    """The init section's edit list drops the priming. What is behind the end is padding, less than a frame of it."""
    _whole, results = pair
    for result in results:
        master, rung = samples(result.master), result.rung(name)
        init = boxes.read_init(rung.init)
        assert init.priming == 1024
        assert sum(rung.seconds) == pytest.approx(len(master) / RATE, abs=1 / RATE)
        ticks = sum(sample.duration for part in rung.clear for sample in boxes.samples(part, init))
        assert ticks - init.priming == len(master)
        heard = samples(result.played(name))
        assert 0 <= len(heard) - len(master) < 1024
        _in_place(heard[: len(master)], master)


def test_an_aac_file_tells_itunes_where_it_begins_and_ends(pair: tuple[np.ndarray, list[Result]]) -> None:
    _whole, results = pair
    for result in results:
        path = result.fetch(result.downloads["aac-256"])
        [note] = mutagen.File(path).tags["----:com.apple.iTunes:iTunSMPB"]
        _zero, priming, padding, length = (int(part, 16) for part in bytes(note).decode().split()[:4])
        timing = boxes.sound_timing(path)
        assert (priming, length) == (1024, len(samples(result.master)))
        assert priming + length + padding == 1024 * timing.frames


def _in_place(heard: np.ndarray, original: np.ndarray) -> None:
    """No shift fits better than none, anywhere along the way."""
    for start in (RATE // 2, CUT - 30000, len(original) - RATE):
        if not 100 < start < len(original) - 16000:
            continue
        a = original[start : start + 12000, 0].astype(float)
        likeness = {
            shift: float(np.corrcoef(a, heard[start + shift : start + shift + 12000, 0].astype(float))[0, 1])
            for shift in (-64, -16, -4, -2, -1, 0, 1, 2, 4, 16, 64)
        }
        assert max(likeness, key=lambda shift: likeness[shift]) == 0, likeness
        assert likeness[0] > 0.97
