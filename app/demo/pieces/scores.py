"""What the films sound like."""

from __future__ import annotations

import numpy as np

from app.demo.dsp import Signal, choir, coloured, drift, echo, edges, lowpass, reverb, samples
from app.demo.instruments import bell, flute, piano, string_pluck
from app.demo.score import Take, chord, degree, hz, pitch


def the_tide_table(take: Take) -> Signal:
    """Waves, a low fifth, and a flute that sees the moon first."""
    canvas, rate = take.canvas(), take.rate
    n = samples(take.seconds, rate)
    for pan in (-0.9, 0.9):
        rng = take.rng(f"sea{pan}")
        sea = lowpass(coloured(n, 4, rate, rng), 2200, rate) * drift(n, 0.35, rate, rng, 0.15, 1.0) ** 1.5
        canvas.add(sea, 0, 0.22, pan)
    cloud = choir([(hz(m), 0.7) for m in (38, 45, 50, 57, 64)], take.seconds, rate, take.rng("low"), width=20, top=2600)
    canvas.add(edges(cloud, rate, 2.5, 3), 0, 0.6, room=0.5)
    at = 2.2
    for name, length in (("A4", 1.6), ("D5", 1.0), ("E5", 2.4), ("G5", 0.8), ("F#5", 0.8), ("E5", 1.0), ("D5", 3.4)):
        if at + length < take.seconds - 0.5:
            canvas.add(flute(pitch(name), length, rate, 0.25), at, 0.28, -0.1, room=1.2)
        at += length
    for k, name in enumerate(("D3", "A3", "E4", "F#4", "A4", "E5")):
        canvas.add(piano(pitch(name), 6, rate, 0.5, 0.6), take.seconds * 0.45 + 0.16 * k, 0.3, 0.3, room=0.8)
    return canvas.dry + 0.8 * reverb(canvas.send("room"), rate, 3.6, bright=0.4)


def nine_ways_to_fold_light(take: Take) -> Signal:
    """A pluck and a bell for each fold, on the beat of the picture: nine of them."""
    canvas, rate = take.canvas(), take.rate
    each = take.seconds / 9
    for fold in range(9):
        symbol = ("Dmaj9", "Bm9", "Gmaj9", "Em9", "A9sus4", "F#m7", "Gmaj7", "Em9", "Dmaj9")[fold]
        tones = chord(symbol, 4)
        for k in range(8):
            at = fold * each + k * each / 8
            midi = tones[(k * (fold % 4 + 1)) % len(tones)] + (12 if k % 3 == 2 else 0)
            canvas.add(string_pluck(midi, 1.2, rate, 0.7, 0.3), at, 0.26, 0.8 * np.sin(k + fold), tape=0.4, room=0.4)
        canvas.add(bell(degree(pitch("D5"), "major", fold), 2.5, rate, 3.5, 1.5), fold * each, 0.14, 0, room=1.2)
        cloud = choir([(hz(m - 12), 0.6) for m in tones], each + 1, rate, take.rng(f"fold{fold}"), width=18, top=3800)
        canvas.add(edges(cloud, rate, 0.4, 1.0), fold * each, 0.4, room=0.3)
    wet = 0.6 * reverb(canvas.send("room"), rate, 2.2, bright=0.7)
    return canvas.dry + wet + echo(canvas.send("tape"), rate, each * 3 / 8, feedback=0.5, dark=4000)
