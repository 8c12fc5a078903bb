"""What Prometheus is told. Names and units: docs/operations.md.

Under gunicorn several processes count into one folder (`PROMETHEUS_MULTIPROC_DIR`, set by app.web_server before the
workers start) and whichever of them is asked adds them up. A worker on the queue counts for itself alone.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.exc import SQLAlchemyError

from app.core import queue
from app.core.db import db
from app.settings import SettingsError

SHOP_WIDE: list[Callable[[], Iterable[Metric]]] = []
"""What rooms tell of the whole shop, read from the database at each scrape of the web's `/metrics`."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REQUESTS = Histogram(
    "wavecrate_request_seconds",
    "Time until an answer begins, by the address's template.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PLAYS = Counter("wavecrate_plays_begun", "Plays begun.")
KEYS = Counter("wavecrate_keys", "Content keys asked for: given, or refused.", ["outcome"])
WEBHOOK_LAG = Histogram(
    "wavecrate_webhook_lag_seconds",
    "From the gateway's event to its effect here.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
STORE_ERRORS = Counter("wavecrate_store_errors", "Calls to the object store that failed.", ["kind"])
JOBS = Counter("wavecrate_jobs", "Jobs of the queue that ended, by task: done, or failed.", ["task", "outcome"])
JOB_SECONDS = Histogram(
    "wavecrate_job_seconds",
    "How long a job took.",
    ["task"],
    buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 14400),
)
TRANSCODES = Counter(
    "wavecrate_transcodes",
    "Attempts at a master that ended: done, again (to be tried again), failed, overtaken.",
    ["kind", "outcome"],
)
ENCODED_SECONDS = Counter("wavecrate_encoded_media_seconds", "Length of the masters that were encoded.", ["kind"])
ENCODING_SECONDS = Counter("wavecrate_encoding_wall_seconds", "Time their encoding took.", ["kind"])


def request_answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count a request. `route` is the address's template; none where nothing answers there."""
    known = method if method in _METHODS else "other"
    _REQUESTS.labels(known, route or "(none)", str(status)).observe(seconds)


def store_error(kind: str) -> None:
    """Count a failure of the object store: `refused`, or `unreachable`."""
    STORE_ERRORS.labels(kind).inc()


def encoded(kind: str, media_seconds: float, wall_seconds: float) -> None:
    """Count an encoding; media ÷ wall is its speed. Who has the job counts all of it, others' help included."""
    ENCODED_SECONDS.labels(kind).inc(media_seconds)
    ENCODING_SECONDS.labels(kind).inc(wall_seconds)


def exposition(*, shop_wide: bool) -> tuple[bytes, str]:
    """What there is to tell, and its content type; `shop_wide` adds the queue, which the database knows for all."""
    told = generate_latest(_counted())
    if shop_wide:
        registry = CollectorRegistry()
        registry.register(_ShopWide())
        told += generate_latest(registry)
    return told, CONTENT_TYPE_LATEST


def may_read(token: str | None, authorization: str | None, *, local: bool) -> bool:
    """Whether a caller may see the metrics: by the token where one is set, else only from this machine itself."""
    if token is None:
        return local
    return hmac.compare_digest((authorization or "").encode(), f"Bearer {token}".encode())


def serve(host: str, port: int, token: str | None) -> ThreadingWSGIServer:
    """Answer `/metrics` on a port of its own, from a thread; for processes that serve nothing else."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        local = environ.get("REMOTE_ADDR") in ("127.0.0.1", "::1")
        if environ.get("PATH_INFO") != "/metrics":
            status, body, content_type = "404 Not Found", b"Metrics are at /metrics.\n", "text/plain"
        elif not may_read(token, environ.get("HTTP_AUTHORIZATION"), local=local):
            status, body, content_type = "403 Forbidden", b"Send METRICS_TOKEN as a bearer token.\n", "text/plain"
        else:
            status = "200 OK"
            body, content_type = exposition(shop_wide=False)
        start(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    try:
        server = make_server(host, port, answer, ThreadingWSGIServer, _Quiet)
    except OSError as error:
        raise SettingsError(
            f"METRICS_HOST and METRICS_PORT: {host}:{port} cannot be listened on ({error}). Choose another port."
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _counted() -> CollectorRegistry:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


class _ShopWide:
    """Depth and age of each queue, and what rooms have to tell; read when asked."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("wavecrate_database_up", "Whether the database answered this scrape.")
        jobs = GaugeMetricFamily("wavecrate_queue_jobs", "Jobs on a queue by state.", labels=["queue", "state"])
        oldest = GaugeMetricFamily(
            "wavecrate_queue_oldest_seconds", "How long the longest-waiting due job has waited.", labels=["queue"]
        )
        rooms: list[Metric] = []
        try:
            rooms = [metric for told in SHOP_WIDE for metric in told()]
            for depth in queue.depths():
                for state in ("waiting", "later", "running", "failed"):
                    jobs.add_metric([depth.queue, state], getattr(depth, state))
                oldest.add_metric([depth.queue], depth.oldest_seconds)
            up.add_metric([], 1)
        except SQLAlchemyError:
            db.session.rollback()
            up.add_metric([], 0)
        yield from (up, jobs, oldest, *rooms)


class _Quiet(WSGIRequestHandler):
    """A scrape every few seconds is not worth a line each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
