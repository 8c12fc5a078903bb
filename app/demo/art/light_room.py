"""Covers made of light and water: gradients, ink wash, moiré, neon, space, folded paper."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from app.demo.dsp import seeded
from app.demo.paint import (
    Picture,
    cloud,
    colour,
    disc,
    flat,
    glow,
    grain,
    grid,
    lines,
    mask,
    mix,
    polygon,
    ramp,
    shifted,
    smooth,
)


def weather(size: int) -> Picture:
    """A window with weather behind it: four panes, a low sun, and drops that have begun to run."""
    rng = seeded("cover", "weather")
    gx, gy = grid(size)
    haze = cloud(size, rng, cells=2, octaves=4, rough=0.45)
    sky = gy * 0.85 + 0.22 * (haze - 0.5)
    scene = ramp(sky, [(0, "#8fa9b8"), (0.35, "#c3c8c4"), (0.58, "#f0cfae"), (0.74, "#e39a7b"), (1, "#56536b")])
    sun = np.exp(-((gx - 0.64) ** 2 + (gy - 0.60) ** 2) / 0.012)
    scene = scene + 0.30 * sun[..., None] * colour("#fff0d0")
    # Drops bend the light: inside one the scene is upside down, with a bright rim below.
    offset = np.zeros((size, size), np.float32)
    rim = np.zeros((size, size), np.float32)
    for _ in range(520):
        x, y, r = rng.random(), rng.random(), float(rng.gamma(1.6, 0.0032) + 0.0025)
        reach = int(r * size * 1.5) + 2
        cx, cy = int(x * size), int(y * size)
        ys, xs = slice(max(0, cy - reach), cy + reach), slice(max(0, cx - reach), cx + reach)
        dx, dy = (gx[:, xs] - x) / r, (gy[ys] - y) / (r * 1.15)
        bead = np.clip(1 - dx**2 - dy**2, 0, 1)
        offset[ys, xs] = np.where(bead > 0, -dy * r * 5 * (bead > 0), offset[ys, xs])
        rim[ys, xs] += smooth(0, 0.35, bead) * np.clip(dy, -1, 1) * 0.22
    for _ in range(16):
        x, y, length = rng.random(), 0.6 * rng.random(), float(rng.uniform(0.1, 0.4))
        run = np.exp(-(((gx - x - 0.004 * np.sin(gy * 60 + x * 9)) / 0.0032) ** 2)) * ((gy > y) & (gy < y + length))
        rim += 0.10 * run
    rows = np.clip(((gy + offset) * size).astype(np.int32), 0, size - 1)
    scene = scene[rows, np.broadcast_to(np.arange(size)[None, :], rows.shape)]
    scene = scene + rim[..., None]
    bars: list[list[tuple[float, float]]] = [
        [(0.44, 0), (0.475, 0), (0.475, 1), (0.44, 1)],
        [(0, 0.365), (1, 0.365), (1, 0.395), (0, 0.395)],
        [(0, 0), (0.055, 0), (0.055, 1), (0, 1)],
        [(0.945, 0), (1, 0), (1, 1), (0.945, 1)],
        [(0, 0), (1, 0), (1, 0.05), (0, 0.05)],
        [(0, 0.925), (1, 0.925), (1, 1), (0, 1)],
    ]
    frame = polygon(size, *bars)
    scene = mix(scene, scene * 0.78, shifted(glow(frame, 0.012), size // 120, size // 100) * (1 - frame) * 0.8)
    paint = flat(size, "#ece6da") * (0.93 + 0.09 * (1 - gy))[..., None]
    return grain(mix(scene, paint, frame), rng, 0.022)


def doors(size: int) -> Picture:
    """A door, ajar, in a very dark green room; the light finds the floor."""
    rng = seeded("cover", "doors")
    gx, gy = grid(size)
    wall = ramp(gx * 0.6 + gy * 0.4, [(0, "#123a33"), (0.6, "#0e2d29"), (1, "#0a211f")])
    floor = polygon(size, [(0, 0.80), (1, 0.80), (1, 1), (0, 1)])
    room = mix(wall, ramp(gx + 0 * gy, [(0, "#1b2a23"), (1, "#13201c")]), floor)
    spill = polygon(size, [(0.50, 0.80), (0.60, 0.80), (0.86, 1.0), (0.46, 1.0)], blur=0.006)
    room = mix(room, colour("#f3cf86"), spill * np.clip(1.1 - (gy - 0.8) * 3.2, 0, 1))
    gap = polygon(size, [(0.50, 0.20), (0.60, 0.20), (0.60, 0.80), (0.50, 0.80)])
    halo = glow(gap, 0.05)
    room = room + 0.55 * halo[..., None] * colour("#f0b860") * (1 - floor[..., None] * 0.5)
    beyond = ramp(gy + 0 * gx, [(0.2, "#fff4d6"), (0.55, "#f9dc9c"), (0.8, "#efb965")])
    room = mix(room, beyond, gap)
    leaf = polygon(size, [(0.36, 0.20), (0.545, 0.165), (0.545, 0.865), (0.36, 0.80)])
    shade = ramp((gx - 0.36) / 0.185 + 0 * gy, [(0, "#0b2723"), (0.8, "#17463d"), (1, "#2a6454")])
    room = mix(room, shade, leaf)
    panels = []
    for top, bottom in ((0.25, 0.44), (0.50, 0.74)):
        panels.append([(0.385, top), (0.52, top - 0.012), (0.52, bottom + 0.014), (0.385, bottom)])
    inset = polygon(size, *panels)
    room = mix(room, room * 0.74, inset)
    room = mix(room, colour("#3d7a68"), np.clip(shifted(inset, 3, 3) - inset, 0, 1) * 0.5)
    room = mix(room, colour("#f6d48b"), disc(size, 0.527, 0.505, 0.0095))
    trim = lines(size, [([(0.352, 0.80), (0.352, 0.188), (0.608, 0.188), (0.608, 0.80)], 0.012)])
    room = mix(room, colour("#1d5146"), trim * (1 - leaf))
    return grain(room, rng, 0.02)


def river(size: int) -> Picture:
    """Ink on paper: three ranges fading into mist, the moon above and below, a boat, a seal."""
    rng = seeded("cover", "river")
    gx, gy = grid(size)
    fibre = cloud(size, rng, cells=60, octaves=3)
    paper = flat(size, "#efe6d2") * (0.955 + 0.06 * fibre)[..., None]
    night = smooth(0.16, 0.75, np.hypot(gx - 0.62, gy - 0.27))
    wash = night * (0.50 + 0.5 * cloud(size, rng, cells=3, octaves=5)) * np.clip(1.1 - gy * 1.1, 0, 1)
    sheet = mix(paper, colour("#26313b"), 0.78 * wash)
    moon = disc(size, 0.62, 0.27, 0.098, soft=0.002)
    sheet = mix(sheet, colour("#fbf6e6"), moon * 0.92)
    sheet = mix(sheet, colour("#fbf6e6"), 0.35 * glow(moon, 0.035) * (1 - moon))
    x = gx[0]
    for depth, (level, height, dark) in enumerate(((0.50, 0.15, 0.42), (0.555, 0.13, 0.68), (0.61, 0.19, 0.97))):
        ridge = np.zeros(size)
        local = seeded("river", depth)
        for octave in range(1, 8):
            ridge += np.sin(2 * np.pi * (x * octave * (1.1 + 0.17 * depth) + local.random())) * 0.62**octave
        slope = (np.abs(x - (0.2, 0.78, 0.05)[depth]) * (0.75, 1.0, 1.35)[depth]).clip(0, 1)
        top = level - height * (1.05 - slope) - 0.03 * ridge
        below = gy - top[None, :]
        body = smooth(0, 0.0035, below)
        fade = np.exp(-np.clip(below, 0, 1) / (0.075 + 0.03 * depth))
        texture = 0.72 + 0.45 * cloud(size, local, cells=14, octaves=4)
        sheet = mix(sheet, colour("#1d2730"), np.clip(body * fade * texture * dark, 0, 0.97) * (gy < 0.655))
    water = (gy > 0.655) * smooth(0.655, 0.70, gy)
    ripple = 0.010 * np.sin(gy * 330 + 6 * np.sin(gx * 9)) * (gy - 0.6) * 6
    mirrored = 1 - smooth(0.092, 0.104, np.hypot((gx - 0.62 + ripple), (gy - 0.83) * 1.05))
    bands = smooth(-0.35, 0.25, np.sin(gy * 420 + 2 * np.sin(gx * 7)))
    sheet = mix(sheet, colour("#44525a"), water * 0.26 * (0.5 + 0.5 * cloud(size, rng, cells=4, octaves=3)))
    sheet = mix(sheet, colour("#fbf6e6"), mirrored * bands * 0.85)
    hull = [
        (0.245 + 0.15 * t, 0.800 + 0.020 * np.sin(np.pi * t) - 0.006 * (t < 0.03) - 0.006 * (t > 0.97))
        for t in np.linspace(0, 1, 30)
    ]
    hull += [(0.245 + 0.15 * t, 0.800 + 0.004 * np.sin(np.pi * t)) for t in np.linspace(1, 0, 30)]
    canopy = [(0.295 + 0.055 * t, 0.803 - 0.026 * np.sin(np.pi * t)) for t in np.linspace(0, 1, 20)]
    boat = polygon(size, hull, canopy)
    sheet = mix(sheet, colour("#141b21"), boat * 0.92)
    sheet = mix(sheet, colour("#141b21"), lines(size, [([(0.385, 0.802), (0.42, 0.842)], 0.0025)]) * 0.85)
    seal = polygon(size, [(0.868, 0.868), (0.930, 0.866), (0.932, 0.930), (0.867, 0.931)])
    cuts = lines(
        size,
        [
            ([(0.880, 0.882), (0.919, 0.882)], 0.0042),
            ([(0.8995, 0.876), (0.8995, 0.923)], 0.0042),
            ([(0.880, 0.900), (0.919, 0.900)], 0.0042),
            ([(0.882, 0.900), (0.882, 0.920)], 0.0042),
            ([(0.917, 0.900), (0.917, 0.920)], 0.0042),
        ],
    )
    worn = smooth(0.2, 0.4, cloud(size, rng, cells=60, octaves=2))
    return grain(mix(sheet, colour("#b8321f"), seal * (1 - cuts) * (0.72 + 0.25 * worn)), rng, 0.012)


def mains(size: int) -> Picture:
    """Two sets of rings a hair apart: what interferes is a third picture that nobody drew."""
    gx, gy = grid(size)
    one = np.hypot(gx - 0.485, gy - 0.47)
    two = np.hypot(gx - 0.517, gy - 0.53)
    per = 118.0
    rings = np.sin(2 * np.pi * one * per * (1 + 0.06 * np.sin(7 * one)))
    others = np.sin(2 * np.pi * two * per * 1.012)
    a, b = smooth(-0.25, 0.25, rings), smooth(-0.25, 0.25, others)
    sheet = flat(size, "#eef0ea")
    sheet = sheet * (1 - a[..., None] * (1 - colour("#20308f")))
    sheet = sheet * (1 - b[..., None] * (1 - colour("#f26d5b")))
    rng = seeded("cover", "mains")
    inside = 1 - smooth(0.444, 0.446, np.hypot(gx - 0.5, gy - 0.5))
    return grain(mix(flat(size, "#eef0ea"), sheet, inside), rng, 0.012)


def orbit(size: int) -> Picture:
    """One ellipse, two places on it: the cold end and the hot one."""
    rng = seeded("cover", "orbit")
    gx, gy = grid(size)
    dust = cloud(size, rng, cells=3, octaves=6, rough=0.55)
    sky = ramp(
        np.clip(0.72 * (gx * 0.72 + (1 - gy) * 0.5) + 0.30 * (dust - 0.5), 0, 1),
        [(0, "#070a1a"), (0.38, "#121a3d"), (0.62, "#3a2452"), (0.82, "#a3414d"), (1, "#ffae5c")],
    )
    stars = np.zeros((size, size), np.float32)
    count = 620
    stars[rng.integers(1, size - 1, count), rng.integers(1, size - 1, count)] = rng.uniform(0.2, 1, count) ** 2
    stars = np.maximum(stars, 0.5 * np.maximum(shifted(stars, 1, 0), shifted(stars, 0, 1)))
    sky = sky + stars[..., None] * np.clip(1.1 - gx, 0.15, 1)[..., None]
    turn = np.deg2rad(-34)
    t = np.linspace(0, 2 * np.pi, 500)

    def around(angle: np.ndarray | float, grow: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        u, v = 0.43 * grow * np.cos(angle), 0.205 * grow * np.sin(angle)
        return 0.47 + u * np.cos(turn) - v * np.sin(turn), 0.53 + u * np.sin(turn) + v * np.cos(turn)

    x, y = around(t)
    ring = lines(size, [(list(zip(x.tolist(), y.tolist(), strict=True)), 0.0022)])
    sky = mix(sky, colour("#ffe9cf"), ring * 0.85)
    ticks = []
    for angle in np.linspace(0, 2 * np.pi, 73)[:-1]:
        (x0, y0), (x1, y1) = around(float(angle), 0.972), around(float(angle), 1.0)
        ticks.append(([(float(x0), float(y0)), (float(x1), float(y1))], 0.0014))
    sky = mix(sky, colour("#ffe9cf"), lines(size, ticks) * 0.6)
    sx, sy = 0.735, 0.345
    far = np.hypot(gx - sx, gy - sy)
    sky = sky + (np.exp(-((far / 0.16) ** 1.2)) * 0.85)[..., None] * colour("#ffb35a")
    sky = mix(
        sky, ramp(far / 0.075, [(0, "#fffdf2"), (0.75, "#fff0c0"), (1, "#ffd27a")]), 1 - smooth(0.068, 0.071, far)
    )
    for angle, radius, warm in ((np.pi, 0.062, "#5b7bb8"), (0.35, 0.026, "#e8643c")):
        px, py = (float(v) for v in around(angle))
        inside = disc(size, px, py, radius, soft=0.0015)
        toward = np.array([sx - px, sy - py]) / np.hypot(sx - px, sy - py)
        lit = ((gx - px) * toward[0] + (gy - py) * toward[1]) / radius
        bands = 0.12 * np.sin((gx * 0.5 + gy) * 95 + 4 * dust)
        body = colour(warm) * np.clip(0.16 + 0.95 * smooth(-0.75, 0.95, lit) + bands, 0, 1.35)[..., None]
        sky = mix(sky, body, inside)
    return grain(sky, rng, 0.018)


def crosswalk(size: int) -> Picture:
    """Stripes going away under the rain, an umbrella of light, and its double in the wet."""
    rng = seeded("cover", "crosswalk")
    gx, gy = grid(size)
    horizon = 0.56
    sky = ramp(gy / horizon + 0 * gx, [(0, "#0b0720"), (0.55, "#2a0f4a"), (0.9, "#7a1f6b"), (1, "#c8357a")])
    city = np.zeros((size, size), np.float32)
    windows = np.zeros((size, size), np.float32)
    left = 0.0
    while left < 1:
        width, height = float(rng.uniform(0.04, 0.10)), float(rng.uniform(0.08, 0.30))
        a, b, top = int(left * size), int((left + width) * size), int((horizon - height) * size)
        city[top : int(horizon * size), a : b - 2] = 1
        step = size // 70
        for wy in range(top + step, int(horizon * size) - step, step):
            for wx in range(a + step // 2, b - step, step):
                if rng.random() < 0.26:
                    windows[wy : wy + step // 3, wx : wx + step // 2] = rng.uniform(0.35, 1)
        left += width
    scene = mix(sky, colour("#120a2c"), city * 0.93)
    scene = mix(scene, colour("#ffcf7a"), windows * city * 0.85)
    depth = np.clip((gy - horizon) / (1 - horizon), 1e-3, 1)
    road = ramp(depth + 0 * gx, [(0, "#3b1450"), (0.3, "#160a2e"), (1, "#080516")])
    across = (gx - 0.5) / (0.10 + 0.95 * depth)
    stripe = smooth(-0.12, 0.12, np.cos(2 * np.pi * across * 3.1)) * (np.abs(across) < 0.81) * (depth > 0.14)
    broken = 0.80 + 0.25 * cloud(size, rng, cells=20, octaves=3)
    scene = np.where((gy > horizon)[..., None], road, scene)
    angle = np.linspace(np.pi, 2 * np.pi, 120)
    cx, cy, r = 0.5, 0.435, 0.235
    rim = [(cx + r * float(np.cos(a)), cy + 0.92 * r * float(np.sin(a))) for a in angle]
    scallops: list[tuple[float, float]] = []
    for k in range(5):
        for t in np.linspace(0, np.pi, 16):
            scallops.append((cx - r + 2 * r * (k + (1 - float(np.cos(t))) / 2) / 5, cy - 0.028 * float(np.sin(t))))
    ribs = []
    for k in range(1, 5):
        end = cx - r + 2 * r * k / 5
        ribs.append(
            (
                [
                    (cx + (end - cx) * float(np.sin(t)) ** 1.0, cy - 0.92 * r * float(np.cos(t)))
                    for t in np.linspace(0, np.pi / 2, 24)
                ],
                0.0035,
            )
        )
    handle = [(cx, cy - 0.92 * r - 0.03), (cx, cy + 0.215)]
    hook = [
        (cx + 0.032 - 0.032 * float(np.cos(t)), cy + 0.215 + 0.032 * float(np.sin(t)))
        for t in np.linspace(0, np.pi, 20)
    ]
    pink = lines(size, [(rim, 0.0065), (scallops, 0.0065), *ribs])
    cyan = lines(size, [(handle + hook, 0.0075)])
    mirror_rows = np.clip((2 * (horizon + 0.105) - gy[:, 0]) * size, 0, size - 1).astype(int)
    sway = (0.012 * np.sin(gy[:, 0] * 190) * np.clip(depth[:, 0], 0, 1) * size).astype(int)
    columns = np.clip(np.arange(size)[None, :] + sway[:, None], 0, size - 1)
    wet = (gy > horizon + 0.105) * np.clip(1.15 - 1.3 * depth, 0, 1)
    scene = mix(scene, colour("#e9def5"), stripe * broken * (0.32 + 0.5 * depth) * (gy > horizon))
    for plane, code, near in ((pink, "#ff3d9a", "#ffd0ea"), (cyan, "#27e0ff", "#dcfbff")):
        halo = 1.25 * glow(plane, 0.012) + 1.5 * glow(plane, 0.045)
        scene = scene + halo[..., None] * colour(code)
        scene = mix(scene, colour(near), plane)
        reflected = (
            glow(plane, 0.006)[mirror_rows][np.arange(size)[:, None], columns] + 0.6 * glow(plane, 0.03)[mirror_rows]
        )
        scene = scene + (1.1 * reflected * wet)[..., None] * colour(code)
    rain = []
    for _ in range(240):
        x, y, length = float(rng.random()), float(rng.random()), float(rng.uniform(0.02, 0.07))
        rain.append(([(x, y), (x - 0.16 * length, y + length)], 0.001))
    return grain(scene + 0.20 * lines(size, rain, fine=1)[..., None], rng, 0.02)


def tide(size: int) -> Picture:
    """Rows of the sea, each hiding the one behind it, and a coral moon that lifts them."""
    rng = seeded("cover", "tide")
    gx, gy = grid(size)
    sheet = ramp(gy + 0 * gx, [(0, "#0f1b33"), (0.5, "#152a4c"), (1, "#0b1426")])
    moon = disc(size, 0.5, 0.30, 0.145)
    sheet = sheet + 0.28 * glow(moon, 0.07)[..., None] * colour("#ff9d7a")
    sheet = mix(sheet, ramp(gy * 2.4 - 0.3 + 0 * gx, [(0, "#ffd9b8"), (1, "#ff7f66")]), moon)
    x = np.linspace(-0.02, 1.02, 260)
    rows = 46
    seas: list[tuple[float, list[tuple[float, float]]]] = []
    for row in range(rows):
        near = row / (rows - 1)
        base = 0.42 + 0.60 * near**1.25
        pull = np.exp(-(((x - 0.5) / (0.13 + 0.12 * near)) ** 2)) * (0.085 * (1 - near) ** 1.2 + 0.012)
        wave = np.zeros(len(x))
        for f in (1.3, 2.9, 5.3, 8.1):
            wave += np.sin(2 * np.pi * (x * f * (2.2 - near) + rng.random())) * (0.0022 + 0.010 * near) / f**0.7
        chop = rng.standard_normal(len(x)) * 0.0012 * (1 + near)
        y = base - pull + wave + chop * np.exp(-(((x - 0.5) / 0.2) ** 2))
        seas.append((near, list(zip(x.tolist(), y.tolist(), strict=True))))

    def draw(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for near, points in seas:  # from far to near: each row covers what is behind it
            sized = [(px * scale, py * scale) for px, py in points]
            pen.polygon([*sized, (1.02 * scale, 1.1 * scale), (-0.02 * scale, 1.1 * scale)], fill=0)
            pen.line(sized, fill=round(255 * (1 - 0.6 * near)), width=round((0.0013 + 0.0012 * near) * scale))

    water = polygon(size, [*seas[0][1], (1.02, 1.1), (-0.02, 1.1)])
    sheet = mix(sheet, ramp(gy + 0 * gx, [(0.32, "#1c3a6b"), (0.6, "#12264a"), (1, "#081020")]), water)
    depth = np.clip((gy - 0.42) / 0.6, 0, 1)
    shine = 0.30 + 0.70 * np.exp(-(((gx - 0.5) / (0.10 + 0.22 * depth)) ** 2))
    return grain(mix(sheet, colour("#ffe3cd"), mask(size, draw) * shine), rng, 0.014)


def fold(size: int) -> Picture:
    """A sheet folded into a star of facets, lit from one side by something orange and from the other by blue."""
    rng = seeded("cover", "fold")
    gx, gy = grid(size)
    sheet = ramp(np.hypot(gx - 0.5, gy - 0.5) / 0.75, [(0, "#2b2233"), (1, "#0f0d15")])
    points = 9
    rings = [(0.0, 0.0), (0.155, 0.0), (0.285, 0.5), (0.43, 0.0)]

    def corner(ring: int, k: float) -> tuple[float, float]:
        radius, offset = rings[ring]
        angle = 2 * np.pi * (k + offset) / points - np.pi / 2
        return 0.5 + radius * float(np.cos(angle)), 0.5 + radius * float(np.sin(angle))

    facets = []
    for k in range(points):
        facets.append((corner(0, 0), corner(1, k), corner(1, k + 1)))
        facets.append((corner(1, k), corner(1, k + 1), corner(2, k)))
        facets.append((corner(1, k), corner(2, k), corner(2, k - 1)))
        facets.append((corner(2, k - 1), corner(2, k), corner(3, k)))
    shadow = polygon(size, *[[(x + 0.012, y + 0.022) for x, y in facet] for facet in facets], blur=0.014)
    sheet = mix(sheet, colour("#050408"), shadow * 0.75)
    plan = Image.new("L", (size, size), 255)
    pen = ImageDraw.Draw(plan)
    paper = np.zeros_like(sheet)
    for number, facet in enumerate(facets):
        pen.polygon([(x * size, y * size) for x, y in facet], fill=number)
    where = np.asarray(plan)
    for number, facet in enumerate(facets):
        centre = np.mean(facet, axis=0)
        around = np.arctan2(centre[1] - 0.5, centre[0] - 0.5)
        tilt = (-1.0 if number % 4 in (0, 2) else 1.0) * 0.55
        warm = np.clip(0.5 + 0.5 * np.cos(around - 2.5 + tilt), 0, 1)
        cold = np.clip(0.5 + 0.5 * np.cos(around + 0.6 + tilt), 0, 1)
        base = 0.10 + warm**1.6 * colour("#ff9340") + 0.85 * cold**1.8 * colour("#3f6dff") + 0.10 * rng.random()
        a, b = np.array(facet[0]), np.array(facet[2])
        rows, columns = np.nonzero(where == number)
        run = ((columns / size - a[0]) * (b - a)[0] + (rows / size - a[1]) * (b - a)[1]) / ((b - a) ** 2).sum()
        paper[rows, columns] = base * (0.82 + 0.32 * np.clip(run, 0, 1))[:, None]
    sheet = np.where((where < 255)[..., None], paper, sheet)
    creases = [([facet[i], facet[(i + 1) % 3]], 0.0012) for facet in facets for i in range(3)]
    sheet = mix(sheet, colour("#fff6ea"), lines(size, creases) * 0.34)
    return grain(sheet, rng, 0.014)
