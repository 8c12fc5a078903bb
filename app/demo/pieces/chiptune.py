"""Save Point: two pulses, a triangle and a shift register, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.drums import chip_noise
from app.demo.dsp import Signal
from app.demo.instruments import chip, chip_bass
from app.demo.score import Take, chord, pitch, root

_STEP_HZ = 60  # a chord on one channel: its tones in turn, one a video frame


@dataclass(frozen=True)
class _Level:
    tempo: float
    chords: tuple[str, ...]  # one a bar
    tune: str  # pitch:sixteenths
    bass: str  # sixteen marks: o octave up, x root, f fifth
    drums: str  # k, s, h or .
    width: float = 0.25
    arpeggio_octave: int = 4


def _play(take: Take, level: _Level) -> Signal:
    rate, step = take.rate, 60 / level.tempo / 4
    canvas = take.canvas()
    bars = int((take.seconds - 0.4) / (16 * step))
    for bar in range(bars):
        symbol = level.chords[bar % len(level.chords)]
        tones, low = chord(symbol, level.arpeggio_octave)[:4], root(symbol) + 36
        last = bar == bars - 1
        frames = int((16 if not last else 8) * step * _STEP_HZ)
        for frame in range(frames):
            note = chip(tones[frame % len(tones)], 1 / _STEP_HZ, rate, 0.125)
            at = bar * 16 * step + frame / _STEP_HZ
            strength = 0.1 + 0.06 * np.exp(-((at / step) % 4) * 0.7)
            canvas.add(note, at, float(strength), 0.5)
        for k in range(16 if not last else 1):
            at = (bar * 16 + k) * step
            if level.bass[k] != ".":
                up = {"x": 0, "o": 12, "f": 7}[level.bass[k]]
                canvas.add(chip_bass(low + up, step * 0.9, rate), at, 0.34)
            if bar >= 1:
                mark = level.drums[k] if bar % 4 != 3 or k < 12 else "s"
                if mark == "k":
                    canvas.add(chip_bass(40, 0.05, rate), at, 0.3)
                    canvas.add(chip_noise(rate, 0.04, 1500.0), at, 0.2)
                elif mark == "s":
                    canvas.add(chip_noise(rate, 0.13, 9000.0), at, 0.2)
                elif mark == "h":
                    canvas.add(chip_noise(rate, 0.03, 20000.0), at, 0.09)
    place, total = 0.0, bars * 16 - 16
    words = level.tune.split()
    for number in range(10_000):
        name, length = words[number % len(words)].split(":")
        if place >= total:
            break
        if name != "r":
            seconds = float(length) * step * 0.94
            midi = pitch(name)
            canvas.add(chip(midi, seconds, rate, level.width, 0.3), place * step, 0.3, -0.15)
            canvas.add(chip(midi, seconds, rate, level.width), (place + 3) * step, 0.09, -0.7)  # a channel echoes
        place += float(length)
    final = chord(level.chords[0], 4)[0] + 12
    canvas.add(chip(final, 0.5, rate, level.width), (bars - 1) * 16 * step, 0.3)
    return canvas.dry


def press_start_politely(take: Take) -> Signal:
    """A title screen in C that minds its manners."""
    tune = (
        "G5:2 E5:2 C5:2 E5:2 G5:4 C6:4 B5:2 G5:2 E5:2 G5:2 A5:6 r:2 A5:2 F5:2 D5:2 F5:2 A5:4 D6:4 C6:2 B5:2 A5:2 B5:2 "
    )
    tune += "G5:6 r:2"
    return _play(take, _Level(144, ("C", "Am7", "Dm7", "G7"), tune, "x.xox.xox.xox.xo", "k.h.s.hkk.h.s.h."))


def the_cellar(take: Take) -> Signal:
    """Underground, in E phrygian, with something behind the boiler."""
    tune = "E5:3 F5:1 E5:2 D5:2 E5:4 B4:4 G5:3 F5:1 E5:2 D5:2 C5:2 D5:2 E5:4 A5:3 G5:1 F5:2 E5:2 F5:4 C5:4 "
    tune += "D5:2 E5:2 F5:2 D5:2 E5:8"
    return _play(take, _Level(122, ("Em", "F", "Dm", "Em"), tune, "x..x..x.x..x..f.", "k...s..kk.k.s.h.", 0.5, 3))


def boss_with_a_day_job(take: Take) -> Signal:
    """Fast and angry until half past five."""
    tune = "A5:1 A5:1 r:1 A5:1 C6:2 A5:2 E5:2 A5:2 G5:2 E5:2 F5:1 F5:1 r:1 F5:1 A5:2 F5:2 C5:2 F5:2 E5:2 C5:2 "
    tune += "D5:2 E5:2 F5:2 A5:2 G#5:4 B5:4 C6:2 B5:2 A5:2 G#5:2 E5:8"
    return _play(take, _Level(172, ("Am", "F", "Dm", "E7"), tune, "xxoxxxoxxxoxxxof", "k.hks.hkk.hks.hs", 0.125))


def carry_on(take: Take) -> Signal:
    """Ten, nine, eight: a waltzing count-down in E flat that would rather you did."""
    tune = "Bb4:4 Eb5:4 G5:6 F5:2 Eb5:4 D5:4 C5:6 Bb4:2 Ab4:4 C5:4 Eb5:6 D5:2 C5:4 Bb4:4 F5:8"
    return _play(
        take, _Level(104, ("Ebmaj7", "Cm7", "Abmaj7", "Bb7sus4"), tune, "x...f...o...f...", "k...h...s...h.h.", 0.5)
    )
