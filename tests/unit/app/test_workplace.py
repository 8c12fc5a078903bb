"""What a killed worker leaves on the disk goes when another comes or begins a job; what the living do there stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.settings import ROOT

WORKER = """
import sys

from app.core import workplace

for said in sys.stdin:
    if said == "leave\\n":
        workplace.leave()
        print(flush=True)
    else:
        print(workplace.folder(), flush=True)
"""


class Worker:
    """A process of its own that works under `var`."""

    def __init__(self, var: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            env=os.environ | {"WAVECRATE_VAR": str(var)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.folder = Path(self.say("folder"))

    def say(self, word: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(word, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def fill(self) -> Path:
        (self.folder / "inspect-1" / "stream").mkdir(parents=True)
        half = self.folder / "inspect-1" / "stream" / "00001.m4s"
        half.write_bytes(b"half of it")
        return half

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_what_a_killed_worker_left_goes_and_what_the_living_do_stays(tmp_path: Path) -> None:
    work = tmp_path / "work"
    first, second = Worker(tmp_path), Worker(tmp_path)
    assert first.folder != second.folder
    assert {first.folder.parent, second.folder.parent} == {work}
    halves = first.fill(), second.fill()
    assert first.say("folder") == str(first.folder), "always the same"
    assert all(half.exists() for half in halves)

    first.kill()
    third = Worker(tmp_path)
    assert not first.folder.exists()
    assert halves[1].exists(), "the second still works there"
    third.kill()
    second.say("folder")
    assert set(work.iterdir()) == {second.folder}, "a worker that goes on clears too, with its next job"

    second.say("leave")
    assert list(work.iterdir()) == [], "who leaves in peace leaves nothing"
    second.kill()


def test_what_is_nobodys_goes_and_what_a_link_points_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    work = tmp_path / "work"
    (work / "job-1").mkdir(parents=True)
    (work / "elsewhere").symlink_to(kept)
    (work / "loose").write_bytes(b"")
    (work / "job-1" / "inside").symlink_to(kept)

    only = Worker(tmp_path)
    assert set(work.iterdir()) == {only.folder}
    assert kept.exists()
    only.kill()


def test_workers_that_come_at_once_do_not_clear_each_other_away(tmp_path: Path) -> None:
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            env=os.environ | {"WAVECRATE_VAR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdin is not None
        print("folder", file=process.stdin, flush=True)
    folders = {Path(process.stdout.readline().strip()) for process in starting if process.stdout}
    assert len(folders) == 4
    assert set((tmp_path / "work").iterdir()) == folders
    for process in starting:
        process.kill()
        process.communicate()
