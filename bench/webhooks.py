"""Forged, spoilt and replayed webhooks against the shop's own route: how many were accepted. `--count`, `--json`.

Engines, a database and a payment sandbox of this run's own, with orders paid, refunded and unpaid. Whoever forges knows
every event's body, those withheld from the shop too. After each batch every row of every table is compared: nothing
forged or replayed may change any; what the gateway truly tells of payments that bought nothing here may change its
record, the books and the list of cases, but no order and no license. At the end the withheld events are told rightly,
and must change rows: what was forged would have been worth it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import forgery
from support.forgery_target import Outcome, Target, attack, changed, contents, target

from bench.ground import engines


@contextmanager
def besieged() -> Iterator[Target]:
    """The shop on engines of its own."""
    with engines(durable=False) as ground, target(ground.settings, ground.directory) as made:
        yield made


def main() -> None:
    """Send, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="how many requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.disable()  # each refusal says so, ten thousand times
    with besieged() as shop:
        began = time.monotonic()
        found = attack(shop, arguments.count, arguments.seed)
        seconds = time.monotonic() - began
        before = contents(shop.live.app)
        shop.tell(shop.untold)
        worth = changed(before, contents(shop.live.app))
    accepted = found.accepted.total()
    goals = [
        {"name": "forged or replayed webhooks", "value": found.sent, "goal": "10000", "met": found.sent >= 10_000},
        {"name": "accepted", "value": accepted, "goal": "0", "met": accepted == 0},
        {"name": "tables changed", "value": len(found.changed), "goal": "0", "met": not found.changed},
        {"name": "unexpected answers", "value": len(found.unexpected), "goal": "0", "met": not found.unexpected},
        {"name": "tables the withheld events change", "value": len(worth), "goal": "> 2", "met": len(worth) > 2},
    ]
    if arguments.json:
        print(json.dumps({"goals": goals}))
    else:
        _report(found, seconds)
        for goal in goals:
            met = "met" if goal["met"] else "MISSED"
            print(f"{goal['name']:<38} {goal['value']:>8}   goal {goal['goal']:<8} {met}")
    sys.exit(not all(goal["met"] for goal in goals))


def _report(found: Outcome, seconds: float) -> None:
    for kind, statuses in found.statuses.items():
        meant = "refused" if kind in forgery.forged_kinds() else "no effect"
        said = ", ".join(f"{many} x {status}" for status, many in sorted(statuses.items()))
        print(f"{kind:<42} {meant:<10} {said}")
    print(f"{seconds:.0f} s")
    for line in (*found.changed, *found.unexpected):
        print(line)


if __name__ == "__main__":
    main()
