"""The players: each function is one note or one stroke, mono, about ±1 at full velocity.

Notes are remembered, so a piece pays for each pitch, length and strength once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.demo.dsp import (
    Signal,
    bandpass,
    edges,
    envelope,
    fall,
    highpass,
    lowpass,
    modes,
    noise,
    osc,
    pulse,
    samples,
    saturate,
    seeded,
    swept,
)
from app.demo.score import hz

_remember = lru_cache(maxsize=400)


def _level(sound: Signal) -> Signal:
    return np.asarray(sound / max(float(np.abs(sound).max()), 1e-9), np.float32)


@_remember
def piano(midi: int, seconds: float, rate: int, touch: float = 0.7, felt: float = 0.0) -> Signal:
    """A string struck by a hammer: stretched partials, three strings a hair apart; `felt` muffles it."""
    f0 = hz(midi)
    number = np.arange(1, 22)
    stretch = 0.00007 * 2 ** ((midi - 40) / 11)
    freq = f0 * number * np.sqrt(1 + stretch * number**2)
    bright = (0.9 + 1.5 * touch) / (1 + 1.6 * felt)
    gain = np.exp(-(number - 1) / (bright * (2.2 + 500 / f0))) * np.abs(np.sin(np.pi * number / 7.7)) ** 0.5
    decay = 9.0 * 2 ** (-(midi - 48) / 16) / (1 + 0.22 * (number - 1)) * (1 - 0.35 * felt)
    length = min(seconds + 0.5, 10.0)
    body = np.zeros(samples(length, rate), np.float32)
    for cents, share, longer in ((-0.7, 0.5, 1.0), (0.9, 0.5, 1.0), (0.1, 0.28, 2.6)):
        body += share * modes(freq * 2 ** (cents / 1200), decay * longer, gain, length, rate)
    rng = seeded("hammer", midi)
    thump = modes([92, 141, 227, 380], [0.12, 0.09, 0.07, 0.05], [1, 0.8, 0.5, 0.4], 0.2, rate)
    knock = lowpass(noise(samples(0.03, rate), rng), 1800 / (1 + felt), rate) * fall(samples(0.03, rate), 0.03, rate)
    body[: len(thump)] += 0.05 * (0.4 + touch) * thump[: len(body)]
    body[: len(knock)] += 0.25 * touch * knock[: len(body)]
    return _level(edges(body, rate, 0.0015 + 0.004 * felt, 0.45)) * np.float32(0.35 + 0.65 * touch)


@_remember
def zither(midi: float, seconds: float, rate: int, touch: float = 0.7, bend: float = 0.0) -> Signal:
    """A guzheng string, plucked near its end; `bend` semitones are pressed in behind the bridge afterwards."""
    f0 = hz(midi)
    number = np.arange(1, 34)
    freq = f0 * number * np.sqrt(1 + 0.00003 * number**2)
    gain = np.abs(np.sin(np.pi * number * 0.113)) / number ** (1.25 - 0.45 * touch)
    decay = 4.6 * 2 ** (-(midi - 50) / 20) / (1 + 0.16 * (number - 1))
    length = min(seconds + 0.3, 6.0)
    string = modes(freq, decay, gain, length, rate) + 0.4 * modes(freq * 1.0007, decay * 1.5, gain, length, rate)
    n = samples(0.012, rate)
    click = highpass(noise(n, seeded("nail", round(midi))), 2500, rate) * fall(n, 0.01, rate)
    string = _level(string)
    string[: len(click)] += 0.35 * touch * click
    if bend:
        # Press, hold, and let the finger shake a little: the string is read back faster as it tightens.
        t = np.arange(len(string)) / rate
        rise = 1 / (1 + np.exp(-(t - 0.28) * 22)) + 0.12 * np.sin(2 * np.pi * 5.3 * t) * np.clip(t - 0.4, 0, 1)
        place = np.cumsum(2 ** (bend * rise / 12))
        string = np.interp(place, np.arange(len(string)), string, right=0.0).astype(np.float32)
    return edges(string, rate, 0.0008, 0.3) * np.float32(0.3 + 0.7 * touch)


@_remember
def string_pluck(midi: float, seconds: float, rate: int, touch: float = 0.7, dark: float = 0.5) -> Signal:
    """Karplus and Strong's string: a burst of noise going round a delay line that averages it."""
    f0 = hz(midi)
    period = max(4, round(rate / f0 - 0.5))
    n = samples(seconds + 0.15, rate)
    tuned = rate / (period + 0.5)
    needed = int(n * max(1.0, f0 / tuned)) + 2 * period
    burst = noise(period, seeded("pluck", round(midi * 8)))
    burst = lowpass(np.tile(burst, 3), (1200 + 7000 * touch) * (1.3 - dark), rate)[-period:]
    burst -= burst.mean()
    line = np.zeros((needed // period + 1, period), np.float32)
    line[0] = burst
    keep = np.float32(0.5 * 10 ** (-3 * period / rate / (4.5 * 2 ** (-(midi - 45) / 18))))
    for turn in range(1, len(line)):
        before = line[turn - 1]
        line[turn, 1:] = keep * (before[1:] + before[:-1])
        line[turn, 0] = keep * (before[0] + line[turn - 2, -1] if turn > 1 else before[0] + before[-1])
    string = np.interp(np.arange(n) * (f0 / tuned), np.arange(line.size), line.reshape(-1)).astype(np.float32)
    return edges(_level(string), rate, 0.001, 0.15) * np.float32(0.3 + 0.7 * touch)


@_remember
def upright(midi: int, seconds: float, rate: int, touch: float = 0.7) -> Signal:
    """A double bass, plucked: round, with a finger at the front."""
    number = np.arange(1, 13)
    gain = np.abs(np.sin(np.pi * number * 0.21)) / number**1.25
    freq = hz(midi) * number * np.sqrt(1 + 0.0001 * number**2)
    body = _level(modes(freq, 2.6 / (1 + 0.35 * (number - 1)), gain, seconds + 0.12, rate))
    n = samples(0.03, rate)
    body[:n] += (0.22 * touch * bandpass(noise(n, seeded("finger", midi)), 500, 2200, rate) * fall(n, 0.03, rate))[
        : len(body)
    ]
    return edges(body, rate, 0.004, 0.1) * np.float32(0.4 + 0.6 * touch)


@_remember
def rhodes(midi: int, seconds: float, rate: int, touch: float = 0.6) -> Signal:
    """An electric piano by frequency modulation: a tine that barks when struck hard."""
    n = samples(seconds + 0.25, rate)
    f0 = hz(midi)
    tine = fall(n, 0.9, rate) * np.float32(0.5 * touch)
    bark = fall(n, 2.4, rate) * np.float32(1.5 * touch)
    turns = 2 * np.pi * f0 * np.arange(n) / rate
    tone = np.sin(turns + bark * np.sin(turns) + tine * np.sin(14.0 * turns))
    tone += 0.35 * np.sin(turns * 1.003)
    return _level(edges((tone * fall(n, 5.0, rate)).astype(np.float32), rate, 0.003, 0.22)) * np.float32(touch)


@_remember
def bell(midi: float, seconds: float, rate: int, ratio: float = 3.5, index: float = 2.2) -> Signal:
    """Chowning's bell: a modulator at an uneven ratio whose index dies with the sound."""
    n = samples(seconds, rate)
    turns = 2 * np.pi * hz(midi) * np.arange(n) / rate
    tone = np.sin(turns + index * fall(n, seconds * 0.7, rate) * np.sin(ratio * turns))
    return edges((tone * fall(n, seconds, rate)).astype(np.float32), rate, 0.002, 0.1)


@_remember
def vibes(midi: int, seconds: float, rate: int, touch: float = 0.6) -> Signal:
    """A vibraphone bar (partials 1, 4, 10) with its motor turning."""
    f0, n = hz(midi), samples(seconds + 1.2, rate)
    tone = modes([f0, 4 * f0, 10 * f0], [3.4, 1.1, 0.25], [1.0, 0.28 * touch, 0.12 * touch], n / rate, rate)[:n]
    tremolo = 1 - 0.22 * (1 + np.sin(2 * np.pi * 5.1 * np.arange(len(tone)) / rate)) / 2
    return edges(_level((tone * tremolo).astype(np.float32)), rate, 0.002, 0.9) * np.float32(0.3 + 0.7 * touch)


@_remember
def marimba(midi: int, rate: int, touch: float = 0.7) -> Signal:
    """A wooden bar over a tube."""
    f0 = hz(midi)
    decay = 0.9 * 2 ** (-(midi - 60) / 18)
    bar = modes([f0, 3.93 * f0, 9.2 * f0], [decay, decay / 4, decay / 9], [1, 0.3 * touch, 0.14 * touch], decay, rate)
    return edges(_level(bar), rate, 0.001, 0.05) * np.float32(touch)


@_remember
def flute(midi: float, seconds: float, rate: int, breath: float = 0.25, scoop: float = 0.4) -> Signal:
    """A bamboo flute: a tone that is scooped into, shaken at its end, and half air."""
    n = samples(seconds + 0.15, rate)
    t = np.arange(n) / rate
    shake = 0.22 * np.sin(2 * np.pi * 5.2 * t) * np.clip((t - 0.35) / 0.8, 0, 1)
    curve = hz(midi) * 2 ** ((shake - scoop * np.exp(-t * 16)) / 12)
    tone = osc("sine", curve, n, rate) + 0.3 * osc("sine", 2 * curve, n, rate) + 0.1 * osc("sine", 3 * curve, n, rate)
    air = bandpass(noise(n, seeded("breath", midi, seconds)), hz(midi) * 0.9, hz(midi) * 3.2, rate)
    shape = envelope(n, rate, 0.11, 0.3, 0.8, 0.22)
    swell = 1 - 0.18 * np.cos(2 * np.pi * 5.2 * t) * np.clip((t - 0.35) / 0.8, 0, 1)
    return _level(((0.8 * tone + breath * 2.2 * air) * shape * swell).astype(np.float32))


@_remember
def reed(midi: int, seconds: float, rate: int) -> Signal:
    """A melodica, two reeds a little apart."""
    n = samples(seconds + 0.05, rate)
    tone = osc("reed", hz(midi), n, rate, limit=0.5) + osc("reed", hz(midi) * 1.004, n, rate, limit=0.5)
    return _level(lowpass(tone, 2600, rate) * envelope(n, rate, 0.04, 0.1, 0.85, 0.08))


@_remember
def strings(midi: int, seconds: float, rate: int, attack: float = 0.35, top: float = 2600.0) -> Signal:
    """Four bowed players not quite agreed; they begin and end gently."""
    n = samples(seconds + 0.6, rate)
    t = np.arange(n) / rate
    desk = np.zeros(n, np.float32)
    for player, cents in enumerate((-7, -2, 3, 8)):
        shake = 9 * np.sin(2 * np.pi * (4.9 + 0.25 * player) * t + player) * np.clip(t / 0.8, 0, 1)
        desk += osc("saw", hz(midi) * 2 ** ((cents + shake) / 1200), n, rate, phase=0.29 * player)
    return _level(lowpass(desk, top, rate) * envelope(n, rate, attack, 0.2, 0.85, 0.6))


@_remember
def saws(midi: int, seconds: float, rate: int, cutoff: float = 2400.0, attack: float = 0.01) -> Signal:
    """A polysynth: three saws spread over 18 cents through one filter that closes."""
    n = samples(seconds + 0.12, rate)
    tone = sum(
        osc("saw", hz(midi) * 2 ** (c / 1200), n, rate, phase=0.37 * k, limit=0.6) for k, c in enumerate((-9, 0, 9))
    )
    shape = envelope(n, rate, attack, 0.25, 0.6, 0.12)
    edge = (300 + (cutoff - 300) * fall(n, 1.6, rate)).astype(np.float32)
    return _level(swept(np.asarray(tone, np.float32), edge, rate, 1.1, steps=5) * shape)


@_remember
def acid(midi: int, seconds: float, rate: int, cutoff: float = 1200.0, accent: float = 0.5, slide: int = 0) -> Signal:
    """A saw bass through a resonant filter that snaps shut; `slide` semitones it comes from."""
    n = samples(seconds, rate)
    t = np.arange(n) / rate
    curve = hz(midi) * 2 ** (slide * np.exp(-t * 28) / 12)
    edge = (110 + cutoff * (0.6 + accent) * fall(n, 0.22 + 0.5 * accent, rate)).astype(np.float32)
    tone = swept(osc("saw", curve, n, rate), edge, rate, 4.5 + 5 * accent, steps=6)
    return edges(_level(saturate(tone, 1.6)), rate, 0.003, 0.02) * np.float32(0.6 + 0.4 * accent)


@_remember
def sub(midi: int, seconds: float, rate: int, growl: float = 0.25) -> Signal:
    """A sine bass with as much of a soft saw as `growl` says."""
    n = samples(seconds, rate)
    tone = osc("sine", hz(midi), n, rate) + growl * lowpass(osc("saw", hz(midi), n, rate), 420, rate)
    return _level(saturate(tone * envelope(n, rate, 0.008, 0.15, 0.82, 0.06), 1.3))


@_remember
def chip(midi: float, seconds: float, rate: int, width: float = 0.25, vibrato: float = 0.0) -> Signal:
    """A pulse channel with a stepped volume, as a sound chip has."""
    n = samples(seconds, rate)
    t = np.arange(n) / rate
    curve = hz(midi) * 2 ** (vibrato * np.sin(2 * np.pi * 6 * t) * (t > 0.18) / 12)
    steps = np.ceil(15 * np.exp(-t * 2.4)) / 15
    return edges((pulse(curve, width, n, rate) * steps).astype(np.float32), rate, 0.001, 0.006)


@_remember
def chip_bass(midi: int, seconds: float, rate: int) -> Signal:
    """The triangle channel: sixteen steps down, sixteen up, and no volume control."""
    n = samples(seconds, rate)
    steps = np.round(osc("triangle", hz(midi), n, rate) * 7.5) / 7.5
    return edges(steps.astype(np.float32), rate, 0.001, 0.004)
