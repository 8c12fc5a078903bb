"""Encoding: what a master becomes, under one working directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transcoder import commands, downloads, hearing, ladder, loudness, sandbox, sound, waveform
from transcoder.contract import Probe, SoundFeatures

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What was made, under the working directory. `copied` names the downloads that are the master's own packets."""

    files: dict[str, Path]
    preview: Path
    loudness: dict[str, float]
    peaks: list[int]
    poster: Path | None = None
    strip: Path | None = None
    copied: frozenset[str] = frozenset()
    features: SoundFeatures | None = None


def encode_audio(master: Path, probe: Probe, work: Path, *, cpu_count: int, on_progress: Progress) -> Encoded:
    """Make every rung and download of a sound master under `work`. Raises EncodeFailed, TimedOut or DiskFull."""
    (work / commands.FILES).mkdir(parents=True, exist_ok=True)
    for rung in ladder.audio_rungs(probe):
        (work / commands.STREAM / rung.name).mkdir(parents=True, exist_ok=True)
    formats = downloads.audio_formats(probe, master.stat().st_size)
    runs = sorted(sound.master_commands(master, probe, formats), key=lambda run: -run.cost)
    wall = 120 + 3 * probe.duration
    with hearing.listening(work) as heard:
        stderr = sandbox.run_all(runs, cwd=work, at_once=cpu_count, wall_seconds=wall, on_progress=on_progress)
    return Encoded(
        files={each.name: work / commands.FILES / f"{each.name}.{each.suffix}" for each in formats},
        preview=work / sound.PREVIEW,
        loudness=loudness.parse("\n".join(stderr)),
        peaks=waveform.parse((work / sound.PEAKS).read_text()),
        copied=frozenset(each.name for each in formats if each.copied),
        features=heard.features,
    )
