"""The edge as it runs in production: nginx from the system's package, started by nginx/start."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from app.engines import processes
from app.settings import ROOT, Settings

START = ROOT / "nginx" / "start"
REMEDY = "The edge's tests need nginx with njs, as production does: apt install nginx libnginx-mod-http-js"


@dataclass
class Answer:
    """What came back, with nothing followed, unpacked or tidied."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Edge:
    """A running edge."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]
    store_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The access log, once its buffer is written out."""
        self.process.send_signal(signal.SIGUSR1)  # nginx reopens its logs, and writes what it held back
        time.sleep(0.2)
        return (self.directory / "access.log").read_text()

    def send(self, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        """One request, its path exactly as given."""
        return send(self.port, method, path, headers)


def send(port: int, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    """One request to a server on this machine, its path byte for byte as given."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        answer = HTTPResponse(connection, method=method)
        answer.begin()
        return Answer(answer.status, {k.title(): v for k, v in answer.getheaders()}, answer.read())


def environment(settings: Settings, *, app: str, directory: Path, port: int, store_port: int = 0) -> dict[str, str]:
    """What nginx/start is told, from the shop's own settings."""
    previous = settings.signing_secret_previous
    return {
        "PATH": os.environ["PATH"],
        "SIGNING_SECRET": settings.signing_secret.get_secret_value(),
        "SIGNING_SECRET_PREVIOUS": previous.get_secret_value() if previous else "",
        "S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "S3_BUCKET": settings.s3_bucket,
        "S3_PREFIX": settings.s3_prefix,
        "S3_REGION": settings.s3_region,
        "S3_ACCESS_KEY": settings.s3_access_key,
        "S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "EDGE_APP": app,
        "EDGE_LISTEN": f"127.0.0.1:{port}",
        "EDGE_STORE_LISTEN": f"127.0.0.1:{store_port}" if store_port else "",
        "EDGE_RUN": str(directory),
        "EDGE_LOG": str(directory / "access.log"),
        "EDGE_USER": getpass.getuser(),  # the tests' directories are closed to www-data
        "EDGE_WORKERS": "2",
    }


@contextmanager
def edge(settings: Settings, directory: Path, *, app: str, **extra: str) -> Iterator[Edge]:
    """Start nginx for the shop at `app` (host:port); stop it in the end."""
    assert shutil.which("nginx"), REMEDY
    port, store_port = processes.free_ports(2)
    env = environment(settings, app=app, directory=directory, port=port, store_port=store_port) | extra
    log = directory / "nginx.log"
    process = processes.start(["sh", str(START)], log=log, env=env, death_signal=signal.SIGTERM)
    try:
        processes.wait_for_http(f"http://127.0.0.1:{port}/edge/healthz", process, name="nginx", log=log, seconds=20)
        yield Edge(port, directory, process, store_port)
    finally:
        processes.stop(process, signal.SIGTERM, grace=5)


def keepalive_get(port: int, paths: list[str]) -> list[int]:
    """The statuses of many GETs over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    statuses = []
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses
