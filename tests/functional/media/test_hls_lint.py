"""`wavecrate hls lint` on what the shop itself serves: no MUST broken, every SHOULD kept or explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from media_samples import ffmpeg, make_audio, make_film
from support import pipeline, rows
from support.shop import LiveShop, live_shop

from app.accounts import service as accounts
from app.catalog.models import Kind, Track
from app.cli import cli
from app.core.db import transaction
from app.settings import Settings
from media_store.s3 import S3Store

EMAIL, PASSWORD = "ada@example.org", "tides come and go"
SUBTITLES = "1\n00:00:01,000 --> 00:00:04,500\nThe tide\n\n2\n00:00:11,000 --> 00:00:13,000\ncomes back.\n"


def _owned(live: LiveShop, settings: Settings, store: S3Store, master: Path, work: Path, kind: Kind) -> Track:
    """A track made from the master, which Ada owns."""
    release = rows.release(kind=kind)
    with transaction():
        ada = accounts.register(EMAIL, PASSWORD, "Ada")
    pipeline.transcode(release.tracks[0], master, store, settings, work)
    rows.own(ada, release=release)
    return release.tracks[0]


def _lint(*arguments: str, password: str = PASSWORD) -> tuple[int, Any]:
    ran = CliRunner().invoke(cli, ["hls", "lint", "--json", *arguments], input=f"{password}\n")
    return ran.exit_code, json.loads(ran.stdout) if ran.stdout.startswith("{") else ran.output


def _signed_in(live: LiveShop, track: Track) -> tuple[str, ...]:
    return ("--shop", live.url, "--track", track.id, "--email", EMAIL, "--password-stdin")


def _without_fault(told: Any) -> None:
    broken = {each["id"]: each["found"] for each in told["rules"] if each["status"] in ("failed", "unchecked")}
    assert not broken, json.dumps(broken, indent=1)
    assert not told["failed"]


def test_an_album_s_track(settings: Settings, store: S3Store, tmp_path: Path) -> None:
    master = make_audio(tmp_path / "long.wav", seconds=75)
    with live_shop(settings, tmp_path, deliver=False) as live:
        track = _owned(live, settings, store, master, tmp_path / "work", Kind.AUDIO)
        code, told = _lint(*_signed_in(live, track))
        _without_fault(told)
        assert code == 0
        kept = {each["id"] for each in told["rules"] if each["status"] == "passed"}
        assert {"2.3", "7.3", "8.1", "8.2", "8.3", "8.7", "9.1", "9.14", "9.21", "10.1", "W1", "W3", "W4"} <= kept

        # The owner's key is nobody else's: what is sealed stays so, and the lint says that it saw nothing of it.
        code, told = _lint(told["url"])
        assert code == 2
        assert told["incomplete"]
        assert not told["failed"]
        assert next(each for each in told["rules"] if each["id"] == "RFC 3")["status"] == "unchecked"


def test_a_film_with_two_languages_and_subtitles(settings: Settings, store: S3Store, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"x264_preset": "veryfast"})
    picture = make_film(tmp_path / "picture.mp4", seconds=15, size="1280x720", frame_rate="24000/1001")
    words, master = tmp_path / "words.srt", tmp_path / "film.mkv"
    words.write_text(SUBTITLES)
    tone = "aevalsrc=0.2*sin(2*PI*220*t)|0.2*sin(2*PI*330*t):s=48000:d=15"
    inputs = ["-i", str(picture), "-f", "lavfi", "-i", tone, "-i", str(words)]
    maps = ["-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2:s"]
    languages = [
        "-metadata:s:a:0",
        "language=eng",
        "-metadata:s:a:1",
        "language=chi",
        "-metadata:s:s:0",
        "language=eng",
    ]
    ffmpeg(*inputs, *maps, "-c:v", "copy", "-c:a", "aac", "-c:s", "srt", *languages, str(master))
    with live_shop(settings, tmp_path, deliver=False) as live:
        track = _owned(live, settings, store, master, tmp_path / "work", Kind.FILM)
        code, told = _lint(*_signed_in(live, track))
        _without_fault(told)
        assert code == 0
        by_id = {each["id"]: each for each in told["rules"]}
        films = {
            "5.3",
            "5.5",
            "6.1",
            "6.8",
            "6.10",
            "7.4",
            "8.10",
            "9.2",
            "9.9",
            "9.15",
            "9.21",
            "RFC 6.2.4",
            "W2",
        }
        assert {each["id"] for each in told["rules"] if each["status"] == "passed"} >= films
        assert "en" in by_id["8.10"]["found"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name a URL, or a track"),
        (("http://127.0.0.1:9/a.m3u8", "--track", "x"), "one of them"),
        (("--track", "x"), "--track needs --email"),
        (("http://127.0.0.1:9/a.m3u8", "--email", "a@example.org"), "go together"),
        (("http://127.0.0.1:9/a.m3u8",), "Connection refused"),
        (("ftp://127.0.0.1/a.m3u8",), "only http and https"),
    ],
)
def test_what_the_terminal_refuses(arguments: tuple[str, ...], said: str) -> None:
    code, output = _lint(*arguments)
    assert code in (1, 2)
    assert said in output


def test_sign_in_and_plays_that_are_refused(settings: Settings, store: S3Store, tmp_path: Path) -> None:
    with live_shop(settings, tmp_path, deliver=False) as live:
        release = rows.release()
        with transaction():
            accounts.register(EMAIL, PASSWORD, "Ada")
        code, output = _lint(*_signed_in(live, release.tracks[0]))
        assert code == 1
        assert "not in your library" in output
        code, output = _lint(*_signed_in(live, release.tracks[0]), password="something else")
        assert code == 1
        assert "does not know this e-mail address" in output
