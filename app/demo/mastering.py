"""From a mix to a master: loudness brought to a target, peaks held under a ceiling, samples made integers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from app.demo.dsp import Signal, highpass

CEILING_DBTP = -1.0


def _k_weighting(rate: int) -> NDArray:
    """The two filters of ITU-R BS.1770, worked out for any sample rate (De Man, 2014)."""
    gain, q, f0 = 3.999843853973347, 0.7071752369554196, 1681.974450955533
    k, vh = np.tan(np.pi * f0 / rate), 10 ** (gain / 20)
    vb = vh**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [(vh + vb * k / q + k * k) / a0, 2 * (k * k - vh) / a0, (vh - vb * k / q + k * k) / a0]
    shelf += [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    q, f0 = 0.5003270373238773, 38.13547087602444
    k = np.tan(np.pi * f0 / rate)
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])


def loudness(sound: Signal, rate: int) -> float:
    """Integrated loudness in LUFS, gated as ITU-R BS.1770-4 says; -70 for silence."""
    power = signal.sosfilt(_k_weighting(rate), sound, axis=0).astype(np.float32) ** 2
    total = np.concatenate([[0.0], np.cumsum(power[:, 0].astype(np.float64) + power[:, 1])])
    window, hop = int(0.4 * rate), int(0.1 * rate)
    starts = np.arange(0, max(len(sound) - window, 0) + 1, hop)
    ends = np.minimum(starts + window, len(sound))
    blocks = (total[ends] - total[starts]) / window
    heard = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    if not len(heard):
        return -70.0
    heard = heard[heard > heard.mean() / 10]
    return float(-0.691 + 10 * np.log10(heard.mean()))


def _louder_side(sound: Signal) -> NDArray:
    return np.maximum(np.abs(sound[:, 0]), np.abs(sound[:, 1]))


def _peaks(sound: Signal) -> NDArray:
    """How high each sample, and the wave half-way to the next one, reaches over both channels."""
    reach = _louder_side(sound)
    offsets = np.arange(-7.5, 8)
    taps = (np.sinc(offsets) * np.kaiser(16, 6)).astype(np.float32)
    taps /= taps.sum()
    for side in range(sound.shape[1]):
        between = np.convolve(sound[:, side], taps, "full")[8 : 8 + len(sound)]
        np.maximum(reach, np.abs(between), out=reach)
    return reach


def limit(sound: Signal, rate: int, ceiling_dbtp: float = CEILING_DBTP) -> Signal:
    """The sound with no peak over the ceiling: a look-ahead limiter that turns down before a peak comes."""
    ceiling = 10 ** ((ceiling_dbtp - 0.4) / 20)  # between the points looked at, a wave may reach a little further
    window = int(0.004 * rate) | 1
    reach = maximum_filter1d(_peaks(sound), 3)
    need = np.minimum(1.0, ceiling / np.maximum(reach, 1e-9))
    held = minimum_filter1d(need, window)
    return np.asarray(sound * uniform_filter1d(held, window)[:, None], np.float32)


# Where music that people know has its power: the share of each band, in dB. A mix is leant towards it.
_BANDS = (20.0, 110.0, 450.0, 1800.0, 5500.0, 16000.0)
_BALANCE = np.array([-4.5, -4.0, -6.0, -12.0, -18.0])


def balance(sound: Signal, rate: int, strength: float) -> Signal:
    """The sound with its bands brought part of the way to a common balance, by at most 7 dB, in wide slopes."""
    size = next_fast_len(len(sound), True)
    sides = [rfft(np.ascontiguousarray(sound[:, side]), size) for side in range(sound.shape[1])]
    power = np.sum([side.real**2 + side.imag**2 for side in sides], axis=0)
    places = [round(hz * size / rate) for hz in _BANDS]
    share = np.array([power[a:b].sum() for a, b in pairwise(places)])
    levels = 10 * np.log10(np.maximum(share / share.sum(), 1e-9))
    lift = np.clip(strength * (_BALANCE - levels), -7, 7)
    centres = [np.log2(np.sqrt(a * b)) for a, b in pairwise(_BANDS)]
    known = np.geomspace(10, rate / 2, 200)
    gain = 10 ** (np.interp(np.log2(known), centres, lift) / 20)
    curve = np.interp(np.arange(len(power)) * (rate / size), known, gain).astype(np.float32)
    return np.stack([irfft(side * curve, size)[: len(sound)] for side in sides], axis=1)


def trimmed(sound: Signal, rate: int, floor_db: float = -56.0, keep: float = 0.6) -> Signal:
    """The sound without the silence at its end."""
    level = _louder_side(sound)
    heard = np.flatnonzero(level > level.max() * 10 ** (floor_db / 20))
    return sound[: int(heard[-1] + keep * rate)] if len(heard) else sound


def master(
    mix: Signal,
    rate: int,
    lufs: float,
    *,
    lean: float = 0.6,
    trim: bool = True,
    fade_in: float = 0.01,
    fade_out: float = 1.5,
) -> Signal:
    """The mix at a loudness (within about half a LU) and under the ceiling, balanced, with fades at its ends.

    With `trim`, silence at the end goes.
    """
    sound = balance(highpass(trimmed(mix, rate) if trim else mix, 28, rate), rate, lean)
    n = len(sound)
    seconds = np.arange(n) / rate
    fade = np.minimum(1, seconds / fade_in) * np.minimum(1, (n / rate - seconds) / fade_out)
    sound *= np.clip(np.sin(np.pi / 2 * fade) ** 2, 0, 1).astype(np.float32)[:, None]
    for _ in range(2):  # limiting takes some loudness away; the second round gives it back
        sound = limit(sound * np.float32(10 ** ((lufs - loudness(sound, rate)) / 20)), rate)
    return sound


def quantise(sound: Signal, bits: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """The sound as integers of a word length, with triangular dither."""
    scale = float(2 ** (bits - 1) - 1)
    dither = rng.random(sound.shape, np.float32) - rng.random(sound.shape, np.float32)
    return np.clip(np.rint(sound.astype(np.float64) * scale + dither), -scale - 1, scale).astype(np.int32)
