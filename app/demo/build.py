"""The demo's master files, made in parallel, and what the shop says of them once they are imported."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import select

from app.catalog import service as catalog
from app.catalog.models import Artist, Release
from app.core.db import db
from app.demo import covers, films, mastering, masters
from app.demo.catalogue import RECIPE, RELEASES, ReleaseSpec, TrackSpec, by_key
from app.demo.dsp import Signal
from app.demo.pieces import perform
from app.demo.score import Take
from transcoder.contract import TagSet
from transcoder.tags import write_tags

Progress = Callable[[int, int, str], None]
_PART = ".part-"


@dataclass(frozen=True, slots=True)
class _Work:
    """One master to make: where it goes and the cover that goes into it."""

    key: str
    index: int
    path: Path
    cover: Path


def write_masters(
    directory: Path,
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
    releases: Sequence[ReleaseSpec] = RELEASES,
) -> list[Path]:
    """Compose, draw and write every master under `directory`, as <Artist>/<Album>/01 Title.flac, in catalogue order.

    Files written by the same recipe are left alone; one that is half-written never bears its final name.
    `on_progress(done, total, name)` is called after each cover and master. Answers the masters' paths.
    """
    directory.mkdir(parents=True, exist_ok=True)
    stamp = directory / ".recipe"
    if not stamp.exists() or stamp.read_text() != RECIPE:
        for old in directory.rglob("*"):
            if old.is_file():
                old.unlink()
    for half_written in directory.rglob(_PART + "*"):
        half_written.unlink()
    plan = [work for release in releases for work in _plan(directory, release)]
    drawn = {work.key: work.cover for work in plan}
    missing = [work for work in plan if not work.path.exists()]
    undrawn = {key: path for key, path in drawn.items() if not path.exists()}
    total = len(plan) + len(drawn)
    done = total - len(missing) - len(undrawn)
    report = on_progress or (lambda *_: None)
    report(done, total, "")
    if missing or undrawn:
        # Longest first, so that no core waits at the end for a film begun last.
        missing.sort(key=lambda work: _cost(by_key(work.key), work.index), reverse=True)
        with _one_thread_each(), _pool(workers) as pool:
            drawing = {pool.submit(_draw, key, path): key for key, path in undrawn.items()}
            for future in as_completed(drawing):
                future.result()
                done += 1
                report(done, total, by_key(drawing[future]).title)
            making = {pool.submit(_make, work): work for work in missing}
            for future in as_completed(making):
                future.result()
                done += 1
                report(done, total, making[future].path.stem)
    stamp.write_text(RECIPE)
    return [work.path for work in plan]


def apply_details() -> int:
    """Give imported releases what tags don't carry: prices, dates, descriptions, Chinese names of genre and label.

    Answers how many were touched. A release that has a Chinese description already is left alone, so that what an
    editor changed since stays changed. The caller commits.
    """
    touched = 0
    for spec in RELEASES:
        release = db.session.scalar(
            select(Release).join(Release.artist).where(Artist.name == spec.artist, Release.title == spec.title)
        )
        if release is None or release.description_zh:
            continue
        catalog.update_release(
            release,
            title_zh=spec.title_zh,
            genre=catalog.ensure_genre(spec.genre, spec.genre_zh),
            label=catalog.ensure_label(spec.label, spec.label_zh),
            released_on=date.fromisoformat(spec.date),
            description=spec.description,
            description_zh=spec.description_zh,
        )
        catalog.ensure_artist(spec.artist, spec.artist_zh)
        catalog.set_price(release=release, price=spec.price)
        for track in release.tracks:
            if spec.track_price:
                catalog.set_price(track=track, price=spec.track_price)
            else:
                catalog.retire_offers(track=track)
        touched += 1
    return touched


def tags_of(spec: ReleaseSpec, index: int) -> TagSet:
    """What the master of a release's track says of itself."""
    track = spec.tracks[index]
    same_disc = [other for other in spec.tracks if other.disc == track.disc]
    return TagSet(
        title=track.title,
        title_zh=track.title_zh,
        artist=spec.artist,
        artist_zh=spec.artist_zh,
        album=spec.title,
        album_zh=spec.title_zh,
        album_artist=spec.artist,
        label=spec.label,
        genre=spec.genre,
        year=int(spec.date[:4]),
        track=same_disc.index(track) + 1,
        track_total=len(same_disc),
        disc=track.disc,
        disc_total=spec.tracks[-1].disc,
        isrc=f"QZWC1{spec.date[2:4]}{RELEASES.index(spec) + 1:03d}{index + 1:02d}",
        comment=spec.description,
    )


def composed(spec: ReleaseSpec, track: TrackSpec) -> Signal:
    """The finished sound of a track, at the rate of its master."""
    rate = spec.master.rate
    mix = perform(track.piece, Take(track.piece, track.seconds, rate))
    if spec.film:  # the picture's length is the sound's
        return mastering.master(mix, rate, spec.lufs, lean=spec.lean, trim=False)
    return mastering.master(mix, rate, spec.lufs, lean=spec.lean)


def _plan(directory: Path, spec: ReleaseSpec) -> list[_Work]:
    folder = directory / _file_name(spec.artist) / _file_name(spec.title)
    discs = spec.tracks[-1].disc > 1
    works = []
    for index, track in enumerate(spec.tracks):
        number = tags_of(spec, index).track
        prefix = f"{track.disc}-{number:02d}" if discs else f"{number:02d}"
        path = folder / f"{prefix} {_file_name(track.title)}{spec.master.suffix}"
        works.append(_Work(spec.key, index, path, folder / "cover.jpg"))
    return works


def _cost(spec: ReleaseSpec, index: int) -> float:
    return spec.tracks[index].seconds * (12 if spec.film else spec.master.rate / 44_100)


def _draw(key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(_PART + path.name)
    part.write_bytes(covers.cover(key))
    part.replace(path)


def _make(work: _Work) -> None:
    """Make one master; it gets its name when it is whole."""
    spec, tags = by_key(work.key), tags_of(by_key(work.key), work.index)
    track = spec.tracks[work.index]
    sound = composed(spec, track)
    part = work.path.with_name(_PART + work.path.name)
    if spec.film:
        film = films.FILMS[spec.key]
        told = {name.upper(): str(value) for name, value in _container_tags(tags).items()}
        size = (film.width, film.height)
        masters.write_film(part, film.draw(track.seconds), size, films.FRAMES_A_SECOND, sound, spec.master, told)
    else:
        masters.write_audio(part, sound, spec.master)
    if part.suffix != ".mkv":
        write_tags(part, tags, work.cover.read_bytes())
    part.replace(work.path)


def _container_tags(tags: TagSet) -> dict[str, object]:
    names = ("title", "title_zh", "artist", "artist_zh", "album", "album_zh", "label", "genre", "comment")
    told: dict[str, object] = {name: getattr(tags, name) for name in names}
    return told | {"date": tags.year, "track": tags.track, "isrc": tags.isrc}


def _file_name(title: str) -> str:
    """The title without what a file system somewhere objects to."""
    return re.sub(r"\s+", " ", re.sub(r'[<>:"/\\|?*]', " ", title)).strip(" .")


def _pool(workers: int | None) -> ProcessPoolExecutor:
    # Spawned, not forked: the caller may hold database connections and threads.
    return ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=multiprocessing.get_context("spawn"))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children whose matrix products use one thread: the pool already fills the cores, and the sums stay the same."""
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before
