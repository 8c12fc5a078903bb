"""The store beside the rows: what is missing, what is damaged, what is too much."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from app.core.holdings import Holding, HoldingKind
from app.upkeep import streams
from media_store import keys
from media_store.errors import ObjectMissing
from media_store.interface import MediaStore, StoredObject

OnProgress = Callable[[float, float, str], None]

_AT_ONCE = 8


class Fault(StrEnum):
    """What is wrong with an object that a row needs."""

    MISSING = "missing"
    SIZE = "size"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Problem:
    """An object that a row needs and that is not as it should be; `key` is a member's where the row's is a stream."""

    holding: Holding
    key: str
    fault: Fault
    says: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """What no row needs: an object, or a stream's whole folder. `newest` is when any of it was last written."""

    key: str
    objects: int
    size: int
    newest: datetime


@dataclass(slots=True)
class Survey:
    """What a look at everything found."""

    objects: int = 0
    size: int = 0
    needed: int = 0
    problems: list[Problem] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)


def survey(
    store: MediaStore, holdings: Iterable[Holding], *, deep: bool = False, on_progress: OnProgress | None = None
) -> Survey:
    """Compare everything that is needed with everything that is there.

    Without `deep`, by existence and size, and streams by what their playlists name; with it every needed object is
    read, and its SHA-256 compared with the one in its key or among its metadata. Raises StoreError.
    """
    needed: dict[str, list[Holding]] = {}
    for holding in holdings:
        needed.setdefault(holding.key, []).append(holding)
    found = Survey(needed=len(needed))
    report, done = on_progress or (lambda _done, _total, _name: None), 0

    def look(unit: tuple[str, list[StoredObject]]) -> tuple[str, list[StoredObject], list[Problem], list[Orphan]]:
        key, objects = unit
        return key, objects, *_examine(store, key, objects, needed.get(key, []), deep=deep)

    seen = set()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for batch in _batches(_units(store)):
            for key, objects, problems, orphans in pool.map(look, batch):
                found.objects += len(objects)
                found.size += sum(each.size for each in objects)
                found.problems += problems
                found.orphans += orphans
                if key in needed:
                    seen.add(key)
                    done += 1
                    report(done, len(needed), needed[key][0].name)
    for key, holders in needed.items():
        if key not in seen:
            says = "no object lies there"
            found.problems += [Problem(each, key, Fault.MISSING, says) for each in holders if _is_due(each)]
    report(len(needed), len(needed), "")
    return found


def _units(store: MediaStore) -> Iterator[tuple[str, list[StoredObject]]]:
    for key, members in groupby(store.walk(""), key=lambda each: keys.unit(each.key)):
        yield key, list(members)


def _batches(units: Iterator[tuple[str, list[StoredObject]]]) -> Iterator[list[tuple[str, list[StoredObject]]]]:
    """A few hundred at a time: the listing of a large store is not held in memory."""
    batch: list[tuple[str, list[StoredObject]]] = []
    for unit in units:
        batch.append(unit)
        if len(batch) == 256:
            yield batch
            batch = []
    yield batch


def _is_due(holding: Holding) -> bool:
    return holding.kind != HoldingKind.UNFINISHED


def _examine(
    store: MediaStore, key: str, objects: list[StoredObject], holders: list[Holding], *, deep: bool
) -> tuple[list[Problem], list[Orphan]]:
    if not holders:
        size, newest = sum(each.size for each in objects), max(each.stored_at for each in objects)
        return [], [Orphan(key, len(objects), size, newest)]
    due = [holder for holder in holders if _is_due(holder)]
    if not due:
        return [], []
    if not key.endswith("/"):
        (one,) = objects
        wrong = _wrong(store, one, due[0].size, deep=deep)
        return [Problem(holder, key, *wrong) for holder in due if wrong], []
    missing, strange, unnamed = streams.compare(store, key, objects, due[0].size)
    problems = [(member, Fault.MISSING, "a playlist names it, and it is not there") for member in missing]
    problems += [(member, Fault.SIZE, says) for member, says in strange]
    if deep:
        left_over = {each.key for each in unnamed}
        for each in objects:
            wrong = None if each.key in left_over else _wrong(store, each, None, deep=True)
            problems += [(each.key, *wrong)] if wrong else []
    orphans = [Orphan(each.key, 1, each.size, each.stored_at) for each in unnamed]
    return [Problem(holder, *problem) for holder in due for problem in problems], orphans


def _wrong(store: MediaStore, found: StoredObject, size: int | None, *, deep: bool) -> tuple[Fault, str] | None:
    if size is not None and found.size != size:
        return Fault.SIZE, f"{found.size} bytes lie there instead of {size}"
    if not deep:
        return None
    try:
        expected = store.head(found.key).sha256
        if expected is None:
            return None
        digest = hashlib.sha256()
        for chunk in store.open(found.key).chunks:
            digest.update(chunk)
    except ObjectMissing:
        return Fault.MISSING, "it went while it was looked at"
    if digest.hexdigest() != expected:
        return Fault.DAMAGED, f"its SHA-256 is {digest.hexdigest()}, not {expected}"
    return None
