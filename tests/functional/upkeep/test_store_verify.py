"""Rows and objects compared both ways, on a real store: what is found, what is mended, what is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask
from media_samples import make_film
from support import rows
from support.drain import drain
from support.house import House
from support.pipeline import transcode

from app.catalog.models import Kind
from app.cli import cli
from app.core import queue
from app.core.db import db, transaction
from app.core.holdings import HoldingKind
from app.downloads import service as downloads
from app.downloads.models import Archive, ArchiveState
from app.media import queries as media
from app.media import service as media_service
from app.media.models import JobState
from app.playback import service as playback
from app.playback.models import PlaySession
from app.settings import Settings
from app.studio.models import Upload
from app.upkeep import rounds
from app.upkeep.survey import Fault
from media_store import keys
from media_store.s3 import S3Store

GONE = "ab" * 32
DAY = timedelta(days=1)


def faults(made: rounds.Round) -> set[tuple[str, str, str]]:
    return {(each.holding.kind, each.key, each.fault) for each in made.survey.problems}


def members(store: S3Store, folder: str) -> list[str]:
    return [key.removeprefix(folder) for key in store.list(folder)]


@pytest.mark.parametrize("deep", [False, True])
def test_a_house_in_order_is_clean(house: House, deep: bool) -> None:
    made = rounds.look(deep=deep)
    assert made.clean
    assert not made.survey.orphans
    assert made.survey.objects == 1 + 2 + 2 * 4 + 2
    assert made.survey.needed == 1 + 2 + 2 + 2


def test_every_kind_of_loss_is_found(house: House, store: S3Store) -> None:
    folder = house.streams[0].key
    store.delete(house.masters[0])
    store.delete(house.files[1].key)
    store.delete(house.release.cover_key or "")
    store.delete(f"{folder}aac-64/00001.m4s")
    for key in store.list(house.streams[1].key):
        store.delete(key)
    assert faults(rounds.look()) == {
        (HoldingKind.MASTER, house.masters[0], Fault.MISSING),
        (HoldingKind.RENDITION, house.files[1].key, Fault.MISSING),
        (HoldingKind.COVER, house.release.cover_key, Fault.MISSING),
        (HoldingKind.RENDITION, f"{folder}aac-64/00001.m4s", Fault.MISSING),
        (HoldingKind.RENDITION, house.streams[1].key, Fault.MISSING),
    }


def overwrite(store: S3Store, key: str, body: bytes) -> None:
    """What bit rot does: other bytes, and the label as it was."""
    label = store.head(key).sha256
    extra = {"Metadata": {"sha256": label}} if keys.digest(key) is None and label else {}
    store._client.put_object(Bucket=store.bucket, Key=store.prefix + key, Body=body, **extra)


def test_a_wrong_size_is_seen_at_once_and_rot_by_reading(house: House, store: S3Store) -> None:
    segment = f"{house.streams[0].key}aac-64/00001.m4s"
    whole = store.get_bytes(segment)
    overwrite(store, house.files[0].key, b"short")
    overwrite(store, house.files[1].key, b"FLAC" + store.get_bytes(house.files[1].key)[4:])
    overwrite(store, segment, bytes([whole[0] ^ 1]) + whole[1:])
    quick = {(HoldingKind.RENDITION, house.files[0].key, Fault.SIZE)}
    assert faults(rounds.look()) == quick
    rot = {(HoldingKind.RENDITION, house.files[1].key, Fault.DAMAGED), (HoldingKind.RENDITION, segment, Fault.DAMAGED)}
    assert faults(rounds.look(deep=True)) == quick | rot


@pytest.mark.parametrize("body", [b"", b"fifteen bytes!!"])
def test_a_cut_segment_is_seen_without_reading(house: House, store: S3Store, body: bytes) -> None:
    segment = f"{house.streams[0].key}aac-64/00001.m4s"
    overwrite(store, segment, body)
    assert faults(rounds.look()) == {(HoldingKind.RENDITION, segment, Fault.SIZE)}


def test_lost_renditions_are_made_again_and_a_lost_master_is_told(house: House, store: S3Store) -> None:
    first, second = house.release.tracks
    store.delete(house.files[0].key)
    store.delete(house.files[1].key)
    store.delete(house.masters[1])
    made = rounds.look()
    rounds.mend(made)
    said = {problem.key: made.mended[number] for number, problem in enumerate(made.survey.problems)}
    assert said[house.files[0].key] == rounds.AGAIN
    assert "mend that first" in said[house.files[1].key]
    assert "uploaded again" in said[house.masters[1]]
    assert not made.clean
    assert {each.key for each in made.open_problems} == {house.files[1].key, house.masters[1]}
    jobs = media.jobs_of([first.id, second.id])
    assert (jobs[first.id].state, jobs[second.id].state) == (JobState.QUEUED, JobState.DONE)
    assert [args["job_id"] for args in queue.waiting_args("media.transcode")] == [jobs[first.id].id]

    again = rounds.look()
    rounds.mend(again)
    assert len(queue.waiting_args("media.transcode")) == 1, "what is under way is not asked for twice"


def test_a_damaged_rendition_makes_way_for_the_new_one(house: House, store: S3Store) -> None:
    overwrite(store, house.files[0].key, b"FLAC" + store.get_bytes(house.files[0].key)[4:])
    made = rounds.look(deep=True)
    rounds.mend(made)
    assert not store.exists(house.files[0].key), "the job would take it for whole: it has the right size"
    assert made.clean, "all that is wrong is on the queue"


class WatchedStore(S3Store):
    """The same store, and what the test wants to happen as each object goes."""

    before_delete: Callable[[str], None]

    def delete(self, key: str) -> None:
        self.before_delete(key)
        super().delete(key)


@pytest.fixture
def watched(app: Flask, store: S3Store) -> WatchedStore:
    again = WatchedStore.__new__(WatchedStore)
    again.__dict__ |= store.__dict__
    app.extensions["media_store"] = again
    return again


def test_all_that_is_damaged_of_a_track_is_gone_before_its_job_can_begin(
    house: House, store: S3Store, watched: WatchedStore, settings: Settings
) -> None:
    segment = f"{house.streams[0].key}aac-64/00001.m4s"
    damaged = {segment, house.files[0].key}
    for key in damaged:
        overwrite(store, key, b"\1" + store.get_bytes(key)[1:])
    jobs = []

    def look_from_outside(key: str) -> None:
        with psycopg.connect(settings.libpq_url) as worker:
            jobs.append((key, *worker.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()))

    watched.before_delete = look_from_outside
    made = rounds.look(deep=True)
    rounds.mend(made)
    assert set(jobs) == {(key, 0) for key in damaged}
    assert not any(store.exists(key) for key in damaged)
    assert set(made.mended.values()) == {rounds.AGAIN}


def test_what_is_being_made_again_already_is_not_touched(house: House, store: S3Store) -> None:
    overwrite(store, house.files[0].key, b"FLAC" + store.get_bytes(house.files[0].key)[4:])
    made = rounds.look(deep=True)
    with transaction():
        assert media_service.remake(house.track.id)
    rounds.mend(made)
    assert store.exists(house.files[0].key), "the job may have written it anew since"
    assert set(made.mended.values()) == {rounds.UNDER_WAY}


def test_an_object_of_two_tracks_makes_way_once(house: House, store: S3Store, watched: WatchedStore) -> None:
    with transaction():
        house.files[1].key, house.files[1].size = house.files[0].key, house.files[0].size
    overwrite(store, house.files[0].key, b"FLAC" + store.get_bytes(house.files[0].key)[4:])
    gone: list[str] = []
    watched.before_delete = gone.append
    made = rounds.look(deep=True)
    assert len(made.survey.problems) == 2
    rounds.mend(made)
    assert gone == [house.files[0].key]


def test_a_lost_zip_is_packed_again_when_asked_for(
    house: House, store: S3Store, app: Flask, settings: Settings
) -> None:
    def ask() -> Archive:
        with transaction():
            found = downloads.ask_for_archive(downloads.licensed(house.owner.id, house.release.id), "flac")
        drain(app, settings, "app.downloads.tasks")
        db.session.refresh(found)
        assert found.state == ArchiveState.READY
        assert found.key
        return found

    key = ask().key
    assert rounds.look(deep=True).clean
    store.delete(key)
    made = rounds.look()
    assert faults(made) == {(HoldingKind.ARCHIVE, key, Fault.MISSING)}
    rounds.mend(made)
    assert made.clean
    assert rounds.look().clean
    assert ask().key == key
    assert store.exists(key)


def orphans(store: S3Store) -> list[str]:
    """One of each kind, that no row has ever heard of."""
    folder = keys.stream_prefix(GONE)
    left = [keys.master(GONE), keys.download(GONE, "flac"), keys.preview(GONE, "m4a"), keys.cover(GONE)]
    left += [keys.archive(GONE), keys.upload("bcdfghjkmnpqrstv")]
    for key in left:
        store.put_bytes(key, b"left behind", "application/octet-stream")
    for member in ("multivariant.m3u8", "v1/00001.m4s"):
        store.put_bytes(keys.stream_member(folder, member), b"left behind", "application/octet-stream")
    return [*left, folder]


def test_what_nothing_needs_goes_in_its_time(
    house: House, store: S3Store, later: Callable[[timedelta], None], settings: Settings
) -> None:
    left = orphans(store)
    before = set(store.list("")) - {key for key in store.list("") if key.startswith(tuple(left))}
    made = rounds.sweep()
    assert {each.key for each in made.survey.orphans} == set(left)
    assert set(made.waiting) == set(left), "somebody may be at work on them"
    assert not made.removed

    later(timedelta(hours=settings.store_grace_hours, minutes=1))
    made = rounds.sweep()
    assert {each.key for each in made.removed} == set(left)
    assert set(store.list("")) == before, "and nothing else"
    assert rounds.look(deep=True).clean
    assert not rounds.service.known_unneeded()


def test_what_was_needed_until_now_is_kept_as_long_as_a_play_can_last(
    house: House, store: S3Store, later: Callable[[timedelta], None]
) -> None:
    later(30 * DAY)  # the objects are old
    with transaction():
        db.session.delete(house.streams[0])  # a new master's stream has come in its place
    made = rounds.sweep()
    assert set(made.waiting) == {house.streams[0].key}
    assert members(store, house.streams[0].key)
    later(DAY / 2)
    assert not rounds.sweep().removed
    later(DAY)
    assert [each.key for each in rounds.sweep().removed] == [house.streams[0].key]
    assert not members(store, house.streams[0].key)


def test_what_is_needed_again_is_not_counted_against_it(house: House, later: Callable[[timedelta], None]) -> None:
    later(30 * DAY)
    key, folder = house.streams[0].id, house.streams[0].key
    old = {
        name: getattr(house.streams[0], name) for name in ("kind", "name", "content_type", "size", "facts", "master_id")
    }
    with transaction():
        db.session.delete(house.streams[0])
    rounds.sweep()
    assert folder in rounds.service.known_unneeded()
    with transaction():
        db.session.add(type(house.streams[0])(id=key, track_id=house.track.id, key=folder, suffix="", **old))
    rounds.sweep()
    assert folder not in rounds.service.known_unneeded()


def test_an_object_written_meanwhile_stays(house: House, store: S3Store) -> None:
    [key] = [keys.download(GONE, "flac")]
    store.put_bytes(key, b"left behind", "audio/flac")
    made = rounds.look(at_once=True)
    clock_of_store = max(each.stored_at for each in store.walk(key))
    while max(each.stored_at for each in store.walk(key)) == clock_of_store:  # S3 counts in whole seconds
        overwrite(store, key, b"a job needs it now")
    rounds.clear_away(made, at_once=True)
    assert not made.removed
    assert store.exists(key)


def test_a_folder_that_is_needed_while_it_goes_goes_no_further(
    house: House, store: S3Store, watched: WatchedStore
) -> None:
    folder = keys.stream_prefix(GONE)
    for number in (1, 2, 3):
        store.put_bytes(keys.stream_member(folder, f"v1/0000{number}.m4s"), b"x" * 32, "video/iso.segment")
    job = media.job_of(house.track.id)
    gone: list[str] = []

    def a_job_begins(key: str) -> None:
        gone.append(key)
        with transaction():
            job.state, job.stream_prefix = JobState.RUNNING, folder

    watched.before_delete = a_job_begins
    made = rounds.sweep(at_once=True)
    assert len(gone) == 1
    assert len(members(store, folder)) == 2
    assert not made.removed


def test_every_kind_of_holding_is_known_by_its_key(house: House, store: S3Store) -> None:
    upload = Upload(account_id=house.owner.id, filename="a.wav", size=4)
    db.session.add(upload)
    db.session.commit()
    with transaction():
        downloads.ask_for_archive(downloads.licensed(house.owner.id, house.release.id), "flac")
    every = list(rounds.service.keys_in_use())
    assert {each.kind for each in every} == set(HoldingKind) - {HoldingKind.ARCHIVE}
    for holding in every:
        assert holding in list(rounds.service.keys_in_use({holding.key}))
        assert {each.key for each in rounds.service.keys_in_use({holding.key})} == {holding.key}
        assert rounds.service.is_needed(holding.key)
    for key in orphans(store):
        assert not rounds.service.is_needed(key)
    assert not rounds.service.is_needed(keys.stream_member(house.streams[0].key, "v9/00001.m4s"))
    assert not list(rounds.service.keys_in_use(()))


def test_members_that_no_playlist_names_are_too_much(house: House, store: S3Store) -> None:
    stray = keys.stream_member(house.streams[0].key, "v9/00001.m4s")
    store.put_bytes(stray, b"of a rung that was dropped", "video/iso.segment")
    made = rounds.sweep(at_once=True)
    assert [each.key for each in made.removed] == [stray]
    assert rounds.look(deep=True).clean


def test_an_upload_on_its_way_is_nobody_elses_business(house: House, store: S3Store) -> None:
    upload = Upload(account_id=house.owner.id, filename="a.wav", size=4)
    db.session.add(upload)
    db.session.commit()
    assert rounds.look(at_once=True).clean, "it has not arrived"
    store.put_bytes(keys.upload(upload.id), b"RIFF", "audio/wav")
    assert rounds.sweep(at_once=True).clean
    assert store.exists(keys.upload(upload.id))


def test_a_stream_in_the_making_is_nobody_elses_business(house: House, store: S3Store) -> None:
    folder = keys.stream_prefix(GONE)
    store.put_bytes(keys.stream_member(folder, "v1/00001.m4s"), b"x" * 32, "video/iso.segment")
    job = media.job_of(house.track.id)
    assert job is not None
    with transaction():
        job.state, job.stream_prefix = JobState.RUNNING, folder
    made = rounds.sweep(at_once=True)
    assert made.clean
    assert members(store, folder) == ["v1/00001.m4s"], "no playlist names it yet"
    with transaction():
        job.state = JobState.DONE
    assert [each.key for each in rounds.sweep(at_once=True).removed] == [folder]


def test_a_film_as_it_is_really_made_is_clean(app: Flask, store: S3Store, settings: Settings, tmp_path: Path) -> None:
    track = rows.release("Shore", kind=Kind.FILM).tracks[0]
    transcode(track, make_film(tmp_path / "shore.mp4", seconds=4), store, settings, tmp_path / "work")
    db.session.commit()
    folder = media.stream_of(track.id).key
    made = rounds.sweep(at_once=True)
    assert not made.survey.problems
    # A sound is made before it is known which pictures stay to go with it.
    assert all(each.key.startswith(f"{folder}aac-") for each in made.removed)
    assert rounds.look(deep=True, at_once=True).clean
    told = members(store, folder)
    assert any(name.endswith(".m4s") for name in told)
    assert all(store.head(folder + name).sha256 for name in told), "every member can be compared"
    sound = next(name for name in told if name.endswith(".m4s"))
    store.delete(folder + sound)
    assert faults(rounds.look()) == {(HoldingKind.RENDITION, folder + sound, Fault.MISSING)}


def test_what_a_waiting_zip_is_packed_of_is_kept(house: House, store: S3Store) -> None:
    with transaction():
        downloads.ask_for_archive(downloads.licensed(house.owner.id, house.release.id), "flac")
        db.session.delete(house.files[0])  # replaced before the worker came to it
    assert not rounds.sweep(at_once=True).removed
    assert store.exists(house.files[0].key)


def test_plays_long_over_are_forgotten(house: House, later: Callable[[timedelta], None], settings: Settings) -> None:
    with transaction():
        old = playback.begin(house.owner.id, house.track.id, secret="s" * 16, seconds=60).session.id
    later(timedelta(days=settings.play_session_keep_days, minutes=2))
    with transaction():
        young = playback.begin(house.owner.id, house.track.id, secret="s" * 16, seconds=60).session.id
    rounds.sweep()
    assert [each.id for each in db.session.query(PlaySession)] == [young]
    assert old != young


def test_the_nightly_task_does_the_same(house: House, store: S3Store, app: Flask, settings: Settings) -> None:
    orphans(store)
    with transaction():
        queue.defer("upkeep.sweep", args={"at_once": True})
    drain(app, settings, "app.upkeep.tasks")
    assert rounds.look(at_once=True).clean


def test_the_command_says_what_it_found_and_exits_accordingly(
    house: House, store: S3Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings:
        plain = getattr(value, "get_secret_value", lambda value=value: value)()
        if plain is not None:
            monkeypatch.setenv(name.upper(), str(plain))
    runner = CliRunner()

    def verify(*options: str) -> tuple[int, str]:
        done = runner.invoke(cli, ["store", "verify", *options])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    assert verify()[0] == 0
    assert "The store is clean." in verify()[1]
    left = orphans(store)
    store.delete(house.files[0].key)
    code, told = verify("--now")
    assert code == 1
    assert "--repair" in told
    assert f"missing: {house.files[0].key} (Tides 1 (flac))" in told
    assert f"nothing needs {keys.master(GONE)}" in told
    assert store.exists(keys.master(GONE)), "looking changes nothing"

    code, told = verify("--now", "--repair", "--json")
    found = json.loads(told)
    assert code == 0
    assert found["clean"]
    assert {each["key"] for each in found["removed"]} == set(left)
    assert [each["done"] for each in found["problems"]] == [rounds.AGAIN]
    assert media.job_of(house.track.id).state == JobState.QUEUED
