"""gunicorn's configuration: `gunicorn --config python:app.web_server 'app.wsgi:application()'`.

How many workers and threads, and where to listen, are the command line's to say. Here is what every such process
needs: logs in our format without secrets, and one folder in which the workers count together.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from app.core import logs
from app.settings import load_settings

_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_REQUEST_ID = "wavecrate.request_id"  # app.web puts it there; importing that here would be the whole shop
# What asks every few seconds would drown the rest.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

_made: list[str] = []


class Logger(GunicornLogger):
    """gunicorn's messages and its access log, through the shop's own logging."""

    def setup(self, cfg: Any) -> None:
        """Let the root logger write what gunicorn has to say."""
        super().setup(cfg)
        logs.configure(load_settings())
        for log in (self.error_log, self.access_log):
            log.handlers = []
            log.propagate = True

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """A line for a request. The query is left out: it holds what people type, and signatures."""
        path, status = environ.get("PATH_INFO", ""), int(str(resp.status).split(None, 1)[0])
        if path in _PROBES and status == 200:
            return
        method, milliseconds = environ.get("REQUEST_METHOD", ""), round(request_time.total_seconds() * 1000, 1)
        facts = {
            "request_id": environ.get(_REQUEST_ID, "-"),
            "method": method,
            "path": path,
            "status": status,
            "bytes": getattr(resp, "sent", None),
            "milliseconds": milliseconds,
            "remote": environ.get("REMOTE_ADDR", ""),
        }
        self.access_log.info("%s %s %s in %s ms", method, path, status, milliseconds, extra=facts)


logger_class = Logger
accesslog = "-"
# Longer than the edge keeps an idle connection (60 s, nginx/nginx.conf.template): who closes first must be the one who
# asks, or a request that is sent at that moment is lost, and nginx repeats no POST.
keepalive = 75
# It would lie in the user's home directory, one for all of that user's gunicorns; nothing here uses it.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Make the folder the workers count in, before there are any; one that was given is only emptied."""
    given = os.environ.get(_METRICS_FOLDER)
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        for left in Path(given).glob("*.db"):
            left.unlink()
        return
    _made.append(tempfile.mkdtemp(prefix="wavecrate-metrics-"))
    os.environ[_METRICS_FOLDER] = _made[0]


def child_exit(_server: Any, worker: Any) -> None:
    """A worker is gone; what it counted stays counted."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)
