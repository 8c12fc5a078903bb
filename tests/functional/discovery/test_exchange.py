"""What goes out to another engine, what comes back, and what of it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import func, select
from support import rows

from app.cli import cli
from app.core import clock
from app.core.db import db, transaction
from app.discovery import exchange, folded, queries, reading, service
from app.discovery.models import AccountVector, Event, EventKind, RecommenderModel, ReleaseVector
from app.recommender.interactions import names


@pytest.fixture
def busy(app: Flask) -> dict[str, list[str]]:
    """A few people who bought and played."""
    people, releases = [rows.account().id for _ in range(12)], [rows.release().id for _ in range(9)]
    chance = np.random.default_rng(4)
    with transaction():
        for person in people:
            for release in chance.choice(releases, 4, replace=False).tolist():
                service.record(person, release, EventKind.PURCHASE)
                service.record(person, release, EventKind.PLAY, value=float(chance.random()))
    return {"people": people, "releases": releases}


def _spark(folder: Path, numbers: list[int], vectors: np.ndarray) -> Path:
    """`model.itemFactors.write.parquet(…)`: a folder of parts, in no order, id and features."""
    target = folder / "itemFactors"
    target.mkdir()
    order = np.random.default_rng(1).permutation(len(numbers))
    for part, places in enumerate(np.array_split(order, 2)):
        table = pa.table(
            {
                "id": pa.array([numbers[place] for place in places], pa.int32()),
                "features": pa.array([vectors[place].tolist() for place in places], pa.list_(pa.float32())),
            }
        )
        pq.write_table(table, target / f"part-{part:05}.snappy.parquet")
    (target / "_SUCCESS").touch()
    return target


def test_what_goes_out_is_what_training_reads(
    busy: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    told = exchange.export(tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "interactions.parquet")
    assert [(one.name, str(one.type)) for one in table.schema] == [
        ("user", "int32"),
        ("item", "int32"),
        ("rating", "float"),
        ("preference", "float"),
    ]
    people = dict(zip(*pq.read_table(tmp_path / "out" / "people.parquet").to_pydict().values(), strict=True))
    items = dict(zip(*pq.read_table(tmp_path / "out" / "items.parquet").to_pydict().values(), strict=True))
    found = {(people[row["user"]], items[row["item"]]): row for row in table.to_pylist()}

    made = reading.interactions(told["until_event"])
    pairs = made.matrix.tocoo()
    person_ids, item_ids = names(made.person_ids), names(made.item_ids)
    wanted = {
        (person_ids[row], item_ids[column]): float(r)
        for row, column, r in zip(pairs.row, pairs.col, pairs.data, strict=True)
    }
    assert {pair: row["preference"] for pair, row in found.items()} == wanted
    confidence = service.ELSEWHERE.confidence
    for row in found.values():  # Spark's confidence is 1 + alpha × rating
        assert 1 + told["alpha"] * row["rating"] == pytest.approx(confidence(row["preference"]), rel=1e-5)
    assert (told["people"], told["items"], told["pairs"]) == (12, 9, 48)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == told
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_it_goes_out_in_blocks(busy: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.discovery.copying._BLOCK_ROWS", 5)
    monkeypatch.setattr(exchange, "_GROUP_ROWS", 10)
    exchange.export(tmp_path / "out")
    file = pq.ParquetFile(tmp_path / "out" / "interactions.parquet")
    assert file.metadata.num_rows == 48
    assert file.metadata.num_row_groups == 5


def test_a_shop_where_nothing_happened_goes_out_empty(app: Flask, tmp_path: Path) -> None:
    assert exchange.export(tmp_path / "out")["pairs"] == 0
    assert pq.read_table(tmp_path / "out" / "interactions.parquet").num_rows == 0


def test_out_and_in_again_is_the_model_that_was_trained(busy: dict[str, list[str]], tmp_path: Path) -> None:
    """Factors of our own training, written as Spark writes its, come back vector for vector, and with the people."""
    with transaction():
        trained = service.train()
    told = exchange.export(tmp_path / "out")
    items = pq.read_table(tmp_path / "out" / "items.parquet").to_pydict()
    width = trained.settings["factors"]
    known = {
        row.release_id: np.asarray(row.vector, np.float32)[:width]
        for row in db.session.scalars(select(ReleaseVector).where(ReleaseVector.model_id == trained.id))
    }
    source = _spark(tmp_path, items["item"], np.array([known[one] for one in items["id"]]))
    with transaction():
        model, used = exchange.take(source, tmp_path / "out" / "items.parquet")
    assert not used
    assert not model.active
    assert queries.active_model() is trained
    assert model.settings["origin"] == "imported"
    assert model.settings["until_event"] == told["until_event"]

    back = db.session.scalars(select(ReleaseVector).where(ReleaseVector.model_id == model.id)).all()
    assert {row.release_id for row in back} == known.keys()
    for row in back:
        np.testing.assert_array_equal(np.asarray(row.vector, np.float32)[:width], known[row.release_id])
    people = db.session.scalars(select(AccountVector).where(AccountVector.model_id == model.id)).all()
    assert {row.account_id for row in people} == set(busy["people"])
    model.settings = model.settings | {"until_event": 0}  # so that everybody is folded in anew
    for row in people:
        now = folded.taste(model, row.account_id)
        np.testing.assert_allclose(np.asarray(row.vector, np.float32), now, rtol=1e-3, atol=1e-4)


def test_numpys_own_file_comes_in_and_may_know_some_releases_only(busy: dict[str, list[str]], tmp_path: Path) -> None:
    vectors = np.random.default_rng(2).standard_normal((3, 128)).astype(np.float32)
    np.savez(tmp_path / "in.npz", item_ids=np.array(busy["releases"][:3]), factors=vectors)
    with transaction():
        model, _used = exchange.take(tmp_path / "in.npz", None)
    assert (model.settings["releases"], model.settings["factors"]) == (3, 128)
    assert 0 < model.settings["accounts"] <= 12


def _refused(source: Path, items: Path | None, words: str) -> None:
    with pytest.raises(exchange.CannotExchange, match=words), transaction():
        exchange.take(source, items)
    assert not db.session.scalar(select(func.count()).select_from(RecommenderModel))


def test_bad_factors_are_refused_and_nothing_is_kept(busy: dict[str, list[str]], tmp_path: Path) -> None:
    ids = np.array(busy["releases"])
    good = np.ones((len(ids), 4), np.float32)
    file = tmp_path / "in.npz"

    def save(**arrays: np.ndarray) -> Path:
        np.savez(file, **arrays)
        return file

    for bad in (np.nan, np.inf, 1e39):  # the last is a number, but not in the 32 bits it is kept in
        wrong = good.astype(np.float64)
        wrong[5, 2] = bad
        _refused(save(item_ids=ids, factors=wrong), None, f"{ids[5]} holds what is no number")
    _refused(save(item_ids=ids, factors=np.ones((len(ids), 129), np.float32)), None, "129 factors; at most 128")
    _refused(save(item_ids=ids, factors=np.ones((len(ids), 0), np.float32)), None, "0 factors")
    _refused(save(item_ids=ids[:-1], factors=good), None, "One vector is needed for each release")
    _refused(save(item_ids=ids[:0], factors=good[:0]), None, "at least one release")
    _refused(save(item_ids=ids, factors=good[0]), None, "One vector is needed")
    _refused(save(item_ids=np.repeat(ids[:1], len(ids)), factors=good), None, "more than once")
    _refused(
        save(item_ids=np.append(ids[1:], "nobodyknowsthis1"), factors=good), None, "1 releases are not this shop's"
    )
    _refused(save(item_ids=np.arange(len(ids)), factors=good), None, "list of texts")
    _refused(save(item_ids=ids, factors=good.astype(int)), None, "floating-point")
    _refused(save(names=ids, factors=good), None, "no .npz with item_ids")
    np.savez(file, item_ids=ids.astype(object), factors=good)  # a pickle, which could run anything
    _refused(file, None, "no .npz with item_ids")
    file.write_bytes(b"PK\x03\x04 and then nothing")
    _refused(file, None, "no .npz")
    file.write_bytes(b"")
    _refused(file, None, "no .npz")
    _refused(tmp_path / "nowhere.npz", None, "There is no")


def test_bad_parquet_is_refused_and_nothing_is_kept(busy: dict[str, list[str]], tmp_path: Path) -> None:
    exchange.export(tmp_path / "out")
    items = tmp_path / "out" / "items.parquet"
    file = tmp_path / "factors.parquet"

    def save(**columns: pa.Array) -> Path:
        pq.write_table(pa.table(columns), file)
        return file

    pairs = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))
    _refused(save(id=pa.array([0, 1]), features=pairs), None, "name the export's items.parquet")
    _refused(save(id=pa.array([0, 99]), features=pairs), items, "Number 99 is no item")
    _refused(save(id=pa.array([0, 0]), features=pairs), items, "more than once")
    uneven = pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32()))
    _refused(save(id=pa.array([0, 1]), features=uneven), items, "not all of one length")
    holes = pa.array([[1.0, None], [3.0, 4.0]], pa.list_(pa.float32()))
    _refused(save(id=pa.array([0, 1]), features=holes), items, "holds what is no number")
    missing = pa.array([None, [3.0, 4.0]], pa.list_(pa.float32()))
    _refused(save(id=pa.array([0, 1]), features=missing), items, "not all of one length")
    _refused(save(id=pa.array([0, 1]), features=pa.array([1.0, 2.0])), items, "no Parquet of Spark's item factors")
    _refused(save(id=pa.array([0, 1]), other=pairs), items, "no Parquet of Spark's item factors")
    words = pa.array([["a"], ["b"]], pa.list_(pa.string()))
    _refused(save(id=pa.array([0, 1]), features=words), items, "no Parquet of Spark's item factors")
    file.write_bytes(b"PAR1 and then nothing")
    _refused(file, items, "no Parquet of Spark's item factors")
    _refused(save(id=pa.array([0, 1]), features=pairs), tmp_path / "none.parquet", "no Parquet")


def test_a_folder_with_something_in_it_is_left_alone(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(exchange.CannotExchange, match="is not empty"):
        exchange.export(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(exchange.CannotExchange, match="Cannot write"):
        exchange.export(tmp_path / "mine.txt" / "out")


def test_both_are_commands(
    busy: dict[str, list[str]], tmp_path: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.extensions["settings"]
    monkeypatch.setattr("app.recommend.load_settings", lambda: settings)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["recommend", *words])

    out = tmp_path / "out"
    assert run("export", "--to", str(out)).output == f"48 pairs of 12 people and 9 releases are in {out}.\n"
    again = run("export", "--to", str(out))
    assert again.exit_code == 1
    assert "is not empty" in again.output
    source = _spark(tmp_path, [0, 3], np.ones((2, 5), np.float32))
    came = run("import", str(source), "--items", str(out / "items.parquet"))
    assert came.exit_code == 0, came.output
    assert "2 releases, 5 factors. It is kept, and not in use." in came.output
    refused = run("import", str(source))
    assert refused.exit_code == 1
    assert "--items" in refused.output


def test_the_shop_does_without_pyarrow_until_parquet_is_asked_for() -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import app.factory, app.cli, app.worker\n"
        "from pathlib import Path\n"
        "from flask import Flask\n"
        "from flask_babel import Babel\n"
        "from app.discovery import exchange\n"
        "made = Flask('shop'); Babel(made)\n"
        "with made.test_request_context():\n"
        "    try: exchange.export(Path('nowhere'))\n"
        "    except exchange.CannotExchange as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'wavecrate[parquet]'" in done.stdout


def test_an_imported_model_is_as_old_as_the_log_it_was_folded_in_by(busy: dict[str, list[str]], tmp_path: Path) -> None:
    """So a person who does something afterwards is folded in again."""
    np.savez(tmp_path / "in.npz", item_ids=np.array(busy["releases"]), factors=np.eye(9, 4, dtype=np.float32) + 0.1)
    with transaction():
        model, _used = exchange.take(tmp_path / "in.npz", None)
    assert model.settings["until_event"] == db.session.scalar(select(func.max(Event.id)))
    assert model.created_at <= clock.now()
