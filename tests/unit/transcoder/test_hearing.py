"""Tempo, key and figures of sounds that were made to have them: by the ear alone, then through FFmpeg."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.scored import A_MINOR, C_MAJOR, chords, clicks
from support.sounds import write_wav

from transcoder import hearing, pcm, timbre
from transcoder.contract import SOUND_NAMES, SOUND_VERSION, SoundFeatures
from transcoder.hearing import RATE, Ear
from transcoder.probe import probe_file


def features(sound: np.ndarray, window: int = pcm.WINDOW) -> SoundFeatures:
    ear = Ear()
    for start in range(0, len(sound), window):
        ear.add(sound[start : start + window].reshape(-1, 1))
    return ear.features()


def named(told: SoundFeatures) -> dict[str, float]:
    return dict(zip(SOUND_NAMES, told.vector, strict=True))


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 0.02])
@pytest.mark.parametrize("tempo", [60, 72.5, 90, 120, 133.3, 174, 200, 215])
def test_the_tempo_of_clicks_is_found_within_two_per_cent(tempo: float, level: float) -> None:
    told = features(clicks(tempo, 18, RATE, noise=level))
    assert told.tempo == pytest.approx(tempo, rel=0.02)
    assert told.tempo_confidence > 0.9


@pytest.mark.parametrize("tempo", [42, 50])
def test_what_is_slower_than_anybody_taps_is_found_or_its_double(tempo: float) -> None:
    told = features(clicks(tempo, 25, RATE))
    assert any(told.tempo == pytest.approx(times * tempo, rel=0.02) for times in (1, 2))


def test_a_recording_too_short_for_a_beat_has_no_tempo() -> None:
    assert features(clicks(120, 3, RATE)).tempo is None


def test_a_set_has_the_tempo_it_has_most() -> None:
    parts = [clicks(124, 24, RATE), noise(8), clicks(96, 12, RATE), clicks(124, 24, RATE)]
    assert features(np.concatenate(parts)).tempo == pytest.approx(124, rel=0.02)


@pytest.mark.parametrize("up", [0, 1, 6, 11])
@pytest.mark.parametrize(("progression", "tonic", "mode"), [(C_MAJOR, 0, "major"), (A_MINOR, 9, "minor")])
def test_the_key_of_a_progression_is_found_wherever_it_is_moved_to(
    progression: tuple, tonic: int, mode: str, up: int
) -> None:
    told = features(chords(progression, 8, RATE, up=up))
    assert (told.key, told.mode) == ((tonic + up) % 12, mode)
    assert told.key_confidence > 0.6


@pytest.mark.parametrize("off", [-0.4, 0.3])
def test_an_orchestra_tuned_elsewhere_is_in_the_same_key(off: float) -> None:
    told = features(chords(A_MINOR, 8, RATE, up=off))
    assert (told.key, told.mode) == (9, "minor")
    assert told.key_confidence > 0.6


@pytest.mark.parametrize("seconds", [5, 30])
@pytest.mark.parametrize("seed", range(2))
def test_noise_has_no_tempo_and_no_key_to_speak_of(seconds: float, seed: int) -> None:
    told = features(noise(seconds, seed=seed))
    assert told.tempo_confidence < 0.1
    assert told.key_confidence < 0.1


def test_a_held_tone_keeps_no_time() -> None:
    t = np.arange(20 * RATE) / RATE
    assert features((0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)).tempo is None


@pytest.mark.parametrize("sound", [np.zeros(20 * RATE, np.float32), noise(20, level=1e-4), np.zeros(0, np.float32)])
def test_silence_is_told_as_nothing(sound: np.ndarray) -> None:
    assert features(sound) == SoundFeatures()
    assert SoundFeatures().tempo is None
    assert SoundFeatures().key is None
    assert SoundFeatures().vector == ()


def test_samples_that_are_no_numbers_give_nothing_rather_than_nonsense() -> None:
    sound = clicks(120, 10, RATE)
    sound[5000] = np.nan
    assert features(sound) == SoundFeatures()


def test_the_same_samples_give_the_same_bytes_wherever_windows_end() -> None:
    sound = chords(C_MAJOR, 12, RATE) + noise(12, level=0.01)
    once = features(sound)
    assert once == features(sound)
    assert once.version == SOUND_VERSION
    odd = features(sound, window=10_007)
    assert (odd.tempo, odd.key, odd.mode) == (once.tempo, once.key, once.mode)
    assert odd.vector == pytest.approx(once.vector, rel=1e-3, abs=1e-4)


def test_features_survive_json() -> None:
    told = features(chords(C_MAJOR, 6, RATE))
    assert SoundFeatures.from_dict(told.to_dict() | {"vector": list(told.vector)}) == told


def test_figures_say_what_they_are_named_for() -> None:
    t = np.arange(8 * RATE) / RATE
    tone = named(features((0.3 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)))
    hiss = named(features(noise(8)))
    assert tone["centroid_mean"] == pytest.approx(1000, rel=0.05)
    assert tone["crossings_mean"] == pytest.approx(2000 / RATE, rel=0.02)
    assert tone["roll_off_mean"] == pytest.approx(1000, abs=60)
    assert hiss["centroid_mean"] == pytest.approx(RATE / 4, rel=0.05)
    assert hiss["roll_off_mean"] == pytest.approx(0.85 * RATE / 2, rel=0.03)
    assert hiss["flatness_mean"] > -4 > tone["flatness_mean"] + 30
    assert hiss["bandwidth_mean"] > 10 * tone["bandwidth_mean"]
    quiet_and_loud = np.repeat([0.02, 0.5], 4 * RATE)
    uneven = named(features((quiet_and_loud * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)))
    assert uneven["level_deviation"] > 10 > 1 > tone["level_deviation"]
    c_and_g = np.sin(2 * np.pi * 261.63 * t) + np.sin(2 * np.pi * 392 * t)
    tones = named(features((0.2 * c_and_g).astype(np.float32)))
    assert tones["tone_c"] + tones["tone_g"] > 0.95
    assert sum(value for name, value in tones.items() if name.startswith("tone_")) == pytest.approx(1, abs=1e-4)


def test_the_vector_is_the_same_however_loud_the_master_is() -> None:
    sound = chords(C_MAJOR, 10, RATE) + noise(10, level=0.05)
    loud, quiet = features(sound), features(sound / 4)
    assert loud.vector == pytest.approx(quiet.vector, rel=0.02, abs=0.2)


def test_every_band_of_the_scale_hears_something() -> None:
    bands = timbre.mel_bands(RATE, 1024)
    assert bands.shape == (513, timbre.BANDS)
    assert np.allclose(bands.sum(axis=0), 1)


def test_memory_does_not_grow_with_the_length() -> None:
    def most(minutes: int) -> int:
        window = noise(60, level=0.05)
        ear = Ear()
        ear.add(window)
        tracemalloc.start()
        for _minute in range(minutes):
            ear.add(window)
        ear.features()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(6) < 1.05 * most(1)


@pytest.fixture(scope="module")
def song_at_120(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rate = 44_100
    sound = chords(A_MINOR, 16, rate) + clicks(120, 16, rate)
    return write_wav(tmp_path_factory.mktemp("songs") / "song.wav", np.stack([sound, 0.8 * sound], 1), rate)


def hear(path: Path, work: Path) -> SoundFeatures:
    work.mkdir()
    told = hearing.hear(path, probe_file(path), work)
    assert not list(work.iterdir()), "the pipe is taken away"
    return told


def test_a_master_is_heard_through_ffmpeg(song_at_120: Path, tmp_path: Path) -> None:
    told = hear(song_at_120, tmp_path / "one")
    assert told.tempo == pytest.approx(120, rel=0.02)
    assert (told.key, told.mode) == (9, "minor")
    assert hear(song_at_120, tmp_path / "again") == told


@pytest.mark.parametrize("channels", [1, 3, 6, 8])
def test_any_number_of_channels_is_mixed_alike(channels: int, tmp_path: Path) -> None:
    rate = 48_000
    sound = np.zeros((6 * rate, channels), np.float32)
    sound[:, -1] = chords(C_MAJOR, 6, rate)
    path = write_wav(tmp_path / "many.wav", sound, rate)
    told = hear(path, tmp_path / "work")
    assert (told.key, told.mode) == (0, "major")


def test_an_ear_that_fails_holds_nothing_up(song_at_120: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encode goes on to its end, and what could not be heard is simply not told."""
    from transcoder import encode

    def broken(_ear: Ear, _window: np.ndarray) -> None:
        raise ValueError("no ear")

    monkeypatch.setattr(Ear, "add", broken)
    progress: Callable[[float], None] = lambda _done: None  # noqa: E731
    made = encode.encode_audio(song_at_120, probe_file(song_at_120), tmp_path, cpu_count=2, on_progress=progress)
    assert made.features is None
    assert made.loudness["integrated"] > -40
    assert made.files["flac"].stat().st_size > 100_000
    assert not (tmp_path / hearing.PIPE).exists()
