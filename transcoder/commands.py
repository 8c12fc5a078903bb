"""How FFmpeg is called: a master opened, streams muxed to HLS, and one command line made of it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from transcoder import ladder, sandbox

# A master is opened by these demuxers only: others (concat, hls, image sequences) would read further files.
_DEMUXERS = "wav,w64,aiff,flac,mp3,aac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,caf"
_GLOBAL = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-y")
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")

# Every output is bit-exact: no dates, no encoder names, nothing of the master's own tags.
CLEAN: dict[str, Any] = {"map_metadata": -1, "map_chapters": -1, "bitexact": None}

# Folders of a working directory: rungs in the clear, and downloads.
STREAM, FILES = Path("clear"), Path("files")


def open_master(path: Path, **options: Any) -> Any:
    """The master as an input of FFmpeg, under the names its content may have and no other."""
    return ffmpeg.input(str(path), protocol_whitelist="file,pipe", format_whitelist=_DEMUXERS, **options)


def jpeg(picture: Any, name: str) -> Any:
    """One picture as a JPEG file."""
    return ffmpeg.output(
        picture, name, f="image2", update=1, pix_fmt="yuvj420p", **{"frames:v": 1, "c:v": "mjpeg", "q:v": 3}, **CLEAN
    )


def hls(name: str) -> dict[str, Any]:
    """Muxer options: a rung in the clear, in fragments of MP4, under `STREAM/<name>`."""
    return {
        "f": "hls",
        "hls_time": ladder.SEGMENT_SECONDS,
        "hls_playlist_type": "vod",
        "hls_segment_type": "fmp4",
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": f"{STREAM}/{name}/%05d.m4s",
        "start_number": 1,
    }


def hls_slave(name: str) -> str:
    """The same as a slave of the tee muxer."""
    options = hls(name) | {"fflags": "+bitexact"}
    return f"[{':'.join(f'{k}={v}' for k, v in options.items())}]{STREAM}/{name}/clear.m3u8"


def command(outputs: list[Any], *, cost: float, seconds: float) -> sandbox.Command:
    """The command line that makes these outputs; `cost` is its share of the work, `seconds` what it will report on."""
    graph = ffmpeg.merge_outputs(*outputs)
    args = graph.compile(cmd=[sandbox.ffmpeg_binary(), *_GLOBAL, *_PROGRESS])
    return sandbox.Command(tuple(args), cost=cost, seconds=seconds)
