"""Mains Hum in D: what fifty hertz would sound like if it had the time."""

from __future__ import annotations

import numpy as np

from app.demo.dsp import Signal, choir, coloured, drift, edges, lowpass, osc, reverb, samples, swept
from app.demo.instruments import bell, string_pluck
from app.demo.score import Canvas, Take


def mains_hum(take: Take) -> Signal:
    """Just ratios over a low D, each voice coming up and going under on a tide of its own."""
    canvas, n, rate = take.canvas(), samples(take.seconds, take.rate), take.rate
    base = 36.71  # D1
    ratios = (2, 3, 4, 5, 6, 8, 10.5, 15)
    for number, ratio in enumerate(ratios):
        rng = take.rng(f"voice{number}")
        level = drift(n, 0.11 + 0.01 * number, rate, rng, 0.0, 1.0) ** 2
        beating = 0.35 / ratio**0.3
        for side, pan in ((-1, -0.7), (1, 0.7)):
            voice = osc("soft", base * ratio + side * beating * rng.uniform(0.3, 1), n, rate, phase=rng.uniform())
            canvas.add(voice * level, 0, 0.5 / (1 + 0.35 * number), pan, room=0.5)
    body = swept(
        osc("saw", base * 1.0015, n, rate) + osc("saw", base * 1.999, n, rate),
        (110 * 2 ** (3.6 * np.sin(np.pi * np.arange(n) / n) ** 2)).astype(np.float32),
        rate,
        2.0,
    )
    canvas.add(body, 0, 0.16, room=0.2)
    return canvas.dry + 0.7 * reverb(canvas.send("room"), rate, 5.0, bright=0.3)


def transformer_lullaby(take: Take) -> Signal:
    """A four-stringed lute goes round and round under a fifth that grows a third."""
    canvas, rate = Canvas(take.seconds, take.rate), take.rate
    for k in range(int((take.seconds - 5) / 1.15)):
        midi = (45, 50, 50.02, 38)[k % 4]
        canvas.add(string_pluck(midi, 4.6, rate, 0.5, 0.5), 0.6 + k * 1.15, 0.3, (-0.5, 0.1, 0.3, 0.0)[k % 4], room=0.8)
    for start, length, notes in (
        (0.0, 0.62, ((73.42, 1.0), (110.13, 0.7), (146.83, 0.5))),
        (0.3, 0.6, ((146.83, 0.5), (220.25, 0.6), (183.54, 0.5), (330.4, 0.25))),
        (0.55, 0.45, ((73.42, 0.9), (123.9, 0.5), (247.8, 0.45), (275.3, 0.3), (367.1, 0.3))),
    ):
        cloud = choir(notes, take.seconds * length, rate, take.rng(f"cloud{start}"), width=14, slope=1.7, top=3000)
        third = take.seconds * length / 2.4
        canvas.add(edges(cloud, rate, third, third), take.seconds * start, 0.9, room=0.4)
    rng = take.rng("glints")
    for at in np.arange(9, take.seconds - 7, 5.6):
        canvas.add(
            bell(rng.choice([74, 81, 86, 78]), 6, rate, 1.414, 1.4), float(at), 0.07, rng.uniform(-0.8, 0.8), room=2
        )
    air = lowpass(coloured(samples(take.seconds, rate), 5, rate, take.rng("air")), 900, rate)
    canvas.add(air, 0, 0.05)
    return canvas.dry + 0.8 * reverb(canvas.send("room"), rate, 4.5, bright=0.4)
