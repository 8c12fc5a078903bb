"""Things that are hit. Each function is one stroke, mono, about ±1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.demo.dsp import (
    Signal,
    bandpass,
    coloured,
    edges,
    fall,
    highpass,
    lowpass,
    modes,
    noise,
    samples,
    saturate,
    seeded,
)

_remember = lru_cache(maxsize=64)


def _level(sound: Signal) -> Signal:
    return np.asarray(sound / max(float(np.abs(sound).max()), 1e-9), np.float32)


@_remember
def kick(rate: int, low: float = 48.0, high: float = 190.0, seconds: float = 0.34, click: float = 0.3) -> Signal:
    """A sine that falls fast, with a click at its front."""
    n = samples(seconds, rate)
    t = np.arange(n) / rate
    curve = low + (high - low) * np.exp(-t * 38)
    body = np.sin(2 * np.pi * np.cumsum(curve) / rate) * np.exp(-t * 5.2 / seconds)
    tick = highpass(noise(n, seeded("kick")), 1800, rate) * np.exp(-t * 420)
    return _level(edges(saturate((body + click * tick).astype(np.float32), 1.8), rate, 0.0008, 0.05))


@_remember
def snare(rate: int, tone: float = 186.0, seconds: float = 0.2, wires: float = 0.8) -> Signal:
    """Two modes of a skin and the wires under it."""
    n = samples(seconds, rate)
    skin = modes([tone, tone * 1.59, tone * 2.3], [0.16, 0.1, 0.06], [1, 0.6, 0.3], seconds, rate)[:n]
    hiss = highpass(noise(n, seeded("snare", tone)), 1500, rate) * fall(n, seconds, rate)
    return _level(edges(0.7 * skin + wires * 2 * hiss, rate, 0.0005, 0.02))


@_remember
def clap(rate: int, seconds: float = 0.24) -> Signal:
    """Several hands, nearly together."""
    n = samples(seconds, rate)
    shape = np.zeros(n, np.float32)
    for at, length in ((0.0, 0.02), (0.011, 0.02), (0.023, 0.02), (0.034, seconds - 0.04)):
        start = samples(at, rate)
        shape[start:] = np.maximum(shape[start:], fall(n - start, length * 1.2, rate))
    return _level(bandpass(noise(n, seeded("clap")), 900, 3200, rate, 2) * shape)


@_remember
def hat(rate: int, seconds: float = 0.06, edge: float = 7000.0) -> Signal:
    """A closed hi-hat, or an open one when it is long: metal partials and noise."""
    n = samples(seconds, rate)
    metal = sum(np.sign(np.sin(2 * np.pi * f * np.arange(n) / rate)) for f in (2051.0, 3037.0, 3691.0, 4441.0, 5333.0))
    sizzle = noise(n, seeded("hat", seconds)) * 3 + 0.35 * np.asarray(metal, np.float32)
    return _level(edges(highpass(sizzle, edge, rate, 4) * fall(n, seconds, rate), rate, 0.0005, 0.01))


@_remember
def ride(rate: int, seconds: float = 1.1) -> Signal:
    """A cymbal's edge under a stick."""
    rng = seeded("ride")
    freq = np.sort(rng.uniform(420, 9500, 46))
    ping = modes(freq, rng.uniform(0.3, 1.2, 46), rng.uniform(0.2, 1.0, 46) * (freq / 3000) ** 0.5, seconds, rate)
    n = len(ping)
    stick = highpass(noise(n, rng), 5000, rate) * fall(n, 0.06, rate)
    return _level(edges(highpass(ping, 700, rate) + 4 * stick, rate, 0.0006, 0.3))


@_remember
def brush(rate: int, seconds: float = 0.16, sweep: bool = False) -> Signal:
    """Wire brushes: a tap, or a sweep round the skin."""
    n = samples(seconds, rate)
    hiss = bandpass(noise(n, seeded("brush", seconds)), 1400, 8500, rate)
    shape = np.sin(np.pi * np.arange(n) / n) ** 1.5 if sweep else fall(n, seconds, rate)
    return _level((hiss * shape).astype(np.float32))


@_remember
def rim(rate: int) -> Signal:
    """A cross-stick."""
    return _level(edges(modes([1720, 2480, 620], [0.05, 0.035, 0.06], [1, 0.6, 0.7], 0.09, rate), rate, 0.0004, 0.02))


@_remember
def shaker(rate: int, seconds: float = 0.09) -> Signal:
    """Seeds in a gourd."""
    n = samples(seconds, rate)
    t = np.arange(n) / n
    shape = np.minimum(t / 0.35, 1) * (1 - t) ** 1.5
    return _level(bandpass(noise(n, seeded("seeds")), 4200, 11000, rate) * shape.astype(np.float32))


@_remember
def tom(rate: int, low: float = 84.0, seconds: float = 0.5) -> Signal:
    """A drum with a pitch; gated when it is short."""
    n = samples(seconds, rate)
    t = np.arange(n) / rate
    body = np.sin(2 * np.pi * np.cumsum(low * (1 + 0.6 * np.exp(-t * 18))) / rate) * fall(n, seconds * 1.4, rate)
    skin = lowpass(noise(n, seeded("tom")), 900, rate) * fall(n, 0.08, rate)
    return _level(edges((body + 0.6 * skin).astype(np.float32), rate, 0.001, 0.06))


@_remember
def chip_noise(rate: int, seconds: float, pitch: float = 6000.0) -> Signal:
    """The noise channel: a register of random bits, held between clocks."""
    n = samples(seconds, rate)
    bits = seeded("bits", pitch).choice([-1.0, 1.0], int(n * pitch / rate) + 2)
    held = bits[(np.arange(n) * pitch / rate).astype(int)]
    steps = np.ceil(15 * np.exp(-np.arange(n) / rate * 6.0 / seconds * 0.9)) / 15
    return edges((held * steps).astype(np.float32), rate, 0.0005, 0.004)


@_remember
def crackle(rate: int, seconds: float, name: str) -> Signal:
    """The dust of a much-played record."""
    rng = seeded("dust", name)
    n = samples(seconds, rate)
    dust = np.zeros(n, np.float32)
    count = int(seconds * 16)
    dust[rng.integers(0, n, count)] = rng.uniform(0.1, 1.0, count) ** 3 * rng.choice([-1, 1], count)
    return highpass(lowpass(dust, 5200, rate, 1), 500, rate) * 2 + 0.012 * coloured(n, 3, rate, rng)
