"""Wet Crosswalk: one song, all neon."""

from __future__ import annotations

import numpy as np

from app.demo.drums import clap, hat, kick, snare, tom
from app.demo.dsp import Signal, echo, envelope, lowpass, reverb, saturate
from app.demo.instruments import saws, strings, sub
from app.demo.score import Take, chord, pitch, root, voiced


def wet_crosswalk(take: Take) -> Signal:
    """Intro, verse, chorus, and the lights change."""
    rate, beat = take.rate, 60 / 104
    canvas = take.canvas()
    chords = ["F#m", "D", "A", "E"]
    bars = int((take.seconds - 2) / (4 * beat))
    hands = voiced(chords, 61, 3)
    chorus = range(bars // 2, bars - 1)
    for bar in range(bars):
        symbol, hand, last = chords[bar % 4], hands[bar % 4], bar == bars - 1
        if last:
            symbol, hand = "F#m", hands[0]
        start, low = bar * 4 * beat, root(symbol) + 36 - (12 if root(symbol) > 6 else 0)
        for k in range(8 if not last else 1):
            length = beat * 0.42 if not last else 2
            up = 12 if k % 2 and bar >= 4 else 0
            canvas.add(saws(low + up, length, rate, 900), start + k * beat / 2, 0.24)
            canvas.add(sub(low, length, rate, 0.2), start + k * beat / 2, 0.15)
        for k, midi in enumerate(hand):
            canvas.add(strings(midi, 4 * beat - 0.3, rate, 0.25, 3200.0), start, 0.1, 0.7 - 0.7 * k, room=0.5)
        if last:
            break
        arp = [*chord(symbol, 4)[:3], chord(symbol, 5)[0]]
        for k in range(16):
            if bar >= 2:
                note = saws(
                    arp[(0, 1, 2, 3, 2, 1, 3, 2)[k % 8]] + 12, beat * 0.2, rate, 3600 if bar in chorus else 1800
                )
                canvas.add(note, start + k * beat / 4, 0.085, 0.6 * (-1) ** k, tape=0.5)
        if bar >= 4:
            for place in (0, 1, 2, 3) if bar in chorus else (0, 2, 2.5):
                canvas.add(kick(rate, 50, 200, 0.3, 0.35), start + place * beat, 0.7)
            for place in (1, 3):
                canvas.add(snare(rate, 190, 0.22, 0.9), start + place * beat, 0.5, gate=1.0)
                if bar in chorus:
                    canvas.add(clap(rate), start + place * beat, 0.22, gate=0.8)
            for k in range(8):
                canvas.add(hat(rate, 0.05 if k % 2 == 0 else 0.1), start + k * beat / 2, 0.12, 0.2)
        if bar + 1 in (4, chorus.start):
            for k, pitch_hz in enumerate((170, 170, 130, 130, 98, 98)):
                canvas.add(tom(rate, pitch_hz, 0.4), start + (2.5 + k / 4) * beat, 0.5, 0.7 - 0.28 * k, gate=0.7)
    verse = "C#5:3 B4:1 A4:2 C#5:2 D5:3 C#5:1 A4:2 F#4:2 E4:3 A4:1 C#5:2 E5:2 D5:1 C#5:1 B4:4 r:2"
    lift = "F#5:3 E5:1 C#5:2 F#5:2 A5:3 G#5:1 F#5:2 E5:2 C#5:3 E5:1 A5:2 C#6:2 B5:3 G#5:1 E5:2 B4:2"
    for first, words, level in ((8, verse, 0.16), (chorus.start, lift, 0.19), (chorus.start + 4, lift, 0.2)):
        at = first * 4 * beat
        for word in words.split():
            name, beats = word.split(":")
            if name != "r" and at < (bars - 1) * 4 * beat:
                lead = saws(pitch(name), float(beats) * beat / 2, rate, 4200, 0.02)
                canvas.add(lead, at, level, -0.05, tape=0.4, room=0.5)
            at += float(beats) * beat / 2
    gated = reverb(canvas.send("gate"), rate, 1.6, bright=0.9, predelay=0.005)
    t = np.arange(len(gated)) / rate
    open_ = ((t - beat) % (2 * beat) < 0.28) | ((t % (4 * beat)) > 2.4 * beat) & (t % (16 * beat) > 14 * beat)
    gated *= lowpass(open_.astype(np.float32), 60, rate, 1)[:, None]
    duck = 1 - 0.3 * np.exp(-((t % beat) * 12)) * envelope(len(t), rate, 0.01, 0.01, 1, 2)
    wet = 0.45 * reverb(canvas.send("room"), rate, 2.4, bright=0.6)
    wet += echo(canvas.send("tape"), rate, beat * 0.75, feedback=0.45, dark=4200)
    return saturate((canvas.dry + wet) * duck[:, None].astype(np.float32) + 0.9 * gated, 0.8)
