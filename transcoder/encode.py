"""Encoding: FFmpeg command lines, built with ffmpeg-python and run in the sandbox.

Sound is split over the cores: one run per encode, each decoding for itself (a hundredth of what encoding costs), the
dearest first, the next one begun as soon as a core is free. Runs with several outputs would balance no better, and
FFmpeg 9.0 deadlocks in some: a filter graph that is ahead is held back while the shared decoder waits to feed it.
Film is decoded and scaled once for all rungs, each rung scaled from the one above. Every output is bit-exact (no
dates, no encoder names), and x264 has one thread a rung, so the same master makes the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import boxes, downloads, ladder, loudness, sandbox, waveform
from transcoder.contract import Probe
from transcoder.errors import EncodeFailed

# A master is opened by these demuxers only: others (concat, hls, image sequences) would read further files.
_DEMUXERS = "wav,w64,aiff,flac,mp3,aac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,caf"
_GLOBAL = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-y")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")
_CLEAN: dict[str, Any] = {"map_metadata": -1, "map_chapters": -1, "bitexact": None}
# x264 keeping to a peak rate with several threads reads what they happen to have done so far: never the same bytes
# twice. Each rung has one; the rungs run side by side.
_X264_THREADS = 1

# CPU seconds per minute of 44.1 kHz stereo, measured with FFmpeg 9.0.
_AAC_COST = {64: 0.66, 128: 0.72, 256: 0.85}
_FLAC_COST, _ANALYSIS_COST, _RESAMPLE_COST = 0.07, 0.26, 0.15

STREAM, FILES = Path("clear"), Path("files")
_PEAKS, _THUMBNAILS, _STRIP, _POSTER, _AAC_FILE = "peaks.txt", "thumbnails.yuv", "strip.jpg", "poster.jpg", "sound.m4a"

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
    (work / FILES).mkdir(parents=True, exist_ok=True)
    names = [rung.name for rung in ladder.film_rungs(probe)] + [rung.name for rung in ladder.audio_rungs(probe)]
    for name in names:
        (work / STREAM / name).mkdir(parents=True, exist_ok=True)
    if probe.kind == "film":
        return _film(master, probe, work, x264_preset, cpu_count, on_progress)
    return _audio(master, probe, work, cpu_count, on_progress)


def _audio(master: Path, probe: Probe, work: Path, cpu_count: int, on_progress: Progress) -> Encoded:
    formats = downloads.audio_formats(probe, master.stat().st_size)
    commands = sorted(_audio_commands(master, probe, formats), key=lambda command: -command.cost)
    wall = 120 + 3 * probe.duration
    stderr = sandbox.run_all(commands, cwd=work, at_once=cpu_count, wall_seconds=wall, on_progress=on_progress)
    return Encoded(
        rungs=tuple(rung.name for rung in ladder.audio_rungs(probe)),
        files={each.name: work / FILES / f"{each.name}.{each.suffix}" for each in formats},
        preview=work / "preview.m4a",
        loudness=loudness.parse("\n".join(stderr)),
        peaks=waveform.parse((work / _PEAKS).read_text()),
        copied=frozenset(each.name for each in formats if each.copied),
    )


def _audio_commands(master: Path, probe: Probe, formats: Sequence[downloads.Format]) -> list[sandbox.Command]:
    """The encodes of a sound master. A download and a rung that are the same encode are made once (tee)."""
    rungs = {rung.name: rung for rung in ladder.audio_rungs(probe)}
    commands = [_analysis(master, probe), _audio_preview(master, probe)]
    for each in formats:
        target = f"{FILES}/{each.name}.{each.suffix}"
        rung = rungs.get(each.name)
        options: dict[str, Any] = dict(each.options)
        if rung and not each.copied and rung.sample_rate == (options.get("ar") or _rate(probe)):
            del rungs[each.name]
            faststart = "movflags=+faststart:" if each.muxer == "ipod" else ""
            target = f"[f={each.muxer}:{faststart}fflags=+bitexact]{target}|{_hls_slave(rung.name)}"
            options |= {"f": "tee", "flags": "+global_header+bitexact", "map_metadata": -1, "map_chapters": -1}
        else:
            if each.muxer == "ipod":
                options["movflags"] = "+faststart"
            options |= {"f": each.muxer} | _CLEAN
        commands.append(_sound(master, probe, target, options, each.cost))
    return commands + [_rung(master, probe, rung) for rung in rungs.values()]


def _sound(master: Path, probe: Probe, target: str, options: dict[str, Any], cost: float) -> sandbox.Command:
    output = ffmpeg.output(_open(master)["a:0"], target, **options)
    return _command([output], cost=cost, seconds=probe.duration)


def _rung(master: Path, probe: Probe, rung: ladder.AudioRung) -> sandbox.Command:
    if rung.codec == "aac":
        options: dict[str, Any] = {"c:a": "aac", "b:a": f"{rung.kbps}k"}
        cost = _AAC_COST[rung.kbps]
    else:
        options = {"c:a": "flac", "sample_fmt": "s16" if rung.bit_depth == 16 else "s32"}
        if rung.bit_depth == 24:
            options["bits_per_raw_sample"] = 24
        cost = _FLAC_COST
    options |= {"ac": rung.channels} | _hls(rung.name) | _CLEAN
    resampled = rung.sample_rate != _rate(probe)
    if probe.kind == "film":
        # Sound that starts late or has holes is filled with silence: segments must line up with the picture's.
        options["af"] = f"aresample={rung.sample_rate}:async=1:first_pts=0"
    elif resampled:
        options["af"] = downloads.resample(rung.sample_rate)
    cost += _RESAMPLE_COST if resampled else 0
    return _sound(master, probe, f"{STREAM}/{rung.name}/clear.m3u8", options, cost)


def _analysis(master: Path, probe: Probe) -> sandbox.Command:
    """Loudness and peaks, from one decode."""
    sound = (
        _open(master)["a:0"]
        .filter("ebur128", peak="true", framelog="quiet")
        .filter("asetnsamples", n=waveform.window_samples(probe.duration, _rate(probe)), p=0)
        .filter("astats", metadata=1, reset=1, measure_perchannel="none", measure_overall="Peak_level")
        .filter("ametadata", mode="print", key="lavfi.astats.Overall.Peak_level", file=_PEAKS)
    )
    cost = _ANALYSIS_COST * _rate(probe) / 44100
    return _command([ffmpeg.output(sound, "-", f="null")], cost=cost, seconds=probe.duration)


def _audio_preview(master: Path, probe: Probe) -> sandbox.Command:
    assert probe.audio is not None
    start, length = ladder.preview_window(probe.duration)
    options = {"c:a": "aac", "b:a": "128k", "ar": ladder.lossy_rate(_rate(probe)), "ac": min(2, probe.audio.channels)}
    sound = _faded(_open(master, ss=start, t=length)["a:0"], length)
    output = ffmpeg.output(sound, "preview.m4a", f="ipod", movflags="+faststart", **options, **_CLEAN)
    return _command([output], cost=_AAC_COST[128] * length / max(probe.duration, 1.0), seconds=length)


def _faded(sound: Any, length: float) -> Any:
    fade_in, fade_out = min(0.5, length / 4), min(1.0, length / 4)
    return sound.filter("afade", type="in", duration=fade_in).filter(
        "afade", type="out", start_time=length - fade_out, duration=fade_out
    )


def _film(master: Path, probe: Probe, work: Path, preset: str, cpu_count: int, on_progress: Progress) -> Encoded:
    assert probe.video is not None
    rungs = ladder.film_rungs(probe)
    pixels = (
        sum(rung.width * rung.height for rung in rungs) * 60 * ladder.frame_rate(probe)[0] / ladder.frame_rate(probe)[1]
    )
    commands = [_picture_command(master, probe, rungs, preset, cost=pixels / 1e8)]
    if probe.audio:
        commands += [_rung(master, probe, rung) for rung in ladder.audio_rungs(probe)]
        commands.append(_analysis(master, probe))
        if probe.audio.codec != "aac":
            options = {"c:a": "aac", "b:a": "256k", "f": "ipod", **_film_sound(probe), **_CLEAN}
            commands.append(_sound(master, probe, _AAC_FILE, options, _AAC_COST[256]))
    commands += [_film_preview(master, probe, rungs, preset), _film_poster(master, probe)]
    wall = 600 + 60 * probe.duration
    stderr = sandbox.run_all(commands, cwd=work, at_once=cpu_count, wall_seconds=wall, on_progress=on_progress)
    _tile(work, ladder.thumbnail_strip(probe))
    target, copied = _film_file(master, probe, work, rungs[0].name)
    sound = probe.audio is not None
    return Encoded(
        rungs=(*(rung.name for rung in rungs), *(rung.name for rung in ladder.audio_rungs(probe))),
        files={"mp4": target},
        preview=work / "preview.mp4",
        loudness=loudness.parse("\n".join(stderr)) if sound else {},
        peaks=waveform.parse((work / _PEAKS).read_text()) if sound else [],
        poster=work / _POSTER,
        strip=work / _STRIP,
        copied=frozenset({"mp4"} if copied else ()),
    )


def _film_sound(probe: Probe) -> dict[str, Any]:
    assert probe.audio is not None
    return {"ar": ladder.lossy_rate(_rate(probe)), "ac": min(2, probe.audio.channels)}


def _picture_command(
    master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str, cost: float
) -> sandbox.Command:
    rate = ladder.frame_rate(probe)
    picture = _picture(_open(master), rate)
    outputs = []
    for rung in rungs:
        halves = _sized(picture, rung.width, rung.height).filter_multi_output("split", 2)
        picture = halves[1]
        name = f"{STREAM}/{rung.name}/clear.m3u8"
        outputs.append(ffmpeg.output(halves[0], name, **_x264(rung, preset, rate), **_hls(rung.name), **_CLEAN))
    strip = ladder.thumbnail_strip(probe)
    every = max(1, round(strip.interval * rate[0] / rate[1]))
    thumbnails = picture.filter("select", f"not(mod(n,{every}))").filter("scale", strip.width, strip.height)
    # Raw, and tiled afterwards: a tile's first frame is out at the end, and all outputs would wait for it.
    raw = {"f": "rawvideo", "fps_mode": "passthrough", "frames:v": strip.count, "pix_fmt": "yuvj420p"}
    outputs.append(ffmpeg.output(thumbnails, _THUMBNAILS, **raw))
    return _command(outputs, cost=cost, seconds=probe.duration)


def _picture(source: Any, rate: tuple[int, int]) -> Any:
    """The picture at a constant rate from time 0, fields woven out where the stream says there are any."""
    return source["V:0"].filter("bwdif", deint="interlaced").filter("fps", f"{rate[0]}/{rate[1]}", start_time=0)


def _sized(picture: Any, width: int, height: int) -> Any:
    return picture.filter("scale", width, height, flags="bicubic").filter("setsar", 1).filter("format", "yuv420p")


def _x264(rung: ladder.FilmRung, preset: str, rate: tuple[int, int]) -> dict[str, Any]:
    gop = ladder.gop_frames(rate)
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "crf": rung.crf,
        "maxrate": f"{rung.max_kbps}k",
        "bufsize": f"{2 * rung.max_kbps}k",
        # An IDR picture every so many frames and nowhere else, the same in every rung.
        "g": gop,
        "keyint_min": gop,
        "sc_threshold": 0,
        "flags": "+cgop",
        "forced-idr": 1,
        "threads": _X264_THREADS,
        "fps_mode": "passthrough",
        # Times from 0 without an edit list, which players of fragments ignore.
        "hls_segment_options": "movflags=+negative_cts_offsets",
    }


def _tile(work: Path, strip: ladder.Strip) -> None:
    size = f"{strip.width}x{strip.height}"
    frames = ffmpeg.input(str(work / _THUMBNAILS), f="rawvideo", s=size, pix_fmt="yuvj420p", r=1)
    tiled = frames.filter("tile", f"{strip.columns}x{strip.rows}")
    command = _command([_jpeg(tiled, _STRIP)], cost=1, seconds=0)
    sandbox.run_all([command], cwd=work, at_once=1, wall_seconds=60)


def _film_preview(master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str) -> sandbox.Command:
    start, length = ladder.preview_window(probe.duration)
    small = next((rung for rung in rungs if rung.max_kbps <= 1600), rungs[-1])
    rate = ladder.frame_rate(probe)
    source = _open(master, ss=start, t=length)
    streams = [_sized(_picture(source, rate), small.width, small.height)]
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": preset,
        "crf": 24,
        "maxrate": "1200k",
        "bufsize": "2400k",
        "threads": _X264_THREADS,
        "movflags": "+faststart",
        "f": "mp4",
    }
    if probe.audio:
        sound = source["a:0"].filter("aresample", ladder.lossy_rate(_rate(probe)), **{"async": 1, "first_pts": 0})
        streams.append(_faded(sound, length))
        options |= {"c:a": "aac", "b:a": "128k", "ac": min(2, probe.audio.channels)}
    cost = small.width * small.height * 60 * rate[0] / rate[1] / 1e8 * length / max(probe.duration, 1.0)
    return _command([ffmpeg.output(*streams, "preview.mp4", **options, **_CLEAN)], cost=cost, seconds=length)


def _film_poster(master: Path, probe: Probe) -> sandbox.Command:
    """The most typical of the frames about a fifth in: seldom black, never a cut."""
    assert probe.video is not None
    factor = min(1.0, 1280 / max(probe.video.width, probe.video.height))
    width, height = (max(2, round(side * factor / 2) * 2) for side in (probe.video.width, probe.video.height))
    picture = _open(master, ss=probe.duration / 5, t=4)["V:0"].filter("thumbnail", 48)
    picture = picture.filter("scale", width, height).filter("setsar", 1)
    return _command([_jpeg(picture, _POSTER)], cost=0.05, seconds=0)


def _film_file(master: Path, probe: Probe, work: Path, top: str) -> tuple[Path, bool]:
    """The film as one MP4: the master's own H.264 where every player takes it, else the top rung's."""
    assert probe.video is not None
    target = work / FILES / "mp4.mp4"
    if probe.video.codec == "h264":
        try:
            _mux(_open(master), master, probe, work, target)
            if boxes.video_profile(target) in (66, 77, 100):
                return target, True
        except (EncodeFailed, boxes.BadBoxes):
            pass  # a stream MP4 does not take as it is
    whole = work / "top.mp4"
    with whole.open("wb") as file:
        for part in (work / STREAM / top / "init.mp4", *sorted((work / STREAM / top).glob("*.m4s"))):
            file.write(part.read_bytes())
    _mux(_open(whole), master, probe, work, target)
    whole.unlink()
    return target, False


def _mux(picture: Any, master: Path, probe: Probe, work: Path, target: Path) -> None:
    streams = [picture["V:0"]]
    if probe.audio:
        own = probe.audio.codec == "aac"
        streams.append(_open(master if own else work / _AAC_FILE)["a:0"])
    output = ffmpeg.output(*streams, str(target), c="copy", movflags="+faststart", f="mp4", **_CLEAN)
    sandbox.run_all([_command([output], cost=1, seconds=0)], cwd=work, at_once=1, wall_seconds=120 + probe.duration)


def _rate(probe: Probe) -> int:
    assert probe.audio is not None
    return probe.audio.sample_rate


def _open(path: Path, **options: Any) -> Any:
    return ffmpeg.input(str(path), protocol_whitelist="file,pipe", format_whitelist=_DEMUXERS, **options)


def _jpeg(picture: Any, name: str) -> Any:
    return ffmpeg.output(
        picture, name, f="image2", update=1, pix_fmt="yuvj420p", **{"frames:v": 1, "c:v": "mjpeg", "q:v": 3}, **_CLEAN
    )


def _hls(name: str) -> dict[str, Any]:
    return {
        "f": "hls",
        "hls_time": ladder.SEGMENT_SECONDS,
        "hls_playlist_type": "vod",
        "hls_segment_type": "fmp4",
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": f"{STREAM}/{name}/%05d.m4s",
        "start_number": 1,
    }


def _hls_slave(name: str) -> str:
    options = _hls(name) | {"fflags": "+bitexact"}
    return f"[{':'.join(f'{k}={v}' for k, v in options.items())}]{STREAM}/{name}/clear.m3u8"


def _command(outputs: list[Any], *, cost: float, seconds: float) -> sandbox.Command:
    graph = ffmpeg.merge_outputs(*outputs)
    args = graph.compile(cmd=[sandbox.ffmpeg_binary(), *_GLOBAL, *_PROGRESS])
    return sandbox.Command(tuple(args), cost=cost, seconds=seconds)
