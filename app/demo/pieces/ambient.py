"""Weather for Rooms: slow chords out of smeared spectra, a few notes over them, and the air of the room."""

from __future__ import annotations

import numpy as np

from app.demo.dsp import Signal, choir, coloured, drift, echo, edges, fall, lowpass, reverb, samples, warp
from app.demo.instruments import bell, marimba, piano
from app.demo.score import Canvas, Take, chord, degree, hz, pitch


def _bed(canvas: Canvas, take: Take, chords: list[str], gain: float = 1.0, top: float = 3200.0) -> float:
    """Lay the chords end to end, each melting into the next; answer how long one lasts."""
    each = take.seconds / len(chords)
    for number, symbol in enumerate(chords):
        notes = [(hz(chord(symbol, 2)[0]), 0.9)]
        notes += [(hz(midi), 0.6 / (1 + 0.12 * k)) for k, midi in enumerate(chord(symbol, 3))]
        cloud = choir(notes, each + 5.0, canvas.rate, take.rng(f"bed{number}"), width=28, top=top)
        canvas.add(edges(cloud, canvas.rate, 3.2, 4.5), number * each - 1.2, gain, room=0.5)
    return each


def _air(canvas: Canvas, take: Take, gain: float) -> None:
    n = samples(take.seconds, take.rate)
    for pan in (-0.8, 0.8):
        rng = take.rng(f"air{pan}")
        breath = lowpass(coloured(n, 4, take.rate, rng), 1800, take.rate) * drift(n, 0.35, take.rate, rng, 0.2, 1.0)
        canvas.add(breath, 0, gain, pan)


def _mix(canvas: Canvas, wet: float, seconds: float) -> Signal:
    room = canvas.send("room") + 0.7 * echo(canvas.send("room"), canvas.rate, 0.62, feedback=0.55, dark=2200)
    return canvas.dry + wet * reverb(room, canvas.rate, seconds, bright=0.35, predelay=0.03)


def window_facing_north(take: Take) -> Signal:
    """D major with the light coming and going; single bells, far apart."""
    canvas, rng = take.canvas(), take.rng("bells")
    each = _bed(canvas, take, ["Dmaj9", "Bm11", "Gmaj7#11", "A9sus4", "Dmaj9"])
    at, step = 2.2, 4
    while at < take.seconds - 5:
        step = int(np.clip(step + rng.choice([-2, -1, 1, 2, 3]), 0, 9))
        midi = degree(pitch("D5"), "gong", step)
        canvas.add(bell(midi, 4.5, take.rate, 3.01, 1.1), at, 0.22, rng.uniform(-0.6, 0.6), room=1.6)
        if rng.random() < 0.4:
            canvas.add(bell(midi + 7, 4.0, take.rate, 3.01, 0.8), at + 0.31, 0.11, rng.uniform(-0.6, 0.6), room=1.6)
        at += float(rng.choice([1.24, 1.86, 2.48])) * each / 8
    _air(canvas, take, 0.03)
    return _mix(canvas, 1.1, 4.5)


def condensation(take: Take) -> Signal:
    """E flat lydian, and drops that fall where they like but land on the scale."""
    canvas, rng = take.canvas(), take.rng("drops")
    _bed(canvas, take, ["Ebmaj9", "F6", "Cm11", "Ebmaj7#11"], 0.75, 3000)
    density = np.interp(np.linspace(0, 1, 80), [0, 0.25, 0.7, 1], [0.35, 0.8, 1.0, 0.2])
    at = 0.8
    while at < take.seconds - 2.5:
        step = int(rng.integers(0, 12))
        midi = degree(pitch("Eb5"), "lydian", step)
        canvas.add(marimba(midi, take.rate, 0.6), at, 0.3 * rng.uniform(0.4, 1), rng.uniform(-0.9, 0.9), room=1.4)
        at += float(rng.exponential(0.42 / density[int(at / take.seconds * 79)])) + 0.09
    _air(canvas, take, 0.035)
    return _mix(canvas, 1.3, 5.0)


def second_kettle(take: Take) -> Signal:
    """A felt piano says one thing six times on tape that has seen better days; the water comes to the boil."""
    canvas = take.canvas()
    each = _bed(canvas, take, ["Am9", "Fmaj9", "C69", "Gadd9"], 0.6, 2400)
    phrases = [(0, "E5 C5 B4 G4"), (1, "C5 A4 G4 E4"), (2, "E5 D5 G4 C5"), (3, "D5 B4 A4 G4")]
    tape = Canvas(take.seconds, take.rate)
    for number, notes in phrases:
        for round_ in range(2):
            for k, name in enumerate(notes.split()):
                at = number * each + 0.5 + round_ * each / 2 + k * each / 11
                if at < take.seconds - 2:
                    tape.add(piano(pitch(name), 3.0, take.rate, 0.4, 1.0), at, 0.75, 0.2 - 0.1 * k, room=0.8)
    canvas.dry += warp(tape.dry, take.rate, 1.1, 22, take.rng("tape"))
    canvas.send("room")[:] += warp(tape.send("room"), take.rate, 0.9, 25, take.rng("tape wet"))
    n = samples(take.seconds, take.rate)
    boil = coloured(n, 1.5, take.rate, take.rng("kettle")) * (np.linspace(0, 1, n, dtype=np.float32) ** 3)
    boil *= np.where(np.arange(n) < 0.93 * n, 1, fall(n, 0.8, take.rate)[np.maximum(0, np.arange(n) - int(0.93 * n))])
    canvas.add(lowpass(boil, 4200, take.rate), 0, 0.05, -0.3, room=0.4)
    return _mix(canvas, 0.9, 3.6)
