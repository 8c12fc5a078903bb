"""How hard a film is to encode, measured on a few seconds of it, and the ladder that follows.

Short windows spread over the film are encoded once for every rung, as the static ladder would, and each is compared
(VMAF, v0.6.1) with what it was made from, at the size of the top rung: what a viewer sees who watches the film as
large as it gets. Everything runs with one encoding thread on fixed windows, so the same master has the same ladder.
"""

from __future__ import annotations

import itertools
import logging
import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import commands, film, ladder, sandbox
from transcoder.contract import Probe
from transcoder.errors import EncodeFailed

log = logging.getLogger("wavecrate.transcoder")

# A film of less is encoded before it would be measured.
LEAST_SECONDS = 20.0
# So much of a film is looked at: about 3 % of what its encodes cost, and no more than a minute's worth of them.
_SHARE, _LEAST_SAMPLE, _MOST_SAMPLE = 0.008, 2.0, 12.0
_EVERY_NTH = 4  # frame that is compared
_REFERENCE = "reference.mp4"
_SCORE = re.compile(r"VMAF score: ([\d.]+)")
_LENGTH = re.compile(r"Duration: (\d+):(\d+):([\d.]+)")

# What a film is to score at its largest: five points below what can't be told from the master. x264's distance from
# 100 grows by about 15 % with each step of CRF.
_TARGET, _GROWTH = 95.0, 0.15
_MOST_STEPS_UP, _MOST_STEPS_DOWN = 6, 3
# A rung that scores no more than this above the next is not worth its bits, and neither is a top rung whose size alone
# shows no more than the next size does; nor is a rung almost as dear as the one above it.
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
    at_once: int = 2,
    seconds: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[ladder.FilmRung, ...]:
    """The ladder for this film: the static one with a CRF for its content, less the rungs that gain nothing.

    The rung that is first on air is what `ladder.film_rungs` says, whatever the content. `seconds` is how much of the
    film to look at (by default 0.8 %, from 2 s to 12 s; nothing of a film under LEAST_SECONDS). Where nothing can be
    measured it is the static ladder. What `on_progress` raises ends it. Raises DiskFull and TimedOut.
    """
    rungs = ladder.film_rungs(probe)
    if seconds is None:
        seconds = min(_MOST_SAMPLE, max(_LEAST_SAMPLE, probe.duration * _SHARE))
        if probe.duration < LEAST_SECONDS:
            return rungs
    try:
        found = measure(master, probe, rungs, work, preset, seconds=seconds, at_once=at_once, on_progress=on_progress)
        return fitted(rungs, found)
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
        rungs = [replace(rungs[1], crf=rungs[0].crf), *rungs[2:]]
    kept: list[ladder.FilmRung] = []
    rate = math.inf  # of the last one kept
    for rung, below in itertools.zip_longest(rungs, rungs[1:]):
        own = rung if rung == first else replace(rung, crf=rung.crf + step)
        here = found[rung.name]
        kbps = here.kbps * math.exp(_EASIER * (static[rung.name] - own.crf))
        gains = below is None or here.vmaf - found[below.name].vmaf >= _LEAST_GAIN
        if rung == first or (gains and kbps <= _MOST_OF_NEXT * rate):
            kept.append(own)
            rate = kbps
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
    at_once: int,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Measured, ...]:
    """Encode about `seconds` of the film, in whole GOPs, for each of the rungs, and compare.

    Raises EncodeFailed where that fails.
    """
    folder = work / "sample"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # The sizes that might do for a top rung in place of the first, and the first, to compare with.
    sizes = list(rungs[: list(rungs).index(ladder.on_air_rung(rungs))])
    sizes = sizes if len(sizes) > 1 else []
    limit = 120 + 120 * seconds

    def run(commands: list[sandbox.Command]) -> list[str]:
        return sandbox.run_all(commands, cwd=folder, at_once=at_once, wall_seconds=limit, on_progress=on_progress)

    try:
        run([_sampling(master, probe, rungs, preset, seconds)])
        encoded = run([_comparing(folder, rung, rungs[0]) for rung in rungs])
        scaled = run([_comparing(folder, rung, rungs[0], encoded=False) for rung in sizes])
        scores = {rung.name: _score(said) for rung, said in zip(sizes, scaled, strict=True)}
        lost = {name: scores[sizes[0].name] - score for name, score in scores.items()}
        return tuple(_measured(folder, rung, said, lost) for rung, said in zip(rungs, encoded, strict=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sampling(
    master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str, seconds: float
) -> sandbox.Command:
    rate = ladder.frame_rate(probe)
    frames = ladder.gop_frames(rate)
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
        options = film.x264(rung, preset, rate)
        for of_fragments in ("hls_segment_options", "avoid_negative_ts"):
            del options[of_fragments]
        outputs.append(ffmpeg.output(copies[0], f"{rung.name}.mp4", **options, **commands.CLEAN))
        if number == 0:
            exact = {"c:v": "libx264", "preset": "ultrafast", "qp": 0, "threads": 1, "fps_mode": "passthrough"}
            outputs.append(ffmpeg.output(copies[2], _REFERENCE, **exact, **commands.CLEAN))
        picture = copies[1]
    outputs.append(ffmpeg.output(picture, "-", f="null"))
    return commands.command(outputs, cost=1, seconds=0)


def _window(master: Path, probe: Probe, at: float, rate: tuple[int, int], frames: int) -> Any:
    source = commands.open_master(master, ss=f"{at * probe.duration:.3f}")
    even = source["V:0"].filter("bwdif", deint="interlaced").filter("fps", f"{rate[0]}/{rate[1]}")
    return even.filter("trim", end_frame=frames).filter("setpts", "PTS-STARTPTS")


def _comparing(folder: Path, rung: ladder.FilmRung, top: ladder.FilmRung, *, encoded: bool = True) -> sandbox.Command:
    made = commands.open_master(folder / (f"{rung.name}.mp4" if encoded else _REFERENCE))["V:0"]
    if not encoded:
        made = film.sized(made, rung.width, rung.height)
    made = made.filter("scale", top.width, top.height, flags="bicubic")
    reference = commands.open_master(folder / _REFERENCE)["V:0"].filter("format", "yuv420p")
    compared = ffmpeg.filter([made, reference], "libvmaf", n_threads=1, n_subsample=_EVERY_NTH)
    return commands.command([ffmpeg.output(compared, "-", f="null")], cost=1, seconds=0)


def _measured(folder: Path, rung: ladder.FilmRung, said: str, lost: dict[str, float]) -> Measured:
    length = _LENGTH.search(said)
    if length is None:
        raise EncodeFailed(f"FFmpeg did not tell how long the sample of {rung.name} is.")
    hours, minutes, seconds = map(float, length.groups())
    bits = (folder / f"{rung.name}.mp4").stat().st_size * 8
    kbps = bits / 1000 / max(0.01, 3600 * hours + 60 * minutes + seconds)
    return Measured(rung.name, kbps, _score(said), lost.get(rung.name, 100.0))


def _score(said: str) -> float:
    score = _SCORE.search(said)
    if score is None:
        raise EncodeFailed("FFmpeg gave no VMAF for a sample.")
    return float(score[1])
