"""Sound: the encodes of an audio master, and of a film's audio.

The work is split over the cores: one run per encode, each decoding for itself (a hundredth of what encoding costs), the
dearest first, the next one begun as soon as a core is free. Runs with several outputs would balance no better, and
FFmpeg 9.0 deadlocks in some: a filter graph that is ahead is held back while the shared decoder waits to feed it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import commands, downloads, hearing, ladder, playlist, sandbox, waveform
from transcoder.contract import Probe

# CPU seconds per minute of 44.1 kHz stereo, measured with FFmpeg 9.0.
_AAC_COST = {64: 0.66, 128: 0.72, 256: 0.85}
_FLAC_COST, _ANALYSIS_COST, _RESAMPLE_COST = 0.07, 0.26, 0.15

PEAKS, PREVIEW = "peaks.txt", "preview.m4a"


def master_commands(master: Path, probe: Probe, formats: Sequence[downloads.Format]) -> list[sandbox.Command]:
    """The encodes of a sound master. A download and a rung that are the same encode are made once (tee)."""
    rungs = {rung.name: rung for rung in ladder.audio_rungs(probe)}
    made = [analysis(master, probe), _audio_preview(master, probe)]
    for each in formats:
        target = f"{commands.FILES}/{each.name}.{each.suffix}"
        rung = rungs.get(each.name)
        options: dict[str, Any] = dict(each.options)
        same = rung and not each.copied and rung.sample_rate == (options.get("ar") or sample_rate(probe))
        if rung and same and not probe.chapters:  # a tee hands chapters to both of its ends or to none
            del rungs[each.name]
            told = "".join(f"{name}={value}:" for name, value in _muxer_options(each, probe).items())
            target = f"[f={each.muxer}:{told}fflags=+bitexact]{target}|{commands.hls_slave(rung.name)}"
            options |= {"f": "tee", "flags": "+global_header+bitexact", "map_metadata": -1, "map_chapters": -1}
        else:
            options |= {"f": each.muxer} | _muxer_options(each, probe) | commands.CLEAN
            if probe.chapters:
                options["map_chapters"] = 0
        made.append(_sound(master, probe, target, options, each.cost))
    return made + [rung_command(master, probe, rung) for rung in rungs.values()]


def _muxer_options(made: downloads.Format, probe: Probe) -> dict[str, Any]:
    if made.muxer != "ipod":
        return {}
    # The edit list counts in ticks of the movie: as fine as samples, so that it ends on the very last one.
    return {"movflags": "+faststart", "movie_timescale": made.options.get("ar", sample_rate(probe))}


def _sound(
    master: Path, probe: Probe, target: str, options: dict[str, Any], cost: float, track: int = 0
) -> sandbox.Command:
    output = ffmpeg.output(commands.open_master(master)[f"a:{track}"], target, **options)
    return commands.command([output], cost=cost, seconds=probe.duration)


def rung_command(master: Path, probe: Probe, rung: ladder.AudioRung, **limits: Any) -> sandbox.Command:
    """One rung of a stream; `limits` are FFmpeg's options for the output, such as `t`."""
    if rung.codec == "aac":
        options: dict[str, Any] = {"c:a": "aac", "b:a": f"{rung.kbps}k"}
        cost = _AAC_COST[rung.kbps]
    else:
        options = {"c:a": "flac", "sample_fmt": "s16" if rung.bit_depth == 16 else "s32"}
        if rung.bit_depth == 24:
            options["bits_per_raw_sample"] = 24
        cost = _FLAC_COST
    options |= limits | {"ac": rung.channels} | commands.hls(rung.name, ladder.segment_seconds(probe))
    options |= commands.PRIMED | commands.CLEAN
    resampled = rung.sample_rate != sample_rate(probe)
    if probe.kind == "film":
        # Sound that starts late, has holes or ends early is filled with silence, and it ends with the picture:
        # segments must line up.
        length = f"{probe.duration:.6f}"
        options["af"] = f"aresample={rung.sample_rate}:async=1:first_pts=0,apad=whole_dur={length},atrim=end={length}"
    elif resampled:
        options["af"] = downloads.resample(rung.sample_rate)
    cost += _RESAMPLE_COST if resampled else 0
    return _sound(master, probe, f"{commands.STREAM}/{rung.name}/clear.m3u8", options, cost, rung.track)


def media(rung: ladder.AudioRung) -> playlist.Media:
    """How a rung stands beside the pictures of a film."""
    return playlist.Media(
        "AUDIO",
        rung.group,
        rung.title,
        f"{rung.name}/index.m3u8",
        language=rung.language,
        default=rung.default,
        autoselect=rung.role != "commentary",
        channels=rung.channels,
        characteristics="public.accessibility.describes-video" if rung.role == "descriptions" else "",
    )


def analysis(master: Path, probe: Probe) -> sandbox.Command:
    """Loudness, peaks and what `hearing.listening` hears, from one decode."""
    assert probe.audio is not None
    channels = probe.audio.channels
    return measuring(master, probe, lambda sound: hearing.output(hearing.heard(sound, channels)))


def measuring(master: Path, probe: Probe, output: Callable[[Any], Any] | None) -> sandbox.Command:
    """Loudness and peaks; `output` makes something of the sound when it was measured, else it goes nowhere."""
    sound = (
        commands.open_master(master)["a:0"]
        .filter("ebur128", peak="true", framelog="quiet")
        .filter("asetnsamples", n=waveform.window_samples(probe.duration, sample_rate(probe)), p=0)
        .filter("astats", metadata=1, reset=1, measure_perchannel="none", measure_overall="Peak_level")
        .filter("ametadata", mode="print", key="lavfi.astats.Overall.Peak_level", file=PEAKS)
    )
    cost = _ANALYSIS_COST * sample_rate(probe) / 44100
    made = output(sound) if output else ffmpeg.output(sound, "-", f="null")
    return commands.command([made], cost=cost, seconds=probe.duration)


def _audio_preview(master: Path, probe: Probe) -> sandbox.Command:
    assert probe.audio is not None
    start, length = ladder.preview_window(probe.duration)
    options = {
        "c:a": "aac",
        "b:a": "128k",
        "ar": ladder.lossy_rate(sample_rate(probe)),
        "ac": min(2, probe.audio.channels),
    }
    sound = faded(commands.open_master(master, ss=start, t=length)["a:0"], length)
    output = ffmpeg.output(sound, PREVIEW, f="ipod", movflags="+faststart", **options, **commands.CLEAN)
    return commands.command([output], cost=_AAC_COST[128] * length / max(probe.duration, 1.0), seconds=length)


def faded(sound: Any, length: float) -> Any:
    """Faded in and out over a `length` in seconds."""
    fade_in, fade_out = min(0.5, length / 4), min(1.0, length / 4)
    return sound.filter("afade", type="in", duration=fade_in).filter(
        "afade", type="out", start_time=length - fade_out, duration=fade_out
    )


def film_commands(master: Path, probe: Probe) -> list[tuple[ladder.AudioRung | None, sandbox.Command]]:
    """The encodes of a film's sound: its rungs, and what is measured.

    What is needed to be on air comes first; None stands for what is no rung.
    """
    assert probe.audio is not None
    made: list[tuple[ladder.AudioRung | None, sandbox.Command]] = [
        (rung, rung_command(master, probe, rung)) for rung in ladder.audio_rungs(probe)
    ]
    made.append((None, analysis(master, probe)))
    return made


def opening_command(master: Path, probe: Probe, group: str) -> tuple[ladder.AudioRung, sandbox.Command]:
    """The beginning of the first sound of a group, as the whole encode will make it: two segments, the first whole."""
    rung = next(each for each in ladder.audio_rungs(probe) if each.group == group)
    return rung, rung_command(master, probe, rung, t=2 * ladder.segment_seconds(probe))


def sample_rate(probe: Probe) -> int:
    """The master's, in Hz."""
    assert probe.audio is not None
    return probe.audio.sample_rate
