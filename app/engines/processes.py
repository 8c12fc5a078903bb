"""Child processes that never outlive us, and ports that are free."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


class EngineError(Exception):
    """An engine could not start or stay up; the message says which, why, and the remedy."""


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent does (Linux; elsewhere a no-op)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number)


def start(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    death_signal: int = signal.SIGKILL,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches only us and we end the children in order."""
    log.parent.mkdir(parents=True, exist_ok=True)
    output: IO[bytes]
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            user=user,
            start_new_session=True,
            # Safe here: the supervisor starts its children before any thread of its own.
            preexec_fn=lambda: die_with_parent(death_signal),
        )


def stop(process: subprocess.Popen[bytes], signal_number: int, grace: float) -> None:
    """Ask a child to end; after `grace` seconds end it and its whole process group."""
    if process.poll() is None:
        process.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    # PermissionError: macOS says so of a group whose only member is a zombie.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_ports(count: int, *, offset: int = 0) -> list[int]:
    """So many ports that are free together; with `offset`, also free, and none of them, that far above each."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        while len(ports) < count:
            probe = socket.socket()
            probe.bind(("127.0.0.1", 0))
            held.append(probe)
            port = probe.getsockname()[1]
            if offset and (port + offset > 65535 or not port_is_free(port + offset)):
                continue
            if any(abs(port - other) == offset for other in ports):
                continue
            ports.append(port)
    finally:
        for probe in held:
            probe.close()
    return ports


def wait_for_http(url: str, process: subprocess.Popen[bytes], *, name: str, log: Path, seconds: float) -> None:
    """Return once the server answers HTTP, whatever it says; raise EngineError when it dies or never does.

    A listening port would not do: gunicorn listens before the application is loaded.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
        except urllib.error.HTTPError:
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
    raise EngineError(f"{name} did not start. Its log, {log}, ends:\n{tail(log)}")


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
