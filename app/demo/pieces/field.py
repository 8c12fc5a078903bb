"""Places I Waited: nowhere at all, in fact. Three places made of filtered noise and patience."""

from __future__ import annotations

import numpy as np

from app.demo.drums import rim
from app.demo.dsp import (
    Signal,
    bandpass,
    coloured,
    drift,
    edges,
    envelope,
    fall,
    highpass,
    lowpass,
    modes,
    noise,
    osc,
    reverb,
    samples,
    swept,
)
from app.demo.instruments import bell
from app.demo.score import Canvas, Take


def _both_ears(canvas: Canvas, take: Take, name: str, slope: float, low: float, high: float, gain: float) -> None:
    n = samples(take.seconds, take.rate)
    for pan in (-0.9, 0.9):
        rng = take.rng(f"{name}{pan}")
        sound = bandpass(coloured(n, slope, take.rate, rng), low, high, take.rate)
        canvas.add(sound * drift(n, 0.25, take.rate, rng, 0.35, 1.0), 0, gain, pan)


def _chirp(rate: int, start: float, end: float, seconds: float, trill: float = 0.0) -> Signal:
    n = samples(seconds, rate)
    t = np.arange(n) / rate
    curve = start * (end / start) ** (t / seconds) * (1 + 0.06 * np.sin(2 * np.pi * trill * t) * (trill > 0))
    return osc("sine", curve, n, rate) * np.sin(np.pi * np.arange(n) / n).astype(np.float32) ** 1.5


def platform_two(take: Take) -> Signal:
    """A hall, a chime, steps, and a goods train that does not stop."""
    canvas, rate, rng = take.canvas(), take.rate, take.rng("hall")
    _both_ears(canvas, take, "hall", 5, 60, 3600, 0.22)
    for k, midi in enumerate((79, 75, 70)):
        canvas.add(bell(midi, 2.6, rate, 2.0, 0.5), 2.0 + 0.55 * k, 0.22, 0.3, room=2.0)
    at = 4.6
    while at < take.seconds - 3:
        heel = lowpass(rim(rate), 1400 + 600 * rng.random(), rate)
        canvas.add(heel, at, 0.3, float(np.interp(at, [4, take.seconds], [-0.9, 0.9])), room=0.9)
        at += 0.56 + float(rng.normal(0, 0.02))
    length = take.seconds * 0.62
    n = samples(length, rate)
    t = np.arange(n) / length / rate
    near = np.exp(-(((t - 0.5) / 0.2) ** 2))
    roar = swept(coloured(n, 4, rate, rng), (180 + 3200 * near).astype(np.float32), rate, 0.8)
    rails = sum(osc("sine", f * (1.02 - 0.04 / (1 + np.exp(-(t - 0.5) * 24))), n, rate) for f in (412.0, 633.0, 987.0))
    train = (roar * 1.5 + 0.03 * np.asarray(rails)) * near.astype(np.float32)
    pan = np.clip((t - 0.5) * 3, -0.9, 0.9)
    sides = np.stack([np.cos((pan + 1) * np.pi / 4), np.sin((pan + 1) * np.pi / 4)], axis=1)
    begin = take.seconds * 0.32
    canvas.add((train[:, None] * sides).astype(np.float32), begin, 0.55, room=0.35)
    joint = lowpass(noise(samples(0.12, rate), rng), 700, rate) * fall(samples(0.12, rate), 0.1, rate)
    for pair in np.arange(0.12, 0.88, 0.045):
        for wheel in (0.0, 0.11, 0.31, 0.42):
            here = float(pair * length + wheel)
            loud = float(np.exp(-(((here / length - 0.5) / 0.19) ** 2)))
            canvas.add(joint, begin + here, 0.6 * loud, float(np.clip((here / length - 0.5) * 3, -0.9, 0.9)), room=0.4)
    return canvas.dry + 0.8 * reverb(canvas.send("room"), rate, 3.2, bright=0.5)


def harbour(take: Take) -> Signal:
    """Water at a wall, a buoy that nobody rings, gulls, and one ship a long way out."""
    canvas, rate, rng = take.canvas(), take.rate, take.rng("harbour")
    _both_ears(canvas, take, "sea", 4, 80, 3000, 0.14)
    at = 0.0
    while at < take.seconds - 2:
        n = samples(float(rng.uniform(2.4, 4.2)), rate)
        slap = coloured(n, 2.5, rate, rng) * np.sin(np.pi * (np.arange(n) / n) ** 0.6).astype(np.float32) ** 2
        hiss = swept(slap, (500 + 3600 * np.sin(np.pi * np.arange(n) / n) ** 2).astype(np.float32), rate, 0.7, 5)
        canvas.add(hiss, at, 0.3, float(rng.uniform(-0.7, 0.7)), room=0.2)
        at += float(rng.uniform(1.4, 2.8))
    at = 1.4
    while at < take.seconds - 5:
        buoy = modes([523, 1268, 2093, 2870], [4.5, 2.5, 1.4, 0.8], [1, 0.6, 0.35, 0.2], 5, rate)
        canvas.add(buoy, at, 0.07 * float(rng.uniform(0.5, 1)), 0.55, room=0.8)
        at += float(rng.choice([1.9, 3.1, 4.3]))
    for start in (4.0, take.seconds * 0.55):
        for k in range(int(rng.integers(4, 7))):
            call = _chirp(rate, 1750 - 60 * k, 1050, 0.34) + 0.5 * _chirp(rate, 3500 - 120 * k, 2100, 0.34)
            canvas.add(call, start + k * 0.46, 0.07, -0.5 + 0.12 * k, room=1.2)
    n = samples(3.4, rate)
    horn = osc("reed", 87.3, n, rate, limit=0.1) + 0.7 * osc("reed", 110.0, n, rate, limit=0.1)
    horn = lowpass(horn, 420, rate) * envelope(n, rate, 0.35, 0.2, 0.9, 0.8)
    canvas.add(horn, take.seconds * 0.4, 0.10, -0.2, room=1.8)
    return canvas.dry + 0.7 * reverb(canvas.send("room"), rate, 3.8, bright=0.35)


def pine_wood(take: Take) -> Signal:
    """Wind in three heights of tree, and whoever lives there."""
    canvas, rate, rng = take.canvas(), take.rate, take.rng("wood")
    n = samples(take.seconds, rate)
    for number, (low, high, pan) in enumerate(((150, 700, 0.0), (500, 2200, -0.6), (900, 4200, 0.7))):
        local = take.rng(f"tree{number}")
        gust = drift(n, 0.32, rate, local, 0.05, 1.0) ** 1.8
        tree = bandpass(coloured(n, 2, rate, local), low, high, rate) * gust
        canvas.add(tree, 0, 0.5 / (1 + 0.4 * number), pan, room=0.2)
    crickets = highpass(osc("sine", 4480.0, n, rate) + osc("sine", 4530.0, n, rate), 3000, rate)
    t = np.arange(n) / rate
    gate = (np.sin(2 * np.pi * 31 * t) > 0) * ((t * 1.7) % 1 < 0.42)
    canvas.add(lowpass(crickets * gate.astype(np.float32), 9000, rate), 0, 0.012, 0.4)
    songs = (
        [(3100, 4200, 0.09, 0.0), (4300, 3300, 0.12, 0.0), (3600, 3700, 0.3, 28.0)],
        [(2400, 2350, 0.22, 0.0), (1900, 1880, 0.3, 0.0)],
        [(5200, 6100, 0.05, 0.0)] * 6,
    )
    at = 1.0
    while at < take.seconds - 3:
        which = int(rng.integers(3))
        here, pan = at, (-0.7, 0.1, 0.6)[which]
        for start, end, length, trill in songs[which]:
            canvas.add(_chirp(rate, start, end, length, trill), here, 0.075, pan, room=1.0)
            here += length + 0.06
        at += float(rng.uniform(1.1, 3.2))
    for k in range(9):
        peck = lowpass(rim(rate), 1600, rate)
        canvas.add(peck, take.seconds * 0.6 + k * (0.07 + 0.004 * k), 0.2 * 0.9**k, -0.3, room=0.9)
    return edges(canvas.dry + 0.5 * reverb(canvas.send("room"), rate, 1.6, bright=0.4), rate, 1.0, 1.0)
