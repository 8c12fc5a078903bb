"""`wavecrate up`: every server one machine needs, started in order, watched, and stopped at once."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.engines import instance, processes
from app.engines.postgres import Postgres
from app.engines.processes import EngineError
from app.engines.s3 import SeaweedFS

_MIN_FREE_MB = 500
_WEB_THREADS = 16


class AlreadyRunning(EngineError):
    """Another supervisor holds this var directory; `base_url` is where it serves."""

    def __init__(self, base_url: str) -> None:
        super().__init__(f"Wavecrate already runs here, at {base_url}. Stop it with Ctrl-C in its terminal.")
        self.base_url = base_url


@dataclass
class Child:
    """A server process: how to start it, how to stop it, and whether its end ends everything."""

    name: str
    command: list[str]
    stop_signal: int = signal.SIGTERM
    grace: float = 3.0
    restarts: bool = False
    answers_at: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """The servers of one machine. `prepare` is called with the environment before the web server starts."""

    def __init__(self, var: Path, *, port: int, environ: Mapping[str, str]) -> None:
        self.var = var
        self.port = port
        self.environ = dict(environ)
        self.instance_env = var / "instance.env"
        self._children: list[Child] = []
        self._postgres: Postgres | None = None
        self._s3: SeaweedFS | None = None

    @property
    def base_url(self) -> str:
        """Where the shop answers."""
        return self.environ.get("BASE_URL") or f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, prepare: Callable[[], None]) -> Iterator[Supervisor]:
        """Everything up inside the block, everything down after it, whatever happens."""
        self.var.mkdir(parents=True, exist_ok=True)
        with self._lock():
            try:
                self._check()
                self._start_engines()
                prepare()
                self._start_servers()
                yield self
            finally:
                self.stop()

    def watch(self) -> None:
        """Watch until interrupted; restart what may be restarted; raise EngineError when a server dies."""
        while True:
            time.sleep(0.3)
            for child in self._children:
                assert child.process is not None
                if child.process.poll() is None:
                    continue
                if not child.restarts:
                    raise EngineError(f"{child.name} stopped. Its log ends:\n{processes.tail(self._log(child))}")
                time.sleep(1)  # a worker that cannot start must not spin
                self._start(child)
            for name, process in self._engines():
                if process is not None and process.poll() is not None:
                    raise EngineError(f"{name} stopped. Look at {self.var / 'log'}.")

    def stop(self) -> None:
        """End every child at once: those that use the engines first, side by side, then the engines."""
        stoppers = [
            threading.Thread(target=processes.stop, args=(child.process, child.stop_signal, child.grace))
            for child in self._children
            if child.process is not None
        ]
        for thread in stoppers:
            thread.start()
        for thread in stoppers:
            thread.join()
        self._children.clear()
        if self._s3:
            self._s3.stop()
        if self._postgres:
            self._postgres.stop()

    @contextmanager
    def _lock(self) -> Iterator[IO[str]]:
        with (self.var / "supervisor.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(instance.read(self.instance_env).get("BASE_URL", self.base_url)) from None
            yield lock

    def _check(self) -> None:
        if not processes.port_is_free(self.port):
            raise EngineError(
                f"Port {self.port} is taken by another program. Stop that, or choose another: --port {self.port + 1}"
            )
        free = shutil.disk_usage(self.var).free // 2**20
        if free < _MIN_FREE_MB:
            raise EngineError(
                f"Only {free} MB are free on the disk of {self.var}; {_MIN_FREE_MB} MB are needed. "
                "Free some, or set WAVECRATE_VAR to a folder on another disk."
            )

    def _start_engines(self) -> None:
        values = instance.with_secrets(instance.read(self.instance_env))
        if not self.environ.get("DATABASE_URL"):
            self._postgres = Postgres(self.var)
            self._postgres.start()
            self._postgres.ensure_database()
            values["DATABASE_URL"] = self._postgres.url()
        if not self.environ.get("S3_ENDPOINT_URL"):
            self._s3 = SeaweedFS(self.var)
            self._s3.start()
            values["S3_ENDPOINT_URL"] = self._s3.endpoint_url
            values["S3_ACCESS_KEY"] = self._s3.access_key
            values["S3_SECRET_KEY"] = self._s3.secret_key
        if not self.environ.get("STRIPE_SECRET_KEY"):
            port = int(values.get("STRIPE_API_BASE", ":0").rsplit(":", 1)[1])
            if not port or port == self.port or not processes.port_is_free(port):
                port = processes.free_ports(1)[0]
            values["STRIPE_API_BASE"] = f"http://127.0.0.1:{port}"
        values["BASE_URL"] = self.base_url
        instance.write(self.instance_env, values)

    def _start_servers(self) -> None:
        values = instance.read(self.instance_env) | self.environ
        python = [sys.executable, "-m"]
        gunicorn = [*python, "gunicorn", "--worker-class=gthread", "--graceful-timeout=2", "--no-control-socket"]
        if not self.environ.get("STRIPE_SECRET_KEY"):
            address = values["STRIPE_API_BASE"]
            self._children.append(
                Child(
                    "The payment sandbox",
                    [
                        *gunicorn,
                        "--workers=1",
                        "--threads=8",
                        f"--bind={address.removeprefix('http://')}",
                        "app.payments.sandbox.server:application()",
                    ],
                    stop_signal=signal.SIGINT,
                    answers_at=address,
                    env={
                        "SANDBOX_STATE": str(self.var / "sandbox.sqlite"),
                        "SANDBOX_PUBLIC_URL": address,
                        "SANDBOX_WEBHOOK_URL": f"{self.base_url}/webhooks/stripe",
                        "STRIPE_WEBHOOK_SECRET": values["STRIPE_WEBHOOK_SECRET"],
                    },
                )
            )
        bind = f"--bind=127.0.0.1:{self.port}"
        gunicorn += ["--config=python:app.web_server"]
        web = [*gunicorn, "--workers=2", f"--threads={_WEB_THREADS}", bind, "app.wsgi:application()"]
        self._children.append(
            Child("The shop", web, stop_signal=signal.SIGINT, answers_at=f"http://127.0.0.1:{self.port}/healthz")
        )
        worker = [*python, "app.cli", "worker", "--alone"]
        self._children.append(Child("The worker", worker, restarts=True))
        for child in self._children:
            self._start(child)
        for child in self._children:
            if child.answers_at is not None:
                assert child.process is not None
                processes.wait_for_http(
                    child.answers_at, child.process, name=child.name, log=self._log(child), seconds=30
                )

    def _start(self, child: Child) -> None:
        env = self.environ | {"WAVECRATE_VAR": str(self.var), "PYTHONUNBUFFERED": "1"} | child.env
        env.setdefault("OPENBLAS_NUM_THREADS", "1")
        child.process = processes.start(child.command, log=self._log(child), env=env)

    def _log(self, child: Child) -> Path:
        return self.var / "log" / f"{child.name.split()[-1]}.log"

    def _engines(self) -> list[tuple[str, subprocess.Popen[bytes] | None]]:
        return [
            ("PostgreSQL", self._postgres.process if self._postgres else None),
            ("The S3 server", self._s3.process if self._s3 else None),
        ]
