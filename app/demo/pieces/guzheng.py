"""The River Keeps the Moon: a zither of twenty-one strings, a bamboo flute, and the water."""

from __future__ import annotations

import numpy as np

from app.demo.dsp import Signal, coloured, drift, lowpass, reverb, samples
from app.demo.instruments import flute, zither
from app.demo.score import Canvas, Take, degree, pitch


def _pluck(canvas: Canvas, midi: int, at: float, length: float, touch: float, bend: float = 0.0) -> None:
    pan = float(np.clip((midi - 66) / 36, -0.7, 0.7))
    canvas.add(zither(midi, length, canvas.rate, round(touch, 1), bend), at, 0.42, pan, room=0.6)


def _sweep(canvas: Canvas, first: int, last: int, at: float, seconds: float, touch: float, tonic: int) -> None:
    """A glissando over the strings between two degrees, easing out like a hand does."""
    steps = range(first, last, 1 if last > first else -1)
    for k, number in enumerate(steps):
        _pluck(canvas, degree(tonic, "gong", number), at + seconds * (k / len(steps)) ** 0.8, 1.6, touch * 0.7)


def _shake(canvas: Canvas, midi: int, at: float, seconds: float, touch: float) -> None:
    """A tremolo: the nail goes to and fro on one string, swelling."""
    count = int(seconds * 11.5)
    for k in range(count):
        swell = np.sin(np.pi * (k + 0.5) / count)
        _pluck(canvas, midi, at + k * seconds / count, 0.5, round(touch * (0.3 + 0.7 * float(swell)), 1))


def _line(canvas: Canvas, words: str, start: float, beat: float, tonic: int) -> float:
    """degree:beats, where a trailing ~ presses the string, * shakes it, and , doubles it an octave down."""
    at = start
    for word in words.split():
        place, length = word.split(":")
        seconds = float(length) * beat
        if place[0] != "r":
            number = int(place.rstrip("~*,"))
            midi = degree(tonic, "gong", number)
            if "*" in place:
                _shake(canvas, midi, at, seconds, 0.7)
            else:
                _pluck(canvas, midi, at, max(seconds * 1.5, 1.4), 0.7, 1.0 if "~" in place else 0.0)
            if "," in place:
                _pluck(canvas, midi - 12, at + 0.015, max(seconds * 2, 2.5), 0.6)
        at += seconds
    return at


def _water(canvas: Canvas, take: Take, gain: float) -> None:
    n = samples(take.seconds, take.rate)
    for pan in (-0.9, 0.9):
        rng = take.rng(f"water{pan}")
        wave = lowpass(coloured(n, 4, take.rate, rng), 1400, take.rate) * drift(n, 0.3, take.rate, rng, 0.1, 1) ** 2
        canvas.add(wave, 0, gain, pan)


def _mix(canvas: Canvas) -> Signal:
    return canvas.dry + 0.6 * reverb(canvas.send("room"), canvas.rate, 2.8, bright=0.55, predelay=0.03)


def ferry_at_dusk(take: Take) -> Signal:
    """An unmeasured opening, then a tune that rows."""
    canvas, tonic = take.canvas(), pitch("D4")
    _sweep(canvas, 11, -5, 0.2, 1.5, 0.8, tonic)
    _pluck(canvas, tonic - 24, 1.8, 4, 0.8)
    at = _line(canvas, "7~:2 6:1 5:1 3:2 4*:3 r:0.5", 2.3, 0.5, tonic)
    beat = 60 / 76
    tune = "3,:1 5:0.5 6:0.5 7:1 6:0.5 5:0.5 8,:1.5 7:0.5 5:2 6,:1 5:0.5 3:0.5 2~:1 3:1 1,:1 2:0.5 3:0.5 0,:2 "
    tune += "5,:1 7:0.5 8:0.5 10:1 8:0.5 7:0.5 8~:1 7:0.5 5:0.5 6*:2 3,:1 2:0.5 1:0.5 2:0.5 3:0.5 5:1 0,:2"
    for k in range(int((take.seconds - at - 3.5) / (2 * beat))):
        for j, number in enumerate((-10, -7, -5, -7)):
            _pluck(
                canvas, degree(tonic, "gong", number + (1 if k % 4 == 2 else 0)), at + (k * 2 + j / 2) * beat, 1.5, 0.3
            )
    end = _line(canvas, tune, at, beat, tonic)
    if end < take.seconds - 2:
        _sweep(canvas, -6, 10, end, 1.4, 0.6, tonic)
    _water(canvas, take, 0.035)
    return _mix(canvas)


def bamboo_counting_rain(take: Take) -> Signal:
    """Quick notes, three and then five to the beat, that never all stop at once."""
    canvas, rng, tonic = take.canvas(), take.rng("rain"), pitch("G4")
    at, step = 0.3, 5
    while at < take.seconds - 4.5:
        share = at / take.seconds
        unit = 0.21 - 0.075 * np.sin(np.pi * share)
        for k in range(int(rng.choice([3, 5, 5, 7]))):
            step = int(np.clip(step + rng.choice([-2, -1, -1, 1, 1, 2]), -3, 11))
            _pluck(canvas, degree(tonic, "gong", step), at, 1.0, 0.8 if k == 0 else float(rng.choice([0.3, 0.4, 0.5])))
            if k == 0:
                _pluck(canvas, degree(tonic, "gong", (step // 5) * 5 - 10), at, 2.2, 0.5)
            at += unit
        if rng.random() < 0.3:
            at += unit * 2
    _sweep(canvas, 12, -8, take.seconds - 4.4, 1.2, 0.8, tonic)
    _pluck(canvas, tonic - 24, take.seconds - 3.1, 3, 0.8)
    _pluck(canvas, tonic, take.seconds - 2.6, 2.5, 0.4, 2.0)
    return _mix(canvas)


def moon_in_the_river(take: Take) -> Signal:
    """The flute asks, the zither answers an octave lower, as water does."""
    canvas, tonic, beat = take.canvas(), pitch("A3"), 60 / 60
    question = [(5, 1.5), (6, 0.5), (7, 2.0), (5, 1.0), (3, 1.0), (4, 2.4), None, (7, 1.0), (8, 1.0), (10, 2.0)]
    question += [
        (8, 0.5),
        (7, 0.5),
        (6, 1.0),
        (5, 2.6),
        None,
        (3, 1.0),
        (5, 1.0),
        (6, 1.5),
        (5, 0.5),
        (3, 1.0),
        (2, 1.0),
    ]
    question += [(0, 3.2), None]
    at = 3.0
    phrase: list[tuple[int, float]] = []
    _sweep(canvas, -8, 6, 0.4, 2.2, 0.5, tonic)
    for item in question:
        if item is None:
            for k, (number, _) in enumerate(phrase[-4:]):
                _pluck(canvas, degree(tonic, "gong", number), at + 0.6 * k, 2.5, 0.6, 1.0 if k == 2 else 0.0)
                if k == 0:
                    _pluck(canvas, degree(tonic, "gong", number - 10), at, 3.5, 0.6)
            at += 2.9
            phrase.clear()
            continue
        number, length = item
        if at + length * beat < take.seconds - 1:
            midi = degree(tonic + 12, "gong", number)
            canvas.add(flute(midi, length * beat, take.rate, 0.22), at, 0.26, -0.2, room=1.0)
            if length >= 2:
                _pluck(canvas, degree(tonic, "gong", number - 10), at + 0.5, 3.0, 0.4)
                _pluck(canvas, degree(tonic, "gong", number - 5), at + 1.0, 3.0, 0.3)
        phrase.append(item)
        at += length * beat
    _water(canvas, take, 0.05)
    return _mix(canvas)
