"""How hard a film is to encode, measured on a few seconds of it, and the ladder that follows.

Short windows spread over the film are encoded once for every rung, as the static ladder would, and each is compared
(VMAF, v0.6.1) with what it was made from, at the size of the top rung: what a viewer sees who watches the film as
large as it gets. Everything runs with one encoding thread on fixed windows, so the same master has the same ladder.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import commands, film, ladder, sandbox
from transcoder.contract import Probe
from transcoder.errors import EncodeFailed, NotStarted

log = logging.getLogger("wavecrate.transcoder")

# To look at a second of a film takes two and a half times the CPU of encoding it. A hundredth is looked at, which adds
# 2.5 %, and no less than three places: more than a short film is worth, which keeps the static ladder.
LEAST_SECONDS = 200.0
_SHARE, _LEAST_SAMPLE, _MOST_SAMPLE = 0.01, 3.0, 12.0
# Half a GOP at each place: what is shorter looks better than the film, so near to its IDR picture.
_WINDOWS_IN_A_GOP = 2
# Frame that is compared: a number that is in step neither with GOPs nor with the B-pictures between others.
_EVERY_NTH = 5
_REFERENCE = "reference.mp4"
_SIZE = "-size"

# What a film is to score at its largest: nobody tells such a picture from the master. x264's distance from
# 100 grows by about 15 % with each step of CRF.
_TARGET, _GROWTH = 96.0, 0.15
_MOST_STEPS_UP, _MOST_STEPS_DOWN = 6, 4
# A rung between others that scores no more than this above the next is not worth its bits, and neither is a top rung
# whose size alone shows no more than the next size does; nor is a rung almost as dear as the one above it.
_LEAST_GAIN, _MOST_OF_NEXT = 1.5, 0.8
_EASIER = 0.15  # of a rung's bits go with each step of CRF


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rung's sample came to, at the static ladder's CRF: kbit/s, and VMAF at the top rung's size.

    `lost` is the VMAF that its size alone costs: of the picture scaled down, never encoded, below the picture's own.
    (A picture's own is not always 100: where little moves, VMAF gives two or three less to a picture beside itself.)
    """

    name: str
    kbps: float
    vmaf: float
    lost: float = 100.0


def choose(
    master: Path,
    probe: Probe,
    work: Path,
    preset: str,
    *,
    seconds: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[ladder.FilmRung, ...]:
    """The ladder for this film: the static one with a CRF for its content, less the rungs that gain nothing.

    The rung that is first on air is what `ladder.film_rungs` says, whatever the content. `seconds` is how much of the
    film to look at (by default 1 %, from 3 s to 12 s; nothing of a film under LEAST_SECONDS). Where nothing can be
    measured it is the static ladder. What `on_progress` raises ends it. Raises NotStarted, DiskFull and TimedOut.
    """
    rungs = ladder.film_rungs(probe)
    if seconds is None:
        seconds = min(_MOST_SAMPLE, max(_LEAST_SAMPLE, probe.duration * _SHARE))
        if probe.duration < LEAST_SECONDS:
            return rungs
    try:
        found = measure(master, probe, rungs, work, preset, seconds=seconds, on_progress=on_progress)
        return fitted(rungs, found)
    except NotStarted:  # the machine's trouble: another attempt, with no trouble, would choose otherwise
        raise
    except EncodeFailed as failed:
        log.warning("the ladder stays as it is, for the film can't be measured: %s", failed)
        return rungs


def fitted(rungs: Sequence[ladder.FilmRung], measured: Sequence[Measured]) -> tuple[ladder.FilmRung, ...]:
    """The rungs (largest first) that are worth making, with the CRF their content asks for."""
    found = {each.name: each for each in measured}
    static = {rung.name: rung.crf for rung in rungs}
    first = ladder.on_air_rung(rungs)
    step = _steps(found[rungs[0].name].vmaf)
    while rungs[0] != first and rungs[1] != first and found[rungs[1].name].lost <= _LEAST_GAIN:
        top, here = replace(rungs[1], crf=rungs[0].crf), found[rungs[1].name]
        found[top.name] = replace(here, vmaf=100 - (100 - here.vmaf) * math.exp(_GROWTH * (top.crf - rungs[1].crf)))
        rungs = [top, *rungs[2:]]
    worth: list[ladder.FilmRung] = []  # largest first; each but the best gains on the next one that is kept
    for rung in reversed(rungs):
        gain = found[rung.name].vmaf - found[worth[0].name].vmaf if worth else math.inf
        if rung in (first, rungs[0]) or gain >= _LEAST_GAIN:
            worth.insert(0, rung)
    kept: list[ladder.FilmRung] = []
    rate = math.inf  # of the last one kept
    for rung in worth:
        if first in kept:
            step = max(0, step)  # smaller than what has its CRF anyhow, at a lower one: never worth its bits
        own = rung if rung == first else replace(rung, crf=rung.crf + step)
        kbps = found[rung.name].kbps * math.exp(_EASIER * (static[rung.name] - own.crf))
        if rung == first or kbps <= _MOST_OF_NEXT * rate:
            kept.append(own)
            rate = kbps
    if len(kept) == 1 and len(worth) > 1:
        kept.append(replace(worth[-1], crf=worth[-1].crf + step))  # players are to have a choice
    return tuple(kept)


def _steps(vmaf: float) -> int:
    """By how much to raise the CRF so that the top rung scores what it is to."""
    steps = math.log((100 - _TARGET) / max(100 - vmaf, 0.1)) / _GROWTH
    return round(min(_MOST_STEPS_UP, max(-_MOST_STEPS_DOWN, steps)))


def measure(
    master: Path,
    probe: Probe,
    rungs: Sequence[ladder.FilmRung],
    work: Path,
    preset: str,
    *,
    seconds: float,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Measured, ...]:
    """Encode about `seconds` of the film for each of the rungs, and compare. Raises EncodeFailed where that fails.

    The last rung is not compared where it comes after the one that is first on air: what that gains is not asked.
    """
    folder = work / "sample"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    limit = 120 + 120 * seconds

    def run(command: sandbox.Command) -> None:
        sandbox.run_all([command], cwd=folder, at_once=1, wall_seconds=limit, on_progress=on_progress)

    first = list(rungs).index(ladder.on_air_rung(rungs))
    compared = rungs[:-1] if first == len(rungs) - 2 else rungs
    # The sizes that might do for a top rung in place of the first, and the first, to compare with.
    sizes = rungs[:first] if first > 1 else ()
    try:
        sampling, length = _sampling(master, probe, rungs, preset, seconds)
        run(sampling)
        run(_comparing(folder, compared, sizes, rungs[0]))
        scores = {rung.name: _score(folder / f"{rung.name}.json") for rung in compared}
        alone = {rung.name: _score(folder / f"{rung.name}{_SIZE}.json") for rung in sizes}
        return tuple(
            Measured(
                rung.name,
                (folder / f"{rung.name}.mp4").stat().st_size * 8 / 1000 / length,
                scores.get(rung.name, 0.0),
                alone[rungs[0].name] - alone[rung.name] if rung.name in alone else 100.0,
            )
            for rung in rungs
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sampling(
    master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str, seconds: float
) -> tuple[sandbox.Command, float]:
    """What encodes the windows for every rung, and the windows without loss to compare with; and their seconds."""
    rate = ladder.frame_rate(probe)
    frames = max(1, ladder.gop_frames(rate) // _WINDOWS_IN_A_GOP)
    count = max(1, round(seconds * rate[0] / rate[1] / frames))
    windows = [_window(master, probe, (number + 0.5) / count, rate, frames) for number in range(count)]
    picture = ffmpeg.concat(*windows, v=1, a=0) if count > 1 else windows[0]
    outputs = []
    for number, rung in enumerate(rungs):
        if number == 0:
            picture = film.standard(picture, probe, rung.width, rung.height)
        else:
            picture = film.sized(picture, rung.width, rung.height)
        copies = picture.filter_multi_output("split", 3 if number == 0 else 2)
        options = film.x264(rung, preset, rate) | {"g": frames, "keyint_min": frames}
        for of_fragments in ("hls_segment_options", "avoid_negative_ts"):
            del options[of_fragments]
        outputs.append(ffmpeg.output(copies[0], f"{rung.name}.mp4", **options, **commands.CLEAN))
        if number == 0:
            exact = {"c:v": "libx264", "preset": "ultrafast", "qp": 0, "threads": 1, "fps_mode": "passthrough"}
            outputs.append(ffmpeg.output(copies[2], _REFERENCE, **exact, **commands.CLEAN))
        picture = copies[1]
    outputs.append(ffmpeg.output(picture, "-", f="null"))
    length = count * frames * rate[1] / rate[0]
    return commands.command(outputs, cost=1, seconds=length), length


def _window(master: Path, probe: Probe, at: float, rate: tuple[int, int], frames: int) -> Any:
    """So many frames of the film from the key frame before a place in it, given as a fraction of its length."""
    source = commands.open_master(master, ss=f"{at * probe.duration:.3f}", noaccurate_seek=None)
    return film.even(source, rate, from_start=False).filter("trim", end_frame=frames).filter("setpts", "PTS-STARTPTS")


def _comparing(
    folder: Path, encoded: Sequence[ladder.FilmRung], sizes: Sequence[ladder.FilmRung], top: ladder.FilmRung
) -> sandbox.Command:
    """What compares encoded rungs, and sizes that nobody encoded, with the windows: from one decode of these."""
    # Times of B-pictures begin later in one file than in another; frames are paired by number.
    by_number = "N/25/TB"
    shown = commands.open_master(folder / _REFERENCE)["V:0"].filter("format", "yuv420p").filter("setpts", by_number)
    copies = shown.filter_multi_output("split", len(encoded) + 2 * len(sizes))
    made = [
        (rung.name, commands.open_master(folder / f"{rung.name}.mp4")["V:0"].filter("setpts", by_number))
        for rung in encoded
    ]
    made += [
        (f"{rung.name}{_SIZE}", film.sized(copies[len(encoded) + number], rung.width, rung.height))
        for number, rung in enumerate(sizes)
    ]
    outputs = []
    for number, (name, picture) in enumerate(made):
        large = picture.filter("scale", top.width, top.height, flags="bicubic")
        reference = copies[number if number < len(encoded) else number + len(sizes)]
        log_to = {"log_fmt": "json", "log_path": f"{name}.json"}
        scored = ffmpeg.filter([large, reference], "libvmaf", n_threads=1, n_subsample=_EVERY_NTH, **log_to)
        outputs.append(ffmpeg.output(scored, "-", f="null"))
    return commands.command(outputs, cost=1, seconds=0)


def _score(told: Path) -> float:
    try:
        return float(json.loads(told.read_text())["pooled_metrics"]["vmaf"]["mean"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncodeFailed(f"FFmpeg gave no VMAF: {told.name}.") from error
