"""Last Orders, First Takes: piano, bass and drums at a corner table; the vibraphone is a guest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.demo.drums import brush, kick, ride, rim, shaker
from app.demo.dsp import Signal, lowpass, reverb
from app.demo.instruments import piano, upright, vibes
from app.demo.score import Canvas, Take, chord, root, voiced


def _walk(symbols: list[str], beats: int, rng: np.random.Generator) -> list[int]:
    """A bass line: the root on one, chord tones between, and a step into the next root."""
    line: list[int] = []
    here = 38
    for bar, symbol in enumerate(symbols):
        first = min((root(symbol) + 12 * k for k in (2, 3, 4)), key=lambda midi: abs(midi - here) + 6 * (midi < 29))
        tones = sorted({midi for k in (1, 2) for midi in chord(symbol, k)[:4] if 29 <= midi <= 52})
        following = symbols[(bar + 1) % len(symbols)]
        target = min((root(following) + 12 * k for k in (2, 3, 4)), key=lambda midi: abs(midi - first))
        middle = []
        place = first
        for _ in range(beats - 2):
            near = [midi for midi in tones if 0 < abs(midi - place) <= 7] or tones
            place = int(rng.choice(near))
            middle.append(place)
        line += [first, *middle, target + int(rng.choice([-1, 1, 2, -2]))]
        here = target
    return line


def _solo(
    symbols: list[str], beats: int, rng: np.random.Generator, scale: Callable[[str], list[int]], low: int, high: int
) -> list[tuple[float, float, int]]:
    """An improvised line of (beat, length, MIDI): eighths in arcs, chord tones on the beat, breaths between."""
    notes: list[tuple[float, float, int]] = []
    place, heading = (low + high) // 2, 1
    beat, total = 0.5, len(symbols) * beats
    while beat < total - 1:
        for _ in range(int(rng.integers(4, 10))):
            symbol = symbols[min(int(beat // beats), len(symbols) - 1)]
            pool = [tone % 12 for tone in (chord(symbol) if beat % 1 == 0 else scale(symbol))]
            steps = [midi for midi in range(place - 5, place + 6) if midi % 12 in pool and midi != place]
            ahead = [midi for midi in steps if (midi - place) * heading > 0] or steps
            place = min(ahead, key=lambda midi: (abs(midi - place) - 1.5) ** 2 + rng.uniform(0, 4))
            heading = -1 if place > high else 1 if place < low else heading * int(rng.choice([1, 1, 1, -1]))
            length = float(rng.choice([0.5, 0.5, 0.5, 1.0]))
            notes.append((beat, length, place))
            beat += length
            if beat >= total - 1:
                break
        beat += float(rng.choice([0.5, 1.0, 1.5, 2.0]))
        beat = np.ceil(beat * 2) / 2
    return notes


def _dorian_or_so(symbol: str) -> list[int]:
    tones = chord(symbol)
    tonic = tones[0]
    if (tones[1] - tonic) == 3:
        return [tonic + step for step in (0, 2, 3, 5, 7, 9, 10)]
    if 10 in [(tone - tonic) % 12 for tone in tones]:
        return [tonic + step for step in (0, 2, 4, 5, 7, 9, 10)]
    return [tonic + step for step in (0, 2, 4, 6, 7, 9, 11)]


def _mix(canvas: Canvas) -> Signal:
    wet = reverb(canvas.send("room"), canvas.rate, 1.1, bright=0.5, predelay=0.012)
    return lowpass(canvas.dry, 15000, canvas.rate, 1) + 0.4 * wet


def the_waiter_knows(take: Take) -> Signal:
    """A blues in F at a walking pace."""
    rate, beat, rng = take.rate, 60 / 138, take.rng("trio")
    canvas = take.canvas()
    blues = ["F13", "Bb13", "F13", "Cm9", "Bb13", "Bb13", "F13", "D7b9", "Gm9", "C13", "F13", "C13"]
    bars = int((take.seconds - 2.2) / (4 * beat))
    symbols = [blues[bar % 12] for bar in range(bars)]
    symbols[-1] = "F13"

    def at(place: float) -> float:
        whole, part = divmod(place, 1.0)
        return (whole + (0.64 if abs(part - 0.5) < 0.01 else part)) * beat + float(rng.normal(0, 0.005)) + 0.02

    for step, midi in enumerate(_walk(symbols, 4, rng)[: (bars - 1) * 4 + 1]):
        touch = 0.9 if step % 2 else 0.7
        canvas.add(upright(midi, beat * 0.95, rate, touch), at(step), 0.5, 0.1, room=0.15)
    hands = voiced(symbols, 58, 4)
    for bar in range(bars - 1):
        for place in [(0.0, 1.5), (1.5, 2.5), (0.5, 3.5), (1.0,), (2.5,)][int(rng.integers(5))]:
            for midi in hands[bar]:
                canvas.add(piano(midi, 0.35, rate, 0.4), at(bar * 4 + place), 0.17, -0.35, room=0.3)
        for k in range(4):
            canvas.add(ride(rate), at(bar * 4 + k), 0.13 if k % 2 else 0.1, 0.4, room=0.2)
            if k % 2:
                canvas.add(ride(rate), at(bar * 4 + k + 0.5), 0.075, 0.4)
                canvas.add(brush(rate, 0.12), at(bar * 4 + k), 0.16, -0.1, room=0.2)
            canvas.add(kick(rate, 50, 110, 0.2, 0.05), at(bar * 4 + k), 0.12)
        if rng.random() < 0.4:
            canvas.add(brush(rate, 0.1), at(bar * 4 + 3.5), 0.13, -0.1, room=0.3)
    for place, length, midi in _solo(symbols[:-1], 4, rng, _dorian_or_so, 64, 84):
        touch = float(rng.choice([0.6, 0.7, 0.8, 0.9]))
        canvas.add(piano(midi, length * beat + 0.1, rate, touch), at(place), 0.32, 0.0, room=0.35)
    for midi in hands[-1]:
        canvas.add(piano(midi, 2.4, rate, 0.5), (bars - 1) * 4 * beat, 0.2, -0.3, room=0.4)
    return _mix(canvas)


def brushes_and_blame(take: Take) -> Signal:
    """A ballad in three; the vibraphone takes the blame."""
    rate, beat, rng = take.rate, 60 / 88, take.rng("trio")
    canvas = take.canvas()
    form = ["Ebmaj9", "Cm9", "Fm9", "Bb13", "Gm9", "C7b9", "Fm9", "Bb13", "Abmaj9", "Abm6", "Gm7", "C9", "Fm9", "Bb13"]
    bars = int((take.seconds - 3.5) / (3 * beat))
    symbols = [form[bar % len(form)] for bar in range(bars)] + ["Ebmaj9"]
    for bar, (hand, symbol) in enumerate(zip(voiced(symbols, 57, 4), symbols, strict=True)):
        start, last = bar * 3 * beat, bar == bars
        low = root(symbol) + 36 - (12 if root(symbol) > 7 else 0)
        canvas.add(upright(low, beat * (1.8 if not last else 3), rate, 0.8), start, 0.5, 0.1, room=0.2)
        for k, midi in enumerate(hand):
            canvas.add(piano(midi, beat * (2.4 if not last else 4), rate, 0.4), start + 0.02 * k, 0.22, -0.3, room=0.4)
        if last:
            break
        canvas.add(upright(low + 7, beat * 0.8, rate, 0.6), start + 2 * beat, 0.4, 0.1, room=0.2)
        for k in range(3):
            sweep = brush(rate, round(beat * 0.95, 3), True)
            canvas.add(sweep, start + k * beat, 0.1, -0.5 + 0.5 * k, room=0.2)
        canvas.add(brush(rate, 0.14), start + 2 * beat, 0.16, 0.1, room=0.2)
        canvas.add(ride(rate), start + beat, 0.06, 0.4, room=0.3)
    for place, length, midi in _solo(symbols[:-1], 3, rng, _dorian_or_so, 62, 80):
        sound = vibes(midi, length * beat * 1.3, rate, float(rng.choice([0.4, 0.6, 0.8])))
        canvas.add(sound, place * beat + float(rng.normal(0.02, 0.008)), 0.3, 0.2, room=0.6)
    return _mix(canvas)


def one_for_the_coat_check(take: Take) -> Signal:
    """A bossa on the way out."""
    rate, beat, rng = take.rate, 60 / 132, take.rng("trio")
    canvas = take.canvas()
    form = ["Am9", "D13", "Gmaj9", "Cmaj9", "F#m7b5", "B7b9", "Em9", "E7b9"]
    bars = int((take.seconds - 2.5) / (4 * beat))
    symbols = [form[bar % 8] for bar in range(bars)]
    symbols[-1] = "Em9"
    clave = (0, 1.5, 3, 5, 6.5)  # over two bars
    for bar, (hand, symbol) in enumerate(zip(voiced(symbols, 58, 4), symbols, strict=True)):
        start, last = bar * 4 * beat, bar == bars - 1
        low = root(symbol) + 36 - (12 if root(symbol) > 6 else 0)
        for place, up in ((0, 0), (1.5, 7), (2, 7), (3.5, 0))[: 1 if last else 4]:
            canvas.add(upright(low + up, beat * 1.3, rate, 0.7), start + place * beat, 0.46, 0.1, room=0.15)
        for place in (0.0, 1.0, 2.5) if bar % 2 == 0 else (0.5, 1.5, 3.0):
            if last and place:
                break
            for k, midi in enumerate(hand):
                length = 2.5 if last else 0.28
                canvas.add(piano(midi, length, rate, 0.5), start + place * beat + 0.006 * k, 0.2, -0.4, room=0.3)
        if last:
            break
        for k in range(8):
            canvas.add(shaker(rate), start + k * beat / 2, 0.13 if k % 2 else 0.09, 0.5)
        for place in clave:
            if bar * 4 <= place + (bar // 2) * 8 < bar * 4 + 4:
                canvas.add(rim(rate), ((bar // 2) * 8 + place) * beat, 0.2, 0.25, room=0.3)
        canvas.add(kick(rate, 50, 110, 0.2, 0.05), start, 0.25)
        canvas.add(kick(rate, 50, 110, 0.2, 0.05), start + 2 * beat, 0.25)
    for place, length, midi in _solo(symbols[2:-1], 4, rng, _dorian_or_so, 66, 84):
        sound = (
            vibes(midi, length * beat, rate, 0.7) if place > len(symbols) * 2 else piano(midi, length * beat, rate, 0.7)
        )
        canvas.add(sound, (place + 8) * beat + float(rng.normal(0.01, 0.006)), 0.3, 0.1, room=0.4)
    return _mix(canvas)
