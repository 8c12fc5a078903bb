"""How quick the recommender is, and how large it may get, in one run: `--json`. docs/recommender.md says what follows.

1. Training: our job's factorisation ÷ bare `implicit` on the same matrix.
2. Folding a person in and finding their top 20, in process, exactly.
3. Events → matrix, streamed from PostgreSQL: events a second, and memory beside what it ends up holding.
4. The shelf's query on a million vectors with filters: time, and how much of the exact answer it finds.

Everything is measured on planted tastes (`bench.planted`): vectors come from factorising what such people do, so they
have a shop's spread of popularity. Engines are the run's own. `--items` and `--events` make all of it smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from sqlalchemy import bindparam, func, select, text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.catalog.models import Release
from app.core.db import db
from app.discovery import copying, folded, reading, vectors
from app.discovery.models import FACTORS, Event, RecommenderModel, ReleaseVector
from app.factory import create_app
from app.recommender import als
from app.recommender.factorising import Factors, factorise
from app.recommender.folding import Equation, Folding
from app.recommender.interactions import Interactions
from app.recommender.recipe import Recipe
from app.settings import ROOT
from bench.ground import engines
from bench.planted import Town

SHELF = 20
TERRITORIES = 8
"""Made up: an eighth of all releases is for sale in each of them only, and the rest everywhere."""

_SHARES = {
    "view": 0.5,
    "preview": 0.15,
    "play": 0.25,
    "cart": 0.04,
    "purchase": 0.03,
    "download": 0.025,
    "refund": 0.005,
}
_BLOCK = 1 << 18
_EPOCH = 946_684_800  # PostgreSQL counts microseconds from 2000-01-01


@dataclass
class Told:
    """What was found, and what of it is a promise."""

    goals: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def goal(self, name: str, value: float, limit: float, *, least: bool = False) -> None:
        """A figure that has to be at most (or at least) so much."""
        met = value >= limit if least else value <= limit
        self.goals.append({"name": name, "value": value, "goal": f"{'≥' if least else '≤'} {limit}", "met": bool(met)})


def say(line: str) -> None:
    """Progress, beside the result."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def ids(kind: str, count: int) -> np.ndarray:
    """16 characters each, in ascending order."""
    return np.char.add(kind, np.char.zfill(np.arange(count).astype(str), 16 - len(kind))).astype("S16")


def planted(town: Town, pairs: int) -> Interactions:
    """Who did what how often, in a town; every item at least once."""
    from scipy.sparse import coo_matrix

    everything = np.arange(town.items)
    who, what = [np.random.default_rng(town.seed).integers(town.people, size=town.items)], [everything]
    for start in range(0, pairs, _BLOCK):
        people, items = town.draw(min(_BLOCK, pairs - start), block=start)
        who.append(people)
        what.append(items)
    rows, columns = np.concatenate(who), np.concatenate(what)
    matrix = coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(town.people, town.items)).tocsr()
    return Interactions(ids("p", town.people), ids("i", town.items), matrix)


# 1. Training


def training(told: Told, pairs: int, rounds: int) -> None:
    """Our factorisation and the bare library's, alternately, so that a busy machine slows both; the median of each."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    given = planted(Town.of(max(pairs // 50, 100), max(pairs // 250, 50), seed=1), pairs)
    recipe = Recipe.suitable(*given.matrix.shape, 64)
    ours: list[float] = []
    bare: list[float] = []
    for number in range(rounds):
        ours.append(_seconds(lambda: factorise(given, recipe, device="cpu")))
        matrix = recipe.weights(given.matrix)
        matrix.data = 1 + np.float32(recipe.als.alpha) * matrix.data
        with threadpool_limits(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=recipe.als.factors,
                regularization=recipe.als.regularisation,
                iterations=recipe.als.iterations,
                use_cg=not als.is_little(matrix, recipe.als.factors),
                random_state=1,
            )
            bare.append(_seconds(lambda: model.fit(matrix, show_progress=False)))  # noqa: B023
        say(f"training, round {number + 1} of {rounds}: ours {ours[-1]:.2f} s, bare implicit {bare[-1]:.2f} s")
    told.figures["training"] = {
        "pairs": len(given),
        "people_items": list(given.matrix.shape),
        "seconds": round(statistics.median(ours), 3),
        "bare_seconds": round(statistics.median(bare), 3),
    }
    told.goal("training ÷ bare implicit", round(statistics.median(ours) / statistics.median(bare), 3), 1.15)


# 2. Folding in, in process


def folding(told: Told, items: int, people: int) -> None:
    """Every person's time from what they did to the shelf; in a thousand, the slowest ten may be another process's."""
    given = planted(Town.of(items * 3, items, seed=2), items * 30)
    factors = factorise(given, Recipe.suitable(*given.matrix.shape, FACTORS))
    assert factors is not None
    fold = Folding(factors.releases)
    matrix = given.matrix
    random = np.random.default_rng(5)
    took: list[float] = []
    touched = []
    for person in random.integers(matrix.shape[0], size=people + 50):
        row = slice(matrix.indptr[person], matrix.indptr[person + 1])
        which = matrix.indices[row].astype(np.intp)
        sure = factors.recipe.confidence(matrix.data[row].astype(np.float64))
        tight = factors.recipe.als.regularisation_of(len(which), factors.mean_count)
        touched.append(len(which))
        took.append(1000 * _seconds(lambda: fold.shelf(which, sure, SHELF, regularisation=tight)))  # noqa: B023
    took = took[50:]
    told.figures["folding"] = {
        "items": len(fold),
        "factors": factors.releases.shape[1],
        "people": people,
        "items_touched_median": statistics.median(touched),
        "p50_ms": _percentile(took, 50),
        "p95_ms": _percentile(took, 95),
        "p99_ms": _percentile(took, 99),
    }
    told.goal(f"fold-in and top {SHELF} of {len(fold)} in process, p99 (ms)", _percentile(took, 99), 1.0)


# 3. Events → matrix


def events(told: Told, count: int, database: str) -> None:
    """Fill the log, then read it in a process of its own, whose memory nothing else has touched."""
    people, items = max(count // 50, 20), max(count // 200, 10)
    fill(Town.of(people, items, seed=3), count)
    command = [sys.executable, "-c", "from bench.recommender import read_alone; read_alone()"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"DATABASE_URL": database}, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    found = json.loads(done.stdout)
    say(f"read {count} events in {found['seconds']:.1f} s")
    told.figures["events"] = {"events": count, "events_per_second": round(count / found["seconds"])} | found
    # The arrays of the result, and once more for their growth and the ids' table; and the blocks on their way.
    allowed = 2.0 * found["result_bytes"] + 64 * 2**20
    told.goal("events → matrix: memory taken ÷ (2 × result + 64 MiB)", round(found["taken_bytes"] / allowed, 3), 1.0)


def fill(town: Town, count: int) -> None:
    """Accounts, releases and their events; the log's indexes are made at the end, as a restore would."""
    say(f"writing {count} events of {town.people} people and {town.items} releases")
    _rows(town.people, town.items)
    accounts, releases = ids("p", town.people), ids("i", town.items)
    defined = db.session.execute(
        text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'event' AND indexname <> 'pk_event'")
    ).all()
    for name, _definition in defined:
        db.session.execute(text(f"DROP INDEX {name}"))
    now = int(time.time())
    for number, (kind, share) in enumerate(_SHARES.items()):
        record = copying.record(account="S16", release="S16", kind=f"S{len(kind)}", value=">f8", at=">i8")

        def blocks(
            kind: str = kind, number: int = number, share: float = share, record: Any = record
        ) -> Iterator[bytes]:
            random = np.random.default_rng([7, number])
            wanted = int(count * share)
            for start in range(0, wanted, _BLOCK):
                rows = min(_BLOCK, wanted - start)
                who, what = town.draw(rows, block=number * 1_000_000 + start // _BLOCK)
                made = copying.blank(record, rows)
                made["account"], made["release"], made["kind"] = accounts[who], releases[what], kind.encode()
                made["value"] = random.random(rows) if kind == "play" else 1.0
                made["at"] = (now - _EPOCH) * 1_000_000 - (random.random(rows) * 180 * 86_400e6).astype(np.int64)
                yield made.tobytes()

        copying.write("event", ("account_id", "release_id", "kind", "value", "at"), blocks())
        say(f"  {int(count * share)} × {kind}")
    for _name, definition in defined:
        db.session.execute(text(definition))
    db.session.execute(text("ANALYZE event, account, release"))
    db.session.commit()
    say("  indexed")


def read_alone() -> None:
    """In a process of its own: the matrix, its time, and what the process grew by."""
    import scipy.sparse  # noqa: F401 - part of any training, and not of the reading

    from app.settings import load_settings

    with create_app(load_settings()).app_context():
        until = db.session.scalar(select(func.max(Event.id))) or 0
        before = psutil.Process().memory_info().rss
        started = time.perf_counter()
        found = reading.interactions(until)
        seconds = time.perf_counter() - started
        peak = _peak()
        print(
            json.dumps(
                {
                    "seconds": round(seconds, 2),
                    "pairs": len(found),
                    "people_items": list(found.matrix.shape),
                    "result_bytes": found.nbytes,
                    "taken_bytes": peak - before,
                    "peak_rss_bytes": peak,
                }
            )
        )


def _peak() -> int:
    """The most memory this process had at any one time, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# 4. The shelf's query


def shelf(told: Told, items: int, people: int, rounds: int) -> None:
    """Vectors into PostgreSQL, indexed as training does, asked as a page does, compared with looking at all of them."""
    size = vectors.EXACT_UP_TO + 1
    given = planted(Town.of(max(items // 4, 200), items, seed=4), items * 10)
    say(f"factorising {len(given)} pairs of {items} items × {FACTORS}")
    factors = _factors(given)
    say("storing")
    _rows(0, items)
    db.session.execute(text("ALTER TABLE release ADD COLUMN bench_territory smallint"))
    # By chance: half are for sale everywhere, where it is NULL.
    spread = "mod(('x' || substr(md5(id), 1, 8))::bit(32)::bigint, 2 * :all)"
    db.session.execute(
        text(f"UPDATE release SET bench_territory = nullif(least({spread}, :all), :all)"),  # noqa: S608
        {"all": TERRITORIES},
    )
    db.session.commit()
    model = RecommenderModel(active=True, settings={"until_event": 0, "heat": {}, "factors": FACTORS})
    db.session.add(model)
    db.session.flush()
    stored = _seconds(
        lambda: vectors.store("release_vector", "release_id", model.id, _names(given.item_ids), factors.releases)
    )
    exact = factors.releases.astype(np.float64)
    model.gram = (exact.T @ exact).tobytes()
    db.session.commit()
    say(f"indexing {items} vectors, m = {vectors.M}, ef_construction = {vectors.EF_CONSTRUCTION}")
    with _progress():
        built = _seconds(lambda: vectors.index(model.id, max(items, size)))
        model.settings = model.settings | {"indexed": True}
        db.session.commit()
    say(f"indexed both in {built:.0f} s")
    db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"}).exec_driver_sql(
        "VACUUM ANALYZE release, release_vector"
    )
    db.session.commit()
    random = np.random.default_rng(6)
    asked = random.choice(np.flatnonzero(np.diff(given.matrix.indptr) > 2), people)
    territories = random.integers(TERRITORIES, size=people)
    on_sale = db.session.execute(select(Release.id, text("bench_territory")).order_by(Release.id)).all()
    where = np.array([-1 if one[1] is None else one[1] for one in on_sale])
    told.figures["shelf"] = {"items": items, "factors": FACTORS, "stored_seconds": round(stored, 1)}
    told.figures["shelf"] |= {"build_seconds_of_two_indexes": round(built, 1)} | _sizes(model.id)
    best: dict[int, set[str]] = {}
    for ef in sorted({40, 100, 200, vectors.EF_SEARCH}, key=lambda one: one == vectors.EF_SEARCH):
        found = _ask(model, given, factors, asked, territories, where, ef, rounds, best)
        say(f"ef_search {ef}: {found}")
        told.figures["shelf"][f"ef_search_{ef}"] = found
    told.goal(f"shelf query at {items} × {FACTORS}, filtered, p95 (ms)", found["p95_ms"], 10.0)
    told.goal(f"recall@{SHELF} against exact", found["recall"], 0.95, least=True)
    told.figures["shelf"]["fold_in_from_the_database"] = _fold_in(model, given, asked)
    told.figures["shelf"]["fans_also_bought"] = _like(model, given, factors, where, random)


def _ask(
    model: RecommenderModel,
    given: Interactions,
    factors: Factors,
    asked: np.ndarray,
    territories: np.ndarray,
    where: np.ndarray,
    ef: int,
    rounds: int,
    best: dict[int, set[str]],
) -> dict[str, float]:
    kept, vectors.EF_SEARCH = vectors.EF_SEARCH, ef
    territory = text("(release.bench_territory IS NULL OR release.bench_territory = :here)").bindparams(
        bindparam("here", 0)
    )
    names = _names(given.item_ids)
    took, recalls, full = [], [], 0
    try:
        for number in range(rounds):
            for place, (person, here) in enumerate(zip(asked.tolist(), territories.tolist(), strict=True)):
                row = given.matrix.indices[given.matrix.indptr[person] : given.matrix.indptr[person + 1]]
                vector = factors.accounts[person]
                owned = Release.id.not_in([names[item] for item in row[:50].tolist()])
                condition: Any = territory.bindparams(here=here)
                started = time.perf_counter()
                found = [one for one, _away in vectors.nearest(model, vector, SHELF, owned, condition)]
                took.append(1000 * (time.perf_counter() - started))
                db.session.commit()
                if number == 0:
                    full += len(found) == SHELF
                    if place not in best:
                        best[place] = _exact(names, factors.releases @ vector, row[:50], where, here)
                    recalls.append(len(best[place] & set(found)) / SHELF)
    finally:
        vectors.EF_SEARCH = kept
    return {
        "p50_ms": _percentile(took, 50),
        "p95_ms": _percentile(took, 95),
        "p99_ms": _percentile(took, 99),
        "recall": round(float(np.mean(recalls)), 4),
        "recall_worst_tenth": round(float(np.percentile(recalls, 10)), 4),
        "full_shelves": round(full / len(asked), 4),
    }


def _exact(names: list[str], scores: np.ndarray, owned: np.ndarray, where: np.ndarray, here: int) -> set[str]:
    """The best of all that are for sale there and not owned."""
    scores = np.where((where == -1) | (where == here), scores, -np.inf)
    scores[owned] = -np.inf
    return {names[item] for item in np.argpartition(-scores, SHELF)[:SHELF].tolist()}


def _fold_in(model: RecommenderModel, given: Interactions, asked: np.ndarray) -> dict[str, float]:
    """A person's vector from their items' vectors in the database and the model's gram."""
    names, recipe = _names(given.item_ids), Recipe()
    folded.gram.cache_clear()
    first = 1000 * _seconds(lambda: folded.gram(model.id))
    took = []
    for person in asked.tolist():
        row = slice(given.matrix.indptr[person], given.matrix.indptr[person + 1])
        touched = [names[item] for item in given.matrix.indices[row].tolist()]
        started = time.perf_counter()
        query = select(ReleaseVector.vector).where(
            ReleaseVector.model_id == model.id, ReleaseVector.release_id.in_(touched)
        )
        liked = np.array(db.session.scalars(query).all())
        sure = recipe.confidence(given.matrix.data[row][: len(liked)].astype(np.float64))
        Equation(folded.gram(model.id), liked, sure, recipe.als.regularisation).solve()
        took.append(1000 * (time.perf_counter() - started))
        db.session.commit()
    return {"gram_first_ms": round(first, 2), "p50_ms": _percentile(took, 50), "p95_ms": _percentile(took, 95)}


def _like(
    model: RecommenderModel, given: Interactions, factors: Factors, where: np.ndarray, random: np.random.Generator
) -> dict[str, float]:
    """Fans also bought: the nearest by angle."""
    names = _names(given.item_ids)
    lengths = np.linalg.norm(factors.releases, axis=1)
    took, recalls = [], []
    for item in random.choice(np.flatnonzero(lengths > 0), 200).tolist():
        vector = factors.releases[item]
        started = time.perf_counter()
        others = vectors.nearest(model, vector, SHELF, Release.id != names[item], near=vectors.Near.ANGLE)
        found = [one for one, _away in others]
        took.append(1000 * (time.perf_counter() - started))
        db.session.commit()
        with np.errstate(invalid="ignore", divide="ignore"):
            cosines = np.nan_to_num(factors.releases @ vector / lengths, nan=-np.inf)
        wanted = _exact(names, cosines, np.array([item]), np.full(len(where), -1), 0)
        recalls.append(len(wanted & set(found)) / SHELF)
    return {
        "p50_ms": _percentile(took, 50),
        "p95_ms": _percentile(took, 95),
        "recall": round(float(np.mean(recalls)), 4),
    }


def _factors(given: Interactions) -> Factors:
    """All FACTORS of them, in fewer rounds than a shop would take: only the vectors' spread matters here."""
    from implicit.cpu.als import AlternatingLeastSquares

    recipe = Recipe()
    matrix = recipe.weights(given.matrix)
    matrix.data = 1 + np.float32(recipe.als.alpha) * matrix.data
    model = AlternatingLeastSquares(
        factors=FACTORS, regularization=recipe.als.regularisation, iterations=6, use_cg=True, random_state=1
    )
    model.fit(
        matrix, show_progress=False, callback=lambda number, took, _loss: say(f"  round {number + 1}: {took:.0f} s")
    )
    return Factors([], [], model.user_factors, model.item_factors, recipe, 1.0)


def _sizes(model_id: str) -> dict[str, int]:
    rows = db.session.execute(
        text(
            "SELECT indexname, pg_relation_size(quote_ident(indexname)::regclass) FROM pg_indexes"
            " WHERE indexname LIKE :like"
        ),
        {"like": f"hnsw%{model_id}"},
    ).all()
    table = db.session.scalar(text("SELECT pg_table_size('release_vector')")) or 0
    return {"table_mib": table >> 20} | {f"index_{name.split('_')[3]}_mib": size >> 20 for name, size in rows}


@contextmanager
def _progress() -> Iterator[None]:
    """What PostgreSQL says of the index it builds, on stderr, from a process beside this one."""
    url = os.environ["DATABASE_URL"]
    watcher = subprocess.Popen([sys.executable, "-c", f"from bench.recommender import watch; watch({url!r})"], cwd=ROOT)
    try:
        yield
    finally:
        watcher.terminate()
        watcher.wait()


def watch(url: str) -> None:
    """Every ten seconds, how far the building of an index is."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            time.sleep(10)
            asked = "SELECT phase, tuples_done, tuples_total FROM pg_stat_progress_create_index"
            for phase, done, total in connection.execute(asked).fetchall():
                say(f"  {phase}: {done} of {total}")


# Ground


def _rows(people: int, items: int) -> None:
    """Accounts and releases beneath events and vectors, without the rooms that would make each one by one."""
    # Foreign keys hold by construction; checking ten million of them is not what is measured.
    db.session.execute(text("SET session_replication_role = replica"))
    db.session.execute(text("TRUNCATE event, release CASCADE"))
    db.session.execute(
        text(
            "INSERT INTO account (id, email, name, password_hash, role, second_factor, created_at)"
            " SELECT 'p' || lpad(i::text, 15, '0'), i || '@example.org', 'x', '!', 'customer', false, now()"
            " FROM generate_series(0, :last) i"
        ),
        {"last": people - 1},
    )
    db.session.execute(
        text("INSERT INTO artist (id, name, created_at) VALUES ('a', 'A', now()) ON CONFLICT DO NOTHING")
    )
    db.session.execute(
        text(
            "INSERT INTO release (id, title, artist_id, kind, status, publish_when_ready, published_at, created_at)"
            " SELECT 'i' || lpad(i::text, 15, '0'), 'T', 'a', 'audio', 'published', false, now(), now()"
            " FROM generate_series(0, :last) i"
        ),
        {"last": items - 1},
    )


def _names(given: np.ndarray) -> list[str]:
    return [one.decode() for one in given.tolist()]


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _percentile(took: list[float], percent: float) -> float:
    return round(float(np.percentile(took, percent)), 3)


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--items", type=int, default=1_000_000, help="vectors the shelf's query looks through")
    parser.add_argument("--pairs", type=int, default=2_000_000, help="pairs that training is compared on")
    parser.add_argument("--in-process", type=int, default=20_000, help="items in process")
    parser.add_argument("--people", type=int, default=1000, help="people asked for, each time")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of training and of asking")
    arguments = parser.parse_args()
    told = Told()
    with engines(durable=False) as ground, create_app(ground.settings).app_context():
        training(told, arguments.pairs, arguments.rounds)
        folding(told, arguments.in_process, arguments.people)
        events(told, arguments.events, ground.postgres.url())
        shelf(told, arguments.items, arguments.people, arguments.rounds)
        db.session.remove()
        db.engine.dispose()
    if arguments.json:
        print(json.dumps({"goals": told.goals, "figures": told.figures}))
    else:
        for name, figures in told.figures.items():
            print(f"{name}: {json.dumps(figures, indent=2)}")
        for goal in told.goals:
            print(
                f"{goal['name']:<64} {goal['value']:>9}   goal {goal['goal']:<8} {'met' if goal['met'] else 'MISSED'}"
            )
    sys.exit(not all(goal["met"] for goal in told.goals))


if __name__ == "__main__":
    main()
