"""Whatever a master's colours are, BT.709 comes out: greys and highlights where they belong, and tagged as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import ffmpeg
import numpy as np
import pytest
from PIL import Image

from tests.media_samples import ffmpeg as make
from transcoder import colour, commands, sandbox
from transcoder.contract import VideoFacts
from transcoder.probe import probe_file

LIGHT = (0.0, 1.0, 10.0, 36.5, 100.0, 203.0, 400.0, 1000.0)  # cd/m²; 36.5 is 18 % grey, 203 reference white
WIDTH, HEIGHT = 1280, 720


def pq(light: float) -> float:
    """SMPTE ST 2084: the signal of so many cd/m²."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (light / 10_000) ** m1
    return float(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def hlg(light: float) -> float:
    """ITU-R BT.2100: the signal of a grey that a screen of 1000 cd/m² (gamma 1.2) shows with so many."""
    scene = (light / 1000) ** (1 / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return float(np.sqrt(3 * scene) if scene <= 1 / 12 else a * np.log(12 * scene - b) + c)


def bars(path: Path, lumas: list[float], chroma: tuple[float, float], transfer: str, extra: str = "") -> Path:
    """A film of upright bars, 10 bits deep and BT.2020; lumas are from 0 to 1, chroma from -0.5 to 0.5."""
    luma = np.zeros((HEIGHT, WIDTH), "<u2")
    step = WIDTH // len(lumas)
    for n, each in enumerate(lumas):
        luma[:, n * step : (n + 1) * step] = round(64 + 876 * each)
    planes = [np.full((HEIGHT // 2, WIDTH // 2), round(512 + 896 * each), "<u2") for each in chroma]
    raw = path.with_suffix(".yuv")
    raw.write_bytes(luma.tobytes() + planes[0].tobytes() + planes[1].tobytes())
    params = f"log-level=error:qp=4:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited{extra}"
    make(
        *("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{WIDTH}x{HEIGHT}", "-r", "5", "-stream_loop", "4"),
        *("-i", str(raw), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", params, "-tag:v", "hvc1"),
        *("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc", str(path)),
    )
    return path


def run(work: Path, output: Any) -> None:
    sandbox.run_all([commands.command([output], cost=1, seconds=0)], cwd=work, at_once=1, wall_seconds=60)


def standard(master: Path, work: Path, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The first picture as `to_sdr` makes it: its luma, then Cb and Cr enlarged to the same size."""
    video = probe_file(master).video
    assert video is not None
    picture = colour.to_sdr(commands.open_master(master)["V:0"], video, width, height).filter("format", "yuv444p")
    run(work, ffmpeg.output(picture, "sdr.yuv", f="rawvideo", **{"frames:v": 1}))
    return np.frombuffer((work / "sdr.yuv").read_bytes(), np.uint8).reshape(3, height, width).astype(int)


def rgb(yuv: np.ndarray) -> np.ndarray:
    """BT.709, limited range, to R'G'B' of 0 to 255, computed here."""
    y, cb, cr = (yuv[0] - 16) / 219, (yuv[1] - 128) / 224, (yuv[2] - 128) / 224
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.stack([red, green, blue]) * 255


def test_greys_and_highlights_of_pq_and_hlg_land_where_hlg_puts_them_on_a_standard_screen(tmp_path: Path) -> None:
    expected = [16 + 219 * hlg(light) for light in LIGHT]
    for name, curve in (("smpte2084", pq), ("arib-std-b67", hlg)):
        master = bars(tmp_path / f"{name}.mp4", [curve(light) for light in LIGHT], (0, 0), name)
        made = standard(master, tmp_path)
        greys = [made[0, HEIGHT // 2, WIDTH * (2 * n + 1) // 16] for n in range(8)]
        assert np.allclose(greys, expected, atol=5), (name, greys, expected)
        assert np.abs(made[1:] - 128).max() <= 1  # grey stays grey


def test_a_brighter_master_keeps_its_highlights_apart(tmp_path: Path) -> None:
    lumas = [pq(light) for light in (203, 1000, 2000, 4000)]
    told = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50):max-cll=4000,400"
    master = bars(tmp_path / "bright.mp4", lumas, (0, 0), "smpte2084", told)
    video = probe_file(master).video
    assert video is not None
    assert video.peak_nits == 4000
    made = standard(master, tmp_path)
    greys = [made[0, HEIGHT // 2, WIDTH * (2 * n + 1) // 8] for n in range(4)]
    assert greys == sorted(set(greys))
    assert greys[-1] == pytest.approx(235, abs=1)
    assert greys[-2] <= greys[-1] - 5


def test_colours_are_not_washed_out(tmp_path: Path) -> None:
    """BT.709's red at 50 cd/m², told in BT.2020, is BT.709's red again."""
    red = [pq(50 * part) for part in (0.6274, 0.0691, 0.0164)]  # BT.2087: BT.709 red in BT.2020's primaries
    luma = 0.2627 * red[0] + 0.678 * red[1] + 0.0593 * red[2]
    chroma = (red[2] - luma) / 1.8814, (red[0] - luma) / 1.4746
    made = rgb(standard(bars(tmp_path / "red.mp4", [luma], chroma, "smpte2084"), tmp_path))[:, 300, 600]
    assert made[0] > 90
    assert abs(made[1]) < 16
    assert abs(made[2]) < 16


RGB = {"orange": (224, 120, 32), "teal": (24, 136, 144), "grey": (128, 128, 128)}


def flat(path: Path, shade: tuple[int, int, int], size: str, *encoder: str, scale: str = "") -> Path:
    make(
        *("-f", "lavfi", "-i", f"color=0x{bytes(shade).hex()}:s={size}:r=5:d=1,format=gbrp{scale}"), *encoder, str(path)
    )
    return path


@pytest.mark.parametrize("shade", RGB.values(), ids=RGB)
@pytest.mark.parametrize(
    ("suffix", "size", "scale", "encoder"),
    [
        # untold and small: what FFmpeg makes of RGB by itself, and browsers expect: BT.601
        (
            ".mp4",
            "640x360",
            ",scale=out_color_matrix=bt601,format=yuv444p",
            ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p"),
        ),
        # untold and large: BT.709
        (
            ".mp4",
            "1280x720",
            ",scale=out_color_matrix=bt709,format=yuv444p",
            ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p"),
        ),
        # told, against its size
        (
            ".mp4",
            "640x360",
            ",scale=out_color_matrix=bt709,format=yuv444p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709",
            ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p"),
        ),
        # 10 bits, 4:2:2
        (
            ".mov",
            "1280x720",
            ",scale=out_color_matrix=bt709,format=yuv444p",
            ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"),
        ),
        # full range
        (
            ".mp4",
            "1280x720",
            ",scale=out_color_matrix=bt709:out_range=pc,format=yuv444p",
            ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuvj420p"),
        ),
        # no YCbCr at all
        (".mov", "640x360", "", ("-c:v", "qtrle", "-pix_fmt", "rgb24")),
        (".mkv", "640x360", "", ("-c:v", "ffv1", "-pix_fmt", "gbrp")),
    ],
    ids=["untold-sd", "untold-hd", "told", "prores", "full", "qtrle", "ffv1-rgb"],
)
def test_standard_colours_stay_as_they_were(
    tmp_path: Path, shade: tuple[int, int, int], suffix: str, size: str, scale: str, encoder: tuple[str, ...]
) -> None:
    master = flat(tmp_path / f"flat{suffix}", shade, size, *encoder, scale=scale)
    made = rgb(standard(master, tmp_path, 320, 180))[:, 90, 160]
    assert np.allclose(made, shade, atol=4), made


def test_what_is_encoded_says_bt709_and_nothing_of_high_dynamic_range(tmp_path: Path) -> None:
    told = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,200"
    master = bars(tmp_path / "hdr.mp4", [0.5], (0, 0), "smpte2084", told)
    video = probe_file(master).video
    assert video is not None
    assert (video.transfer, video.primaries, video.matrix, video.peak_nits) == ("smpte2084", "bt2020", "bt2020nc", 1000)
    picture = colour.to_sdr(commands.open_master(master)["V:0"], video, 640, 360).filter("scale", 320, 180)
    run(tmp_path, ffmpeg.output(picture, "made.mp4", **{"c:v": "libx264"}))
    made = probe_file(tmp_path / "made.mp4").video
    assert made is not None
    assert (made.transfer, made.primaries, made.matrix, made.peak_nits) == ("bt709", "bt709", "bt709", 0)
    with av.open(str(tmp_path / "made.mp4")) as film:
        frame = next(film.decode(film.streams.video[0]))
        assert frame.format.name == "yuv420p"
        assert int(frame.color_range) == 1


@pytest.mark.parametrize("shade", RGB.values(), ids=RGB)
def test_a_jpeg_shows_the_same_colours(tmp_path: Path, shade: tuple[int, int, int]) -> None:
    encoder = ("-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p")
    master = flat(
        tmp_path / "flat.mp4", shade, "1280x720", *encoder, scale=",scale=out_color_matrix=bt709,format=yuv444p"
    )
    video = probe_file(master).video
    assert video is not None
    picture = colour.for_jpeg(colour.to_sdr(commands.open_master(master)["V:0"], video, 640, 360))
    run(tmp_path, commands.jpeg(picture, "poster.jpg"))
    with Image.open(tmp_path / "poster.jpg") as poster:
        shown = np.asarray(poster.convert("RGB"))[180, 320].astype(int)
        assert np.allclose(shown, shade, atol=5)


def test_a_picture_that_tells_nonsense_is_not_believed() -> None:
    video = VideoFacts("hevc", 1920, 1080, (24, 1), "smpte2084", "bt2020", "bt2020nc", 1000)
    assert colour.are_names(video)
    assert not colour.are_names(VideoFacts("hevc", 1920, 1080, (24, 1), "smpte2084,movie=x", "bt2020", "bt2020nc"))
