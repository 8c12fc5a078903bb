"""`wavecrate recommend evaluate` on a file: what it reads, what it says, and that nothing of it is by chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.tastes_planted import communities

from app.cli import cli
from app.recommender import evaluation, listening, protocol, tuning
from app.recommender.als import AlsSettings
from app.recommender.parts import Als, Ease, Popularity


@pytest.fixture
def data(tmp_path: Path) -> Path:
    counts = communities(people=30).tocoo()
    lines = [
        f"p{row}\ti{column}\t{int(value)}"
        for row, column, value in zip(counts.row, counts.col, counts.data, strict=True)
    ]
    path = tmp_path / "counts.tsv"
    path.write_text("userID\tartistID\tweight\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("between", ["\t", ",", "::", " ", ";"])
def test_common_ways_to_write_counts_are_read(tmp_path: Path, between: str) -> None:
    path = tmp_path / "data"
    rows = [("user", "item", "rating", "time"), ("a", "x", "5", "99"), ("a", "y", "2.5", "98"), ("b", "x", "0", "97")]
    path.write_text("\n".join(between.join(row) for row in rows))
    found = listening.read(path)
    assert (found.person_ids.tolist(), found.item_ids.tolist()) == ([b"a"], [b"x", b"y"])
    assert found.matrix.toarray().tolist() == [[5, 2.5]]
    assert listening.read(path, at_least=4).matrix.toarray().tolist() == [[5]]


def test_pairs_alone_count_one_and_repeats_add_up(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("a x\n\na x\nb x\n")
    assert listening.read(path).matrix.toarray().tolist() == [[2], [1]]


def test_names_of_people_and_items_may_be_any(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("zoë\tBjörk\t1\nann\t坂本\t2\nzoë\t坂本\t3\n", encoding="utf-8")
    found = listening.read(path)
    assert [each.decode() for each in found.person_ids.tolist()] == ["ann", "zoë"]
    assert [each.decode() for each in found.item_ids.tolist()] == ["Björk", "坂本"]
    assert found.matrix.toarray().tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no person"),
        ("a\n", "Line 1 has no person"),
        ("a x 1\nb x much\n", "Line 2 has 'much'"),
        ("a x nan\n", "no person"),
    ],
)
def test_what_is_no_data_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "data"
    path.write_text(text)
    with pytest.raises(listening.UnreadableData, match=says):
        listening.read(path)
    done = CliRunner().invoke(cli, ["recommend", "evaluate", "--data", str(path)])
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert says in done.stderr


def test_rare_items_go_first_then_people_with_little(data: Path) -> None:
    found = listening.read(data)
    dense = listening.dense_enough(found, people_of_item=8, items_of_person=9)
    often = np.bincount(found.matrix.indices, minlength=found.matrix.shape[1])
    assert dense.matrix.shape[1] == (often >= 8).sum()
    assert np.diff(dense.matrix.indptr).min() >= 9
    assert len(dense.item_ids) == dense.matrix.shape[1]
    assert len(dense.person_ids) == dense.matrix.shape[0]
    with pytest.raises(listening.UnreadableData, match="at least 20 are needed"):
        listening.dense_enough(found, items_of_person=50)


def test_a_search_keeps_the_best_of_each_kind_and_looks_at_validation_only(data: Path) -> None:
    ground = protocol.split(listening.read(data).matrix, 0)
    blind = protocol.Split(ground.train, ground.validation, protocol.HeldOut(ground.test.given[:0], []))
    factorisations = [Als(AlsSettings(factors, 2.0, 0.0)) for factors in (8, 1)]
    parts = {"EASE": [Ease(20), Ease(20, most=5)], "als": factorisations}
    best = tuning.search(blind, parts, seconds=60)
    assert best["EASE"].part == Ease(20)
    assert best["als"].part == factorisations[0]


def test_a_search_without_time_still_tries_one_of_each(data: Path) -> None:
    ground = protocol.split(listening.read(data).matrix, 0)
    best = tuning.search(ground, {"EASE": [Ease(20), Ease(30)], "popularity": [Popularity()]}, seconds=0)
    assert set(best) == {"EASE", "popularity"}


def test_the_command_writes_a_report_with_every_model(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "report"
    command = ["recommend", "evaluate", "--data", str(data), "--minutes", "0", "--splits", "2", "--to", str(to)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    told = json.loads((to / "report.json").read_text())
    assert list(told["models"]) == ["popularity", "item-item BM25", "EASE", "plain ALS", "scaled ALS", evaluation.OURS]
    assert told["models"][evaluation.OURS]["ndcg@100"]["mean"] > told["models"]["popularity"]["ndcg@100"]["mean"]
    assert told["ndcg@100 over"]["popularity"]["low"] > 1
    for name in told["models"]:
        assert f"| {name} | " in done.stdout
        assert name.replace("'", "&#x27;") in (to / "plot.svg").read_text()
    assert (to / "report.md").read_text() == done.stdout
