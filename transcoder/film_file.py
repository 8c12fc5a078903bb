"""A film's download: one MP4 with its picture, every sound, its subtitles and chapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import boxes, commands, ladder, languages, package, sandbox
from transcoder.contract import Probe
from transcoder.encode import Progress
from transcoder.errors import EncodeFailed, TimedOut

# H.264 baseline, main and high: what every player takes.
_PROFILES = (66, 77, 100)


def film_file(
    master: Path, probe: Probe, work: Path, top_rung: Callable[[], Path], on_progress: Progress
) -> tuple[Path, bool]:
    """The film as one MP4: the master's own H.264 where every player takes it, else the top rung's.

    `top_rung` fetches that as one file, when it is needed. The sounds lie under `work` as they were encoded for the
    stream. What `on_progress` raises ends it. Returns the file and whether its picture is the master's own.
    """
    assert probe.video is not None
    target = work / commands.FILES / "mp4.mp4"
    if probe.video.codec == "h264":
        try:
            _mux(commands.open_master(master), master, probe, work, target, on_progress)
            if boxes.video_profile(target) in _PROFILES:
                return target, True
        except (EncodeFailed, TimedOut, boxes.BadBoxes):
            pass  # a stream MP4 does not take as it is
    whole = top_rung()
    _mux(commands.open_master(whole), master, probe, work, target, on_progress)
    whole.unlink()
    return target, False


def _mux(picture: Any, master: Path, probe: Probe, work: Path, target: Path, on_progress: Progress) -> None:
    streams = [picture["V:0"]]
    told: dict[str, Any] = {}
    for number, rung in enumerate(rung for rung in ladder.audio_rungs(probe) if rung.group == _BEST):
        streams.append(_sound(master, probe, work, rung))
        told |= _tracks("a", number, rung.language, "default" if rung.default else "0")
        if len(probe.sounds) > 1:
            told[f"metadata:s:{1 + number}"] = f"handler_name={rung.title}"  # by the number among all streams
    for number, text in enumerate(probe.texts):
        streams.append(commands.open_master(master)[f"s:{text.index}"])
        told |= _tracks("s", number, text.language, "forced" if text.forced else "0")
    if probe.texts:
        told["c:s"] = "mov_text"
    output = ffmpeg.output(*streams, str(target), c="copy", movflags="+faststart", f="mp4", **told, **commands.CLEAN)
    run = commands.command([output], cost=1, seconds=probe.duration)
    if probe.chapters:
        run = commands.with_chapters(run, master)
    sandbox.run_all([run], cwd=work, at_once=1, wall_seconds=120 + probe.duration, on_progress=on_progress)


_BEST = f"aac-{ladder.FILM_AAC_KBPS[-1]}"


def _sound(master: Path, probe: Probe, work: Path, rung: ladder.AudioRung) -> Any:
    """The master's own packets where they are AAC, else the best rung's."""
    assert probe.audio is not None
    if probe.audio.codec == "aac" and rung.track == 0:
        return commands.open_master(master)["a:0"]
    clear = work / commands.STREAM / rung.name
    whole = work / f"{rung.name}.mp4"
    with whole.open("wb") as file:
        for part in (clear / package.INIT, *sorted(clear.glob("*.m4s"))):
            file.write(part.read_bytes())
    return commands.open_master(whole)["a:0"]


def _tracks(kind: str, number: int, tag: str, disposition: str) -> dict[str, Any]:
    told: dict[str, Any] = {f"disposition:{kind}:{number}": disposition}
    if tag:
        told[f"metadata:s:{kind}:{number}"] = f"language={languages.three_letters(tag)}"
    return told
