"""How FFmpeg is called: a master opened, streams muxed to HLS, and one command line made of it all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import accepted, ladder, sandbox, sniff

_GLOBAL = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-y")
# Marks what becomes an open file once the command line is whole and its inputs can be counted.
_INPUT = "fd:"
_STRICT = ("-xerror", "-max_error_rate", "0")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")

# Every output is bit-exact: no dates, no encoder names, nothing of the master's own tags.
# Tags of the file and of its streams are named apart, as chapters would lose their titles to a plain -1.
CLEAN: dict[str, Any] = {"map_metadata:g": -1, "map_metadata:s": -1, "map_chapters": -1, "bitexact": None}

# Folders of a working directory: rungs in the clear, and downloads.
STREAM, FILES = Path("clear"), Path("files")


def open_master(path: Path, **options: Any) -> Any:
    """A master, or a file of our own making, as an input of FFmpeg: opened for what its content is, whatever it says.

    FFmpeg gets no name to follow but an open file (see `command`), one demuxer and the decoders such a file may need.
    Raises NotMedia where the content is nothing the shop takes.
    """
    return opened_as(path, sniff.look(path).format, **options)


def opened_as(path: Path, container: accepted.Container, **options: Any) -> Any:
    """The same for a file whose container is known: whatever its content is, it is opened as that or not at all."""
    allowed = accepted.allow_list(container) | {"max_pixels": accepted.MAX_PIXELS}
    return ffmpeg.input(f"{_INPUT}{path.absolute()}", f=container.demuxer, **allowed, **options)


def jpeg(picture: Any, name: str) -> Any:
    """One picture as a JPEG file."""
    return ffmpeg.output(
        picture, name, f="image2", update=1, pix_fmt="yuvj420p", **{"frames:v": 1, "c:v": "mjpeg", "q:v": 3}, **CLEAN
    )


def hls(name: str, segment_seconds: float = ladder.SEGMENT_SECONDS) -> dict[str, Any]:
    """Muxer options: a rung in the clear, in fragments of MP4, under `STREAM/<name>`; a segment is there once whole."""
    return {
        "f": "hls",
        "hls_time": segment_seconds,
        "hls_flags": "temp_file",
        "hls_playlist_type": "vod",
        "hls_segment_type": "fmp4",
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": f"{STREAM}/{name}/%05d.m4s",
        "start_number": 1,
    }


# An AAC encoder's first packet comes before time 0. Its time is kept, so that the init section's edit list says how
# many samples a player is to drop; the muxer would otherwise move the whole sound behind them.
PRIMED: dict[str, Any] = {"avoid_negative_ts": "disabled"}


def hls_slave(name: str) -> str:
    """The same, for sound, as a slave of the tee muxer."""
    options = hls(name) | PRIMED | {"fflags": "+bitexact"}
    return f"[{':'.join(f'{k}={v}' for k, v in options.items())}]{STREAM}/{name}/clear.m3u8"


def command(outputs: list[Any], *, cost: float, seconds: float, strictly: bool = False) -> sandbox.Command:
    """The command line that makes these outputs; `cost` is its share of the work, `seconds` what it will report on.

    FFmpeg goes on over a damaged frame here and there, unless `strictly`.
    """
    graph = ffmpeg.merge_outputs(*outputs)
    strict = _STRICT if strictly else ()
    args: list[str] = graph.compile(cmd=[sandbox.ffmpeg_binary(), *_GLOBAL, *strict, *_PROGRESS])
    inputs = [Path(arg.removeprefix(_INPUT)) for arg in args if arg.startswith(_INPUT)]
    for number, path in enumerate(inputs, start=sandbox.FIRST_INPUT):
        at = args.index(f"{_INPUT}{path}")
        args[at - 1 : at + 1] = ["-fd", str(number), "-i", "fd:"]  # as any option of an input, before its -i
    return sandbox.Command(tuple(args), cost=cost, seconds=seconds, inputs=tuple(inputs))


def with_chapters(run: sandbox.Command, master: Path) -> sandbox.Command:
    """The command of one output, its chapters taken from the master, which need not be among its inputs yet."""
    args, inputs = list(run.args), run.inputs
    if master.absolute() not in inputs:
        found = sniff.look(master).format
        named = [part for name, value in accepted.allow_list(found).items() for part in (f"-{name}", value)]
        added = ["-f", found.demuxer, *named, "-fd", str(sandbox.FIRST_INPUT + len(inputs)), "-i", "fd:"]
        behind = len(args) - args[::-1].index("fd:")  # the last input
        args[behind:behind] = added
        inputs = (*inputs, master.absolute())
    args[args.index("-map_chapters") + 1] = str(inputs.index(master.absolute()))
    return replace(run, args=tuple(args), inputs=inputs)
