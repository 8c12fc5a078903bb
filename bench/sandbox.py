"""What the sandbox costs each child: launcher, bubblewrap, and looking a master over. `--json` prints the goals.

In milliseconds of CPU, the children's included, so that a busy machine tells the same as a quiet one; the seconds on
the wall are shown beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from media_samples import make_audio
from support import malice

from transcoder import isolation, probe, sandbox


def _milliseconds(run: Callable[[], object], times: int) -> tuple[float, float]:
    """CPU and wall milliseconds of a run, on average, after one that warms the caches."""
    run()
    before, began = os.times(), time.perf_counter()
    for _ in range(times):
        run()
    after, ended = os.times(), time.perf_counter()
    return sum(after[:4]) * 1000 / times - sum(before[:4]) * 1000 / times, (ended - began) * 1000 / times


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    version = (sandbox.ffmpeg_binary(), "-version")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sample = make_audio(work / "a.wav", 0.2)
        command = sandbox.Command(version)

        def child() -> None:
            sandbox.run_all([command], cwd=work, at_once=1, wall_seconds=60)

        bare = _milliseconds(lambda: subprocess.run(version, capture_output=True, check=True), arguments.times)
        with malice.without_bubblewrap():
            launched = _milliseconds(child, arguments.times)
        isolated = _milliseconds(child, arguments.times)
        looked = _milliseconds(lambda: probe.look_over(sample), arguments.times)
    rows = [
        ("FFmpeg by itself", bare[0], bare[1], None),
        ("more by the launcher and its limits", launched[0] - bare[0], launched[1] - bare[1], 50),
        ("more by bubblewrap", isolated[0] - launched[0], isolated[1] - launched[1], 50),
        ("looking over a short master", looked[0], looked[1], 500),
    ]
    goals = [
        {"name": f"{name}, CPU ms", "value": round(cpu, 1), "goal": f"< {most}", "met": cpu < most}
        for name, cpu, _wall, most in rows
        if most
    ]
    if arguments.json:
        print(json.dumps({"goals": goals}))
    else:
        print(f"namespaces: {isolation.missing() or 'yes'}")
        for name, cpu, wall, most in rows:
            print(f"{name:<36} {cpu:>7.1f} ms CPU {wall:>8.1f} ms wall   goal {f'< {most} CPU' if most else ''}")
    sys.exit(not all(goal["met"] for goal in goals))


if __name__ == "__main__":
    main()
