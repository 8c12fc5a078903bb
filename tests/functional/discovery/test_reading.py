"""The matrix that is streamed out of PostgreSQL is what adding the events up one by one would give."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta

import numpy as np
import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text
from support import rows

from app.core import clock
from app.core.db import db, transaction
from app.discovery import copying, reading, service, signal
from app.discovery.models import Event, EventKind
from app.recommender.interactions import Interactions, names
from app.settings import Settings


def _last() -> int:
    return db.session.scalar(select(func.max(Event.id))) or 0


def _pairs(made: Interactions) -> dict[tuple[str, str], float]:
    """The matrix as (account, release) → r."""
    pairs = made.matrix.tocoo()
    people, items = names(made.person_ids), names(made.item_ids)
    return {
        (people[row], items[column]): float(r) for row, column, r in zip(pairs.row, pairs.col, pairs.data, strict=True)
    }


def _town(people: int, releases: int, events: int) -> None:
    """Events of every kind by chance, refunds among them; a few releases are drafts."""
    chance = random.Random(11)
    accounts = [rows.account().id for _ in range(people)]
    items = [rows.release(published=number % 7 > 0).id for number in range(releases)]
    began = clock.now() - timedelta(days=60)
    with transaction():
        for number in range(events):
            kind = chance.choice([*EventKind, EventKind.PLAY, EventKind.VIEW])
            service.record(
                chance.choice(accounts),
                chance.choice(items),
                kind,
                value=chance.random() if kind is EventKind.PLAY else 1.0,
                at=began + timedelta(minutes=chance.randrange(80_000), microseconds=number),
            )


def _added_up(until: int) -> dict[tuple[str, str], float]:
    """The same in plain words, from the session's rows: what `signal` and the query say, pair by pair."""
    refunded: dict[tuple[str, str], tuple] = {}
    newest: dict[tuple[str, str, str], tuple] = {}
    for event in db.session.scalars(select(Event)):
        kind = event.account_id, event.release_id, event.kind
        newest[kind] = max(newest.get(kind, (event.at, event.id)), (event.at, event.id))
    for event in db.session.scalars(select(Event).where(Event.kind == EventKind.REFUND)):
        pair = event.account_id, event.release_id
        refunded[pair] = max(refunded.get(pair, (event.at, event.id)), (event.at, event.id))
    published = set(db.session.scalars(text("SELECT id FROM release WHERE status = 'published'")))
    found: dict[tuple[str, str], float] = defaultdict(float)
    for event in db.session.scalars(select(Event).where(Event.id <= until, Event.kind != EventKind.REFUND)):
        pair = event.account_id, event.release_id
        if event.release_id in published and (event.at, event.id) > refunded.get(
            pair, (clock.now().replace(year=1), 0)
        ):
            says = signal.SIGNALS[EventKind(event.kind)]
            if says.replaces and newest[*pair, event.kind] != (event.at, event.id):
                continue
            age_days = (clock.now() - event.at) / timedelta(days=1)
            found[pair] += says.weight * event.value * 0.5 ** (age_days / says.half_life_days)
    return {pair: r for pair, r in found.items() if r > 0}


def test_it_is_what_adding_up_gives(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """In many small blocks, so that people and records are cut in two where a block ends."""
    monkeypatch.setattr(copying, "_BLOCK_ROWS", 3)
    monkeypatch.setattr(reading, "_AT_ONCE", 5)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    _town(people=13, releases=9, events=900)
    made = reading.interactions(_last())
    found, wanted = _pairs(made), _added_up(_last())
    assert found.keys() == wanted.keys()
    assert len(found) > 60
    for pair, r in wanted.items():
        assert found[pair] == pytest.approx(r, rel=1e-5)
    assert names(made.person_ids) == sorted(names(made.person_ids))
    assert names(made.item_ids) == sorted(names(made.item_ids))
    assert made.matrix.has_canonical_format
    assert made.matrix.data.dtype == np.float32
    assert (np.diff(made.matrix.indptr) > 0).all()


def test_one_large_block_gives_the_same_as_many(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    _town(people=10, releases=8, events=300)
    whole = reading.interactions(_last())
    monkeypatch.setattr(copying, "_BLOCK_ROWS", 1)
    small = reading.interactions(_last())
    assert (whole.matrix != small.matrix).nnz == 0
    assert whole.person_ids.tolist() == small.person_ids.tolist()


def test_nothing_happened_is_an_empty_matrix(app: Flask) -> None:
    made = reading.interactions(0)
    assert made.matrix.shape == (0, 0)
    assert len(made) == 0


def test_what_comes_after_the_last_event_is_not_seen(app: Flask) -> None:
    first, second, person = rows.release(), rows.release(), rows.account()
    with transaction():
        service.record(person.id, first.id, EventKind.PLAY)
    until = _last()
    with transaction():
        service.record(person.id, second.id, EventKind.PLAY)
        service.record(person.id, first.id, EventKind.PLAY)
    assert _pairs(reading.interactions(until)) == {(person.id, first.id): 1.0}


def test_what_is_written_while_it_is_read_is_not_seen(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another connection changes everything between two blocks: the reading is one snapshot."""
    monkeypatch.setattr(copying, "_BLOCK_ROWS", 1)
    people, release = [rows.account() for _ in range(4)], rows.release()
    with transaction():
        for person in people:
            service.record(person.id, release.id, EventKind.PLAY)
    stream = iter(reading.Stream(_last()))
    next(stream)
    with psycopg.connect(settings.libpq_url) as other:
        other.execute("UPDATE release SET status = 'draft', published_at = NULL")
        other.execute("DELETE FROM event")
    assert sum(len(r) for _people, _items, r in stream) + 1 == 4
    db.session.rollback()
    assert len(reading.interactions(2**40)) == 0


def test_it_reads_what_the_open_transaction_wrote(app: Flask) -> None:
    release, person = rows.release(), rows.account()
    service.record(person.id, release.id, EventKind.PURCHASE)
    assert _pairs(reading.interactions(2**40)) == {(person.id, release.id): 5.0}
    db.session.rollback()
    assert len(reading.interactions(2**40)) == 0


def test_refunds_are_found_by_one_join_and_not_event_by_event(app: Flask) -> None:
    """Ten million events would not be read in an hour by a subquery for each: the plan has none."""
    query = str(
        reading.preferences(5).compile(dialect=db.engine.dialect, compile_kwargs={"literal_binds": True})
    ).replace("%%", "%")
    plan = "\n".join(line for (line,) in db.session.connection().exec_driver_sql(f"EXPLAIN {query}"))
    assert "Anti Join" in plan
    assert "SubPlan" not in plan


def test_an_id_that_is_not_of_its_width_is_refused_and_not_misread(app: Flask) -> None:
    with pytest.raises(ValueError, match="not of the width"):
        list(copying.read(text("SELECT 'abc', 'defg'"), copying.record(a="S3", b="S3")))


def test_a_pair_is_given_once() -> None:
    made = Interactions.of([("b", "y", 2.0), ("a", "x", 1.0)])
    assert _pairs(made) == {("a", "x"): 1.0, ("b", "y"): 2.0}
    with pytest.raises(ValueError, match="more than once"):
        Interactions.of([("a", "x", 1.0), ("a", "x", 2.0)])
