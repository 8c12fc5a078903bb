"""Sound out of numbers: oscillators, filters, rooms and echoes, all vectorised.

Signals are float32 arrays: mono `(n,)` or stereo `(n, 2)`. Times are seconds, frequencies Hz, decays the time
to fall by 60 dB. Everything that is random takes its generator, so the same seed gives the same samples.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal
from scipy.fft import irfft, next_fast_len, rfft

Signal = NDArray[np.float32]
_BLOCK = 1024
_TABLE = 4096


def seeded(*names: object) -> np.random.Generator:
    """A generator that depends on the names and on nothing else."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, names)).encode()))


def samples(seconds: float, rate: int) -> int:
    """How many samples a time is."""
    return max(1, round(seconds * rate))


def modes(freqs: ArrayLike, decays: ArrayLike, gains: ArrayLike, seconds: float, rate: int) -> Signal:
    """A struck body: a sum of decaying sines, each from phase zero.

    With z = exp(-a + jw), z**(1024 r + c) is an outer product, so the sum over all partials is one matrix
    product: a note with forty partials costs about as much as one with two.
    """
    freq, decay, gain = np.broadcast_arrays(
        np.atleast_1d(np.asarray(freqs, float)), np.asarray(decays, float), np.asarray(gains, float)
    )
    heard = freq < 0.45 * rate
    freq, decay, gain = freq[heard], decay[heard], gain[heard]
    n = samples(seconds, rate)
    rows = -(-n // _BLOCK)
    exponent = (-np.log(1000.0) / decay + 2j * np.pi * freq) / rate
    inner = gain[:, None] * np.exp(exponent[:, None] * np.arange(_BLOCK))
    outer = np.exp(exponent[None, :] * (_BLOCK * np.arange(rows))[:, None])
    left = np.hstack([outer.real, outer.imag]).astype(np.float32)
    right = np.vstack([inner.imag, inner.real]).astype(np.float32)
    return np.asarray((left @ right).reshape(-1)[:n], np.float32)


@lru_cache(maxsize=256)
def _table(shape: str, harmonics: int) -> Signal:
    number = np.arange(1, harmonics + 1)
    sines: NDArray[np.floating]
    if shape == "saw":
        sines = 1.0 / number
    elif shape == "square":
        sines = np.where(number % 2, 1.0 / number, 0.0)
    elif shape == "triangle":
        sines = np.where(number % 2, (-1.0) ** ((number - 1) // 2) / number**2, 0.0)
    elif shape == "soft":
        sines = 1.0 / number**1.8
    elif shape == "reed":
        sines = np.where(number % 2, 1.0, 0.55) / number**1.15
    else:
        raise ValueError(f"there is no wave called {shape}")
    spectrum = np.zeros(_TABLE // 2 + 1, complex)
    spectrum[1 : harmonics + 1] = -1j * sines
    wave = irfft(spectrum, _TABLE)
    wave /= np.abs(wave).max()
    return np.append(wave, wave[0]).astype(np.float32)


def osc(shape: str, freq: float | NDArray, n: int, rate: int, *, phase: float = 0.0, limit: float = 1.0) -> Signal:
    """A band-limited wave; `freq` may be a curve of n values. `limit` scales how high its harmonics reach."""
    if isinstance(freq, np.ndarray):
        top, turns = float(freq.max()) / rate, np.cumsum(freq / rate) + (phase - freq[0] / rate)
    else:
        top, turns = freq / rate, np.arange(n) * (freq / rate) + phase
    if shape == "sine":
        return np.sin((2 * np.pi * (turns - np.floor(turns))).astype(np.float32))
    table = _table(shape, max(1, min(_TABLE // 4, int(0.45 * limit / max(top, 1e-6)))))
    place = (turns - np.floor(turns)) * _TABLE
    index = place.astype(np.int32)
    share = (place - index).astype(np.float32)
    return np.asarray(table[index] + share * (table[index + 1] - table[index]), np.float32)


def pulse(freq: float | NDArray, width: float, n: int, rate: int) -> Signal:
    """A pulse wave of a duty cycle: one saw less another, later by the width."""
    wave = osc("saw", freq, n, rate) - osc("saw", freq, n, rate, phase=width)
    return np.asarray(0.7 * wave, np.float32)


def noise(n: int, rng: np.random.Generator) -> Signal:
    """White noise, deviation 1/3 so that it seldom leaves ±1."""
    return np.asarray(rng.standard_normal(n, np.float32) / 3, np.float32)


def coloured(n: int, slope: float, rate: int, rng: np.random.Generator) -> Signal:
    """Noise falling by `slope` dB an octave (3 is pink, 6 brown), deviation 1/3."""
    size = next_fast_len(n, True)
    spectrum = rfft(rng.standard_normal(size, np.float32))
    freq = np.maximum(np.fft.rfftfreq(size, 1 / rate), 20.0)
    shaped = irfft((spectrum * freq ** (-slope / 6.02)).astype(np.complex64), size)[:n]
    return np.asarray(shaped / (3 * shaped.std()), np.float32)


def drift(n: int, hz: float, rate: int, rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> Signal:
    """A slow random curve between two values, turning about `hz` times a second."""
    knots = max(4, int(n / rate * hz) + 4)
    values = rng.uniform(low, high, knots)
    rows = n // 64 + 2  # eased at every 64th sample, straight lines between
    place = np.linspace(0, knots - 1.001, rows)
    index = place.astype(int)
    ease = (1 - np.cos(np.pi * (place - index))) / 2
    coarse = (values[index] + ease * (values[index + 1] - values[index])).astype(np.float32)
    fine = coarse[:-1, None] + np.diff(coarse)[:, None] * (np.arange(64, dtype=np.float32) / 64)
    return np.asarray(fine.reshape(-1)[:n], np.float32)


def fall(n: int, t60: float, rate: int) -> Signal:
    """An exponential decay from one."""
    return np.exp(np.arange(n, dtype=np.float32) * np.float32(-np.log(1000) / (t60 * rate)))


def envelope(n: int, rate: int, attack: float, decay: float, sustain: float, release: float) -> Signal:
    """Attack, decay, sustain, release, the release taken from the end of the n samples."""
    hold = max(n / rate - release, attack)
    times = [0.0, attack, attack + decay, max(hold, attack + decay), max(hold, attack + decay) + release]
    return np.interp(np.arange(n) / rate, times, [0.0, 1.0, sustain, sustain, 0.0]).astype(np.float32)


def edges(sound: Signal, rate: int, fade_in: float, fade_out: float) -> Signal:
    """The sound with raised-cosine fades at its ends."""
    faded = sound.copy()
    for seconds, part in ((fade_in, slice(None)), (fade_out, slice(None, None, -1))):
        n = min(len(faded), int(seconds * rate))
        if n:
            ramp = ((1 - np.cos(np.pi * np.arange(n) / n)) / 2).astype(np.float32)
            faded[part][:n] *= ramp if faded.ndim == 1 else ramp[:, None]
    return faded


@lru_cache(maxsize=512)
def _butter(kind: str, edge: tuple[float, ...], order: int, rate: int) -> NDArray:
    band = [min(max(hz, 5.0), 0.46 * rate) for hz in edge]
    return np.asarray(signal.butter(order, band if len(band) > 1 else band[0], kind, fs=rate, output="sos"))


def lowpass(sound: Signal, hz: float, rate: int, order: int = 2) -> Signal:
    """Butterworth low-pass."""
    return signal.sosfilt(_butter("lowpass", (hz,), order, rate), sound, axis=0).astype(np.float32)


def highpass(sound: Signal, hz: float, rate: int, order: int = 2) -> Signal:
    """Butterworth high-pass."""
    return signal.sosfilt(_butter("highpass", (hz,), order, rate), sound, axis=0).astype(np.float32)


def bandpass(sound: Signal, low: float, high: float, rate: int, order: int = 1) -> Signal:
    """Butterworth band-pass."""
    return signal.sosfilt(_butter("bandpass", (low, high), order, rate), sound, axis=0).astype(np.float32)


def resonant(sound: Signal, hz: float, q: float, rate: int) -> Signal:
    """A resonant low-pass (the RBJ cookbook's), 24 dB an octave: two in a row, the second one dry."""
    w = 2 * np.pi * min(hz, 0.45 * rate) / rate
    sections = []
    for quality in (q, 0.7):
        alpha, cosine = np.sin(w) / (2 * quality), np.cos(w)
        b0 = (1 - cosine) / 2
        sections.append(np.array([b0, 2 * b0, b0, 1 + alpha, -2 * cosine, 1 - alpha]) / (1 + alpha))
    return signal.sosfilt(np.array(sections), sound, axis=0).astype(np.float32)


def swept(sound: Signal, cutoff: Signal, rate: int, q: float = 0.7, steps: int = 8) -> Signal:
    """A low-pass whose edge follows a curve: crossfades between fixed filters spaced evenly in pitch."""
    low, high = float(np.log2(cutoff.min())), float(np.log2(cutoff.max()))
    if high - low < 0.05:
        return resonant(sound, 2**low, q, rate)
    place = (np.log2(cutoff) - low) / (high - low) * (steps - 1)
    out = np.zeros_like(sound)
    for step, hz in enumerate(2.0 ** np.linspace(low, high, steps)):
        weight = np.clip(1 - np.abs(place - step), 0, 1).astype(np.float32)
        out += resonant(sound, hz, q, rate) * weight
    return out


def choir(
    notes: Sequence[tuple[float, float]],
    seconds: float,
    rate: int,
    rng: np.random.Generator,
    *,
    width: float = 40.0,
    slope: float = 1.4,
    top: float = 5000.0,
) -> Signal:
    """A stereo cloud of (Hz, gain) notes: harmonics smeared over `width` cents with random phases.

    After Nasca Octavian Paul's PADsynth: one inverse FFT makes an ensemble that no loop repeats.
    """
    n = samples(seconds, rate)
    size = next_fast_len(n, True)
    amplitude = np.zeros(size // 2 + 1, np.float32)
    bin_hz = rate / size
    for freq, gain in notes:
        for number in range(1, int(min(2.5 * top, 0.45 * rate) / freq) + 1):
            centre = freq * number
            level = gain * number**-slope / (1 + (centre / top) ** 4)
            spread = max(centre * (2 ** (width / 1200) - 1) * number**0.15, bin_hz)
            first, last = int((centre - 3 * spread) / bin_hz), int((centre + 3 * spread) / bin_hz) + 2
            bins = np.arange(max(first, 1), min(last, len(amplitude)))
            bell = np.exp(-0.5 * ((bins * bin_hz - centre) / spread) ** 2)
            amplitude[bins] += level * bell / np.sqrt(spread / bin_hz)
    sides = []
    for _ in range(2):
        turn = rng.uniform(0, 2 * np.pi, len(amplitude)).astype(np.float32)
        sides.append(irfft(amplitude * np.exp(1j * turn).astype(np.complex64), size)[:n])
    cloud = np.stack(sides, axis=1)
    return np.asarray(cloud / (4 * cloud.std() + 1e-12), np.float32)


@lru_cache(maxsize=16)
def _room(rate: int, seconds: float, bright: float, predelay: float) -> NDArray:
    rng = seeded("room", seconds, bright, predelay)
    n = samples(seconds * 1.1, rate)
    response = np.zeros((n, 2), np.float32)
    # High bands die first, as air and plaster see to it.
    for low, high, share in ((60, 400, 1.0), (400, 1500, 0.92), (1500, 5000, 0.7), (5000, 14000, 0.4)):
        strength = 1.0 if low < 1500 else bright
        for side in range(2):
            band = bandpass(noise(n, rng), low, high, rate)
            response[:, side] += strength * band * fall(n, seconds * share, rate)
    ramp = np.minimum(np.arange(n) / (0.012 * rate), 1).astype(np.float32)
    response *= ramp[:, None]
    response /= np.sqrt((response**2).sum(axis=0))
    return np.concatenate([np.zeros((samples(predelay, rate), 2), np.float32), response])


def reverb(sound: Signal, rate: int, seconds: float = 2.0, *, bright: float = 0.6, predelay: float = 0.02) -> Signal:
    """What a room of that decay answers, alone; as long as the sound."""
    stereo = sound if sound.ndim == 2 else np.stack([sound, sound], axis=1)
    n = len(stereo)
    response = _room(rate, round(seconds, 3), round(bright, 3), round(predelay, 4))
    size = next_fast_len(n + len(response), True)
    return np.stack(
        [irfft(rfft(stereo[:, side], size) * rfft(response[:, side], size), size)[:n] for side in range(2)], axis=1
    ).astype(np.float32)


def echo(sound: Signal, rate: int, every: float, *, feedback: float = 0.5, dark: float = 3000.0) -> Signal:
    """A tape echo's repeats, alone: each quieter, darker, and from the other side.

    What comes off the tape goes back onto it, one length of tape at a time, through one filter that keeps its state.
    """
    stereo = sound if sound.ndim == 2 else np.stack([sound, sound], axis=1)
    out = np.zeros_like(stereo)
    length = samples(every, rate)
    sections = _butter("bandpass", (120.0, dark), 1, rate)
    state = np.zeros((len(sections), 2, 2))
    pan = np.array([1.0, 0.45], np.float32)
    for start in range(0, len(out) - length, length):
        tape = stereo[start : start + length] * pan + out[start : start + length, ::-1]
        heard, state = signal.sosfilt(sections, tape, axis=0, zi=state)
        room = out[start + length : start + 2 * length]
        room[:] = feedback * heard[: len(room)]
    return out


def saturate(sound: Signal, drive: float) -> Signal:
    """Tape-like rounding; quiet sound passes at its own level."""
    return np.asarray(np.tanh(sound * np.float32(drive)) / np.float32(drive), np.float32)


def warp(sound: Signal, rate: int, hz: float, cents: float, rng: np.random.Generator) -> Signal:
    """Wow and flutter: the sound read back at a speed that wavers by some cents."""
    n = len(sound)
    speed = 2 ** (drift(n, hz, rate, rng, -cents, cents).astype(float) / 1200)
    place = np.minimum(np.cumsum(speed) - speed[0], n - 1.001)
    index = place.astype(np.int64)
    share = (place - index).astype(np.float32)
    if sound.ndim == 2:
        share = share[:, None]
    return np.asarray(sound[index] + share * (sound[index + 1] - sound[index]), np.float32)
