"""`wavecrate up` as a person runs it: it starts everything, Ctrl-C ends everything, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from app.engines import instance
from app.engines.processes import free_ports

if TYPE_CHECKING:
    from support.ground import Engines


def _up(var: Path, port: int, **given: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", "--port", str(port)],
        env=os.environ | {"WAVECRATE_VAR": str(var), "PYTHONUNBUFFERED": "1"} | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def _running(var: Path, port: int, **given: str) -> Iterator[subprocess.Popen[str]]:
    process = _up(var, port, **given)
    watchdog = threading.Timer(60, process.kill)  # a hang must not hang the run
    watchdog.start()
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C closes it" in line:
                break
        else:
            pytest.fail("".join(said))
        yield process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(30)


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _alive(children: list[psutil.Process]) -> list[str]:
    _gone, alive = psutil.wait_procs(children, timeout=10)
    return [f"{child.pid} {child.name()}" for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def test_up_serves_tells_a_second_one_where_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with _running(tmp_path, port) as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.read() == b"ok"
        children = _children(process)
        assert len(children) >= 5  # PostgreSQL, weed, sandbox, web, worker
        second = _up(tmp_path, port)
        out, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert f"already runs here, at http://127.0.0.1:{port}" in out
    assert process.returncode == 0
    assert not _alive(children)


def test_an_impatient_second_ctrl_c_leaves_nothing_either(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with _running(tmp_path, port) as process:
        children = _children(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert not _alive(children)


def test_a_given_database_and_store_are_used_and_the_embedded_ones_stay_off(
    tmp_path: Path, database_url: str, engines: Engines
) -> None:
    [port] = free_ports(1)
    given = {
        "DATABASE_URL": database_url,
        "S3_ENDPOINT_URL": engines.s3.endpoint_url,
        "S3_ACCESS_KEY": engines.s3.access_key,
        "S3_SECRET_KEY": engines.s3.secret_key,
    }
    with _running(tmp_path, port, **given) as process:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()  # the front page asks the database
        names = {child.name() for child in _children(process)}
    assert not names & {"postgres", "weed"}
    assert not (tmp_path / "postgres").exists()
    assert not (tmp_path / "s3").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_works(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with _running(tmp_path, port) as process:
        children = _children(process)
        process.kill()
        process.wait()
    assert not _alive(children)
    with _running(tmp_path, port):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").close()


def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = _up(tmp_path, port)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Port {port} is taken" in out
    assert f"--port {port + 1}" in out
    assert "Traceback" not in out


def test_a_full_disk_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.engines import supervisor
    from app.engines.processes import EngineError

    monkeypatch.setattr(supervisor, "_MIN_FREE_MB", 10**9)
    [port] = free_ports(1)
    made = supervisor.Supervisor(tmp_path, port=port, environ={})
    with pytest.raises(EngineError, match="WAVECRATE_VAR"), made.running(lambda: None):
        pytest.fail("it started on a full disk")


def test_a_bad_setting_is_named_without_a_traceback(tmp_path: Path) -> None:
    instance.write(tmp_path / "instance.env", {"DATABASE_URL": "mysql://nope"})
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "migrate"],
        env=os.environ | {"WAVECRATE_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr
    assert "S3_ENDPOINT_URL" in done.stderr
    assert "Traceback" not in done.stderr
