"""Load-Bearing: machines at work, in four."""

from __future__ import annotations

import numpy as np

from app.demo.drums import clap, hat, kick, rim, shaker
from app.demo.dsp import Signal, choir, coloured, drift, echo, edges, highpass, reverb, samples
from app.demo.instruments import acid, bell, saws, sub
from app.demo.score import Canvas, Take, chord, hz, pitch

Pattern = str  # sixteen characters to the bar: '.' rests, 'x' plays, 'X' is an accent


def _lay(canvas: Canvas, pattern: Pattern, bars: range, beat: float, sound: Signal, gain: float, **put: float) -> None:
    step = beat / 4
    for bar in bars:
        for place, mark in enumerate(pattern):
            if mark != ".":
                canvas.add(sound, (bar * 16 + place) * step, gain * (1.0 if mark == "X" else 0.72), **put)


def _duck(canvas: Canvas, beat: float, bars: range, depth: float = 0.65) -> Signal:
    """How far everything else makes way for the kick."""
    t = np.arange(len(canvas.dry)) / canvas.rate
    since = t % beat
    curve = 1 - depth * np.exp(-since * 14)
    inside = (t >= bars.start * 4 * beat) & (t < bars.stop * 4 * beat)
    return np.where(inside, curve, 1.0).astype(np.float32)[:, None]


def _finish(drums: Canvas, music: Canvas, duck: Signal, beat: float) -> Signal:
    rate = drums.rate
    wet = 0.35 * reverb(music.send("room") + drums.send("room"), rate, 2.2, bright=0.5)
    wet += echo(music.send("tape"), rate, beat * 0.75, feedback=0.6, dark=2600)
    return np.asarray(drums.dry + (music.dry + wet) * duck, np.float32)


def load_bearing(take: Take) -> Signal:
    """A minor stab that leans on its own echo; the floor comes in after four bars."""
    beat, rate = 60 / 126, take.rate
    bars = int(take.seconds / (4 * beat))
    drums, music = take.canvas(), take.canvas()
    full = range(4, bars - 1)
    drop = range(bars // 2, bars // 2 + 2)
    play = [b for b in full if b not in drop]
    for bar in range(bars - 1):
        if bar in drop:
            continue
        one = range(bar, bar + 1)
        _lay(drums, "X...X...X...X...", one, beat, kick(rate), 0.85)
        if bar >= 2:
            _lay(drums, "..X...X...X...X.", one, beat, hat(rate, 0.16), 0.22, pan=0.15)
        if bar in play:
            _lay(drums, "....X.......X...", one, beat, clap(rate), 0.36, room=0.5)
            _lay(drums, "x.xxx.xxx.xxx.xx", one, beat, hat(rate, 0.045), 0.13, pan=-0.3)
            _lay(drums, "...x..x....x..x.", one, beat, rim(rate), 0.16, pan=0.5, room=0.4)
    roots = [33, 33, 36, 31]
    for bar in range(2, bars - 1):
        low = roots[(bar // 2) % 4]
        for place in (2, 3, 6, 10, 11, 14):
            music.add(sub(low, beat / 4, rate, 0.5), (bar * 16 + place) * beat / 4, 0.32)
        symbol = {33: "Am9", 36: "Fmaj7", 31: "Em7"}[low]
        openness = 600 + 2600 * (0.5 - 0.5 * np.cos(2 * np.pi * bar / bars))
        for place in (3, 9):
            for k, midi in enumerate(chord(symbol, 4)[:4]):
                stab = saws(midi, 0.16, rate, round(openness, -2))
                music.add(stab, (bar * 16 + place) * beat / 4, 0.22, 0.5 * (-1) ** k, tape=0.8, room=0.4)
    return _finish(drums, music, _duck(drums, beat, range(0, bars - 1)), beat)


def girder(take: Take) -> Signal:
    """One acid line in F minor, whose filter opens all the way through."""
    beat, rate = 60 / 132, take.rate
    bars = int(take.seconds / (4 * beat))
    drums, music, rng = take.canvas(), take.canvas(), take.rng("acid")
    line = [29, 29, 41, 29, 32, 29, 44, 41, 29, 36, 29, 39, 29, 41, 27, 28]
    rests, slides, accents = {5, 13}, {6, 11, 15}, {0, 2, 6, 10}
    for bar in range(bars - 1):
        rise = bar / bars
        for place, midi in enumerate(line):
            if place in rests or (bar < 2 and place > 10):
                continue
            leap = 12 if bar >= bars // 2 and rng.random() < 0.12 else 0
            note = acid(
                midi + leap, beat / 4 * (1.0 if place in slides else 0.7), rate, round(350 + 2600 * rise**1.5, -2),
                0.9 if place in accents else 0.35, -5 if place in slides else 0,
            )  # fmt: skip
            music.add(note, (bar * 16 + place) * beat / 4, 0.34, tape=0.22, room=0.15)
        one = range(bar, bar + 1)
        if bar >= 1 and bar != bars // 2:
            _lay(drums, "X...X...X...X..." if bar % 8 != 7 else "X...X...X..XX.XX", one, beat, kick(rate, 45), 0.9)
        if bar >= 3:
            _lay(drums, "..X...X...X...X.", one, beat, hat(rate, 0.2, 6000), 0.24, pan=0.1)
            _lay(drums, "....X..x.x..X..x", one, beat, clap(rate), 0.3, room=0.7)
        if bar >= bars // 2:
            _lay(drums, "x.xxx.xxx.xxx.xx", one, beat, shaker(rate), 0.2, pan=-0.4)
    n = samples(take.seconds, rate)
    steam = highpass(coloured(n, 2, rate, rng), 900, rate) * drift(n, 0.4, rate, rng, 0, 1) ** 3
    music.add(steam, 0, 0.07, 0.4, room=0.4)
    return _finish(drums, music, _duck(drums, beat, range(1, bars - 1), 0.5), beat)


def night_shift_arithmetic(take: Take) -> Signal:
    """Five against four: an arpeggio of five sixteenths walks across the bar until the two agree."""
    beat, rate = 60 / 130, take.rate
    step = beat / 4
    bars = int(take.seconds / (4 * beat))
    drums, music = take.canvas(), take.canvas()
    rows = [["D4", "A4", "C5", "F5", "E5"], ["Bb3", "F4", "A4", "D5", "C5"], ["G3", "D4", "F4", "Bb4", "A4"]]
    total = (bars - 1) * 16
    for k in range(total):
        row = rows[min((k // 80) % 4, 2)] if k // 80 % 4 < 3 else rows[1]
        midi = pitch(row[k % 5])
        weight = 0.2 if k % 5 else 0.28
        music.add(bell(midi, 0.5, rate, 2.0, 1.6), k * step, weight, 0.7 * np.sin(k * 0.7), tape=0.5, room=0.5)
        if k >= 128 and k % 3 == 0:
            music.add(bell(midi + 12, 0.3, rate, 1.0, 0.8), k * step, 0.07, -0.7 * np.sin(k * 0.7), tape=0.5, room=0.5)
    lows = [26, 34, 31, 34]
    for k in range(64, total, 1):
        if k % 8 in (2, 5, 7):
            music.add(sub(lows[(k // 80) % 4], step * 1.2, rate, 0.8), k * step, 0.28)
    for bar in range(2, bars - 1):
        one = range(bar, bar + 1)
        _lay(drums, "X...X...X...X...", one, beat, kick(rate, 50, 230), 0.82)
        _lay(drums, "..x...x...x...x.", one, beat, hat(rate, 0.12), 0.24, pan=-0.1)
        if bar >= 6:
            _lay(drums, "....X.......X...", one, beat, clap(rate), 0.3, room=0.5)
        if bar >= 4:
            for k in range(16):
                if (bar * 16 + k) % 3 == 0:
                    drums.add(rim(rate), (bar * 16 + k) * step, 0.16, 0.6, room=0.3)
    pad = choir([(hz(midi), 0.7) for midi in chord("Dm9", 3)], take.seconds - 1, rate, take.rng("pad"), top=1800)
    tide = drift(len(pad), 0.3, rate, take.rng("tide"), 0.2, 1.0)
    music.add(edges(pad * tide[:, None], rate, 4, 3), 0, 0.3, room=0.5)
    return _finish(drums, music, _duck(drums, beat, range(2, bars - 1)), beat)
