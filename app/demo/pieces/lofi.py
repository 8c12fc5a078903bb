"""Homework for Cats: electric piano, tired drums, warm bass, dust. One band, four afternoons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.drums import crackle, hat, kick, shaker, snare
from app.demo.dsp import Signal, echo, highpass, lowpass, reverb, saturate, warp
from app.demo.instruments import marimba, rhodes, string_pluck, sub, vibes
from app.demo.score import Take, pitch, root, voiced


@dataclass(frozen=True)
class _Afternoon:
    tempo: float
    chords: tuple[str, ...]  # one a bar
    tune: str  # pitch:eighths, 'r' rests, over as many bars as there are chords
    voice: str
    kicks: str
    swing: float = 0.6


def _play(take: Take, day: _Afternoon) -> Signal:
    rate, beat = take.rate, 60 / day.tempo
    canvas, rng = take.canvas(), take.rng("band")
    bars = int(take.seconds / (4 * beat))

    def at(bar: int, sixteenth: float) -> float:
        """Swung, and a little late, as players are."""
        late = (day.swing - 0.5) * beat / 2 if round(sixteenth) % 2 else 0.0
        return (bar * 4 + sixteenth / 4) * beat + late + float(rng.normal(0, 0.004))

    hands = voiced(day.chords, 62, 4)
    for bar in range(bars):
        hand, low = hands[bar % len(hands)], root(day.chords[bar % len(hands)]) + 36
        low -= 12 if low > 43 else 0
        last = bar == bars - 1
        for sixteenth, length, touch in ((0, 2.6, 0.62), (7, 0.9, 0.4), (10, 1.3, 0.5))[: 1 if last else 3]:
            for k, midi in enumerate(hand):
                strum = at(bar, sixteenth) + 0.014 * k
                canvas.add(rhodes(midi, beat * length, rate, touch), strum, 0.21, 0.35 - 0.2 * k, room=0.4)
        for sixteenth, up, length in ((0, 0, 1.4), (6, 0, 0.5), (8, 7, 0.9), (14, 12, 0.4))[: 1 if last else 4]:
            if bar >= 2 or last:
                canvas.add(sub(low + up, beat * length, rate, 0.2), at(bar, sixteenth), 0.24)
        if bar >= 2 and not last:
            for k, mark in enumerate(day.kicks):
                if mark == "x":
                    canvas.add(kick(rate, 52, 140, 0.26, 0.12), at(bar, k), 0.48)
            for k in (4, 12):
                canvas.add(snare(rate, 168, 0.18, 0.6), at(bar, k) + 0.012, 0.34, 0.05, room=0.35)
            if bar % 4 == 3:
                canvas.add(snare(rate, 168, 0.1, 0.4), at(bar, 15), 0.14, room=0.2)
            for k in range(0, 16, 2):
                canvas.add(hat(rate, 0.05, 6000), at(bar, k), 0.12 + 0.05 * (k % 4 == 2), 0.25)
                canvas.add(shaker(rate), at(bar, k + 1), 0.06, -0.4)
    eighth, loop = 0.0, len(day.chords) * 8
    notes = []
    for word in day.tune.split():
        name, eighths = word.split(":")
        if name != "r":
            notes.append((eighth, float(eighths), pitch(name)))
        eighth += float(eighths)
    for start in range(4 * 8, (bars - 1) * 8, loop):
        for beat_at, length, midi in notes:
            whole, part = divmod((start + beat_at) * 2, 16)
            if whole >= bars - 1:
                continue
            if day.voice == "pluck":
                sound = string_pluck(midi, beat * length * 0.7 + 0.3, rate, 0.55, 0.8)
            elif day.voice == "vibes":
                sound = vibes(midi, beat * length / 2, rate, 0.6)
            else:
                sound = marimba(midi, rate, 0.8)
            canvas.add(sound, at(int(whole), part), 0.36, -0.2, room=0.5, tape=0.35)
    wet = 0.4 * reverb(canvas.send("room"), rate, 1.3, bright=0.3)
    wet += 0.6 * echo(canvas.send("tape"), rate, beat * 0.75, feedback=0.42, dark=1800)
    mix = warp(highpass(lowpass(saturate(canvas.dry + wet, 1.4), 6800, rate), 45, rate), rate, 1.6, 7, rng)
    dust = crackle(rate, take.seconds, take.name)
    return np.asarray(mix + 0.1 * np.stack([dust, np.roll(dust, rate // 3)], axis=1)[: len(mix)], np.float32)


def laundry_sunday(take: Take) -> Signal:
    """Two, five, one and no hurry."""
    tune = "r:1 A4:1 C5:1 E5:2 D5:1 C5:2 r:1 B4:1 D5:1 G5:3 r:2 E5:1 D5:1 C5:1 A4:1 G4:4 r:2 A4:1 C5:1 B4:2 r:2"
    return _play(take, _Afternoon(78, ("Dm9", "G13", "Cmaj9", "Am9"), tune, "pluck", "x......x.x......"))


def rain_check(take: Take) -> Signal:
    """In F, falling by steps, with a vibraphone looking out of the window."""
    tune = "C5:3 A4:1 r:2 D5:2 C5:3 G4:1 r:4 Bb4:3 F4:1 r:1 A4:1 Bb4:2 C5:2 D5:2 r:4"
    return _play(take, _Afternoon(72, ("Fmaj9", "Em7b5", "Dm9", "C7sus4"), tune, "vibes", "x.....x...x....."))


def biscuit_economics(take: Take) -> Signal:
    """E flat and its rich uncle."""
    tune = "G5:1 F5:1 Eb5:1 C5:1 Bb4:2 r:2 r:1 C5:1 Eb5:1 F5:1 Gb5:2 Eb5:2 F5:1 Eb5:1 C5:2 Ab4:2 r:2 Bb4:4 r:4"
    return _play(take, _Afternoon(86, ("Ebmaj9", "Ab13", "Fm9", "Bb9sus4"), tune, "marimba", "x..x......x....."))


def snooze_button_sonata(take: Take) -> Signal:
    """The tune gives up in every fourth bar, and starts again."""
    tune = "F#5:1 E5:1 C#5:2 B4:1 A4:1 B4:2 C#5:1 B4:1 A4:2 F#4:4 A4:1 B4:1 C#5:1 E5:1 F#5:4 r:8"
    return _play(take, _Afternoon(69, ("Dmaj9", "C#m7", "Bm9", "A6"), tune, "pluck", "x.......x.x....."))
