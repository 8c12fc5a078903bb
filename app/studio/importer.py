"""Masters from files and folders: examined, stored, put into releases, and on the transcoder's queue.

An editor's upload takes the same way: `examine`, `store_master`, `covers`, `service.take_in`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from app.accounts.models import Account
from app.catalog.models import Track
from app.core.db import db, transaction
from app.core.errors import Conflict, WavecrateError
from app.core.money import Money
from app.core.store import media_store
from app.studio import covers, queries, service, sidecars
from app.studio.grouping import Candidate, Group, disc_of_folder, group, natural
from media_store import keys
from media_store.interface import MediaStore
from transcoder.accepted import CONTAINERS, SUFFIXES
from transcoder.contract import Probe
from transcoder.errors import N_, NotMedia
from transcoder.probe import look_over
from transcoder.sniff import sniff

Progress = Callable[[int, int, str], None]

_COVER_NAMES = ("cover", "folder", "front", "album", "albumart")
_COVER_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# What operating systems leave in folders; nobody means to import it.
_LITTER = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found"}
_CHUNK = 4 * 1024**2
_ATTEMPTS = 3


@dataclass(slots=True)
class ImportReport:
    """What an import did: files taken, files that were there already, files refused and why, releases touched."""

    imported: list[Path] = field(default_factory=list)
    already_there: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    release_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    size: int
    folder: str | None


def import_paths(
    paths: Sequence[Path],
    *,
    price: Money,
    track_price: Money | None = None,
    publish: bool = True,
    on_progress: Progress = lambda _done, _total, _name: None,
) -> ImportReport:
    """Take the masters at `paths` (files, or folders with all that is in them) into the shop.

    Each release is one transaction, so an import that is cut short can be run again. Running one twice adds nothing;
    a file that is new is added to its release. Subtitles that lie beside a film and are called like it come with it.
    A file that can't be taken is reported with the reason, and the rest goes on. With `publish`, a release is shown
    once all of its tracks can be heard. `track_price` is that of each track of an album by itself, by default a fair
    share of `price`. `on_progress(done, total, name)` counts bytes: each file once as it is examined and once as it is
    stored. Raises StoreError where the store can't be reached.
    """
    report = ImportReport()
    found = list(_walk(paths, report))
    meter = _Meter(2 * sum(file.size for file in found), on_progress)
    candidates = []
    same_cover: dict[bytes | None, bytes | None] = {}  # an album's tracks share one cover in memory too
    for file in found:
        try:
            candidate = examine(file.path, folder=file.folder, meter=meter.add)
            candidates.append(replace(candidate, cover=same_cover.setdefault(candidate.cover, candidate.cover)))
        except NotMedia as error:
            report.refused.append((file.path, str(error)))
        meter.settle(file.size, file.path.name)
    stored = sum(candidate.size for candidate in candidates)
    meter.settle(sum(file.size for file in found) - stored, "")
    for one in group(candidates):
        _import_group(one, price, track_price, publish, report, meter)
    report.refused.sort(key=lambda item: natural(str(item[0])))
    return report


def examine(
    path: Path, *, name: str | None = None, folder: str | None = None, meter: Callable[[int, str], None] | None = None
) -> Candidate:
    """Look a file over: what it is, what it says of itself, its SHA-256. Raises NotMedia.

    `name` is its owner's name for it where `path` is a copy. Bytes that were examined before are not decoded again.
    """
    called = name or path.name
    sniffed = sniff(path, called)
    sha256, size = _fingerprint(path, called, meter)
    probe: Probe | None = queries.masters_known([sha256]).get(sha256)
    db.session.rollback()  # no transaction stays open while a file is decoded
    known = probe is not None and probe.container == sniffed.container
    looked = look_over(path, called, measure=not known)
    probe = looked.probe or probe
    assert probe is not None
    return Candidate(path, called, size, sha256, probe, looked.tags, looked.cover, folder)


def store_master(store: MediaStore, candidate: Candidate) -> None:
    """Put a master where its content says it belongs; one that lies there already is left alone."""
    content_type = CONTAINERS[candidate.probe.container].content_type
    if not candidate.is_film:
        content_type = content_type.replace("video/", "audio/")
    store.put_file(keys.master(candidate.sha256), candidate.path, content_type)


def take_in(
    one: Group,
    cover_key: str | None,
    *,
    price: Money | None = None,
    track_price: Money | None = None,
    publish: bool = False,
    keep_apart: bool = False,
    by: str | None = None,
    also: Callable[[service.TakenIn], None] = lambda _taken: None,
) -> service.TakenIn:
    """`service.take_in` in a transaction of its own, and `also` within it; see there. `by` is the sender's id.

    Where another import makes the same release or track in the same moment, it looks again and finds it there.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with transaction():
                taken = service.take_in(
                    one,
                    cover_key=cover_key,
                    price=price,
                    track_price=track_price,
                    keep_apart=keep_apart,
                    by=db.session.get_one(Account, by) if by else None,
                )
                if publish and taken.added:
                    service.publish_once_ready(taken.release, by)
                also(taken)
            return taken
        except IntegrityError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _import_group(
    one: Group, price: Money, track_price: Money | None, publish: bool, report: ImportReport, meter: _Meter
) -> None:
    store = media_store()
    for file in one.files:
        store_master(store, file)
        meter.settle(file.size, file.name)
    taken = take_in(one, find_cover(store, one), price=price, track_price=track_price, publish=publish)
    report.imported += [file.path for file, _track in taken.added]
    report.already_there += [file.path for file, _track in taken.already]
    report.release_ids.append(taken.release.id)
    for file, track in (*taken.added, *taken.already):
        _import_subtitles(track.id, file.path, report)


def _import_subtitles(track_id: str, master: Path, report: ImportReport) -> None:
    for path in sidecars.beside(master):
        try:
            with transaction():
                sidecars.take(db.session.get_one(Track, track_id), path, master)
        except Conflict:
            report.already_there.append(path)
        except WavecrateError as error:
            report.refused.append((path, str(error).removeprefix(f"{path.name} ")))
        except OSError as error:
            report.refused.append((path, f"cannot be read: {error.strerror or error}"))
        else:
            report.imported.append(path)


def find_cover(store: MediaStore, one: Group) -> str | None:
    """Store the release's cover and return its key: the first that is embedded, else one lying beside the files."""
    for data in _cover_candidates(one):
        try:
            return covers.store_cover(store, data)
        except covers.BadImage:
            continue  # the music is good all the same; the next picture may be
    return None


def _cover_candidates(one: Group) -> Iterator[bytes]:
    seen: set[bytes] = set()
    for file in one.files:
        if file.cover is not None and (digest := hashlib.sha256(file.cover).digest()) not in seen:
            seen.add(digest)
            yield file.cover
    for path in _pictures_beside(one):
        try:
            if path.stat().st_size <= covers.MAX_BYTES:
                yield path.read_bytes()
        except OSError:
            continue


def _pictures_beside(one: Group) -> list[Path]:
    """Pictures named like a cover, or like the film they belong to, in the files' folders (and above "CD 1")."""
    if one.files[0].folder is None and not one.is_film:
        return []
    folders = list(dict.fromkeys(f for file in one.files for f in (file.path.parent, file.path.parent.parent)))
    own = [file.path.parent for file in one.files]
    found: list[Path] = []
    for folder in sorted(folders, key=lambda f: f not in own):
        if folder not in own and not (one.is_album and all(disc_of_folder(str(parent)) for parent in own)):
            continue
        names = [one.files[0].path.stem] if one.is_film else list(_COVER_NAMES)
        if one.is_film and _is_alone(one.files[0].path):
            names += _COVER_NAMES
        there = {path.name.casefold(): path for path in _listed(folder) if path.is_file() and not path.is_symlink()}
        found += [
            there[name.casefold() + suffix]
            for name in names
            for suffix in _COVER_SUFFIXES
            if name.casefold() + suffix in there
        ]
    return found


def _is_alone(path: Path) -> bool:
    return sum(1 for other in _listed(path.parent) if other.suffix.lower() in SUFFIXES) == 1


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _walk(paths: Sequence[Path], report: ImportReport) -> Iterator[_Found]:
    """Every file to look at, in order, each once; what can't be looked at goes to the report."""
    seen: set[Path] = set()
    for given in paths:
        if not given.is_dir():
            yield from _file(given, None, seen, report)
            continue
        root = given.resolve()

        def unreadable(error: OSError) -> None:
            report.refused.append((Path(error.filename), f"cannot be read: {error.strerror}"))

        for folder, subfolders, names in os.walk(given, onerror=unreadable):
            subfolders[:] = sorted((s for s in subfolders if not _is_litter(s)), key=natural)
            for name in [s for s in subfolders if (Path(folder) / s).is_symlink()]:
                report.refused.append((Path(folder) / name, N_("is a link to a folder; give that folder itself")))
            for name in sorted((n for n in names if not _is_litter(n)), key=natural):
                path = Path(folder) / name
                if path.is_symlink() and not path.resolve().is_relative_to(root):
                    report.refused.append((path, N_("is a link that leads out of the folder")))
                elif not _is_cover(path) and not sidecars.belongs_to_a_master(path):
                    yield from _file(path, str(Path(folder).resolve()), seen, report)


def _file(path: Path, folder: str | None, seen: set[Path], report: ImportReport) -> Iterator[_Found]:
    try:
        real = path.resolve()
        size = path.stat().st_size
    except OSError as error:
        report.refused.append((path, f"cannot be read: {error.strerror or error}"))
        return
    if real not in seen:
        seen.add(real)
        yield _Found(path, size, folder)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _LITTER


def _is_cover(path: Path) -> bool:
    """A picture that is used as a cover where it lies, so it is not refused as a master."""
    if path.suffix.lower() not in _COVER_SUFFIXES:
        return False
    if path.stem.casefold() in _COVER_NAMES:
        return True
    return any((path.parent / (path.stem + suffix)).exists() for suffix in SUFFIXES)


def _fingerprint(path: Path, name: str, meter: Callable[[int, str], None] | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if meter:
                    meter(len(chunk), name)
    except OSError as error:
        raise NotMedia(N_("cannot be read: %(why)s"), why=error.strerror or str(error)) from None
    return digest.hexdigest(), size


class _Meter:
    """Counts bytes done; `settle` makes up for whatever of a file was not counted on the way."""

    def __init__(self, total: int, report: Progress) -> None:
        self._total, self._report = total, report
        self._settled = self._running = 0

    def add(self, count: int, name: str) -> None:
        self._running += count
        self._report(min(self._total, self._settled + self._running), self._total, name)

    def settle(self, size: int, name: str) -> None:
        self._settled += size
        self._running = 0
        self._report(self._settled, self._total, name)
