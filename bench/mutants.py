"""Mutation testing of what sells, licenses and signs: how many small faults put into it the tests notice. `--json`.

Each mutant is one change to one module (bench/mutation.py says which); the tests that reach the changed statement run
on it, and it is killed if one fails or they do not end. Those that survive must be listed, with the reason, in
docs/mutants.md. `--module` takes the beginning of a file's name; `--at-most` draws lots where time is short; with
`--notes FILE` a killed mutant is kept, and the next run tries only what survived or is new.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.mutant_runs import ROOT, Baseline, Laboratory, laboratory
from bench.mutation import Mutant, mutants

GOAL_PERCENT = 90
_CONTROLS = 5  # so many tests run on a module as it is, before and after its mutants
LIST = ROOT / "docs" / "mutants.md"
# Which tests hold what. The sandbox is no part of it: it stands in for Stripe in tests and demos, and sells nothing.
_HELD_BY: dict[str, tuple[str, ...]] = {
    "media_store/signing.py": ("tests/unit/media_store/test_signing.py",),
    "app/payments/{amounts,contract,methods,stripe_reading}.py": ("tests/unit/app/payments",),
    "app/payments/service.py": ("tests/functional/payments/test_event_record.py",),
    "app/payments/stripe_gateway.py": (
        "tests/functional/payments/test_gateway_requests.py",
        "tests/functional/payments/test_stripe_gateway.py",
        "tests/functional/cart/test_stripe_tax.py",
    ),
    "app/licenses/models.py": ("tests/unit/app/licenses",),
    "app/licenses/{queries,service}.py": ("tests/unit/app/licenses", "tests/functional/licenses"),
    "app/{licenses,orders}/personal.py": (
        "tests/functional/orders/test_orders_of_a_person.py",
        "tests/functional/accounts/test_leaving.py",
    ),
    "app/orders/{books,cases,entitlement,fulfilment,locks,models,refunds}.py": (
        "tests/functional/orders/test_books_by_posting.py",
        "tests/functional/orders/test_refund_rules.py",
        "tests/functional/orders/test_fulfilment.py",
    ),
    "app/orders/{settlement,sweeping,tasks}.py": (
        "tests/functional/orders/test_settlement.py",
        "tests/functional/orders/test_webhook.py",
    ),
    "app/orders/{holdings,placing}.py": ("tests/functional/orders/test_placing.py",),
    "app/orders/queries.py": ("tests/functional/orders/test_order_queries.py",),
    "app/orders/gauges.py": ("tests/functional/upkeep/test_metrics_health.py",),
    "app/orders/{claims,waiting}.py": ("tests/functional/orders/test_claims.py",),
    "app/orders/{claim_forms,claim_routes}.py": ("tests/functional/orders/test_claim_pages.py",),
    "app/orders/{correspondence,invoices,preorders}.py": ("tests/functional/orders/test_correspondence.py",),
    "app/orders/{commands,proving,verifying}.py": (
        "tests/functional/orders/test_verifying.py",
        "tests/functional/orders/test_verifying_words.py",
    ),
    "app/orders/{case_pages,remedies,staff_pages,staff_queries,strays}.py": (
        "tests/functional/orders/test_staff_orders.py",
        "tests/functional/orders/test_staff_pages_told.py",
    ),
    "app/orders/{after_sales,returns}.py": (
        "tests/functional/orders/test_after_sales.py",
        "tests/functional/orders/test_money_back_answers.py",
    ),
    "app/orders/{routes,visitor}.py": (
        "tests/functional/orders/test_order_pages.py",
        "tests/functional/orders/test_purchase.py",
        "tests/functional/orders/test_webhook.py",
    ),
}


def _expanded(pattern: str) -> list[str]:
    """`a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    names, _brace, after = rest.partition("}")
    return [before + name + after for name in names.split(",")]


SCOPE = {file: tests for pattern, tests in _HELD_BY.items() for file in _expanded(pattern)}
# Rooms whose every module must have its tests named above; these have nothing that could go wrong.
_ROOMS = ("app/licenses", "app/orders", "app/payments")
_NOTHING_IN_IT = {f"{room}/__init__.py" for room in _ROOMS} | {"app/payments/models.py"}


@dataclass
class Found:
    """What became of a module's mutants."""

    module: str
    possible: int = 0
    killed: int = 0
    late: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many were tried."""
        return self.killed + self.late + len(self.survivors)


class Notes:
    """Mutants known to be killed, kept between runs; by what the module would be."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._killed = set(json.loads(path.read_text())) if path and path.exists() else set[str]()

    def knows(self, mutant: Mutant) -> bool:
        """Whether it was killed before."""
        return self._id(mutant) in self._killed

    def add(self, mutant: Mutant) -> None:
        """It was killed."""
        self._killed.add(self._id(mutant))
        if self._path:
            self._path.write_text(json.dumps(sorted(self._killed)))

    @staticmethod
    def _id(mutant: Mutant) -> str:
        return hashlib.sha256(f"{mutant.module}\n{mutant.source}".encode()).hexdigest()


def chosen(file: str, source: str, at_most: int | None) -> tuple[list[Mutant], int]:
    """A module's mutants, or so many of them, the same each time and no kind before another; and how many there are."""
    every = mutants(file, source)
    if at_most is None or len(every) <= at_most:
        return every, len(every)
    some = random.Random(file).sample(range(len(every)), at_most)  # noqa: S311 - which ones is no secret
    return [every[number] for number in sorted(some)], len(every)


def try_module(on: Laboratory, file: str, baseline: Baseline, notes: Notes, at_most: int | None) -> Found:
    """Try a module's mutants. SystemExit where the tests fail on the module as it is."""
    path, name = ROOT / file, file.removesuffix(".py").replace("/", ".")
    source, reached, found = path.read_text(), baseline.reached[file], Found(file)
    some, found.possible = chosen(file, source, at_most)
    if not some:
        return found
    everything = sorted(baseline.seconds, key=lambda test: baseline.seconds[test])
    killers: dict[str, float] = {}

    within = lines_of_functions(source)

    def tests_of(first: int, last: int) -> list[str]:
        if first not in within:
            # It runs on import, be it that of the first test to need the module: any test may notice.
            return sorted(everything, key=lambda test: killers.get(test, 0.0), reverse=True)
        on_lines = {test for line in range(first, last + 1) for test in reached.get(line, ())}
        chosen = [test for test in everything if test in on_lines] or everything
        return sorted(chosen, key=lambda test: killers.get(test, 0.0), reverse=True)

    def survives(code: str, tests: list[str]) -> bool | None:
        patience = 30 + 5 * sum(baseline.seconds[test] for test in tests)
        return on.survives(name, path, code, tests, patience)

    def control() -> None:
        """What is killed here is killed by its mutation: as it is, the module survives."""
        if not survives(source, everything[:_CONTROLS]):
            raise SystemExit(f"The tests fail on {file} as it is, apart from the others:\n{on.output[-4000:]}")

    control()
    for mutant in some:
        if notes.knows(mutant):
            found.killed += 1
            continue
        lived = survives(mutant.source, tests_of(mutant.first, mutant.last))
        if lived:
            found.survivors.append(mutant)
            print(f"survived  {mutant.label}", file=sys.stderr, flush=True)
            continue
        if lived is None:
            found.late += 1
        else:
            found.killed += 1
            notes.add(mutant)
            if on.last:
                killers[on.last] = time.monotonic()
    control()
    return found


def lines_of_functions(source: str) -> set[int]:
    """The lines that run when something is called, and not on import."""
    functions = (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef))
    return {line for each in functions for line in range(each.body[0].lineno, (each.end_lineno or 0) + 1)}


def listed(text: str) -> Iterator[tuple[str, str, str]]:
    """The rows of the list's tables: file, code, what it becomes ("anything" stands for any mutant of that code)."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[3] and cells[0].endswith(".py`"):
            file, code, becomes = (cell.replace("\\|", "|").removeprefix("`").removesuffix("`") for cell in cells[:3])
            yield file, code, becomes


def is_listed(mutant: Mutant, rows: set[tuple[str, str, str]]) -> bool:
    """Whether somebody gave a reason why it survives."""
    return bool({(mutant.module, mutant.code, mutant.becomes), (mutant.module, mutant.code, "anything")} & rows)


def main() -> None:
    """Try, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", nargs="*", default=[""], help="only files that begin so, like app/payments")
    parser.add_argument("--at-most", type=int, help="so many of each module, drawn by lot, where time is short")
    parser.add_argument("--notes", type=Path, help="a file to keep what is found in")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    forgotten = {str(path.relative_to(ROOT)) for room in _ROOMS for path in (ROOT / room).glob("*.py")}
    forgotten -= SCOPE.keys() | _NOTHING_IN_IT
    if forgotten:
        raise SystemExit(f"Name the tests that hold {', '.join(sorted(forgotten))} in {Path(__file__).name}.")
    files = [file for file in SCOPE if file.startswith(tuple(arguments.module))]
    if not files:
        raise SystemExit(f"No file begins so; there are: {', '.join(SCOPE)}")
    rows, notes, results = set(listed(LIST.read_text())), Notes(arguments.notes), []
    with laboratory() as on:
        baselines: dict[tuple[str, ...], Baseline] = {}
        for file in files:
            tests = SCOPE[file]
            if tests not in baselines:
                baselines[tests] = on.baseline(tests, [each for each in files if SCOPE[each] == tests])
            results.append(try_module(on, file, baselines[tests], notes, arguments.at_most))
            if not arguments.json:
                print(_line(results[-1]), flush=True)
    total = Found(
        "all",
        possible=sum(each.possible for each in results),
        killed=sum(each.killed for each in results),
        late=sum(each.late for each in results),
        survivors=[mutant for each in results for mutant in each.survivors],
    )
    unlisted = [mutant for mutant in total.survivors if not is_listed(mutant, rows)]
    goals = [
        {
            "name": f"percent killed, {each.module}",
            "value": round(_percent(each), 1),
            "goal": f">= {GOAL_PERCENT}",
            "met": _percent(each) >= GOAL_PERCENT,
        }
        for each in [*results, total]
    ]
    goals.append({"name": "survivors not listed", "value": len(unlisted), "goal": "0", "met": not unlisted})
    if arguments.json:
        print(
            json.dumps(
                {
                    "goals": goals,
                    "mutants": total.possible,
                    "tried": total.count,
                    "survivors": [m.label for m in total.survivors],
                }
            )
        )
    else:
        print(_line(total))
        for mutant in total.survivors:
            print(f"{'listed    ' if mutant not in unlisted else 'NOT LISTED'} {mutant.label}")
        for goal in goals:
            met = "met" if goal["met"] else "MISSED"
            print(f"{goal['name']:<50} {goal['value']:>8}   goal {goal['goal']:<8} {met}")
    sys.exit(not all(goal["met"] for goal in goals))


def _percent(found: Found) -> float:
    return 100 * (found.killed + found.late) / found.count if found.count else 100.0


def _line(found: Found) -> str:
    tried = f"{found.module:<34} {found.count:>5} of {found.possible:>5} mutants"
    became = f"{found.killed:>5} killed, {len(found.survivors):>4} survived, {found.late:>3} did not end"
    return f"{tried}, {became}, {_percent(found):5.1f} %"


if __name__ == "__main__":
    main()
