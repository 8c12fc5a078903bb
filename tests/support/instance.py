"""The shop, its worker and the payment sandbox as processes of their own, as an operator starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from app.engines import processes
from app.engines.processes import free_ports
from app.settings import ROOT, Settings


@dataclass
class Instance:
    """Where the shop answers, and what its processes wrote so far."""

    url: str
    logs: list[Path]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def lines(self, name: str | None = None) -> list[str]:
        """Every line of the logs, or of the one of that name."""
        chosen = [log for log in self.logs if name in (None, log.stem)]
        return [line for log in chosen for line in log.read_text(errors="replace").splitlines()]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the variables a process reads them from."""
    values = {name.upper(): getattr(value, "get_secret_value", lambda value=value: value)() for name, value in settings}
    return {name: str(value) for name, value in values.items() if value is not None}


def eventually(holds: Callable[[], object], seconds: float = 90) -> None:
    """Return as soon as it holds; the deadline only ends a test that has failed already."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)


@contextmanager
def running(settings: Settings, directory: Path) -> Iterator[Instance]:
    """All three, each with a log under `directory`; ended with the block."""
    shop_port, sandbox_port = free_ports(2)
    url, sandbox = f"http://127.0.0.1:{shop_port}", f"http://127.0.0.1:{sandbox_port}"
    env = os.environ | environment(settings.model_copy(update={"base_url": url, "stripe_api_base": sandbox}))
    env |= {"WAVECRATE_VAR": str(directory / "var"), "PYTHONUNBUFFERED": "1"}
    found = Instance(url, [directory / f"{name}.log" for name in ("sandbox", "shop", "worker")])
    gunicorn = [sys.executable, "-m", "gunicorn", "--worker-class=gthread", "--threads=4", "--no-control-socket"]
    commands: list[tuple[Sequence[str], dict[str, str]]] = [
        (
            [*gunicorn, f"--bind=127.0.0.1:{sandbox_port}", "app.payments.sandbox.server:application()"],
            {
                "SANDBOX_STATE": str(directory / "sandbox.sqlite"),
                "SANDBOX_PUBLIC_URL": sandbox,
                "SANDBOX_WEBHOOK_URL": f"{url}/webhooks/stripe",
            },
        ),
        (
            [
                *gunicorn,
                "--workers=2",
                "--config=python:app.web_server",
                f"--bind=127.0.0.1:{shop_port}",
                "app.wsgi:application()",
            ],
            {},
        ),
        ([sys.executable, "-m", "app.cli", "worker"], {}),
    ]
    try:
        for log, (command, more) in zip(found.logs, commands, strict=True):
            found.processes.append(processes.start(command, log=log, env=env | more, cwd=ROOT))
        for process, log, address in zip(found.processes, found.logs, (sandbox, f"{url}/healthz"), strict=False):
            processes.wait_for_http(address, process, name=log.stem, log=log, seconds=60)
        yield found
    finally:
        for process in found.processes:
            processes.stop(process, 15, grace=10)


def ready(found: Instance) -> bool:
    """Whether the shop says it could serve."""
    return requests.get(f"{found.url}/readyz", timeout=30).status_code == 200
