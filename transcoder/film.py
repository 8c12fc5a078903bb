"""Pictures: the encodes of a film."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import colour, commands, ladder, sandbox, sound
from transcoder.contract import Probe

# x264 keeping to a peak rate with several threads reads what they happen to have done so far: never the same bytes
# twice. Each rung has one; the rungs run side by side.
_X264_THREADS = 1

PREVIEW, POSTER, STRIP = "preview.mp4", "poster.jpg", "strip.jpg"
_PREVIEW_KBPS = 1600
_POSTER_FRAMES = 24
# A segment may end this much (s) before its time: at its last frame, however times were rounded.
HAIR = 0.001


def chunk_command(
    master: Path,
    probe: Probe,
    rungs: Sequence[ladder.FilmRung],
    preset: str,
    *,
    first_frame: int,
    end_frame: int | None,
    skipping: Collection[str] = (),
    strictly: bool = False,
) -> sandbox.Command:
    """Encode some of the film's frames for every rung from one decode, each rung scaled from the one above.

    The first rung's colours are made BT.709's, and so everybody's are.
    The segments come out under `STREAM/<rung>` and begin at time 0. The frames are those that a run over the whole
    film would number so: decoding begins at the key frame before, and the constant rate's grid decides.
    `skipping` names rungs that are not wanted; `strictly` no damaged frame is let pass.
    """
    rate = ladder.frame_rate(probe)
    picture = _stretch(
        even(_from_frame(master, first_frame, rate), rate, from_start=first_frame == 0), first_frame, end_frame
    )
    outputs = []
    seconds = ladder.segment_seconds(probe) - HAIR
    wanted = [rung for rung in rungs if rung.name not in skipping]
    for rung in wanted:
        if rung is wanted[0]:
            halves = standard(picture, probe, rung.width, rung.height)
        else:
            halves = sized(picture, rung.width, rung.height)
        if rung is not wanted[-1]:
            halves = halves.filter_multi_output("split", 2)
            halves, picture = halves[0], halves[1]
        name = f"{commands.STREAM}/{rung.name}/clear.m3u8"
        muxed = commands.hls(rung.name, seconds)
        outputs.append(ffmpeg.output(halves, name, **x264(rung, preset, rate), **muxed, **commands.CLEAN))
    frames = (end_frame or round(probe.duration * rate[0] / rate[1])) - first_frame
    length = frames * rate[1] / rate[0]
    pixels = sum(rung.width * rung.height for rung in wanted)
    return commands.command(outputs, cost=max(pixels * frames / 1e8, 0.01), seconds=length, strictly=strictly)


def _from_frame(master: Path, first_frame: int, rate: tuple[int, int]) -> Any:
    if first_frame == 0:
        return commands.open_master(master)
    # A frame early, so that rounding never starts us behind the first frame wanted; `itsoffset` keeps the film's own
    # times, which seeking would count from where it landed.
    start = f"{(first_frame - 1) * rate[1] / rate[0]:.6f}"
    # In one thread decoding costs a tenth less than in several, and behind the opening, which somebody waits for, there
    # are as many chunks at work as cores.
    return commands.open_master(master, threads=1, ss=start, itsoffset=start, noaccurate_seek=None)


def even(source: Any, rate: tuple[int, int], *, from_start: bool = True) -> Any:
    """The picture at a constant rate (`from_start`: from time 0), fields woven out where it says it has any."""
    begins: dict[str, Any] = {"start_time": 0} if from_start else {}
    return source["V:0"].filter("bwdif", deint="interlaced").filter("fps", f"{rate[0]}/{rate[1]}", **begins)


def _stretch(picture: Any, first_frame: int, end_frame: int | None) -> Any:
    """The frames from `first_frame` up to `end_frame`, from time 0 on. After `fps` a frame's time is its number."""
    if first_frame == 0 and end_frame is None:
        return picture
    limits = {"start_pts": first_frame} | ({"end_pts": end_frame} if end_frame is not None else {})
    return picture.filter("trim", **limits).filter("setpts", f"PTS-{first_frame}")


def standard(picture: Any, probe: Probe, width: int, height: int) -> Any:
    assert probe.video is not None
    return colour.to_sdr(picture, probe.video, width, height)


def sized(picture: Any, width: int, height: int) -> Any:
    """The picture at another size. Each rung is made from the one above: bicubic would soften it again each time."""
    return picture.filter("scale", width, height, flags="lanczos").filter("setsar", 1).filter("format", "yuv420p")


def x264(rung: ladder.FilmRung, preset: str, rate: tuple[int, int]) -> dict[str, Any]:
    gop = ladder.gop_frames(rate)
    return {
        "c:v": "libx264",
        "preset": preset,
        "profile:v": "high",
        "crf": rung.crf,
        "maxrate": f"{rung.max_kbps}k",
        "bufsize": f"{2 * rung.max_kbps}k",
        "x264-params": ladder.x264_params(preset),
        # An IDR picture every so many frames and nowhere else, the same in every rung.
        "g": gop,
        "keyint_min": gop,
        "sc_threshold": 0,
        "flags": "+cgop",
        "forced-idr": 1,
        "threads": _X264_THREADS,
        "fps_mode": "passthrough",
        # Times from 0 by themselves, as some players of fragments ignore an edit list. Nor is there to be one: the
        # muxer would move everything behind the times before 0 that decoding begins at, and say so there.
        "hls_segment_options": "movflags=+negative_cts_offsets",
        "avoid_negative_ts": "disabled",
    }


def tile(pictures: Path, work: Path, strip: ladder.Strip) -> None:
    """Make the thumbnail strip of a file that holds its pictures one after the other."""
    frames = sized(commands.open_master(pictures)["V:0"], strip.width, strip.height)
    tiled = frames.filter("tile", f"{strip.columns}x{strip.rows}")
    drawn = commands.command([commands.jpeg(colour.for_jpeg(tiled), STRIP)], cost=1, seconds=0)
    sandbox.run_all([drawn], cwd=work, at_once=1, wall_seconds=60)


def preview_command(pictures: Path, begins: float, master: Path, probe: Probe) -> sandbox.Command:
    """The preview: pictures of the stream as they are, from a file whose first is `begins` seconds into the film, with
    the film's first sound, faded in and out."""
    start, length = ladder.film_preview(probe)
    # A hair late, lest rounding land on the IDR picture before.
    made = commands.open_master(pictures, ss=f"{max(0.0, start - begins) + HAIR:.6f}", t=f"{length - 2 * HAIR:.6f}")
    streams = [made["V:0"]]
    options: dict[str, Any] = {"c:v": "copy", "movflags": "+faststart", "f": "mp4", "avoid_negative_ts": "make_zero"}
    if probe.audio:
        rate_of_sound = ladder.lossy_rate(sound.sample_rate(probe))
        heard = commands.open_master(master, ss=f"{start:.6f}", t=f"{length:.6f}")["a:0"]
        heard = heard.filter("aresample", rate_of_sound, **{"async": 1, "first_pts": 0})
        streams.append(sound.faded(heard, length))
        options |= {"c:a": "aac", "b:a": "128k", "ac": min(2, probe.audio.channels)}
    return commands.command([ffmpeg.output(*streams, PREVIEW, **options, **commands.CLEAN)], cost=1, seconds=length)


def preview_rung(rungs: Sequence[ladder.FilmRung]) -> ladder.FilmRung:
    """The rung that the preview is cut from."""
    return next((rung for rung in rungs if rung.max_kbps <= _PREVIEW_KBPS), rungs[-1])


def poster_command(master: Path, probe: Probe) -> sandbox.Command:
    """The most typical of the key frames about a fifth in: seldom black, never a cut."""
    assert probe.video is not None
    factor = min(1.0, 1280 / max(probe.video.width, probe.video.height))
    width, height = (max(2, round(side * factor / 2) * 2) for side in (probe.video.width, probe.video.height))
    source = commands.open_master(master, ss=probe.duration / 5, t=12, noaccurate_seek=None, skip_frame="nokey")
    # The key frame before that place has a time before 0, which nothing is written of.
    frames = source["V:0"].filter("trim", end_frame=_POSTER_FRAMES).filter("setpts", "PTS-STARTPTS")
    picture = frames.filter("thumbnail", _POSTER_FRAMES)
    picture = colour.for_jpeg(standard(picture, probe, width, height))
    return commands.command([commands.jpeg(picture, POSTER)], cost=0.05, seconds=0)
