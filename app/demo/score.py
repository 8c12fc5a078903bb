"""What a piece is written on: pitches, scales, chords, and a canvas that notes are put on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.demo.dsp import Signal, samples, seeded

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "9": (0, 4, 7, 10, 14),
    "13": (0, 4, 10, 14, 21),
    "m9": (0, 3, 7, 10, 14),
    "m11": (0, 3, 7, 10, 14, 17),
    "maj9": (0, 4, 7, 11, 14),
    "69": (0, 4, 7, 9, 14),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "9sus4": (0, 5, 7, 10, 14),
    "maj7#11": (0, 4, 7, 11, 18),
    "m7b5": (0, 3, 6, 10),
    "7b9": (0, 4, 7, 10, 13),
    "dim7": (0, 3, 6, 9),
}
SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "gong": (0, 2, 4, 7, 9),  # the pentatonic mode on its first degree
    "yu": (0, 3, 5, 7, 10),  # and on its fifth
}


def pitch(name: str) -> int:
    """A MIDI number from a name: C4 is 60, F#3 is 54, Bb2 is 46."""
    found = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if not found:
        raise ValueError(f"{name} is no pitch")
    letter, accidental, octave = found.groups()
    return _LETTERS[letter] + {"#": 1, "b": -1, "": 0}[accidental] + 12 * (int(octave) + 1)


def hz(midi: float) -> float:
    """The frequency of a MIDI number, A4 at 440 Hz."""
    return float(440.0 * 2 ** ((midi - 69) / 12))


def root(symbol: str) -> int:
    """The pitch class a chord symbol starts with."""
    return pitch(re.match(r"[A-G][#b]?", symbol).group() + "-1") % 12  # type: ignore[union-attr]


def chord(symbol: str, octave: int = 3) -> list[int]:
    """The MIDI numbers of a chord symbol in close position: Dm9, Bbmaj7, F#7b9."""
    quality = re.sub(r"^[A-G][#b]?", "", symbol)
    return [root(symbol) + 12 * (octave + 1) + step for step in _QUALITIES[quality]]


def voiced(symbols: Sequence[str], centre: int = 60, voices: int = 4) -> list[list[int]]:
    """The chords with each voice near the centre and near where it was: no leaps, no roots in the upper hand."""
    out: list[list[int]] = []
    before = float(centre)
    for symbol in symbols:
        tones = [tone % 12 for tone in chord(symbol)]
        if len(tones) > voices:
            tones = tones[1:] if len(tones) - 1 <= voices else [tones[1], *tones[3:]]
        best: list[int] = []
        for turn in range(len(tones)):
            order = tones[turn:] + tones[:turn]
            for start in range(centre - 16, centre + 5):
                if start % 12 != order[0]:
                    continue
                stack = [start]
                for tone in order[1:]:
                    stack.append(stack[-1] + ((tone - stack[-1]) % 12 or 12))
                if not best or abs(np.mean(stack) - before) < abs(np.mean(best) - before):
                    best = stack
        out.append(best)
        before = 0.6 * float(np.mean(best)) + 0.4 * centre
    return out


def degree(tonic: int, scale: str, number: int) -> int:
    """The MIDI number of a scale degree counted from 0 at the tonic; it may be negative or past the octave."""
    steps = SCALES[scale]
    octave, step = divmod(number, len(steps))
    return tonic + 12 * octave + steps[step]


@dataclass
class Canvas:
    """A stereo mix: notes are added dry, and to the sends that reverbs and echoes read."""

    seconds: float
    rate: int
    dry: Signal = field(init=False)
    sends: dict[str, Signal] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.dry = self._blank()

    def _blank(self) -> Signal:
        return np.zeros((samples(self.seconds, self.rate), 2), np.float32)

    def send(self, name: str) -> Signal:
        """The bus of that name."""
        if name not in self.sends:
            self.sends[name] = self._blank()
        return self.sends[name]

    def add(self, sound: Signal, at: float, gain: float = 1.0, pan: float = 0.0, **sends: float) -> None:
        """Put a sound at a time; pan -1 is left, 1 right (equal power); keywords are send levels."""
        start = round(at * self.rate)
        if start < 0:
            sound, start = sound[-start:], 0
        room = len(self.dry) - start
        if room <= 0 or not len(sound):
            return
        sound = sound[:room]
        angle = (pan + 1) * np.pi / 4
        sides = np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(gain * 1.414)
        placed = sound[:, None] * sides if sound.ndim == 1 else sound * np.float32(gain)
        self.dry[start : start + len(sound)] += placed
        for name, level in sends.items():
            self.send(name)[start : start + len(sound)] += placed * np.float32(level)


@dataclass(frozen=True)
class Take:
    """What a piece is asked for: a length in seconds at a sample rate, and a seed of its own."""

    name: str
    seconds: float
    rate: int

    def canvas(self) -> Canvas:
        """An empty mix of the right length."""
        return Canvas(self.seconds, self.rate)

    def rng(self, part: str = "") -> np.random.Generator:
        """A generator for one part of the piece."""
        return seeded(self.name, part)
