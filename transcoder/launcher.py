"""Started as a program of its own: put limits on this process, tie it to its parent, become the command.

`python launcher.py PARENT_PID CPU_SECONDS FILE_BYTES COMMAND…`. A separate program, because code between fork
and exec is unsafe in a parent that has threads, and a worker has them. Imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, cpu_seconds: int, file_bytes: int, command: list[str]) -> None:
    """Never returns: the command takes this process over."""
    if sys.platform == "linux":
        # When the worker dies, even by SIGKILL, the kernel ends its children.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, cpu_seconds)
    _limit(resource.RLIMIT_FSIZE, file_bytes)
    os.execv(command[0], command)  # noqa: S606


def _limit(kind: int, value: int) -> None:
    _soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
