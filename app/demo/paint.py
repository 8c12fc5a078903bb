"""Paint: colours, paper, noise and ink for the covers and the films. Pictures are float arrays (h, w, 3), 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

Picture = NDArray[np.floating[Any]]
Plane = NDArray[np.floating[Any]]
Point = tuple[float, float]


def colour(code: str) -> NDArray[np.float32]:
    """A colour from its hex code."""
    return np.array([int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)], np.float32)


def grid(size: int) -> tuple[Plane, Plane]:
    """x and y from 0 to 1 over a square, as arrays that broadcast."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    return line[None, :], line[:, None]


def flat(size: int, code: str) -> Picture:
    """A sheet of one colour."""
    return np.broadcast_to(colour(code), (size, size, 3)).copy()


def ramp(values: ArrayLike, stops: Sequence[tuple[float, str]]) -> Picture:
    """Colours looked up along a gradient of (place, hex) stops."""
    plane = np.asarray(values, np.float32)
    places = [place for place, _ in stops]
    colours = np.stack([colour(code) for _, code in stops])
    table = np.stack([np.interp(np.linspace(0, 1, 1024), places, colours[:, c]) for c in range(3)], axis=1)
    return np.asarray(table.astype(np.float32)[(np.clip(plane, 0, 1) * 1023).astype(np.int32)], np.float32)


def smooth(edge0: float, edge1: float, values: ArrayLike) -> Plane:
    """Hermite step from 0 at edge0 to 1 at edge1."""
    t = np.clip((np.asarray(values, np.float32) - edge0) / (edge1 - edge0), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def cloud(size: int, rng: np.random.Generator, *, cells: float = 3, octaves: int = 5, rough: float = 0.5) -> Plane:
    """Fractal noise, 0 to 1: random grids, each finer and fainter, enlarged and summed."""
    total = np.zeros((size, size), np.float32)
    strength = 1.0
    for octave in range(octaves):
        side = int(cells * 2**octave) + 3
        coarse = Image.fromarray(rng.random((side, side), np.float32))
        reach = size * side // (side - 2)
        fine = np.asarray(coarse.resize((reach, reach), Image.Resampling.BICUBIC))
        start = (reach - size) // 2
        total += strength * fine[start : start + size, start : start + size]
        strength *= rough
    total -= total.min()
    return np.asarray(total / total.max(), np.float32)


def grain(picture: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """The picture with film grain, the same in all channels."""
    h, w = picture.shape[:2]
    return np.asarray(picture + strength * rng.standard_normal((h, w, 1), np.float32), np.float32)


def mix(under: Picture, over: ArrayLike, alpha: ArrayLike) -> Picture:
    """`over` laid on `under` where alpha says."""
    cover = np.asarray(alpha, np.float32)
    if cover.ndim == 2:
        cover = cover[..., None]
    return np.asarray(under + (np.asarray(over, np.float32) - under) * cover, np.float32)


def mask(size: int, draw: Callable[[ImageDraw.ImageDraw, float], None], *, fine: int = 2, blur: float = 0) -> Plane:
    """A shape as a plane of 0 to 1: `draw(pen, scale)` draws in units of 0 to scale, in white."""
    sheet = Image.new("L", (size * fine, size * fine), 0)
    draw(ImageDraw.Draw(sheet), float(size * fine))
    if fine > 1:
        sheet = sheet.reduce(fine)
    if blur:
        sheet = sheet.filter(ImageFilter.GaussianBlur(blur * size))
    return np.asarray(sheet, np.float32) / 255


def polygon(size: int, *shapes: Sequence[Point], blur: float = 0) -> Plane:
    """Filled polygons with corners in 0 to 1."""

    def draw(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for points in shapes:
            pen.polygon([(x * scale, y * scale) for x, y in points], fill=255)

    return mask(size, draw, blur=blur)


def disc(size: int, x: float, y: float, radius: float, *, soft: float = 0.0012) -> Plane:
    """A filled circle."""
    gx, gy = grid(size)
    return 1 - smooth(radius - soft, radius + soft, np.hypot(gx - x, gy - y))


def lines(size: int, strokes: Sequence[tuple[Sequence[Point], float]], *, blur: float = 0, fine: int = 2) -> Plane:
    """Polylines of (points, width), both in 0 to 1."""

    def draw(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for points, width in strokes:
            pen.line(
                [(x * scale, y * scale) for x, y in points], fill=255, width=max(1, round(width * scale)), joint="curve"
            )

    return mask(size, draw, blur=blur, fine=fine)


def ink(paper: Picture, code: str, plane: Plane) -> Picture:
    """A printing ink laid on: it multiplies, so that two of them make a third."""
    return np.asarray(paper * (1 - plane[..., None] * (1 - colour(code))), np.float32)


def halftone(tone: Plane, pitch: float, angle: float) -> Plane:
    """A tone as dots on a turned screen; `pitch` in pixels, `angle` in degrees."""
    h, w = tone.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    turn = np.deg2rad(angle)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    screen = (np.cos(2 * np.pi * u / pitch) + np.cos(2 * np.pi * v / pitch)) / 4 + 0.5
    return smooth(-0.12, 0.12, tone - screen)


def shifted(plane: Plane, dx: int, dy: int) -> Plane:
    """The plane moved by whole pixels, as a printing plate that is out of register is."""
    return np.roll(plane, (dy, dx), axis=(0, 1))


def glow(plane: Plane, radius: float) -> Plane:
    """A blurred copy; radius as a share of the width. Worked at a quarter of the size, for speed."""
    h, w = plane.shape
    small = Image.fromarray((np.clip(plane, 0, 1) * 255).astype(np.uint8)).reduce(4)
    small = small.filter(ImageFilter.GaussianBlur(radius * w / 4))
    return np.asarray(small.resize((w, h), Image.Resampling.BILINEAR), np.float32) / 255


def to_image(picture: Picture) -> Image.Image:
    """The picture as eight bits a channel."""
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
