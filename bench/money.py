"""Money and licenses under faults: whole shops live at random, and are compared with their gateways. `--json`.

Many small worlds, each a real shop on a PostgreSQL database of its own with the payment sandbox in its process: people
buy, give, claim, want their money back, dispute; processes die at commits and gateway calls, the gateway fails, news
arrives twice, late, out of turn or never. After its share of faults each world has a minute of its own clock to come to
rest. docs/money-proof.md says what is injected, and what is compared. `--only` lives one world again, with its history.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.money.oracle import Wrong
from support.money.storm import PATIENCE_SECONDS, Life, live
from support.money.world import Ground

from app.core import migrate
from app.engines.postgres import Postgres

_PER_WORLD = 500
_ZEROS = (Wrong.LOST, Wrong.DOUBLED, Wrong.UNPAID)


@dataclass
class Sum:
    """What all worlds come to."""

    worlds: int = 0
    befell: Counter[str] = field(default_factory=Counter)
    also: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    ledger_difference: int = 0
    slowest: float = 0.0
    never: int = 0
    mistakes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many were injected."""
        return self.befell.total()

    def add(self, life: Life) -> list[str]:
        """Take one in; what was wrong with it."""
        self.worlds += 1
        self.befell.update(life.befell)
        self.also.update(life.also)
        if life.rest is None:
            self.mistakes.append(f"world {life.seed}: {life.mistake}")
            return [self.mistakes[-1]]
        verdicts = (life.rest.verdict, life.rest.at_last)
        for wrong in Wrong:
            self.wrong[wrong] += max(each.count(wrong) for each in verdicts)
        self.ledger_difference += max(each.ledger_difference for each in verdicts)
        at_last = life.rest.at_last
        for name in ("orders", "paid", "payments", "licenses", "late_coupons", "with_a_person"):
            self.seen[name] += getattr(at_last, name)
        if life.rest.seconds is None:
            self.never += 1
        else:
            self.slowest = max(self.slowest, life.rest.seconds)
        return [f"world {life.seed}: {each}" for verdict in verdicts for each in verdict.findings]

    def goals(self, wanted: int) -> list[dict[str, Any]]:
        """The figures that must be reached."""
        rest = self.wrong[Wrong.COUPON] + self.wrong[Wrong.CLAIM] + self.wrong[Wrong.STUCK]
        converged = self.slowest if not self.never else float("inf")
        zeros = [
            ("licenses lost", self.wrong[Wrong.LOST]),
            ("licenses doubled", self.wrong[Wrong.DOUBLED]),
            ("licenses unpaid", self.wrong[Wrong.UNPAID]),
            ("ledger difference, minor units", self.ledger_difference),
            ("coupons, claims and orders left wrong", rest),
            ("mistakes of the shop", len(self.mistakes)),
        ]
        return [
            {"name": "faults injected", "value": self.faults, "goal": f">= {wanted}", "met": self.faults >= wanted},
            *({"name": name, "value": value, "goal": "0", "met": value == 0} for name, value in zeros),
            {
                "name": "seconds from the last fault to convergence, at most",
                "value": round(self.slowest) if not self.never else f"never in {self.never} worlds",
                "goal": f"<= {PATIENCE_SECONDS:.0f}",
                "met": converged <= PATIENCE_SECONDS,
            },
        ]


def begin() -> None:
    """Once in each process: what is imported stays, and needs no looking over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def many(ground: Ground, wanted: int, seed: int, processes: int, say: Any) -> Sum:
    """Worlds until so many faults were injected."""
    total, under_way, number = Sum(), set[Future[Life]](), 0
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawned, initializer=begin, max_tasks_per_child=20) as pool:
        while total.faults < wanted:
            left = wanted - total.faults - _PER_WORLD * len(under_way)
            while len(under_way) < processes and (left > 0 or not under_way):
                share = max(1, min(_PER_WORLD, left))
                under_way.add(pool.submit(live, ground, seed * 1_000_000 + number, share))
                number, left = number + 1, left - share
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for each in done:
                for line in total.add(each.result()):
                    say(f"\r{line}\n")
            say(f"\r{total.faults} faults, {total.worlds} worlds, {total.seen['orders']} orders ")
        for each in under_way:
            total.add(each.result())
    return total


def main() -> None:
    """Live, compare, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--only", type=int, help="the number of one world, to be lived again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("WAVECRATE_VAR", tempfile.gettempdir())

    def say(what: str) -> None:
        print(what, end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="wavecrate-money-") as name:
        postgres = Postgres(Path(name), durable=False)
        postgres.start()
        try:
            postgres.ensure_database("empty")
            migrate.upgrade(postgres.url("empty").replace("postgresql://", "postgresql+psycopg://", 1))
            ground = Ground.lay(postgres, Path(name), "empty")
            if arguments.only is not None:
                life = live(ground, arguments.only, min(arguments.faults, _PER_WORLD))
                print("\n".join(life.history))
                total = Sum()
                print("\n".join(total.add(life)))
                sys.exit(bool(life.mistake))
            began = time.monotonic()
            total = many(ground, arguments.faults, arguments.seed, arguments.processes, say)
            took = time.monotonic() - began
        finally:
            postgres.stop()
    goals = total.goals(arguments.faults)
    if arguments.json:
        figures = {"befell": total.befell, "also": total.also, "seen": total.seen, "worlds": total.worlds, "took": took}
        print(json.dumps({"goals": goals, "figures": figures}))
    else:
        show(total, goals, took)
    sys.exit(not all(goal["met"] for goal in goals))


def show(total: Sum, goals: list[dict[str, Any]], took: float) -> None:
    """As a table."""
    print(f"\n{total.worlds} worlds in {took:.0f} s, {total.faults / took:.0f} faults a second\n")
    for name, times in total.befell.most_common():
        print(f"  {name:<28} {times:>8}")
    print()
    for name, times in (total.seen + total.also).most_common():
        print(f"  {name.replace('_', ' '):<28} {times:>8}")
    print()
    for goal in goals:
        said = "met" if goal["met"] else "MISSED"
        print(f"{goal['name']:<54} {goal['value']:>8}   goal {goal['goal']:<10} {said}")


if __name__ == "__main__":
    main()
