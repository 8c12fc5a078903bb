"""Vectors in PostgreSQL: the nearest of a large catalogue by its index are the nearest of all, filters and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, func, select, text
from support import rows, shown

from app.catalog.models import Release, Status
from app.core import migrate
from app.core.db import db, transaction
from app.discovery import folded, queries, service, vectors
from app.discovery.models import FACTORS, AccountVector, EventKind, RecommenderModel, ReleaseVector
from app.recommender.folding import Equation, Folding
from app.settings import Settings


def _indexes() -> set[str]:
    found = db.session.scalars(text("SELECT indexname FROM pg_indexes WHERE tablename = 'release_vector'"))
    return {name for name in found if name.startswith("hnsw_")}


@pytest.fixture
def large(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty releases are a large catalogue, and the planner takes an index wherever there is one."""
    monkeypatch.setattr(vectors, "EXACT_UP_TO", 5)
    for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        db.session.execute(text(f"SET {setting} = off"))
    db.session.commit()


def _happenings(people: int = 20, releases: int = 30) -> list[Release]:
    made = [rows.release(f"R{number}") for number in range(releases)]
    for number_of in range(people):
        person = rows.account()
        chance = np.random.default_rng(number_of)
        for number in chance.choice(releases, 6, replace=False):
            service.record(person.id, made[int(number)].id, EventKind.PURCHASE)
    db.session.commit()
    return made


def _train() -> RecommenderModel:
    with transaction():
        return service.train()


def _exact(model: RecommenderModel, vector: np.ndarray, near: vectors.Near, allowed: set[str]) -> list[str]:
    known = db.session.execute(
        select(ReleaseVector.release_id, ReleaseVector.vector).where(ReleaseVector.model_id == model.id)
    ).all()
    away = {}
    for release_id, other in known:
        product = float(np.dot(other, vector))
        away[release_id] = -product
        if near is vectors.Near.ANGLE:
            away[release_id] = 1 - product / float(np.linalg.norm(other) * np.linalg.norm(vector))
    return sorted(allowed & away.keys(), key=lambda one: away[one])


def _plan(model: RecommenderModel, near: vectors.Near) -> str:
    """What PostgreSQL does for `nearest`, from the statement it was really asked."""
    asked: list[str] = []
    heard: list[Any] = []
    connection = db.session.connection()
    vector = np.ones(FACTORS, np.float32)

    def hear(_c: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "<#>" in statement or "<=>" in statement:
            asked.append(statement)
            heard.append(parameters)

    event.listen(connection, "before_cursor_execute", hear)
    try:
        vectors.nearest(model, vector, 3, Release.title != "R1", near=near)
        plan = connection.exec_driver_sql("EXPLAIN " + asked[0], heard[0])
        return "\n".join(line for (line,) in plan)
    finally:
        event.remove(connection, "before_cursor_execute", hear)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("near", list(vectors.Near))
def test_a_large_catalogue_is_searched_by_its_models_own_index(near: vectors.Near) -> None:
    _happenings()
    model = _train()
    assert model.settings["indexed"]
    assert f"hnsw_release_vector_{near.name.lower()}_{model.id}" in _plan(model, near)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("near", list(vectors.Near))
def test_the_index_finds_what_looking_at_all_of_them_finds(near: vectors.Near) -> None:
    """Some are drafts and some don't meet the condition: the search goes on until the shelf is full."""
    releases = _happenings()
    model = _train()
    with transaction():
        for release in releases[::3]:
            release.status, release.published_at = Status.DRAFT, None
    allowed = {one.id for number, one in enumerate(releases) if number % 3 and number % 2}
    vector = db.session.scalars(select(AccountVector.vector).where(AccountVector.model_id == model.id)).first()
    assert vector is not None
    found = vectors.nearest(model, vector, 8, Release.id.in_(allowed), near=near)
    wanted = _exact(model, vector, near, allowed)
    assert len(found) == min(8, len(wanted)) > 4
    assert [one for one, _away in found] == wanted[:8]
    assert [away for _one, away in found] == sorted(away for _one, away in found)


@pytest.mark.usefixtures("large")
def test_a_filter_that_leaves_few_still_fills_the_shelf() -> None:
    """More than the search keeps at a time (EF_SEARCH) are passed over before it has what it wants."""
    releases = _happenings(people=30, releases=260)
    model = _train()
    vector = np.zeros(FACTORS, np.float32)
    vector[0] = 1.0
    known = _exact(model, vector, vectors.Near.PRODUCT, {one.id for one in releases})
    assert len(known) > vectors.EF_SEARCH + 20
    allowed = set(known[-10:])
    assert {one for one, _away in vectors.nearest(model, vector, 10, Release.id.in_(allowed))} == allowed


@pytest.mark.usefixtures("large")
def test_shelves_are_the_same_with_an_index_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    releases = _happenings()
    person = rows.account()
    with transaction():
        service.record(person.id, releases[3].id, EventKind.PURCHASE)
    model = _train()
    by_index = shown.for_you(person.id, 5), shown.fans_also_bought(releases[3].id, None, 5)
    model.settings = model.settings | {"indexed": False}
    db.session.commit()
    without = shown.for_you(person.id, 5), shown.fans_also_bought(releases[3].id, None, 5)
    # The index is approximate: of two releases that are as near as each other, either may be the last.
    for one, other in zip(by_index, without, strict=True):
        assert len({each.id for each in one} & {each.id for each in other}) >= len(other) - 1 > 0
        assert len(one) == len(other)


@pytest.mark.usefixtures("large")
def test_indexes_go_with_their_models() -> None:
    _happenings()
    models = [_train() for _ in range(3)]
    kept = {f"hnsw_release_vector_{near.name.lower()}_{each.id}" for near in vectors.Near for each in models[1:]}
    assert _indexes() == kept


@pytest.mark.usefixtures("large")
def test_a_long_reader_delays_the_dropping_of_an_index_and_not_the_training(settings: Settings) -> None:
    _happenings()
    first, _second = _train(), _train()
    with psycopg.connect(settings.libpq_url) as reader:
        reader.execute("SELECT count(*) FROM release_vector")  # and the transaction stays open, as a dump's does
        third = _train()
    assert {name for name in _indexes() if name.endswith(first.id)}
    assert queries.active_model() is third
    _train()
    assert not {name for name in _indexes() if name.endswith(first.id)}


def test_a_small_catalogue_is_looked_at_whole(app: Flask) -> None:
    _happenings()
    assert not _train().settings["indexed"]
    assert not _indexes()


def test_vectors_come_back_as_they_were_and_those_that_are_none_are_left_out(app: Flask) -> None:
    model = RecommenderModel(settings={})
    db.session.add(model)
    db.session.flush()
    releases = [rows.release().id for _ in range(4)]
    given = np.random.default_rng(1).standard_normal((4, 100)).astype(np.float32)
    given[1] = 0.0
    given[2, 50] = np.nan
    assert vectors.store("release_vector", "release_id", model.id, releases, given) == 2
    stored = {row.release_id: row.vector for row in db.session.scalars(select(ReleaseVector))}
    assert stored.keys() == {releases[0], releases[3]}
    for place in (0, 3):
        np.testing.assert_array_equal(np.asarray(stored[releases[place]], np.float32)[:100], given[place])
        assert not np.any(stored[releases[place]][100:])


def test_people_are_folded_in_by_the_gram_that_training_kept(app: Flask) -> None:
    """And by the same one where a model has none, because an older version of the shop trained it."""
    _happenings()
    model = _train()
    kept = folded.gram(model.id).copy()
    assert db.session.scalar(select(func.octet_length(RecommenderModel.gram))) == 8 * model.settings["factors"] ** 2
    with transaction():
        model.gram = None
    folded.gram.cache_clear()
    np.testing.assert_allclose(folded.gram(model.id), kept, rtol=1e-5, atol=1e-6)


def test_the_migration_keeps_a_model_in_use_both_ways(settings: Settings) -> None:
    migrate.downgrade(settings.sqlalchemy_url, "0015")
    ids = [f"{name:b<16}" for name in ("acc", "rel", "art", "mod", "big")]
    account, release, artist, model, big = ids
    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(
            "INSERT INTO account (id, email, name, password_hash, role, second_factor, created_at)"
            " VALUES (%s, 'a@example.org', 'A', 'x', 'customer', false, now())",
            [account],
        )
        connection.execute("INSERT INTO artist (id, name, created_at) VALUES (%s, 'A', now())", [artist])
        connection.execute(
            "INSERT INTO release (id, title, artist_id, kind, status, publish_when_ready, created_at)"
            " VALUES (%s, 'T', %s, 'audio', 'draft', false, now())",
            [release, artist],
        )
        for one in (model, big):
            connection.execute(
                "INSERT INTO recommender_model (id, active, settings, created_at)"
                " VALUES (%s, true, jsonb_build_object('factors', 64), now())",
                [one],
            )
            connection.execute(
                "INSERT INTO release_vector SELECT %s, %s, array_agg(i)::vector FROM generate_series(1, 64) i",
                [one, release],
            )
            connection.execute(
                "INSERT INTO account_vector SELECT %s, %s, array_agg(i)::vector FROM generate_series(1, 64) i",
                [one, account],
            )
    migrate.upgrade(settings.sqlalchemy_url)
    wide = [*range(1, 65), *[0] * 64]
    with psycopg.connect(settings.libpq_url) as connection:
        for table in ("release_vector", "account_vector"):
            found = connection.execute(f"SELECT vector::real[] FROM {table}").fetchall()  # noqa: S608
            assert found == [(wide,), (wide,)]
        connection.execute(
            'UPDATE recommender_model SET settings = \'{"factors": 100, "indexed": true}\' WHERE id = %s', [big]
        )
        connection.execute(
            "CREATE INDEX hnsw_release_vector_product_x ON release_vector"
            " USING hnsw ((vector::halfvec(128)) halfvec_ip_ops)"
        )
    migrate.downgrade(settings.sqlalchemy_url, "0015")
    with psycopg.connect(settings.libpq_url) as connection:
        assert connection.execute("SELECT model_id, vector::real[] FROM release_vector").fetchall() == [
            (model, [float(i) for i in range(1, 65)])
        ]
        assert connection.execute("SELECT id FROM recommender_model").fetchall() == [(model,)]
    migrate.upgrade(settings.sqlalchemy_url)


def test_folding_in_knows_no_more_than_the_model(app: Flask) -> None:
    """`Equation` by the gram of padded vectors is what `Folding` finds with the vectors as they are."""
    random = np.random.default_rng(3)
    items = random.standard_normal((40, 8)).astype(np.float32)
    wide = vectors.padded(items)
    touched, sure = np.array([1, 5, 7]), np.array([8.0, 18.0, 12.0])
    gram = wide.astype(np.float64).T @ wide
    by_database = Equation(gram, wide[touched], sure, 5.0).solve()
    in_process = Folding(items).fold(touched, sure, regularisation=5.0)
    np.testing.assert_allclose(by_database[:8], in_process, rtol=1e-4)
    assert not by_database[8:].any()
