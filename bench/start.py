"""How long a newcomer waits: set-up of the demo, a second start, and Ctrl-C. `--json` prints the goals.

Runs in a var directory of its own on a port of its own; the packages are already installed (downloads aside).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from app.engines.processes import free_ports


def _start(var: Path, port: int) -> tuple[subprocess.Popen[str], float]:
    """Start the demo; return it with the seconds until it announced itself."""
    began = time.monotonic()
    env = os.environ | {"WAVECRATE_VAR": str(var), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "app.cli", "demo", "--port", str(port)]
    demo = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if "Ctrl-C closes the shop" in line:
            return demo, time.monotonic() - began
    raise SystemExit("The demo did not start:\n" + "".join(said))


def _stop(demo: subprocess.Popen[str]) -> tuple[float, int]:
    """Ctrl-C; return the seconds it took and how many children were left."""
    children = psutil.Process(demo.pid).children(recursive=True)
    began = time.monotonic()
    demo.send_signal(signal.SIGINT)
    demo.wait()
    seconds = time.monotonic() - began
    return seconds, sum(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def main() -> None:
    """Measure, print, exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    var = Path(tempfile.mkdtemp(prefix="wavecrate-bench-"))
    try:
        [port] = free_ports(1)
        demo, set_up = _start(var, port)
        stop, orphans = _stop(demo)
        demo, resume = _start(var, port)
        _stop(demo)
    finally:
        shutil.rmtree(var, ignore_errors=True)
    goals = [
        {"name": "set-up seconds", "value": round(set_up, 1), "goal": "< 240", "met": set_up < 240},
        {"name": "second start seconds", "value": round(resume, 1), "goal": "< 15", "met": resume < 15},
        {"name": "processes left after Ctrl-C", "value": orphans, "goal": "0", "met": orphans == 0},
        {"name": "Ctrl-C seconds", "value": round(stop, 1), "goal": "< 5", "met": stop < 5},
    ]
    if arguments.json:
        print(json.dumps({"goals": goals}))
    else:
        for goal in goals:
            print(
                f"{goal['name']:<30} {goal['value']:>8}   goal {goal['goal']:<8} {'met' if goal['met'] else 'MISSED'}"
            )
    sys.exit(not all(goal["met"] for goal in goals))


if __name__ == "__main__":
    main()
