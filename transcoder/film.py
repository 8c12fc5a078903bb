"""Pictures: the encodes of a film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import boxes, commands, ladder, sandbox, sound
from transcoder.contract import Probe
from transcoder.errors import EncodeFailed

# x264 keeping to a peak rate with several threads reads what they happen to have done so far: never the same bytes
# twice. Each rung has one; the rungs run side by side.
_X264_THREADS = 1

PREVIEW, POSTER, STRIP = "preview.mp4", "poster.jpg", "strip.jpg"
_THUMBNAILS = "thumbnails.yuv"


def master_commands(master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str) -> list[sandbox.Command]:
    """The encodes of a film's picture: every rung from one decode, the preview and the poster."""
    pixels = sum(rung.width * rung.height for rung in rungs)
    rate = ladder.frame_rate(probe)
    cost = pixels * 60 * rate[0] / rate[1] / 1e8
    picture = _picture_command(master, probe, rungs, preset, cost=cost)
    return [picture, _preview(master, probe, rungs, preset), _poster(master, probe)]


def _picture_command(
    master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str, cost: float
) -> sandbox.Command:
    rate = ladder.frame_rate(probe)
    picture = _picture(commands.open_master(master), rate)
    outputs = []
    for rung in rungs:
        halves = _sized(picture, rung.width, rung.height).filter_multi_output("split", 2)
        picture = halves[1]
        name = f"{commands.STREAM}/{rung.name}/clear.m3u8"
        outputs.append(
            ffmpeg.output(halves[0], name, **_x264(rung, preset, rate), **commands.hls(rung.name), **commands.CLEAN)
        )
    strip = ladder.thumbnail_strip(probe)
    every = max(1, round(strip.interval * rate[0] / rate[1]))
    thumbnails = picture.filter("select", f"not(mod(n,{every}))").filter("scale", strip.width, strip.height)
    # Raw, and tiled afterwards: a tile's first frame is out at the end, and all outputs would wait for it.
    raw = {"f": "rawvideo", "fps_mode": "passthrough", "frames:v": strip.count, "pix_fmt": "yuvj420p"}
    outputs.append(ffmpeg.output(thumbnails, _THUMBNAILS, **raw))
    return commands.command(outputs, cost=cost, seconds=probe.duration)


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


def tile(work: Path, strip: ladder.Strip) -> None:
    """Make the thumbnail strip of the pictures that `master_commands` put down."""
    size = f"{strip.width}x{strip.height}"
    frames = ffmpeg.input(str(work / _THUMBNAILS), f="rawvideo", s=size, pix_fmt="yuvj420p", r=1)
    tiled = frames.filter("tile", f"{strip.columns}x{strip.rows}")
    drawn = commands.command([commands.jpeg(tiled, STRIP)], cost=1, seconds=0)
    sandbox.run_all([drawn], cwd=work, at_once=1, wall_seconds=60)


def _preview(master: Path, probe: Probe, rungs: Sequence[ladder.FilmRung], preset: str) -> sandbox.Command:
    start, length = ladder.preview_window(probe.duration)
    small = next((rung for rung in rungs if rung.max_kbps <= 1600), rungs[-1])
    rate = ladder.frame_rate(probe)
    source = commands.open_master(master, ss=start, t=length)
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
        rate_of_sound = ladder.lossy_rate(sound.sample_rate(probe))
        heard = source["a:0"].filter("aresample", rate_of_sound, **{"async": 1, "first_pts": 0})
        streams.append(sound.faded(heard, length))
        options |= {"c:a": "aac", "b:a": "128k", "ac": min(2, probe.audio.channels)}
    cost = small.width * small.height * 60 * rate[0] / rate[1] / 1e8 * length / max(probe.duration, 1.0)
    return commands.command([ffmpeg.output(*streams, PREVIEW, **options, **commands.CLEAN)], cost=cost, seconds=length)


def _poster(master: Path, probe: Probe) -> sandbox.Command:
    """The most typical of the frames about a fifth in: seldom black, never a cut."""
    assert probe.video is not None
    factor = min(1.0, 1280 / max(probe.video.width, probe.video.height))
    width, height = (max(2, round(side * factor / 2) * 2) for side in (probe.video.width, probe.video.height))
    picture = commands.open_master(master, ss=probe.duration / 5, t=4)["V:0"].filter("thumbnail", 48)
    picture = picture.filter("scale", width, height).filter("setsar", 1)
    return commands.command([commands.jpeg(picture, POSTER)], cost=0.05, seconds=0)


def film_file(master: Path, probe: Probe, work: Path, top: str) -> tuple[Path, bool]:
    """The film as one MP4: the master's own H.264 where every player takes it, else the top rung's."""
    assert probe.video is not None
    target = work / commands.FILES / "mp4.mp4"
    if probe.video.codec == "h264":
        try:
            _mux(commands.open_master(master), master, probe, work, target)
            if boxes.video_profile(target) in (66, 77, 100):
                return target, True
        except (EncodeFailed, boxes.BadBoxes):
            pass  # a stream MP4 does not take as it is
    whole = work / "top.mp4"
    with whole.open("wb") as file:
        for part in (work / commands.STREAM / top / "init.mp4", *sorted((work / commands.STREAM / top).glob("*.m4s"))):
            file.write(part.read_bytes())
    _mux(commands.open_master(whole), master, probe, work, target)
    whole.unlink()
    return target, False


def _mux(picture: Any, master: Path, probe: Probe, work: Path, target: Path) -> None:
    streams = [picture["V:0"]]
    if probe.audio:
        own = probe.audio.codec == "aac"
        streams.append(commands.open_master(master if own else work / sound.FILM_FILE)["a:0"])
    output = ffmpeg.output(*streams, str(target), c="copy", movflags="+faststart", f="mp4", **commands.CLEAN)
    muxing = commands.command([output], cost=1, seconds=0)
    sandbox.run_all([muxing], cwd=work, at_once=1, wall_seconds=120 + probe.duration)
