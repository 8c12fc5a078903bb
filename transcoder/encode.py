"""Encoding: everything a master becomes, under one working directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transcoder import commands, downloads, film, ladder, loudness, sandbox, sound, waveform
from transcoder.contract import Probe

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What was made, under the working directory. `copied` names the downloads that are the master's own packets."""

    rungs: tuple[str, ...]
    files: dict[str, Path]
    preview: Path
    loudness: dict[str, float]
    peaks: list[int]
    poster: Path | None = None
    strip: Path | None = None
    copied: frozenset[str] = frozenset()


def encode(
    master: Path, probe: Probe, work: Path, *, x264_preset: str, cpu_count: int, on_progress: Progress
) -> Encoded:
    """Make every rendition of a master under `work`. Raises EncodeFailed, TimedOut or DiskFull."""
    (work / commands.FILES).mkdir(parents=True, exist_ok=True)
    names = [rung.name for rung in ladder.film_rungs(probe)] + [rung.name for rung in ladder.audio_rungs(probe)]
    for name in names:
        (work / commands.STREAM / name).mkdir(parents=True, exist_ok=True)
    if probe.kind == "film":
        return _film(master, probe, work, x264_preset, cpu_count, on_progress)
    return _audio(master, probe, work, cpu_count, on_progress)


def _audio(master: Path, probe: Probe, work: Path, cpu_count: int, on_progress: Progress) -> Encoded:
    formats = downloads.audio_formats(probe, master.stat().st_size)
    runs = sorted(sound.master_commands(master, probe, formats), key=lambda run: -run.cost)
    wall = 120 + 3 * probe.duration
    stderr = sandbox.run_all(runs, cwd=work, at_once=cpu_count, wall_seconds=wall, on_progress=on_progress)
    return Encoded(
        rungs=tuple(rung.name for rung in ladder.audio_rungs(probe)),
        files={each.name: work / commands.FILES / f"{each.name}.{each.suffix}" for each in formats},
        preview=work / sound.PREVIEW,
        loudness=loudness.parse("\n".join(stderr)),
        peaks=waveform.parse((work / sound.PEAKS).read_text()),
        copied=frozenset(each.name for each in formats if each.copied),
    )


def _film(master: Path, probe: Probe, work: Path, preset: str, cpu_count: int, on_progress: Progress) -> Encoded:
    rungs = ladder.film_rungs(probe)
    audible = probe.audio is not None
    runs = film.master_commands(master, probe, rungs, preset)
    if audible:
        runs[1:1] = sound.film_commands(master, probe)
    wall = 600 + 60 * probe.duration
    stderr = sandbox.run_all(runs, cwd=work, at_once=cpu_count, wall_seconds=wall, on_progress=on_progress)
    film.tile(work, ladder.thumbnail_strip(probe))
    target, copied = film.film_file(master, probe, work, rungs[0].name)
    return Encoded(
        rungs=(*(rung.name for rung in rungs), *(rung.name for rung in ladder.audio_rungs(probe))),
        files={"mp4": target},
        preview=work / film.PREVIEW,
        loudness=loudness.parse("\n".join(stderr)) if audible else {},
        peaks=waveform.parse((work / sound.PEAKS).read_text()) if audible else [],
        poster=work / film.POSTER,
        strip=work / film.STRIP,
        copied=frozenset({"mp4"} if copied else ()),
    )
