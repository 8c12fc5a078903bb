"""Where this process works on the machine's disk, and that what a killed one left there does not stay."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import var_dir

log = logging.getLogger("wavecrate.workplace")

# Each process's folder is locked as long as it lives; the kernel lets go of it however the process ends.
_mine: dict[Path, tuple[Path, int]] = {}
_settling = threading.Lock()  # tasks run in threads


def folder() -> Path:
    """A folder of this process's own under `WAVECRATE_VAR`, the same at each call.

    At each call, folders of processes that are gone are cleared away; those of others that work beside this one, on
    the same disk, are never touched.
    """
    common = var_dir() / "work"
    with _settling:
        common.mkdir(parents=True, exist_ok=True)
        with _alone(common):
            _clear_lost(common)
            if common not in _mine:
                mine = Path(tempfile.mkdtemp(dir=common, prefix=f"{os.getpid()}-"))
                _mine[common] = mine, _open(mine)
                fcntl.flock(_mine[common][1], fcntl.LOCK_EX)
        return _mine[common][0]


def leave() -> None:
    """Clear this process's own folders away; another call of `folder` makes a new one."""
    with _settling:
        for common, (mine, held) in _mine.items():
            with _alone(common):
                shutil.rmtree(mine, ignore_errors=True)
                os.close(held)
        _mine.clear()


@contextmanager
def _alone(common: Path) -> Iterator[None]:
    """Nobody else looks for lost folders meanwhile: one that was just made has no lock yet."""
    held = _open(common)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _clear_lost(common: Path) -> None:
    mine = _mine.get(common)
    for left in common.iterdir():
        if mine and left == mine[0]:
            continue
        if left.is_symlink() or not left.is_dir():
            left.unlink(missing_ok=True)
            continue
        held = _open(left)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            # A child that dies this moment may still write; what stays for that is cleared the next time.
            shutil.rmtree(left, ignore_errors=True)
            log.info("cleared what a lost worker left in %s", left)
        finally:
            os.close(held)


def _open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
