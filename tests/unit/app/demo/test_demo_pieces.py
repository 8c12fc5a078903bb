"""Every piece of the demo catalogue: it sounds, it does not clip, and it is no other piece."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from app.demo import mastering
from app.demo.catalogue import RELEASES
from app.demo.dsp import lowpass, rfft, seeded
from app.demo.pieces import perform
from app.demo.score import Take

RATE = 24_000  # a quarter of the work, and the same music
ROWS = [(spec, track) for spec in RELEASES for track in spec.tracks]
PIECES = [track.piece for _spec, track in ROWS]


def _rendered(piece: str, seconds: float, lufs: float) -> NDArray[np.float32]:
    return mastering.master(perform(piece, Take(piece, seconds, RATE)), RATE, lufs)


@pytest.fixture(scope="module")
def sounds() -> dict[str, NDArray[np.float32]]:
    """All pieces, mastered, rendered side by side."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_rendered, track.piece, track.seconds, spec.lufs) for spec, track in ROWS]
        return dict(zip(PIECES, [job.result() for job in jobs], strict=True))


def _oversampled_peak_db(sound: NDArray[np.float32]) -> float:
    """The highest point of the wave, found by resampling to four times the rate (ITU-R BS.1770-4, annex 2)."""
    return float(20 * np.log10(np.abs(resample_poly(sound, 4, 1, axis=0)).max()))


def test_the_catalogue_is_large_enough() -> None:
    assert len(RELEASES) >= 12
    assert sum(len(spec.tracks) for spec in RELEASES if not spec.film) >= 30
    assert sum(spec.film for spec in RELEASES) == 2
    assert len(set(PIECES)) == len(PIECES)


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_keeps_its_loudness_and_its_ceiling(sounds: dict[str, NDArray[np.float32]], piece: str) -> None:
    sound = sounds[piece]
    spec, track = ROWS[PIECES.index(piece)]
    assert np.isfinite(sound).all()
    assert mastering.loudness(sound, RATE) == pytest.approx(spec.lufs, abs=0.7)
    assert -6 < _oversampled_peak_db(sound) < -0.8
    assert 0.8 * track.seconds < len(sound) / RATE <= track.seconds + 0.1
    assert np.abs(sound[-1]).max() < 0.01, "it ends in silence"
    assert np.abs(sound.mean(axis=0)).max() < 0.003, "no offset"


def test_no_two_pieces_are_alike(sounds: dict[str, NDArray[np.float32]]) -> None:
    """Compared by what happens when at which pitch: 48 bands over 96 moments."""

    def portrait(sound: NDArray[np.float32]) -> NDArray[np.float64]:
        mono = sound.mean(axis=1)
        frames = np.array_split(mono, 96)
        edges = np.geomspace(40, RATE / 2, 49)
        rows = []
        for frame in frames:
            power = np.abs(rfft(frame * np.hanning(len(frame)))) ** 2
            freq = np.fft.rfftfreq(len(frame), 1 / RATE)
            rows.append([power[(freq >= a) & (freq < b)].sum() for a, b in pairwise(edges)])
        shape = np.log10(np.array(rows) + 1e-9)
        return np.asarray((shape - shape.mean()) / shape.std())

    portraits = {piece: portrait(sound) for piece, sound in sounds.items()}
    alike = {pair: (portraits[pair[0]] * portraits[pair[1]]).mean() for pair in combinations(PIECES, 2)}
    closest = max(alike, key=lambda pair: alike[pair])
    assert alike[closest] < 0.985, closest


def test_the_same_piece_is_the_same_samples_in_another_process(sounds: dict[str, NDArray[np.float32]]) -> None:
    spec, track = next(row for row in ROWS if row[1].piece == "chiptune.the_cellar")
    np.testing.assert_array_equal(_rendered(track.piece, track.seconds, spec.lufs), sounds[track.piece])


def test_loudness_agrees_with_the_standard() -> None:
    """EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS."""
    t = np.arange(48_000 * 5) / 48_000
    sine = (10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    assert mastering.loudness(np.stack([sine, sine], axis=1), 48_000) == pytest.approx(-23.0, abs=0.1)


def test_the_limiter_holds_noise_under_the_ceiling() -> None:
    loud = lowpass(seeded("loud").standard_normal((48_000, 2), np.float32), 6000, 48_000)
    assert _oversampled_peak_db(mastering.limit(loud, 48_000)) < mastering.CEILING_DBTP + 0.1
