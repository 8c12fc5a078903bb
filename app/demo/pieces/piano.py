"""Small Doors: three pieces for an upright piano, the last with strings behind it."""

from __future__ import annotations

import numpy as np

from app.demo.dsp import Signal, reverb
from app.demo.instruments import piano, strings
from app.demo.score import Canvas, Take, chord, pitch, voiced


def _note(canvas: Canvas, midi: int, at: float, length: float, touch: float, **send: float) -> None:
    spread = float(np.clip((midi - 60) / 40, -0.6, 0.6))
    canvas.add(piano(midi, min(length, 6.0), canvas.rate, round(touch, 1), 0.35), at, 0.5, spread, room=0.5, **send)


def _tune(canvas: Canvas, words: str, start: float, unit: float, touch: float, up: int = 0) -> float:
    at = start
    for word in words.split():
        name, length = word.split(":")
        if name != "r":
            _note(canvas, pitch(name) + up, at, float(length) * unit + 0.6, touch)
        at += float(length) * unit
    return at


def _mix(canvas: Canvas) -> Signal:
    return canvas.dry + 0.55 * reverb(canvas.send("room"), canvas.rate, 2.4, bright=0.5, predelay=0.025)


def ajar(take: Take) -> Signal:
    """A waltz in A minor that puts its head round the door."""
    canvas, rng = take.canvas(), take.rng("hands")
    beat = 60 / 112
    harmony = ["Am", "Am", "Dm", "Dm", "G", "C", "Fmaj7", "E7sus4", "Am", "Dm6", "E7", "Am"]
    harmony = [symbol if symbol != "E7sus4" else "E7" for symbol in harmony]
    bars = min(len(harmony), int((take.seconds - 2.2) / (3 * beat)))
    for bar in range(bars):
        slow = 1 + 0.25 * max(0, bar - bars + 2)
        at = bar * 3 * beat
        tones = chord(harmony[bar], 2)
        _note(canvas, tones[0], at, 3 * beat, 0.6)
        for k, upper in enumerate(voiced([harmony[bar]], 57, 3)[0]):
            for place in (1, 2):
                if bar < bars - 1:
                    nudge = float(rng.normal(0, 0.006)) + 0.008 * k
                    _note(canvas, upper, at + place * beat * slow + nudge, beat * 0.8, 0.3)
    melody = (
        "E5:2 A5:1 G5:1 F5:1 E5:1 F5:2 D5:1 A4:3 B4:1 D5:1 G5:1 E5:3 A5:1 G5:1 F5:1 G#5:2 E5:1 C6:2 B5:1 A5:1 F5:1 "
    )
    melody += "D5:1 E5:1 D5:1 B4:1 A4:3"
    _tune(canvas, melody, 0.0, beat, 0.8)
    return _mix(canvas)


def painted_shut(take: Take) -> Signal:
    """Chords, as on a Sunday, one of which will not move."""
    canvas = take.canvas()
    symbols = ["Fadd9", "C", "Dm7", "Bbmaj7", "Fadd9", "Am7", "Bb6", "Csus4", "F"]
    each = (take.seconds - 2.5) / len(symbols)
    top = ["A4", "G4", "A4", "F4", "C5", "E5", "D5", "C5", "A4"]
    for k, (hand, symbol, name) in enumerate(zip(voiced(symbols, 56, 3), symbols, top, strict=True)):
        at = k * each
        touch = 0.35 + 0.4 * np.sin(np.pi * (k + 1) / (len(symbols) + 1))
        _note(canvas, chord(symbol, 1)[0] + 12, at, each, touch)
        _note(canvas, chord(symbol, 1)[0], at, each, touch * 0.7)
        for j, midi in enumerate(hand):
            _note(canvas, midi, at + 0.03 * (j + 1), each + 0.4, touch * 0.8)
        _note(canvas, pitch(name) + 12, at + 0.12, each + 0.6, touch + 0.15)
        _note(canvas, pitch("C6"), at + each * 0.5, each, 0.25)  # the one that will not move
    return _mix(canvas)


def garden(take: Take) -> Signal:
    """Broken chords in D flat, a tune in the thumb, and then the strings."""
    canvas = take.canvas()
    symbols = ["Dbmaj9", "Bbm7", "Gbmaj9", "Ab7sus4", "Fm7", "Bbm7", "Gbmaj7", "Dbadd9"]
    beat = (take.seconds - 2.4) / (len(symbols) * 4)
    hands = voiced(symbols, 60, 4)
    for bar, (hand, symbol) in enumerate(zip(hands, symbols, strict=True)):
        low = chord(symbol, 2)[0]
        figure = [low, low + 7, *hand, hand[2], hand[1]]
        last = bar == len(symbols) - 1
        for k, midi in enumerate(figure[: 8 if not last else 6]):
            for half in (0, 1):
                if half and last:
                    continue
                _note(canvas, midi, (bar * 4 + half * 2 + k / 4) * beat, beat * 1.6, 0.35 + 0.2 * (k == 0))
        if bar >= 2:
            for k, midi in enumerate(hand):
                bow = strings(midi - (12 if k == 0 else 0), 4 * beat, take.rate, 0.9, 1900.0)
                canvas.add(bow, bar * 4 * beat, 0.055, 0.8 - 0.5 * k, room=0.6)
    _tune(
        canvas,
        "F5:3 Eb5:1 Db5:2 F5:2 Ab5:3 Gb5:1 F5:2 Eb5:2 C5:2 Eb5:2 F5:3 Db5:1 Bb4:2 Db5:2 F5:4",
        0.0,
        beat,
        0.8,
    )
    return _mix(canvas)
