"""Low Ceiling Dub: bass first, then the holes, and the echo for what was played before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.drums import hat, kick, rim, snare, tom
from app.demo.dsp import Signal, coloured, echo, lowpass, reverb, samples
from app.demo.instruments import reed, rhodes, saws, sub
from app.demo.score import Canvas, Take, chord, pitch

Riff = tuple[tuple[float, int, float], ...]  # (eighth, MIDI, eighths long)


@dataclass(frozen=True)
class _Version:
    tempo: float
    riff: Riff
    riff_bars: int
    chords: tuple[str, ...]
    tune: tuple[tuple[float, str, float], ...]  # (eighth within eight bars, pitch, eighths)
    skank_out: tuple[int, ...]  # bars in which the desk cuts the chords and lets the echo talk
    drums_out: tuple[int, ...]
    tune_from: int = 4
    drop: str = "one drop"


def _mixdown(take: Take, version: _Version) -> Signal:
    rate, eighth = take.rate, 30 / version.tempo
    canvas = Canvas(take.seconds, rate)
    bars = int((take.seconds - 1.5) / (8 * eighth))
    swing = eighth * 0.06
    for bar in range(bars):
        start = bar * 8 * eighth
        if bar >= 1 and bar % version.riff_bars == 1 % version.riff_bars:
            for place, midi, length in version.riff:
                if bar + place // 8 < bars:
                    canvas.add(sub(midi, length * eighth * 0.92, rate, 0.7), start + place * eighth, 0.4)
        symbol = version.chords[bar % len(version.chords)]
        thrown = bar in version.skank_out
        if not thrown or bar % 2 == 0:
            for place in (2, 6) if not thrown else (2,):
                for midi in chord(symbol, 4)[:3]:
                    at = start + place * eighth
                    level = {"tape": 1.6 if thrown else 0.18, "room": 0.25}
                    canvas.add(saws(midi, 0.1, rate, 2600), at, 0.3, 0.3, **level)
                    canvas.add(rhodes(midi - 12, 0.12, rate, 0.6), at + swing, 0.2, -0.4, **level)
        if bar in version.drums_out:
            continue
        strokes = (4,) if version.drop == "one drop" else (0, 2, 4, 6)
        for place in strokes:
            canvas.add(kick(rate, 46, 120, 0.3, 0.15), start + place * eighth, 0.62)
        canvas.add(rim(rate), start + 4 * eighth, 0.42, 0.1, room=0.3, tape=1.2 if bar % 4 == 3 else 0.0)
        if bar % 8 == 7:
            for k, low in enumerate((150, 120, 96, 80)):
                canvas.add(tom(rate, low, 0.35), start + (6 + k / 2) * eighth, 0.4, 0.6 - 0.4 * k, room=0.5, tape=0.5)
            canvas.add(snare(rate, 200, 0.22), start + 7.5 * eighth, 0.3, room=0.6, tape=1.0)
        for k in range(8):
            late = swing if k % 2 else 0.0
            canvas.add(hat(rate, 0.05 if k % 4 != 3 else 0.14, 6500), start + k * eighth + late, 0.2, -0.3)
    for place, name, length in version.tune:
        at = (version.tune_from * 8 + place) * eighth
        if at < take.seconds - 3:
            canvas.add(reed(pitch(name), length * eighth, rate), at, 0.34, -0.2, tape=0.55, room=0.5)
    n = samples(take.seconds, rate)
    hiss = lowpass(coloured(n, 3, rate, take.rng("desk")), 5000, rate)
    tape = echo(canvas.send("tape"), rate, eighth * 1.5, feedback=0.68, dark=1900)
    wet = tape + 0.4 * reverb(canvas.send("room") + 0.5 * tape, rate, 2.6, bright=0.3)
    return np.asarray(canvas.dry + wet + 0.008 * hiss[:, None], np.float32)


def low_ceiling(take: Take) -> Signal:
    """In A minor, and it stays there."""
    riff: Riff = ((0, 33, 1.5), (1.5, 33, 1), (3, 36, 1), (4, 38, 1), (5, 40, 2), (8, 43, 1), (9, 40, 1), (10.5, 38, 1),
                  (12, 36, 2), (14, 31, 1.5))  # fmt: skip
    tune = (
        (0, "E5", 3), (3, "D5", 1), (4, "C5", 2), (6, "A4", 4), (16, "G4", 1), (17, "A4", 1), (18, "C5", 2),
        (20, "D5", 2), (22, "E5", 5), (32, "A5", 3), (35, "G5", 1), (36, "E5", 4), (42, "D5", 2), (44, "A4", 6),
    )  # fmt: skip
    return _mixdown(take, _Version(70, riff, 2, ("Am", "Am", "Am7", "G"), tune, (3, 7, 8, 11), (0, 8)))


def kettle_dub(take: Take) -> Signal:
    """Steppers: a kick on every beat, and the melodica nearly gone."""
    riff: Riff = ((0, 38, 1), (1, 38, 0.5), (2, 41, 1), (3, 38, 1.5), (5, 36, 1), (6, 33, 2))
    tune = ((2, "A4", 1), (3, "D5", 4), (18, "F5", 1), (19, "E5", 1), (20, "D5", 5), (34, "C5", 1), (35, "A4", 5))
    version = _Version(76, riff, 1, ("Dm", "Dm7", "C", "Dm"), tune, (2, 5, 6), (0, 5), tune_from=3, drop="steppers")
    return _mixdown(take, version)


def version_for_empty_stairwell(take: Take) -> Signal:
    """What is left when the band has gone home: the fourth floor answers."""
    riff: Riff = ((0, 31, 3), (4, 34, 1), (5, 36, 2.5), (8, 38, 2), (10.5, 36, 1), (12, 34, 3))
    tune = ((0, "D5", 2), (2, "Bb4", 4), (24, "F5", 2), (26, "D5", 5), (44, "C5", 1), (45, "D5", 3))
    dry = _mixdown(
        take, _Version(64, riff, 2, ("Gm7", "Gm", "Ebmaj7", "Dm"), tune, (0, 2, 4, 6, 8), (0, 3, 6, 7), tune_from=1)
    )
    return np.asarray(0.75 * dry + 0.5 * reverb(dry, take.rate, 4.2, bright=0.25, predelay=0.05), np.float32)
