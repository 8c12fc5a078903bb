"""To an engine on more machines and back: what people did goes out as Parquet, releases' factors come in.

What goes out is what `ALS` of Spark MLlib reads: https://spark.apache.org/docs/latest/ml-collaborative-filtering.html.
What comes in is its `itemFactors`, or an .npz of numpy's. docs/recommender.md has the commands for both ends.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import func, select

from app.catalog.models import Release
from app.core import clock
from app.core.db import db
from app.core.errors import WavecrateError
from app.discovery import promotion, reading, service
from app.discovery.models import FACTORS, Event, RecommenderModel
from app.recommender.interactions import Ids, names

FORMAT = 1
_GROUP_ROWS = 1 << 20


class CannotExchange(WavecrateError):
    """There is nothing to read there, or nowhere to write; the message says what to do."""


def export(to: Path) -> dict[str, Any]:
    """Write into a folder what people did with which releases; answers its manifest, which is written last.

    `interactions.parquet`: user and item (int32), rating (float32: log(1 + r), what alpha multiplies), preference
    (float32: r). `people.parquet`, `items.parquet`: each number's id. Nothing is held but the ids and a block.
    """
    pa, pq = _arrow()
    to = to.resolve()
    try:
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()):
            raise CannotExchange(_("%(folder)s is not empty. Name a new folder.", folder=str(to)))
        to.chmod(0o700)  # who likes what, by account
    except OSError as error:
        raise CannotExchange(
            _("Cannot write to %(folder)s: %(why)s.", folder=str(to), why=error.strerror or str(error))
        ) from error
    until = db.session.scalar(select(func.max(Event.id))) or 0
    stream = reading.Stream(until)
    schema = pa.schema(
        [("user", pa.int32()), ("item", pa.int32()), ("rating", pa.float32()), ("preference", pa.float32())]
    )
    pairs = 0
    with pq.ParquetWriter(to / "interactions.parquet", schema) as writer:
        waiting: list[Any] = []
        for people, items, r in stream:
            rating = np.log1p(r)
            waiting.append(pa.record_batch([people, items, rating, r], schema=schema))
            pairs += len(r)
            if sum(len(batch) for batch in waiting) >= _GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))
    people_ids, item_ids = stream.person_ids(), stream.item_ids()
    _ids(to / "people.parquet", "user", people_ids)
    _ids(to / "items.parquet", "item", item_ids)
    manifest = {
        "format": FORMAT,
        "at": clock.now().isoformat(),
        "until_event": until,
        "people": len(people_ids),
        "items": len(item_ids),
        "pairs": pairs,
        "alpha": service.ELSEWHERE.als.alpha,
        "regularisation": service.ELSEWHERE.als.regularisation,
    }
    draft = to / "manifest.json.new"
    draft.write_text(json.dumps(manifest, indent=2) + "\n")
    os.replace(draft, to / "manifest.json")
    return manifest


def take(source: Path, items: Path | None) -> tuple[RecommenderModel, bool]:
    """Keep factors that were found elsewhere as a model, and whether it is in use now. Nothing is kept of bad ones.

    `source` is an .npz with `item_ids` and `factors`, or Spark's `itemFactors` (a Parquet file or folder with `id` and
    `features`), whose numbers the export's `items.parquet` explains.
    """
    if not source.exists():
        raise CannotExchange(_("There is no %(path)s.", path=str(source)))
    ids, found = _from_numpy(source) if source.suffix == ".npz" else _from_spark(source, items)
    with np.errstate(over="ignore"):  # too large for 32 bits is infinite, and refused as that
        factors = np.array(found, dtype=np.float32, order="C")
    model = service.adopt(_checked(ids, factors), factors, "imported")
    return model, promotion.promote_if_better(model)


def _checked(ids: list[str], factors: np.ndarray) -> list[str]:
    """The ids, where every row is an item's that the shop knows, once, and every number is one."""
    if factors.ndim != 2 or len(ids) != len(factors) or not len(ids):
        raise CannotExchange(_("One vector is needed for each release, and at least one release."))
    if not 1 <= factors.shape[1] <= FACTORS:
        raise CannotExchange(
            _("The vectors have %(found)d factors; at most %(most)d fit.", found=factors.shape[1], most=FACTORS)
        )
    bad = np.flatnonzero(~np.isfinite(factors).all(axis=1))
    if len(bad):
        raise CannotExchange(_("The vector of %(id)s holds what is no number.", id=ids[int(bad[0])]))
    twice = [one for one, times in Counter(ids).items() if times > 1]
    if twice:
        raise CannotExchange(_("%(id)s is there more than once.", id=twice[0]))
    few = len(ids) <= 1000
    known = set(db.session.scalars(select(Release.id).where(Release.id.in_(ids)) if few else select(Release.id)))
    unknown = [one for one in ids if one not in known]
    if unknown:
        raise CannotExchange(
            _(
                "%(count)d releases are not this shop's, %(id)s for one. Export anew, and train on that.",
                count=len(unknown),
                id=unknown[0][:40],
            )
        )
    return ids


def _from_numpy(source: Path) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(source, allow_pickle=False) as file:
            ids, factors = file["item_ids"], file["factors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CannotExchange(
            _("%(path)s is no .npz with item_ids and factors: %(why)s.", path=str(source), why=str(error))
        ) from error
    if ids.dtype.kind not in "SU" or ids.ndim != 1 or factors.dtype.kind != "f":
        raise CannotExchange(_("item_ids has to be a list of texts, and factors a table of floating-point numbers."))
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in ids.tolist()], factors


def _from_spark(source: Path, items: Path | None) -> tuple[list[str], np.ndarray]:
    pa, pq = _arrow()
    if items is None:
        raise CannotExchange(_("Spark's item factors are numbered: name the export's items.parquet with --items."))
    try:
        found = pq.read_table(source, columns=["id", "features"])
        table = pq.read_table(items, columns=["item", "id"])
        numbers = found["id"].to_numpy()
        features = found["features"].combine_chunks()
        lengths = np.diff(features.offsets.to_numpy())
        factors = features.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        name_of = dict(zip(table["item"].to_pylist(), table["id"].to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError, AttributeError, ValueError) as error:
        raise CannotExchange(
            _("%(path)s is no Parquet of Spark's item factors: %(why)s.", path=str(source), why=str(error)[:300])
        ) from error
    if len(set(lengths.tolist())) != 1:
        raise CannotExchange(_("The vectors are not all of one length, or there are none."))
    strange = [number for number in numbers.tolist() if number not in name_of]
    if strange:
        raise CannotExchange(
            _("Number %(number)s is no item of %(path)s.", number=str(strange[0])[:40], path=str(items))
        )
    return [str(name_of[number]) for number in numbers.tolist()], factors.reshape(len(numbers), -1)


def _ids(path: Path, column: str, ids: Ids) -> None:
    pa, pq = _arrow()
    numbers = pa.array(np.arange(len(ids), dtype=np.int32))
    pq.write_table(pa.table({column: numbers, "id": pa.array(names(ids), pa.string())}), path)


def _arrow() -> tuple[Any, Any]:
    """pyarrow, which only this needs: 55 MB that a shop on one machine can do without."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise CannotExchange(_("Parquet needs the package pyarrow: pip install 'wavecrate[parquet]'.")) from error
    return pyarrow, pyarrow.parquet
