"""Started as a program of its own: put limits on this process, tie it to its parent, become the command.

`python launcher.py PARENT_PID LIMITS [INPUT…] -- COMMAND…`. A separate program, because code between fork and exec is
unsafe in a parent that has threads, and a worker has them. Imports nothing of ours.

LIMITS are `name=value` joined by commas. Every INPUT is opened for reading, each for itself, and handed on as the
descriptors from FIRST_INPUT up: the command can read these files without being able to reach them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

FIRST_INPUT = 10
_PR_SET_PDEATHSIG = 1

# The kernel counts processes and threads by user, whoever started them, so the limit starts from what is there.
_LIMITS = {
    "cpu": resource.RLIMIT_CPU,
    "file": resource.RLIMIT_FSIZE,
    "data": resource.RLIMIT_DATA,
    "space": resource.RLIMIT_AS,
    "open": resource.RLIMIT_NOFILE,
    "more": resource.RLIMIT_NPROC,
    "core": resource.RLIMIT_CORE,
}


def main(parent: int, limits: dict[str, int], inputs: list[str], command: list[str]) -> None:
    """Never returns: the command takes this process over."""
    if sys.platform == "linux":
        # When the worker dies, even by SIGKILL, the kernel ends its children.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    for number, path in enumerate(inputs, start=FIRST_INPUT):
        opened = os.open(path, os.O_RDONLY)
        if opened == number:
            os.set_inheritable(opened, True)
        else:
            os.dup2(opened, number)
            os.close(opened)
    for name, value in limits.items():
        _limit(_LIMITS[name], value + (_tasks() if name == "more" else 0))
    os.execv(command[0], command)  # noqa: S606


def _limit(kind: int, value: int) -> None:
    _soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _tasks() -> int:
    """How many processes and threads this user has; a folder's links are its subfolders and two."""
    mine, count = os.getuid(), 0
    try:
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if entry.stat().st_uid == mine:
                        count += os.stat(f"/proc/{entry.name}/task").st_nlink - 2
                except OSError:
                    continue  # it ended meanwhile
    except OSError:
        return 1 << 16  # no /proc to count in
    return count


if __name__ == "__main__":
    end = sys.argv.index("--")
    told = dict(pair.split("=") for pair in sys.argv[2].split(","))
    main(int(sys.argv[1]), {name: int(value) for name, value in told.items()}, sys.argv[3:end], sys.argv[end + 1 :])
