"""What a killed worker leaves on the disk goes when the next one comes, and not while another works beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.settings import ROOT

OCCUPY = """
import sys
from pathlib import Path

from app.core.workplace import occupy

print(occupy(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def _worker(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A process that occupies the folder until its input ends, and how many entries it cleared."""
    command = [sys.executable, "-c", OCCUPY, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_first_worker_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    work = tmp_path / "work"
    first, cleared = _worker(work)
    assert cleared == 0
    (work / "job-1" / "stream").mkdir(parents=True)
    (work / "job-1" / "stream" / "00001.m4s").write_bytes(b"half of it")
    (work / "elsewhere").symlink_to(tmp_path)

    second, cleared = _worker(work)
    assert cleared == 0, "while the first lives, its folders are its own"
    assert (work / "job-1").exists()
    first.kill()
    first.wait()

    third, cleared = _worker(work)
    assert cleared == 0, "the second still works there"
    for process in (second, third):
        process.kill()
        process.wait()

    fourth, cleared = _worker(work)
    fourth.kill()
    fourth.wait()
    assert cleared == 2
    assert list(work.iterdir()) == []
    assert tmp_path.exists(), "a link is taken away, not what it points to"
