"""Importing folders of real files into a real database and store."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import threading
from pathlib import Path

import pytest
from flask import Flask
from media_samples import make_audio, make_film, make_image, truncate
from PIL import Image
from sqlalchemy import func, select

from app.catalog import queries as catalog
from app.catalog.models import Release, Track
from app.core.db import db, transaction
from app.core.money import Money
from app.media import service as media
from app.media import subtitles
from app.media.models import JobState, Master, TranscodeJob
from app.studio import sale, service, tasks  # noqa: F401  # the worker imports tasks: that hooks the studio to media
from app.studio.importer import ImportReport, import_paths
from media_store import keys
from media_store.s3 import S3Store
from transcoder.contract import MadeRendition, RenditionReport, TagSet

PRICE = Money(990, "EUR")


def take(*paths: Path, publish: bool = False, track_price: Money | None = None) -> ImportReport:
    return import_paths(list(paths), price=PRICE, track_price=track_price, publish=publish)


def releases() -> list[Release]:
    db.session.expire_all()
    return list(db.session.scalars(select(Release).order_by(Release.title)))


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def album(folder: Path, tracks: int = 3, *, start: int = 1, **common: object) -> Path:
    """An album as FLAC, tagged, its files named so that their order is not that of the tracks."""
    for number in range(start, start + tracks):
        tags = TagSet(
            **{
                "title": f"Song {number}",
                "title_zh": f"歌{number}",
                "artist": "Lin Hai",
                "artist_zh": "林海",
                "album": "Harbour Lights",
                "album_zh": "港湾灯火",
                "track": number,
                "genre": "Ambient; Drone",
                "label": "Quay",
                "year": 2023,
                **common,
            }
        )
        make_audio(folder / f"{9 - number} x.flac", 0.5, 8000, 1, tags=tags, frequency=200 + 37 * number)
    return folder


def finish(job: TranscodeJob) -> None:
    """Do as the worker does when it has made everything."""
    with transaction():
        claimed = media.claim(job.id)
        assert claimed is not None
        made = MadeRendition(
            "stream", "stream", keys.stream_prefix("a" * 64), "application/vnd.apple.mpegurl", "m3u8", 1
        )
        media.publish(RenditionReport(job.id, claimed.attempt, (made,), {}, {}))


def jobs() -> list[TranscodeJob]:
    return list(db.session.scalars(select(TranscodeJob).order_by(TranscodeJob.created_at)))


def test_a_folder_becomes_a_release(app: Flask, store: S3Store, tmp_path: Path) -> None:
    folder = album(tmp_path / "in")
    (folder / "cover.png").write_bytes(make_image((1800, 1800), image_format="PNG", mode="RGBA"))
    seen: list[tuple[int, int, str]] = []
    report = import_paths([folder], price=PRICE, track_price=None, publish=True, on_progress=lambda *p: seen.append(p))
    assert (len(report.imported), report.already_there, report.refused) == (3, [], [])

    (release,) = releases()
    assert report.release_ids == [release.id]
    assert (release.title, release.title_zh) == ("Harbour Lights", "港湾灯火")
    assert (release.artist.name, release.artist.name_zh) == ("Lin Hai", "林海")
    assert release.genre is not None
    assert release.label is not None
    assert (release.genre.name, release.label.name, str(release.released_on)) == ("Ambient", "Quay", "2023-01-01")
    assert [(t.disc, t.position, t.title, t.title_zh) for t in release.tracks] == [
        (1, 1, "Song 1", "歌1"),
        (1, 2, "Song 2", "歌2"),
        (1, 3, "Song 3", "歌3"),
    ]
    assert [t.duration_ms for t in release.tracks] == [500, 500, 500]
    assert [o.price for o in release.offers] == [PRICE]
    assert {o.price for t in release.tracks for o in t.offers} == {Money(429, "EUR")}
    assert not release.is_published
    assert release.publish_when_ready

    for master in db.session.scalars(select(Master)):
        body = store.get_bytes(keys.master(master.sha256))
        assert hashlib.sha256(body).hexdigest() == master.sha256
        assert len(body) == master.size
    assert release.cover_key is not None
    with Image.open(io.BytesIO(store.get_bytes(release.cover_key))) as cover:
        assert (cover.format, cover.mode, cover.size) == ("JPEG", "RGB", (1400, 1400))
    assert {job.state for job in jobs()} == {JobState.QUEUED}

    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1] == 2 * sum(p.stat().st_size for p in folder.glob("*.flac"))


def test_importing_twice_adds_nothing_and_a_new_file_adds_its_track(app: Flask, tmp_path: Path) -> None:
    folder = album(tmp_path / "in", 2)
    take(folder)
    again = take(folder)
    assert (again.imported, len(again.already_there)) == ([], 2)
    assert (count(Release), count(Track), count(Master), count(TranscodeJob)) == (1, 2, 2, 2)

    album(folder, 1, start=3)
    more = take(folder)
    assert (len(more.imported), len(more.already_there)) == (1, 2)
    (release,) = releases()
    assert [t.title for t in release.tracks] == ["Song 1", "Song 2", "Song 3"]
    assert len(release.offers) == 1

    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert take(moved).imported == []


def test_a_price_that_an_editor_set_stays(app: Flask, tmp_path: Path) -> None:
    from app.catalog import service as catalog_service

    folder = album(tmp_path / "in", 2)
    take(folder)
    with transaction():
        catalog_service.set_price(release=releases()[0], price=Money(500, "USD"))
        catalog_service.update_release(releases()[0], title="Renamed by hand")
    album(folder, 1, start=3)
    take(folder)
    (release,) = releases()
    assert release.title == "Renamed by hand"
    assert [o.price for o in release.offers if o.active] == [Money(500, "USD")]


def test_a_better_master_of_a_track_takes_its_place(app: Flask, tmp_path: Path) -> None:
    folder = album(tmp_path / "in", 2)
    take(folder)
    make_audio(
        folder / "8 x.flac",
        1,
        8000,
        1,
        frequency=999,
        tags=TagSet(title="Song 1", artist="Lin Hai", album="Harbour Lights", track=1),
    )
    report = take(folder)
    assert len(report.imported) == 1
    (release,) = releases()
    assert [(t.title, t.duration_ms) for t in release.tracks] == [("Song 1", 500), ("Song 2", 500)]
    assert count(Master) == 3
    finish(jobs()[-1])
    (release,) = releases()  # only now is the better one heard
    assert [(t.title, t.duration_ms) for t in release.tracks] == [("Song 1", 1000), ("Song 2", 500)]


def test_the_rest_goes_on_when_files_are_refused(app: Flask, tmp_path: Path) -> None:
    folder = album(tmp_path / "in", 2)
    truncate(make_audio(folder / "cut.flac", 2), 0.5)
    make_audio(folder / "really.mp3", 0.5).rename(folder / "lies.flac")
    (folder / "empty.wav").touch()
    (folder / "notes.txt").write_text("hello")
    (folder / "list.m3u").write_text("#EXTM3U\ncut.flac\n")
    (folder / "back.jpg").write_bytes(make_image())
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "folder.jpg").write_bytes(b"not really a picture")
    secret = tmp_path / "secret.flac"
    make_audio(secret, 0.5)
    (folder / "link.flac").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    report = take(folder, tmp_path / "missing.wav")
    reasons = {path.name: reason for path, reason in report.refused}
    assert len(report.imported) == 2
    assert set(reasons) == {
        "cut.flac", "lies.flac", "empty.wav", "notes.txt", "list.m3u", "back.jpg", "link.flac", "out", "missing.wav",
    }  # fmt: skip
    assert "truncated" in reasons["cut.flac"] or "damaged" in reasons["cut.flac"]
    assert reasons["lies.flac"] == "is named .flac but holds MP3"
    assert reasons["empty.wav"] == "is empty"
    assert "text" in reasons["notes.txt"]
    assert "playlist" in reasons["list.m3u"]
    assert "leads out" in reasons["link.flac"]
    assert "No such file" in reasons["missing.wav"]
    assert releases()[0].cover_key is None


def test_discs_come_from_tags_or_folders(app: Flask, tmp_path: Path) -> None:
    for disc in (1, 2):
        for number in (1, 2):
            name = f"0{number} - Part {number}.flac"
            make_audio(tmp_path / "Long Work" / f"CD {disc}" / name, 0.5, 8000, 1, frequency=100 * disc + 7 * number)
    (tmp_path / "Long Work" / "Cover.JPG").write_bytes(make_image())
    take(tmp_path / "Long Work")
    (release,) = releases()
    assert (release.title, release.artist.name) == ("Long Work", "Unknown Artist")
    assert [(t.disc, t.position, t.title) for t in release.tracks] == [
        (1, 1, "Part 1"),
        (1, 2, "Part 2"),
        (2, 1, "Part 1"),
        (2, 2, "Part 2"),
    ]
    assert release.cover_key


def test_a_compilation_is_one_release_of_various_artists(app: Flask, tmp_path: Path) -> None:
    for number, artist in enumerate(("Ana", "Bo", "Ana"), 1):
        tags = TagSet(title=f"T{number}", artist=artist, album="Mixed", track=1)  # every one claims to be the first
        make_audio(tmp_path / "in" / f"{number}.flac", 0.5, 8000, 1, tags=tags, frequency=100 * number)
    take(tmp_path / "in")
    (release,) = releases()
    assert release.artist.name == "Various Artists"
    assert [(t.position, t.credited_artist.name) for t in release.tracks] == [(1, "Ana"), (2, "Bo"), (3, "Ana")]
    assert take(tmp_path / "in").imported == []


def test_an_album_spread_over_folders_is_joined_by_its_album_artist(app: Flask, tmp_path: Path) -> None:
    album(tmp_path / "a", 1, album_artist="Lin Hai & Co")
    album(tmp_path / "b", 1, start=2, album_artist="Lin Hai & Co")
    take(tmp_path / "a", tmp_path / "b")
    (release,) = releases()
    assert release.artist.name == "Lin Hai & Co"
    assert [t.credited_artist.name for t in release.tracks] == ["Lin Hai", "Lin Hai"]


def test_a_file_by_itself_is_a_single_without_track_offers(app: Flask, tmp_path: Path) -> None:
    single = make_audio(tmp_path / "07_Late_Train.mp3", 1, tags=TagSet(artist="Ana", title_zh="末班车"))
    untitled = make_audio(tmp_path / "demo.wav", 0.5)
    other = make_audio(tmp_path / "x" / "demo.wav", 0.5, frequency=100)
    take(single, untitled, other)
    found = releases()
    assert [(r.title, r.title_zh) for r in found] == [("Late Train", "末班车"), ("demo", None), ("demo", None)]
    assert [o.price for r in found for o in r.offers] == [PRICE] * 3
    assert all(not t.offers for r in found for t in r.tracks)


def test_each_film_is_a_release(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    make_film(
        folder / "lamp.mp4",
        1,
        "160x90",
        tags=TagSet(title="The Lamp Keeper", title_zh="守灯人", artist="Wei Lan", comment="A film."),
    )
    make_film(folder / "Short_film.mkv", 1, "160x90", frequency=100)
    (folder / "lamp.jpg").write_bytes(make_image())
    report = take(folder, track_price=Money(100, "EUR"))
    assert report.refused == []
    lamp, short = sorted(releases(), key=lambda r: r.title, reverse=True)
    assert (lamp.kind, lamp.title, lamp.title_zh, lamp.artist.name) == ("film", "The Lamp Keeper", "守灯人", "Wei Lan")
    assert lamp.description == "A film."
    assert lamp.cover_key
    assert (short.kind, short.title, short.cover_key) == ("film", "Short film", None)
    assert all(len(r.tracks) == 1 and not r.tracks[0].offers for r in (lamp, short))
    assert take(folder).imported == []


def test_subtitles_that_lie_beside_a_film_come_with_it(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    make_film(folder / "lamp.mp4", 1, "160x90", tags=TagSet(title="The Lamp Keeper"))
    make_film(folder / "lamps.mp4", 1, "160x90", frequency=100)
    cue = "1\n00:00:00,000 --> 00:00:01,000\n{}\n"
    for name in ("lamp.srt", "lamp.zh-Hans.srt", "lamp.en.SDH.srt", "lamp.klingonish.srt", "lantern.srt"):
        (folder / name).write_text(cue.format(name))
    (folder / "lamp.fr.vtt").write_text("no cues at all")
    make_audio(folder / "song.wav", seconds=1)
    (folder / "song.en.srt").write_text(cue.format("sung"))
    report = take(folder)
    lamp, lamps = (
        release.tracks[0]
        for release in sorted(
            (each for each in releases() if each.kind == "film"), key=lambda r: r.title != "The Lamp Keeper"
        )
    )
    found = {(each.language, each.captions) for each in subtitles.of_track(lamp.id)}
    assert found == {("", False), ("zh-Hans", False), ("en", True)}
    assert subtitles.of_track(lamps.id) == []
    refused = {path.name: why for path, why in report.refused}
    assert set(refused) == {"lamp.klingonish.srt", "lamp.fr.vtt", "lantern.srt", "song.en.srt"}
    assert refused["song.en.srt"] == "Only films have subtitles."
    assert "no language that is known" in refused["lamp.klingonish.srt"]
    again = take(folder)
    assert again.imported == []
    assert {path.name for path in again.already_there} >= {"lamp.srt", "lamp.zh-Hans.srt", "lamp.en.SDH.srt"}


def test_a_release_is_published_once_its_last_track_is_ready(app: Flask, tmp_path: Path) -> None:
    take(album(tmp_path / "in", 2), publish=True)
    first, second = jobs()
    finish(first)
    assert not releases()[0].is_published
    finish(second)
    assert releases()[0].is_published
    assert catalog.newest(5) == releases()


def test_importing_what_is_ready_publishes_at_once_and_a_draft_stays_one(app: Flask, tmp_path: Path) -> None:
    folder = album(tmp_path / "in", 1)
    take(folder)
    finish(jobs()[0])
    assert not releases()[0].is_published
    with transaction():
        service.publish_once_ready(releases()[0], None)
    assert releases()[0].is_published


def test_two_imports_at_once_make_one_release(app: Flask, tmp_path: Path) -> None:
    album(tmp_path / "a", 2)
    album(tmp_path / "b", 2, start=3)
    failures: list[BaseException] = []
    barrier = threading.Barrier(2)

    def work(folder: Path) -> None:
        with app.app_context():
            try:
                barrier.wait(20)
                take(folder)
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(tmp_path / name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    (release,) = releases()
    assert sorted(t.title for t in release.tracks) == ["Song 1", "Song 2", "Song 3", "Song 4"]


def test_names_in_any_script_and_odd_characters(app: Flask, tmp_path: Path) -> None:
    make_audio(tmp_path / "夜航船" / "01 退潮 %s 'x' \\ ;.flac", 0.5, 8000, 1)
    os.utime(tmp_path / "夜航船")
    assert take(tmp_path / "夜航船").refused == []
    (release,) = releases()
    assert release.title == "夜航船"
    assert release.tracks[0].title.startswith("退潮 %s")


@pytest.mark.parametrize(
    ("price", "tracks", "each"),
    [(990, 3, 429), (990, 12, 109), (990, 1, 990), (60, 10, 50), (40, 3, 40), (900, 5, 239)],
)
def test_a_fair_price_for_a_track(price: int, tracks: int, each: int) -> None:
    assert sale.fair_track_price(Money(price, "EUR"), tracks) == Money(each, "EUR")
