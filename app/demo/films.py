"""The films' pictures, frame by frame: lines and facets drawn by Pillow, on paper painted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from app.demo.dsp import seeded
from app.demo.paint import colour, ramp, to_image

FRAMES_A_SECOND = 24
_FINE = 2  # shapes are drawn this many times larger and averaged down


@dataclass(frozen=True, slots=True)
class Film:
    """A film's size in pixels, and what draws it: `draw(seconds)` yields RGB images."""

    width: int
    height: int
    draw: Callable[[float], Iterator[Image.Image]]


def _ease(t: float) -> float:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _upright(width: int, height: int, stops: list[tuple[float, str]]) -> Image.Image:
    """A vertical gradient, with a little grain so that it doesn't band."""
    line = ramp(np.linspace(0, 1, height), stops)[:, None, :]
    noise = 0.006 * seeded("film grain").standard_normal((height, width, 1), np.float32)
    return to_image(line + noise)


def _faded(frame: Image.Image, black: Image.Image, share: float) -> Image.Image:
    return frame if share >= 1 else Image.blend(black, frame, share)


def _moon(radius: int) -> tuple[Image.Image, Image.Image]:
    """A disc with its glow, and how it is laid on."""
    side = radius * 8
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    far = np.hypot(x - side / 2, y - side / 2) / radius
    alpha = np.where(far < 1, 1.0, 0.42 * np.exp(-(far - 1) * 1.5)) * np.clip((4 - far) / 2, 0, 1)
    rim = np.clip((1.0 - far) * radius + 0.5, 0, 1)
    alpha = rim + (1 - rim) * np.minimum(alpha, 0.42)
    face = ramp(np.clip(0.5 + (y - side / 2) / (2.4 * radius), 0, 1), [(0, "#ffe2c4"), (1, "#ff8468")])
    return to_image(face), Image.fromarray((alpha * 255).astype(np.uint8))


def the_tide_table(seconds: float) -> Iterator[Image.Image]:
    """The moon crosses; the sea, drawn row by row, gets up to look, and lies down again."""
    w, h = TIDE.width, TIDE.height
    sky = _upright(w, h, [(0, "#0b1530"), (0.35, "#16294f"), (0.62, "#3a3a66"), (1, "#0b1426")])
    top = int(h * 0.42)  # the sea never reaches higher, so only what is below is drawn anew
    sea = _upright(w, h - top, [(0, "#1e3f72"), (0.22, "#1b3a6b"), (0.57, "#12264a"), (1, "#060c18")])
    pale = Image.new("RGB", (w, h - top), tuple(int(v * 255) for v in colour("#ffe3cd")))
    black = Image.new("RGB", (w, h), (4, 6, 12))
    face, alpha = _moon(h // 9)
    rng = seeded("film", "tide")
    stars = [
        (int(rng.integers(0, w)), int(rng.integers(0, int(h * 0.55))), int(rng.integers(60, 190))) for _ in range(150)
    ]
    for x, y, bright in stars:
        sky.putpixel((x, y), (bright, bright, min(255, bright + 20)))
    rows, across = 30, np.linspace(-0.02, 1.02, 150)
    turns = rng.random((rows, 4))
    shades = np.linspace(-1, 1, w)
    total = int(seconds * FRAMES_A_SECOND)
    for number in range(total):
        t = number / total
        clock = number / FRAMES_A_SECOND
        mx, my = 0.16 + 0.68 * t, 0.62 - 0.42 * float(np.sin(np.pi * (0.06 + 0.88 * t)))
        lift = float(np.sin(np.pi * t)) ** 1.5
        frame = sky.copy()
        frame.paste(face, (round(mx * w) - face.width // 2, round(my * h) - face.height // 2), alpha)
        plan = Image.new("L", (w * _FINE, (h - top) * _FINE), 0)
        body = Image.new("L", (w, h - top), 0)
        pen = ImageDraw.Draw(plan)
        for row in range(rows):
            near = row / (rows - 1)
            base = 0.60 + 0.46 * near**1.3 - 0.03 * lift
            reach = 0.10 + 0.14 * near
            y = base - lift * np.exp(-(((across - mx) / reach) ** 2)) * (0.115 * (1 - near) ** 1.3 + 0.012)
            for k, f in enumerate((1.1, 2.3, 4.1, 7.3)):
                drift = clock * (0.10 + 0.07 * k) * (1 if k % 2 else -1)
                y += (
                    np.sin(2 * np.pi * (across * f * (2.2 - near) + turns[row, k] + drift))
                    * (0.0022 + 0.011 * near)
                    / f**0.7
                )
            points = np.stack([across * w, y * h - top], axis=1) * _FINE
            if row == 0:
                outline = [(float(a) / _FINE, float(b) / _FINE) for a, b in points]
                ImageDraw.Draw(body).polygon([*outline, (1.02 * w, h), (-0.02 * w, h)], fill=255)
            flat = [float(v) for v in points.reshape(-1)]
            below = ((base + 0.06 + 0.05 * near) * h - top) * _FINE
            pen.polygon([*flat, 1.02 * w * _FINE, below, -0.02 * w * _FINE, below], fill=0)
            pen.line(flat, fill=round(255 * (1 - 0.55 * near)), width=2 + round(1.6 * near), joint="curve")
        frame.paste(sea, (0, top), body)
        shine = 0.25 + 0.75 * np.exp(-((((shades + 1) / 2 - mx) / 0.16) ** 2))
        drawn = np.asarray(plan.reduce(_FINE)).astype(np.float32) * shine.astype(np.float32)
        frame.paste(pale, (0, top), Image.fromarray(drawn.astype(np.uint8)))
        yield _faded(frame, black, _ease(min(clock / 1.2, (seconds - clock) / 1.8)))


def nine_ways_to_fold_light(seconds: float) -> Iterator[Image.Image]:
    """A star of paper is folded nine times, each time with a point more; two lamps go round it."""
    w, h = FOLD.width, FOLD.height
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    table = to_image(
        ramp(np.hypot((x - w / 2) / h, (y - h / 2) / h) / 0.95, [(0, "#3a2e44"), (0.6, "#1d1725"), (1, "#0b090f")])
        + 0.008 * seeded("table").standard_normal((h, w, 1), np.float32)
    )
    black = Image.new("RGB", (w, h), (5, 4, 7))
    warm, cold = colour("#ff9340"), colour("#3f6dff")
    total = int(seconds * FRAMES_A_SECOND)
    for number in range(total):
        clock = number / FRAMES_A_SECOND
        place = 9 * number / total
        way = int(place)
        opened = _ease((place - way) / 0.42)
        spring = 1 + 0.10 * float(np.exp(-(place - way) * 7) * np.cos((place - way) * 22))
        points = 4 + way
        turn = 0.18 * place + 0.5 * np.pi * (1 - opened) / points
        radii = (
            np.array([0.0, 0.13 + 0.02 * (way % 3), 0.24 + 0.03 * ((way + 1) % 2), 0.36 + 0.05 * (way % 2)]) * spring
        )
        radii *= np.array([1, 0.35 + 0.65 * opened, 0.55 + 0.45 * opened, 0.75 + 0.25 * opened])
        offsets = (0.0, 0.0, 0.5, 0.0 if way % 2 == 0 else 1.0 * opened)

        def corner(ring: int, k: float, *, turn: float = turn, points: int = points, radii=radii, offsets=offsets):  # type: ignore[no-untyped-def]
            angle = 2 * np.pi * (k + offsets[ring]) / points - np.pi / 2 + turn
            return (w / 2 + radii[ring] * h * np.cos(angle), h / 2 + radii[ring] * h * np.sin(angle))

        facets = []
        for k in range(points):
            facets.append((corner(0, 0), corner(1, k), corner(1, k + 1)))
            facets.append((corner(1, k), corner(1, k + 1), corner(2, k)))
            facets.append((corner(1, k), corner(2, k), corner(2, k - 1)))
            facets.append((corner(2, k - 1), corner(2, k), corner(3, k)))
        frame = table.copy()
        small = Image.new("L", (w // 8, h // 8), 0)
        shade = ImageDraw.Draw(small)
        for facet in facets:
            shade.polygon([(px / 8 + 1.4, py / 8 + 2.6) for px, py in facet], fill=190)
        shadow = small.filter(ImageFilter.GaussianBlur(1.8)).resize((w, h), Image.Resampling.BICUBIC)
        frame.paste(black, (0, 0), shadow)
        sheet = Image.new("RGB", (w * _FINE, h * _FINE))
        cover = Image.new("L", (w * _FINE, h * _FINE), 0)
        pen, outline = ImageDraw.Draw(sheet), ImageDraw.Draw(cover)
        for index, facet in enumerate(facets):
            centre = np.mean(facet, axis=0)
            around = float(np.arctan2(centre[1] - h / 2, centre[0] - w / 2))
            tilt = (-1.0 if index % 4 in (0, 2) else 1.0) * (0.25 + 0.5 * opened)
            lamp = 2.5 + 0.55 * clock
            one = max(0.0, 0.5 + 0.5 * float(np.cos(around - lamp + tilt))) ** 1.6
            two = max(0.0, 0.5 + 0.5 * float(np.cos(around - lamp + np.pi + tilt))) ** 1.8
            lit = np.clip(0.09 + one * warm + 0.85 * two * cold + 0.04 * (index % 3), 0, 1)
            shape = [(px * _FINE, py * _FINE) for px, py in facet]
            pen.polygon(shape, fill=tuple(int(v * 255) for v in lit))
            pen.line([*shape, shape[0]], fill=tuple(int(v * 255) for v in lit * 0.72 + 0.22), width=2)
            outline.polygon(shape, fill=255)
        frame.paste(sheet.reduce(_FINE), (0, 0), cover.reduce(_FINE))
        yield _faded(frame, black, _ease(min(clock / 0.5, (seconds - clock) / 1.2)))


TIDE = Film(1280, 720, the_tide_table)
FOLD = Film(960, 540, nine_ways_to_fold_light)
FILMS = {"tide": TIDE, "fold": FOLD}
