"""The ladder of a film that is measured: less for a film that shows less, in the stream as it is published."""

from __future__ import annotations

import json
from pathlib import Path

import av
from click.testing import CliRunner
from media_samples import ffmpeg
from support import pipeline, rows
from support.shop import live_shop
from support.transcodes import Transcode

from app.accounts import service as accounts
from app.catalog.models import Kind
from app.cli import cli
from app.core.db import db, transaction
from app.media import queries
from app.settings import Settings
from media_store.s3 import S3Store
from transcoder import complexity

SECONDS, RATE = int(complexity.LEAST_SECONDS) + 1, 2
EMAIL, PASSWORD = "ada@example.org", "tides come and go"


def _soft_film(path: Path, *, seconds: int = SECONDS, shows: str = "480x270") -> Path:
    """1920 × 1080 that shows no more than a smaller picture does. Few frames a second, so that it is soon encoded."""
    picture = f"testsrc2=size={shows}:rate={RATE}:duration={seconds},scale=1920:1080:flags=bilinear"
    tone = f"aevalsrc=0.2*sin(2*PI*220*t)|0.2*sin(2*PI*330*t):s=48000:d={seconds}"
    inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone)
    # A codec that MP4 players don't take as it is: the download is made from the stream's top rung.
    coded = ("-c:v", "mpeg4", "-q:v", "2", "-g", "8", "-pix_fmt", "yuv420p", "-c:a", "aac")
    ffmpeg(*inputs, *coded, str(path))
    return path


def test_a_soft_film_loses_a_rung_and_is_a_stream_by_the_book(
    settings: Settings, store: S3Store, tmp_path: Path
) -> None:
    master = _soft_film(tmp_path / "soft.mp4")
    with live_shop(settings, tmp_path, deliver=False) as live:
        release = rows.release(kind=Kind.FILM)
        track = release.tracks[0]
        with transaction():
            ada = accounts.register(EMAIL, PASSWORD, "Ada")
        pipeline.transcode(track, master, store, settings, tmp_path / "work")
        rows.own(ada, release=release)
        db.session.expire_all()
        stream = queries.stream_of(track.id)
        assert stream is not None
        made = sorted({each["name"] for each in stream.facts["variants"]})
        assert "v1080" not in made
        assert "v720" in made
        assert "v480" in made, "what was on air first stays"
        there = {key.removeprefix(stream.key).split("/")[0] for key in store.list(stream.key)}
        assert there >= set(made)
        assert "v1080" not in there
        store.get_file(queries.downloads_of(track.id)["mp4"].key, tmp_path / "download.mp4")

        arguments = ("--shop", live.url, "--track", track.id, "--email", EMAIL, "--password-stdin")
        ran = CliRunner().invoke(cli, ["hls", "lint", "--json", *arguments], input=f"{PASSWORD}\n")
        told = json.loads(ran.stdout)
        broken = {
            each["id"]: each["found"]
            for each in told["rules"]
            if each["level"] == "MUST" and each["status"] in ("failed", "unchecked")
        }
        assert not broken, json.dumps(broken, indent=1)
        assert ran.exit_code == 0

    with av.open(str(tmp_path / "download.mp4")) as film:
        assert film.streams.video[0].width == 1280
        assert sum(packet.pts is not None for packet in film.demux(video=0)) == SECONDS * RATE


def test_a_short_film_keeps_the_ladder_of_its_size(transcode: Transcode, tmp_path: Path) -> None:
    short = transcode(_soft_film(tmp_path / "short.mp4", seconds=8))
    names = [each["name"] for each in short.made("stream").facts["variants"]]
    assert {"v1080", "v720", "v480", "v360"} <= set(names)
