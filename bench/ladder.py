"""Our ladder beside a fixed one: bitrate and VMAF of every rung, and the bits that either needs for the same VMAF.

The fixed ladder is MediaCMS's as it encodes H.264 (github.com/mediacms-io/mediacms, files/helpers.py and
fixtures/encoding_profiles.json): 240 to 1080 lines, CRF 23 with peaks of 1.5 × 300, 500, 1000, 2500 and 4500 kbit/s,
Main profile, preset medium below 720 lines and faster from there on, a key frame every four seconds, lanczos. Ours is
what the transcoder makes of the clip: `complexity.choose`, then `film.chunk_command` with the shop's preset, one
thread a rung, a key frame every two seconds.

VMAF (v0.6.1) is of each rung enlarged (bicubic) to the clip's size: what is seen by who watches as large as it gets.
Compared is, for every fixed rung, the least bits with which our ladder gives its VMAF, between our rungs by straight
lines through (log bits, VMAF), as for a Bjøntegaard rate; below our lowest rung that rung's bits, as they are. What
our top rung does not reach counts at the top rung's bits times what the missing VMAF costs along the last line. VMAF
of more than 95 counts as 95, for nobody tells such a picture from its master; the figure without that is printed too.
Ratios are averaged geometrically, over a clip's rungs and then over the clips. And the VMAF of the best rung, by the
same ceiling, is to be no lower than the fixed ladder's, on the average of the clips.

Clips: two windows of Big Buck Bunny (1080p, from npm), one of them again with film grain, and what we draw ourselves:
slides, scrolling text, dark gradients, a test pattern. Or the files named.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import material
from transcoder import commands, complexity, film, sandbox
from transcoder.probe import probe_file

FIXED_KBPS = {240: 300, 360: 500, 480: 1000, 720: 2500, 1080: 4500}
TRANSPARENT = 95.0


@dataclass(frozen=True, slots=True)
class Point:
    """One rung as made."""

    name: str
    kbps: float
    vmaf: float


@dataclass(frozen=True, slots=True)
class Row:
    """A clip's rungs, the ratios of their bits up to VMAF 95 and in full, and the VMAF that our best rung is ahead."""

    clip: str
    own: list[Point]
    fixed: list[Point]

    @property
    def capped(self) -> float:
        return ratio(self.own, self.fixed, TRANSPARENT)

    @property
    def full(self) -> float:
        return ratio(self.own, self.fixed, 100.0)

    @property
    def ahead(self) -> float:
        best, other = (min(TRANSPARENT, max(each.vmaf for each in rungs)) for rungs in (self.own, self.fixed))
        return best - other

    def told(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "clip": self.clip,
            "ratio": round(self.capped, 3),
            "uncapped": round(self.full, 3),
            "ahead": round(self.ahead, 3),
            "ours": list(map(asdict, self.own)),
            "fixed": list(map(asdict, self.fixed)),
        }


def fixed(clip: Path, work: Path, every: int) -> list[Point]:
    """The clip as MediaCMS encodes it, least bits first."""
    probe = probe_file(clip)
    assert probe.video is not None
    rate = math.ceil(probe.video.frame_rate[0] / probe.video.frame_rate[1])
    points = []
    for lines, kbps in FIXED_KBPS.items():
        if lines <= probe.video.height:
            made = work / f"{lines}.mp4"
            peak = f"{kbps * 3 // 2}k"
            keys = f"keyint={8 * rate}:keyint_min={4 * rate}"
            material.ffmpeg(
                *("-i", str(clip), "-an", "-vf", f"scale=-2:{lines}:flags=lanczos", "-pix_fmt", "yuv420p"),
                *("-c:v", "libx264", "-crf", "23", "-maxrate", peak, "-bufsize", peak, "-profile:v", "main"),
                *("-force_key_frames", "expr:gte(t,n_forced*4)", "-x264-params", keys),
                *("-preset", "faster" if lines >= 720 else "medium", str(made)),
            )
            size = (probe.video.width, probe.video.height)
            points.append(Point(str(lines), _kbps([made], probe.duration), material.vmaf(made, clip, size, every)))
    return points


def ours(clip: Path, work: Path, preset: str, every: int, sample: float) -> tuple[list[Point], float, float]:
    """The clip as our transcoder encodes it, least bits first; and seconds to choose the ladder, and to encode it."""
    probe = probe_file(clip)
    assert probe.video is not None
    began = time.monotonic()
    rungs = complexity.choose(clip, probe, work, preset, seconds=sample)
    chosen = time.monotonic()
    for rung in rungs:
        (work / commands.STREAM / rung.name).mkdir(parents=True)
    run = film.chunk_command(clip, probe, rungs, preset, first_frame=0, end_frame=None)
    sandbox.run_all([run], cwd=work, at_once=1, wall_seconds=3600)
    encoded = time.monotonic()
    points = []
    for rung in reversed(rungs):
        folder = work / commands.STREAM / rung.name
        parts = [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]
        whole = work / f"{rung.name}.mp4"
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
        size = (probe.video.width, probe.video.height)
        name = f"{rung.name} CRF {rung.crf}"
        points.append(Point(name, _kbps(parts, probe.duration), material.vmaf(whole, clip, size, every)))
    return points, chosen - began, encoded - chosen


def _kbps(parts: Iterable[Path], seconds: float) -> float:
    return sum(part.stat().st_size for part in parts) * 8 / 1000 / seconds


def bits_for(points: list[Point], vmaf: float) -> float:
    """The least kbit/s with which a ladder, least bits first, gives so much VMAF."""
    best = math.inf
    if points[0].vmaf >= vmaf:
        best = points[0].kbps
    pairs = list(itertools.pairwise(points))
    for low, high in pairs:
        if low.vmaf < vmaf <= high.vmaf:
            share = (vmaf - low.vmaf) / (high.vmaf - low.vmaf)
            best = min(best, low.kbps * (high.kbps / low.kbps) ** share)
    if best < math.inf:
        return best
    top = points[-1]
    if not pairs or top.vmaf <= points[-2].vmaf:
        return top.kbps * 2 ** ((vmaf - top.vmaf) / 6)
    low = points[-2]
    return float(top.kbps * (top.kbps / low.kbps) ** ((vmaf - top.vmaf) / (top.vmaf - low.vmaf)))


def ratio(own: list[Point], other: list[Point], ceiling: float) -> float:
    """Our bits ÷ theirs for the same VMAF, averaged over their rungs."""

    def capped(points: list[Point]) -> list[Point]:
        return [Point(each.name, each.kbps, min(ceiling, each.vmaf)) for each in points]

    # A rung beyond the ceiling buys nothing that one below it doesn't: each VMAF counts once, at its cheapest.
    wanted = {round(each.vmaf, 3): each.kbps for each in reversed(capped(other))}
    logs = [math.log(bits_for(capped(own), vmaf) / kbps) for vmaf, kbps in wanted.items()]
    return math.exp(sum(logs) / len(logs))


def _average(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _total(points: list[Point]) -> float:
    return sum(point.kbps for point in points)


def main() -> None:
    """Measure, print, exit 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="films to measure instead of the test clips")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the test clips")
    parser.add_argument("--every", type=int, default=3, help="VMAF of every so many frames")
    parser.add_argument("--sample", type=float, default=3.0, help="seconds of a clip the ladder is chosen from")
    parser.add_argument("--preset", default="veryfast", help="x264's preset, the shop's X264_PRESET")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    say = (lambda *_: None) if arguments.json else print
    every = arguments.every
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="wavecrate-bench-") as folder:
        for clip in arguments.clips or material.clips(Path(folder), arguments.seconds):
            with tempfile.TemporaryDirectory(dir=folder) as one, tempfile.TemporaryDirectory(dir=folder) as other:
                theirs = fixed(clip, Path(one), every)
                own, choosing, encoding = ours(clip, Path(other), arguments.preset, every, arguments.sample)
            say(f"\n{clip.name}   (ladder chosen in {choosing:.1f} s, encoded in {encoding:.1f} s)")
            for called, points in (("fixed", theirs), ("ours", own)):
                for each in points:
                    say(f"  {called:<6} {each.name:<14} {each.kbps:>8.0f} kbit/s   VMAF {each.vmaf:6.2f}")
            row = Row(clip.stem, own, theirs)
            rows.append(row)
            say(f"  bits for the same VMAF: {row.capped:.2f} ×   (VMAF over 95 counted in full: {row.full:.2f} ×)")
            say(f"  VMAF of the best rung, up to 95: {row.ahead:+.2f}")
    capped = _average([row.capped for row in rows])
    full = _average([row.full for row in rows])
    ahead = sum(row.ahead for row in rows) / len(rows)
    whole = sum(_total(row.own) for row in rows) / sum(_total(row.fixed) for row in rows)
    say(f"\nVMAF over 95 counted in full: {full:.2f} × the bits; all rungs together, what is stored: {whole:.2f} ×")
    wanted = [
        ("bits for the same VMAF (up to 95), ours ÷ MediaCMS's ladder", capped, "<= 0.7", capped <= 0.7),
        ("VMAF of the best rung (up to 95), ours - MediaCMS's, mean of the clips", ahead, ">= 0", round(ahead, 1) >= 0),
    ]
    goals = [{"name": name, "value": round(value, 3), "goal": aim, "met": met} for name, value, aim, met in wanted]
    if arguments.json:
        detail = [row.told() for row in rows]
        print(json.dumps({"goals": goals, "clips": detail, "uncapped": round(full, 3), "stored": round(whole, 3)}))
    else:
        for goal in goals:
            met = "met" if goal["met"] else "MISSED"
            print(f"{goal['name']}   {goal['value']}   goal {goal['goal']}   {met}")
    sys.exit(not all(goal["met"] for goal in goals))


if __name__ == "__main__":
    main()
