"""Tiny real media files, made by FFmpeg when a test asks for them. Nothing here is mocked or downloaded."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import imageio_ffmpeg
from PIL import Image, ImageDraw

from transcoder.contract import TagSet

CODECS = {
    ".wav": "pcm_s16le",
    ".aiff": "pcm_s16be",
    ".aif": "pcm_s16be",
    ".flac": "flac",
    ".m4a": "aac",
    ".mp4": "aac",
    ".mp3": "libmp3lame",
    ".ogg": "libvorbis",
    ".opus": "libopus",
    ".mka": "flac",
    ".mkv": "flac",
}


def ffmpeg(*arguments: str) -> None:
    """Run FFmpeg; its complaint becomes the test's failure."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def make_audio(
    path: Path,
    seconds: float = 2,
    rate: int = 44100,
    channels: int = 2,
    codec: str | None = None,
    tags: TagSet | None = None,
    *,
    frequency: float = 440,
    metadata: dict[str, str] | None = None,
    cover: bytes | None = None,
    extra: tuple[str, ...] = (),
) -> Path:
    """An audio file in the format its suffix names: a tone that differs from channel to channel.

    `tags` and `cover` are written by transcoder.tags, `metadata` by FFmpeg itself; `extra` goes to the encoder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tones = "|".join(f"0.4*sin(2*PI*{frequency * (1 + channel / 2)}*t)" for channel in range(channels))
    arguments = ["-f", "lavfi", "-i", f"aevalsrc={tones}:s={rate}:d={seconds}"]
    arguments += ["-c:a", codec or CODECS[path.suffix.lower()]]
    if arguments[-1] in ("flac", "alac") and "-sample_fmt" not in extra:
        arguments += ["-sample_fmt", "s16p" if arguments[-1] == "alac" else "s16"]  # FFmpeg's own choice is 24 bits
    for name, value in (metadata or {}).items():
        arguments += ["-metadata", f"{name}={value}"]
    ffmpeg(*arguments, *extra, str(path))
    _tag(path, tags, cover)
    return path


def make_film(
    path: Path,
    seconds: float = 4,
    size: str = "640x360",
    *,
    frame_rate: str = "24",
    codec: str = "libx264",
    audio: bool = True,
    frequency: float = 330,
    tags: TagSet | None = None,
    cover: bytes | None = None,
    extra: tuple[str, ...] = (),
) -> Path:
    """A film with a moving test picture and, unless told otherwise, a stereo tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={frame_rate}:duration={seconds}"]
    if audio:
        tone = f"aevalsrc=0.3*sin(2*PI*{frequency}*t)|0.3*sin(2*PI*{frequency * 1.5}*t):s=48000:d={seconds}"
        arguments += ["-f", "lavfi", "-i", tone, "-c:a", "aac"]
    arguments += ["-c:v", codec, "-pix_fmt", "yuv420p"]
    if codec == "libx264":
        arguments += ["-preset", "ultrafast", "-g", "48"]
    ffmpeg(*arguments, *extra, str(path))
    _tag(path, tags, cover)
    return path


def make_image(
    size: tuple[int, int] = (320, 320), colour: str = "#204060", image_format: str = "JPEG", mode: str = "RGB"
) -> bytes:
    """A picture that is no single colour."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill="#f0c040")
    body = io.BytesIO()
    image.convert(mode).save(body, image_format)
    return body.getvalue()


def truncate(path: Path, share: float = 0.6) -> Path:
    """Cut a file off, as a broken transfer does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _tag(path: Path, tags: TagSet | None, cover: bytes | None) -> None:
    if tags is not None or cover is not None:
        from transcoder.tags import write_tags

        write_tags(path, tags or TagSet(), cover)


SUBTITLES = """1
00:00:00,500 --> 00:00:01,500
<i>Où</i> est la mer ?

2
00:00:01,800 --> 00:00:03,000
第二行 & more
"""


def make_many_tracks(path: Path, seconds: float = 4, size: str = "320x180") -> Path:
    """A film with English and Chinese sound, a commentary, two subtitles and two chapters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words, parts = path.with_name("words.srt"), path.with_suffix(".txt")
    words.write_text(SUBTITLES)
    parts.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=Opening\n"
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND={round(seconds * 1000)}\ntitle=第二章\n"
    )
    arguments = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=24:duration={seconds}"]
    for number, channels in enumerate((2, 1, 2), start=1):
        tones = "|".join(f"0.3*sin(2*PI*{220 * number}*t)" for _ in range(channels))
        arguments += ["-f", "lavfi", "-i", f"aevalsrc={tones}:s=48000:d={seconds}"]
    arguments += ["-i", str(words), "-i", str(words), "-i", str(parts)]
    for stream in ("0:v", "1:a", "2:a", "3:a", "4:s", "5:s"):
        arguments += ["-map", stream]
    arguments += ["-map_chapters", "6", "-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-pix_fmt", "yuv420p"]
    arguments += ["-c:a", "aac", "-c:s", "mov_text" if path.suffix == ".mp4" else "srt"]
    for stream, told in {"a:0": "eng", "a:1": "chi", "a:2": "eng", "s:0": "fre", "s:1": "zho"}.items():
        arguments += [f"-metadata:s:{stream}", f"language={told}"]
    arguments += ["-metadata:s:a:2", "title=导演评论", "-disposition:a:0", "default"]
    arguments += ["-disposition:a:1", "0", "-disposition:a:2", "comment"]
    arguments += ["-disposition:s:0", "default", "-disposition:s:1", "hearing_impaired"]
    ffmpeg(*arguments, str(path))
    return path
