"""Where workers work on this machine's disk, and that what a killed one left there does not stay."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO

# Held open as long as the process lives; the kernel lets go of it however the process ends.
_held: dict[Path, IO[str]] = {}


def occupy(folder: Path) -> int:
    """Work in the folder until this process ends; the first to come clears it. Return how many entries that took.

    Several workers of one machine may share the folder: while any of them lives, nothing of it is touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = folder.with_name(f"{folder.name}.lock").open("w")
    cleared = 0
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for left in folder.iterdir():
            cleared += 1
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    fcntl.flock(held, fcntl.LOCK_SH)
    _held[folder] = held
    return cleared
