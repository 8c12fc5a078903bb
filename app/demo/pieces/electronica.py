"""Aphelion / Perihelion: the first disc is far from the sun and slow, the second close and quick."""

from __future__ import annotations

import numpy as np

from app.demo.drums import clap, hat, kick, rim, shaker, snare
from app.demo.dsp import Signal, choir, drift, echo, edges, lowpass, reverb, samples, swept
from app.demo.instruments import bell, marimba, rhodes, saws, string_pluck, sub
from app.demo.score import Canvas, Take, chord, hz, pitch, root


def _bed(canvas: Canvas, take: Take, chords: list[str], each: float, gain: float, top: float = 4200) -> None:
    for number, symbol in enumerate(chords):
        notes = [(hz(midi), 0.7 / (1 + 0.1 * k)) for k, midi in enumerate(chord(symbol, 3))]
        cloud = choir(notes, each + 1.6, canvas.rate, take.rng(f"bed{number}"), width=24, top=top)
        canvas.add(edges(cloud, canvas.rate, 0.9, 1.5), number * each, gain, room=0.4)


def _mix(canvas: Canvas, every: float, size: float = 2.6, duck: Signal | float = 1.0) -> Signal:
    tape = echo(canvas.send("tape"), canvas.rate, every, feedback=0.52, dark=3600)
    wet = 0.5 * reverb(canvas.send("room") + 0.4 * tape, canvas.rate, size, bright=0.6)
    return canvas.dry * duck + tape + wet


def far_side(take: Take) -> Signal:
    """Half-time at 84; a string plucked on something that turns slowly."""
    rate, beat = take.rate, 60 / 84
    canvas = take.canvas()
    chords = ["Bm9", "Gmaj9", "Em9", "F#m7"]
    bars = int((take.seconds - 2) / (4 * beat))
    _bed(canvas, take, [chords[b % 4] for b in range(bars)], 4 * beat, 0.45, 2600)
    for bar in range(bars):
        tones = chord(chords[bar % 4], 4)
        for k, order in enumerate((0, 2, 4, 1, 3, 2, 4, 3)):
            midi = tones[order % len(tones)] + (12 if k in (2, 6) else 0)
            canvas.add(
                string_pluck(midi, 1.6, rate, 0.6, 0.5),
                (bar * 4 + k / 2) * beat,
                0.2,
                0.7 * np.sin(k),
                tape=0.5,
                room=0.4,
            )
        if bar >= 2:
            low = root(chords[bar % 4]) + 24 + (12 if root(chords[bar % 4]) < 4 else 0)
            canvas.add(sub(low, beat * 2.6, rate, 0.35), bar * 4 * beat, 0.3)
            canvas.add(sub(low, beat * 0.8, rate, 0.5), (bar * 4 + 3.25) * beat, 0.25)
            canvas.add(kick(rate, 46, 150, 0.4, 0.2), bar * 4 * beat, 0.75)
            canvas.add(kick(rate, 46, 150, 0.4, 0.2), (bar * 4 + 1.75) * beat, 0.5)
            canvas.add(snare(rate, 150, 0.3, 1.0), (bar * 4 + 2) * beat, 0.4, room=1.2)
            for k in range(8):
                canvas.add(hat(rate, 0.05), (bar * 4 + k / 2) * beat, 0.07 + 0.05 * (k % 2), 0.3)
    return _mix(canvas, beat * 0.75, 3.2)


def cold_start(take: Take) -> Signal:
    """A machine that wakes: one bell, then two, then enough to see by."""
    rate, beat, rng = take.rate, 60 / 96, take.rng("bells")
    canvas = take.canvas()
    chords = ["Cmaj9", "Am9", "Fmaj7#11", "Dm9"]
    bars = int((take.seconds - 2) / (4 * beat))
    _bed(canvas, take, [chords[b // 2 % 4] for b in range(bars)], 4 * beat, 0.35)
    for k in range(bars * 16):
        bar = k // 16
        if rng.random() < 0.12 + 0.55 * (bar / bars):
            tones = chord(chords[bar // 2 % 4], 5)
            midi = tones[int(rng.integers(len(tones)))] + int(rng.choice([0, 0, 12]))
            canvas.add(bell(midi, 1.1, rate, 4.0, 0.9), k * beat / 4, 0.085, rng.uniform(-0.8, 0.8), tape=0.5, room=0.6)
    for bar in range(bars // 3, bars):
        low = root(chords[bar // 2 % 4]) + 36
        for place, length in ((0, 1.3), (1.5, 0.4), (2.5, 1.2)):
            canvas.add(sub(low - 12 * (low > 43), beat * length, rate, 0.3), (bar * 4 + place) * beat, 0.28)
        for place in (0, 1.5, 2.75):
            canvas.add(kick(rate), (bar * 4 + place) * beat, 0.55)
        for place in (1, 3):
            canvas.add(rim(rate), (bar * 4 + place) * beat, 0.3, 0.2, room=0.8)
        for k in range(16):
            if k % 4 != 0:
                canvas.add(shaker(rate, 0.06), (bar * 4 + k / 4) * beat, 0.09, -0.4)
    return _mix(canvas, beat * 0.5, 3.0)


def closest_approach(take: Take) -> Signal:
    """Broken beats at 162, with chords that lean into the turn."""
    rate, beat, rng = take.rate, 60 / 162, take.rng("breaks")
    canvas = take.canvas()
    chords = ["Em9", "Cmaj9", "Am9", "Bm7"]
    bars = int((take.seconds - 1.5) / (4 * beat))
    for bar in range(bars):
        symbol = chords[bar // 2 % 4]
        for k, midi in enumerate(chord(symbol, 4)):
            for place in (0, 1.5) if bar % 2 == 0 else (0.5, 3):
                canvas.add(
                    rhodes(midi, beat * 1.1, rate, 0.6), (bar * 4 + place) * beat, 0.14, 0.5 - 0.25 * k, room=0.5
                )
        low = root(symbol) + 24 + (12 if root(symbol) < 4 else 0)
        for place, up in ((0, 0), (1.75, 0), (2.5, 12), (3.25, 7)):
            if bar >= 4:
                canvas.add(sub(low + up, beat * 0.7, rate, 0.9), (bar * 4 + place) * beat, 0.28)
        if bar < 2 or bar == bars - 1:
            continue
        for place in (0, 2.5) if bar % 2 == 0 else (0, 1.5, 2.75):
            canvas.add(kick(rate, 54, 240, 0.22, 0.5), (bar * 4 + place) * beat, 0.7)
        for place in (1, 3):
            canvas.add(snare(rate, 205, 0.16, 1.0), (bar * 4 + place) * beat, 0.5, room=0.25)
        for k in range(16):
            if rng.random() < 0.22:  # ghost notes, and now and then a stutter
                canvas.add(snare(rate, 240, 0.07, 0.9), (bar * 4 + k / 4) * beat, 0.15, rng.uniform(-0.4, 0.4))
            if k % 2 == 0 or rng.random() < 0.3:
                canvas.add(hat(rate, 0.04), (bar * 4 + k / 4) * beat, 0.15, 0.3)
        if bar % 8 == 7:
            for k in range(12):
                canvas.add(snare(rate, 180 + 16 * k, 0.08), (bar * 4 + 3 + k / 12) * beat, 0.14 + 0.02 * k, tape=0.4)
    tune = "B5:3 A5:3 G5:2 F#5:4 D5:4 E5:6 r:2 G5:3 A5:3 B5:2 D6:8 r:8"
    place = 64.0
    words = tune.split()
    for number in range(200):
        name, length = words[number % len(words)].split(":")
        if place * beat / 2 > take.seconds - 3:
            break
        if name != "r":
            lead = saws(pitch(name), float(length) * beat / 2, rate, 3400, 0.03)
            canvas.add(lead, place * beat / 2, 0.16, -0.15, tape=0.5, room=0.5)
        place += float(length)
    return _mix(canvas, beat * 0.75, 2.0)


def corona(take: Take) -> Signal:
    """Seven-eight, marimbas in canon, and a light that is too bright to look at."""
    rate, eighth = take.rate, 60 / 300
    canvas = take.canvas()
    bars = int((take.seconds - 2.5) / (7 * eighth))
    row = [0, 4, 2, 7, 4, 9, 7]
    roots = [62, 62, 65, 65, 58, 58, 60, 60]
    for bar in range(bars):
        base = roots[bar % 8]
        for k in range(7):
            at = (bar * 7 + k) * eighth
            canvas.add(marimba(base + row[k], rate, 0.9 if k in (0, 2, 4) else 0.6), at, 0.26, -0.55, room=0.4)
            if bar >= 4:
                canvas.add(
                    marimba(base + row[(k * 3 + bar) % 7] + 12, rate, 0.6), at + eighth / 2, 0.17, 0.55, room=0.4
                )
            if bar >= 12:
                canvas.add(bell(base + row[(k * 5) % 7] + 24, 0.6, rate, 2.0, 0.7), at, 0.05, 0.2, tape=0.6)
        if bar >= 4:
            for place in (0, 4):
                canvas.add(sub(base - 24, eighth * 2.4, rate, 0.6), (bar * 7 + place) * eighth, 0.28)
        if bar >= 8:
            for place in (0, 2, 4):
                canvas.add(kick(rate), (bar * 7 + place) * eighth, 0.6 if place == 0 else 0.4)
            canvas.add(clap(rate), (bar * 7 + 4) * eighth, 0.28, room=0.5)
            for k in range(14):
                canvas.add(shaker(rate, 0.05), (bar * 7 + k / 2) * eighth, 0.1 if k % 2 else 0.06, 0.4)
    n = samples(take.seconds, rate)
    cloud = choir([(hz(m), 0.6) for m in (50, 57, 62, 69, 74)], take.seconds, rate, take.rng("sun"), width=30, top=9000)
    light = np.linspace(0.05, 1, n) ** 2 * drift(n, 0.4, rate, take.rng("light"), 0.6, 1)
    bright = np.stack([swept(cloud[:, s], (300 + 7000 * light).astype(np.float32), rate, 0.8) for s in (0, 1)], axis=1)
    canvas.add(lowpass(bright, 9000, rate), 0, 0.6, room=0.5)
    return _mix(canvas, eighth * 3, 2.4)
