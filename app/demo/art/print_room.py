"""Covers that come off a press: risograph, cut paper, Swiss grid, woodblock pixels, contour maps."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from app.demo.dsp import seeded
from app.demo.paint import (
    Picture,
    cloud,
    colour,
    disc,
    flat,
    grain,
    grid,
    halftone,
    ink,
    lines,
    mask,
    mix,
    polygon,
    shifted,
    smooth,
)

Point = tuple[float, float]


def _box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def load(size: int) -> Picture:
    """Swiss: three beams on a grid, one of them orange, and everything rests on that one."""
    rng = seeded("cover", "load")
    sheet = flat(size, "#d9d5cc") * (0.94 + 0.1 * cloud(size, rng, cells=40, octaves=3)[..., None])
    unit = 1 / 14
    slab = polygon(size, _box(unit, unit, 13 * unit, 4 * unit))
    sheet = mix(sheet, colour("#16171a"), slab)
    pitch = 11.58 / 8 * unit
    columns = [_box(unit + k * pitch, 4 * unit, unit + k * pitch + 0.42 * unit, 13 * unit) for k in range(9) if k != 5]
    sheet = mix(sheet, colour("#16171a"), polygon(size, *columns))
    x0 = unit + 5 * pitch - 0.5 * unit
    beam = [
        _box(x0, 4 * unit, x0 + 1.42 * unit, 4.55 * unit),
        _box(x0 + 0.5 * unit, 4 * unit, x0 + 0.92 * unit, 13 * unit),
        _box(x0, 12.45 * unit, x0 + 1.42 * unit, 13 * unit),
    ]
    sheet = mix(sheet, colour("#ff4a1c"), polygon(size, *beam))
    crack = [(x0 + 0.71 * unit, 4 * unit)]
    for k in range(9):
        crack.append((crack[-1][0] + float(rng.uniform(-0.25, 0.25)) * unit, (4 - (k + 1) / 3) * unit))
    sheet = mix(sheet, colour("#ff4a1c"), lines(size, [(crack, 0.0032)]))
    return grain(sheet, rng, 0.018)


def cats(size: int) -> Picture:
    """Risograph, two inks out of register: a cat that sits on the homework, a pot plant, a late sun."""
    rng = seeded("cover", "cats")
    gx, gy = grid(size)
    paper = flat(size, "#f6efe0")
    sun = disc(size, 0.66, 0.34, 0.225)
    cat = disc(size, 0.40, 0.645, 0.158) + polygon(
        size,
        [
            (0.258, 0.70),
            (0.30, 0.48),
            (0.345, 0.40),
            (0.455, 0.40),
            (0.50, 0.48),
            (0.545, 0.70),
            (0.55, 0.79),
            (0.25, 0.79),
        ],
        [(0.312, 0.395), (0.318, 0.262), (0.385, 0.325)],
        [(0.488, 0.395), (0.482, 0.262), (0.415, 0.325)],
    )
    cat = np.clip(cat + disc(size, 0.40, 0.385, 0.098), 0, 1)
    tail_path = [
        (0.53 + 0.10 * t + 0.035 * np.sin(5.2 * t), 0.765 - 0.02 * t - 0.27 * t**2) for t in np.linspace(0, 1.15, 40)
    ]
    cat = np.maximum(cat, lines(size, [(tail_path, 0.042)]))
    cat = np.maximum(cat, disc(size, *tail_path[-1], 0.021))
    books = polygon(size, _box(0.17, 0.79, 0.66, 0.835), _box(0.14, 0.842, 0.69, 0.887), _box(0.19, 0.894, 0.65, 0.935))
    stripes = polygon(
        size, _box(0.21, 0.79, 0.235, 0.835), _box(0.58, 0.842, 0.605, 0.887), _box(0.24, 0.894, 0.262, 0.935)
    )
    leaf_shapes = []
    for angle in (-1.15, -0.7, -0.22, 0.25, 0.72, 1.15):
        along = np.array([np.sin(angle), -np.cos(angle)]) * 0.19
        across = np.array([along[1], -along[0]]) * 0.21
        base = np.array([0.845, 0.765])
        leaf = [
            base + along * t + across * np.sin(np.pi * t) * side
            for side, ts in ((1, np.linspace(0, 1, 12)), (-1, np.linspace(1, 0, 12)))
            for t in ts
        ]
        leaf_shapes.append([(float(x), float(y)) for x, y in leaf])
    leaves = polygon(size, *leaf_shapes)
    pot = polygon(size, [(0.775, 0.765), (0.915, 0.765), (0.893, 0.935), (0.797, 0.935)])
    worn = smooth(0.16, 0.30, cloud(size, rng, cells=90, octaves=2))
    desk = (gy > 0.935) * np.ones_like(gx)
    sky = halftone((0.42 * (1 - gy / 0.9) * (gy < 0.935)).astype(np.float32) * np.ones_like(gx), size / 82, 22)
    pink = np.clip(sun + 0.9 * sky * (1 - sun) + pot + 0.55 * books, 0, 1) * (0.86 + 0.14 * worn)
    blue = np.clip(
        cat + leaves * halftone(np.full_like(cat, 0.72), size / 100, 70) + desk + stripes + 0.28 * books, 0, 1
    )
    eyes = lines(
        size,
        [
            ([(0.353, 0.388), (0.366, 0.398), (0.381, 0.389)], 0.0055),
            ([(0.419, 0.389), (0.434, 0.398), (0.447, 0.388)], 0.0055),
        ],
    )
    whiskers = lines(
        size,
        [
            ([(0.40 + s * 0.03, 0.42 + k * 0.012), (0.40 + s * 0.115, 0.412 + k * 0.02)], 0.0028)
            for s in (-1, 1)
            for k in (0, 1)
        ],
    )
    blue = np.clip(blue - eyes - whiskers, 0, 1) * (0.82 + 0.18 * worn)
    sheet = ink(paper, "#ff6f61", shifted(pink.astype(np.float32), size // 260, size // 330))
    sheet = ink(sheet, "#1f5f8b", blue.astype(np.float32))
    return grain(sheet, rng, 0.022)


def orders(size: int) -> Picture:
    """Cut paper, 1959 or so: a table seen from above, three glasses, and the leg of a piano."""
    rng = seeded("cover", "orders")
    sheet = flat(size, "#efe3c8")

    def piece(under: Picture, plane: np.ndarray, code: str) -> Picture:
        shadow = shifted(np.asarray(plane, np.float32), size // 230, size // 180)
        return mix(mix(under, under * 0.72, shadow * (1 - plane) * 0.55), colour(code), plane)

    sheet = piece(sheet, polygon(size, [(0, 0), (0.47, 0), (0.38, 1), (0, 1)]), "#c8452f")
    sheet = piece(sheet, polygon(size, [(0.60, 0), (1, 0), (1, 0.31), (0.57, 0.24)]), "#1f4e5f")
    sheet = piece(sheet, polygon(size, [(0.16, 0.34), (0.80, 0.22), (0.91, 0.80), (0.24, 0.90)]), "#e0a526")
    keys = [
        [
            (0.60 + 0.05 * k, 0.0),
            (0.63 + 0.05 * k, 0.0),
            (0.617 + 0.05 * k, 0.145 + 0.007 * k),
            (0.588 + 0.05 * k, 0.14 + 0.007 * k),
        ]
        for k in range(8)
        if k not in (2, 6)
    ]
    sheet = piece(sheet, polygon(size, *keys), "#efe3c8")
    for x, y, radius, code in (
        (0.36, 0.53, 0.115, "#1f4e5f"),
        (0.58, 0.66, 0.09, "#efe3c8"),
        (0.66, 0.40, 0.10, "#c8452f"),
    ):
        sheet = piece(sheet, disc(size, x, y, radius), code)
        sheet = piece(
            sheet,
            disc(size, x + 0.004, y + 0.004, radius * 0.72),
            "#14120f" if code == "#1f4e5f" else "#b26a1b" if code == "#efe3c8" else "#efe3c8",
        )
        if code == "#c8452f":
            sheet = piece(sheet, disc(size, x + 0.012, y + 0.006, radius * 0.34), "#c8452f")
    sheet = piece(sheet, polygon(size, [(0.07, 0.09), (0.105, 0.08), (0.30, 0.985), (0.27, 1.0)]), "#14120f")
    sheet = piece(sheet, polygon(size, [(0.13, 0.05), (0.152, 0.045), (0.37, 0.96), (0.352, 0.975)]), "#efe3c8")
    fibres = cloud(size, rng, cells=120, octaves=2)
    return grain(sheet * (0.955 + 0.07 * fibres[..., None]), rng, 0.014)


def save(size: int) -> Picture:
    """Thirty-five pixels square in four greens: a cartridge for a headstone, a hill, a moon, a ghost in a hurry."""
    rng = seeded("cover", "save")
    side = 35
    dark, deep, mid, light = range(4)
    cells = np.full((side, side), dark)
    y, x = np.mgrid[0:side, 0:side]
    for _ in range(34):
        cells[int(rng.integers(0, 22)), int(rng.integers(0, side))] = deep if rng.random() < 0.7 else mid
    cells[(x - 27) ** 2 + (y - 7) ** 2 <= 22] = light
    cells[(x - 29) ** 2 + (y - 6) ** 2 <= 16] = dark
    hill = 24 + 3.2 * np.sin(x / 6.1 + 0.4) + 1.4 * np.sin(x / 2.7)
    cells[y > hill - 3] = deep
    cells[y > 27.5 + 0.9 * np.sin(x / 3.3)] = mid
    cells[(y > 29 + 0.9 * np.sin(x / 3.3)) & ((x + y) % 2 == 0)] = light
    cells[y > 32] = light
    stone = (x >= 8) & (x <= 20) & (y >= 11) & (y <= 29)
    cells[stone] = mid
    cells[(x >= 8) & (x <= 20) & (y == 11) & ((x < 9) | (x > 19))] = dark
    cells[stone & ((x == 8) | (x == 20) | (y == 11))] = light
    cells[stone & (x == 20)] = deep
    cells[(x >= 10) & (x <= 18) & (y >= 14) & (y <= 21)] = dark
    sleeve = ["..#...#..", ".###.###.", ".#######.", "..#####..", "...###...", "....#...."]
    for row, marks in enumerate(sleeve):
        for column, mark in enumerate(marks):
            if mark == "#":
                cells[15 + row, 10 + column] = light
    for column in (10, 12, 14, 16, 18):
        cells[24:28, column] = deep
    ghost = [".###.", "#####", "#.#.#", "#####", "#####", "#.#.#"]
    for row, marks in enumerate(ghost):
        for column, mark in enumerate(marks):
            if mark == "#":
                cells[19 + row, 26 + column] = light
    palette = np.stack([colour(code) for code in ("#14242b", "#2f5d50", "#8fb35a", "#e9f2b4")])
    pixel = size // side
    big = np.repeat(np.repeat(palette[cells], pixel, axis=0), pixel, axis=1)
    pad = size - big.shape[0]
    if pad:
        big = np.pad(big, ((0, pad), (0, pad), (0, 0)), mode="edge")
    rows = np.arange(size) % pixel
    seam = np.where((rows < max(1, pixel // 20)), 0.86, 1.0).astype(np.float32)
    return np.asarray(big * seam[:, None, None] * seam[None, :, None], np.float32)


def waited(size: int) -> Picture:
    """A survey map of nowhere: contours, one railway, one place to wait."""
    rng = seeded("cover", "waited")
    gx, gy = grid(size)
    height = cloud(size, rng, cells=2.2, octaves=5, rough=0.36)
    height = height * 0.85 + 0.25 * np.exp(-((gx - 0.66) ** 2 + (gy - 0.36) ** 2) / 0.05)
    height = (height - height.min()) / (height.max() - height.min())
    levels = height * 26
    slope_y, slope_x = np.gradient(levels)
    steep = np.maximum(np.hypot(slope_x, slope_y), 1e-4)
    near = np.abs(levels - np.round(levels)) / steep
    every_fifth = np.round(levels) % 5 == 0
    contour = 1 - smooth(0.5, 1.6, near - np.where(every_fifth, 0.9, 0.0))
    sea = height < 0.21
    bands = np.floor(levels / 2) / 13
    sheet = flat(size, "#f1ead6")
    sheet = mix(sheet, colour("#dbe3c3"), smooth(0.30, 0.62, bands) * 0.75)
    sheet = mix(sheet, colour("#b9cfa4"), smooth(0.55, 0.95, bands) * 0.8)
    sheet = mix(sheet, colour("#a9c7cf"), sea.astype(np.float32))
    sheet = mix(sheet, colour("#7a5b3a"), contour * np.where(sea, 0.0, np.where(every_fifth, 0.85, 0.5)))
    sheet = mix(sheet, colour("#4f8291"), contour * sea * 0.55)
    t = np.linspace(-0.05, 1.05, 200)
    track = [(float(a), float(0.78 - 0.36 * a + 0.07 * np.sin(4.4 * a + 0.6))) for a in t]
    sheet = mix(sheet, colour("#f1ead6"), lines(size, [(track, 0.0125)]))
    sheet = mix(sheet, colour("#22201d"), lines(size, [(track, 0.0085)]))
    ties = [(track[k : k + 2], 0.0045) for k in range(0, 198, 4)]
    sheet = mix(sheet, colour("#f1ead6"), lines(size, ties))
    x, y = track[86]
    sheet = mix(sheet, colour("#f1ead6"), disc(size, x, y, 0.030))
    sheet = mix(sheet, colour("#d6321f"), disc(size, x, y, 0.024))
    fold = 1 - 0.05 * np.exp(-(((gx - 1 / 3) * 400) ** 2)) - 0.05 * np.exp(-(((gx - 2 / 3) * 400) ** 2))
    fold = fold * (1 - 0.05 * np.exp(-(((gy - 0.5) * 400) ** 2)))
    shade = 1 + 0.018 * np.sign(np.sin(3 * np.pi * gx)) * np.sign(gy - 0.5)
    return grain(sheet * (fold * shade)[..., None], rng, 0.012)


def ceiling(size: int) -> Picture:
    """A cone seen from the front, printed in three warm inks, with a black slab coming down on it."""
    rng = seeded("cover", "ceiling")
    gx, gy = grid(size)
    sheet = flat(size, "#f3e2bd")
    far = np.hypot(gx - 0.5, gy - 0.80)
    rings = np.floor(far / 0.058)
    inks = ("#16130f", "#c8352b", "#f0a92d", "#2f6b4a")
    for number, code in enumerate(inks):
        pick = (rings % 4 == number) & (far < 0.058 * 13)
        sheet = np.where(pick[..., None], colour(code), sheet)
    edge = np.abs(far / 0.058 - np.round(far / 0.058)) * 0.058
    sheet = mix(sheet, colour("#f3e2bd"), (1 - smooth(0.0022, 0.0036, edge)) * (far < 0.058 * 13.05))
    worn = smooth(0.22, 0.42, cloud(size, rng, cells=70, octaves=3))
    sheet = mix(flat(size, "#f3e2bd"), sheet, 0.80 + 0.20 * worn)
    sheet = mix(sheet, colour("#16130f"), polygon(size, [(0, 0), (1, 0), (1, 0.335), (0, 0.395)]))

    def lamps(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for k in range(3):
            x, y = 0.2 + 0.3 * k, 0.335 - 0.018 * k
            pen.ellipse([(x - 0.02) * scale, (y - 0.02) * scale, (x + 0.02) * scale, (y + 0.02) * scale], fill=255)

    sheet = mix(sheet, colour("#f0a92d"), mask(size, lamps))
    return grain(sheet, rng, 0.026)
