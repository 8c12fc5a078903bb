"""Hostile files through the real path, and through FFmpeg with layers of the sandbox taken away. `--json` prints goals.

Each file goes the way of an upload: sniffed, looked over in its child, transcoded in full where it was accepted. With
`--past-the-sniff` (the default; `--no-past-the-sniff` leaves it out) it then goes straight to FFmpeg by our own command
line, with and without bubblewrap, and by a tutorial's command line with nothing but bubblewrap and limits. Another
tenant's master lies beside, in a place that the files name, and a loopback port counts who comes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import malice
from support.hostile import Hostile, Target, classes, generate, plant

from transcoder import isolation

_NAMING = {"HLS playlists", "concat playlists", "DASH and other playlists", "polyglots", "external references"}


class Bench:
    """One run over all files, and what it counted."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.listener, self.children = malice.Listener(), malice.Children()
        canary = plant(folder / "tenant")
        self.files = list(generate(folder / "files", count, Target(canary, self.listener.port)))
        self.watch = malice.Watch(canary)
        self.leaks: list[str] = []
        self.hung: list[str] = []
        self.slowest = 0.0
        self._attempts = 0

    def attempt(self) -> Path:
        """An empty directory, as each attempt at a job gets."""
        self._attempts += 1
        work = self.folder / "attempts" / str(self._attempts)
        work.mkdir(parents=True)
        return work

    def each(self, what: str, run: Callable[[Hostile, Path], malice.Outcome]) -> list[malice.Outcome]:
        """Run every file; note leaks and hangs."""
        return [self.one(what, file, lambda work, file=file: run(file, work)) for file in self.files]  # type: ignore[misc]

    def one(self, what: str, file: Hostile, run: Callable[[Path], malice.Outcome]) -> malice.Outcome:
        """Run one file in a directory of its own."""
        work = self.attempt()
        outcome = run(work)
        self.slowest = max(self.slowest, outcome.seconds)
        if malice.leaked(work):
            self.leaks.append(f"{what}: {file.kind} {file.path}")
        if outcome.hung:
            self.hung.append(f"{what}: {file.kind} {file.path} took {outcome.seconds:.0f} s")
        return outcome


def _teeth(bench: Bench) -> tuple[int, int, bool]:
    """What the same files do to somebody without any of this: leaks, connections, and whether the canary was read."""
    before, leaks = bench.listener.connections, 0
    for file in bench.files:
        if file.kind in _NAMING:
            work = bench.attempt()
            malice.unprotected(file, work)
            leaks += malice.leaked(work)
    return leaks, bench.listener.connections - before, bench.watch.was_read()


def main() -> None:
    """Run, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=240, help="how many files (200 is the least that counts)")
    parser.add_argument("--past-the-sniff", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--keep", type=Path, help="a folder to make the files in and leave them")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wavecrate-malice-") as scratch:
        folder = arguments.keep or Path(scratch)
        bench = Bench(folder, arguments.count)
        began = time.monotonic()
        looked = bench.each("looked over", lambda file, _work: malice.looked_over(file))
        accepted = [outcome for outcome in looked if outcome.probe is not None]
        transcodes = [
            bench.one("transcoded", outcome.file, lambda work, outcome=outcome: malice.transcoded(outcome, work))  # type: ignore[misc]
            for outcome in accepted
        ]
        if arguments.past_the_sniff:
            bench.each("past the sniff", malice.past_the_sniff)
            with malice.without_bubblewrap():
                bench.each("past the sniff, without bubblewrap", malice.past_the_sniff)
            if isolation.missing() is None:
                bench.each("with nothing but bubblewrap", malice.naively)
        seconds = time.monotonic() - began
        connections, was_read = bench.listener.connections, bench.watch.was_read()
        left = len(bench.children.left())
        teeth = _teeth(bench)
        bench.listener.close()
    silent = [outcome.file for outcome in looked if outcome.probe is None and not outcome.reason]
    refused = Counter(outcome.file.kind for outcome in looked if outcome.probe is None)
    _report(arguments.json, bench, refused, transcodes, seconds, teeth)
    account = int(was_read) if bench.watch.keeps_account else None
    goals = [
        ("hostile files", len(bench.files), "≥ 200", len(bench.files) >= 200),
        ("classes of attack", len(refused | Counter(o.file.kind for o in accepted)), str(len(classes())), True),
        ("another tenant's bytes in an output", len(bench.leaks), "0", not bench.leaks),
        ("reads of another tenant's master", account, "0", not account),
        ("connections", connections, "0", connections == 0),
        ("hangs past the limit", len(bench.hung), "0", not bench.hung),
        ("children left", left, "0", left == 0),
        ("refusals without a reason", len(silent), "0", not silent),
        ("leaks without the sandbox, as proof", teeth[0], "> 0", teeth[0] > 0),
    ]
    named = [{"name": name, "value": value, "goal": goal, "met": bool(met)} for name, value, goal, met in goals]
    if arguments.json:
        print(json.dumps({"goals": named}))
    else:
        for goal in named:
            met = "met" if goal["met"] else "MISSED"
            print(f"{goal['name']:<38} {goal['value']!s:>8}   goal {goal['goal']:<8} {met}")
    sys.exit(not all(goal["met"] for goal in named))


def _report(
    quiet: bool,
    bench: Bench,
    refused: Counter[str],
    transcodes: list[malice.Outcome],
    seconds: float,
    teeth: tuple[int, int, bool],
) -> None:
    if quiet:
        return
    every = Counter(file.kind for file in bench.files)
    for kind in classes():
        print(f"{kind:<28} {every[kind]:>4} files, {refused[kind]:>4} refused")
    failed = sum(outcome.reason is not None for outcome in transcodes)
    print(f"{len(transcodes)} accepted and transcoded, of which FFmpeg gave up on {failed}")
    print(f"{seconds:.0f} s in all, the slowest file {bench.slowest:.1f} s; namespaces: {isolation.missing() or 'yes'}")
    print(f"without any sandbox: {teeth[0]} leaks, {teeth[1]} connections, canary read: {teeth[2]}")
    for line in (*bench.leaks, *bench.hung):
        print(line)


if __name__ == "__main__":
    main()
