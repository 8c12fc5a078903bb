"""What Prometheus is told of orders."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select

from app.core.db import db
from app.orders.models import Case, CaseKind


def open_cases() -> Iterator[Metric]:
    """How many cases wait for a person, by kind; 0 of a kind is told, too."""
    told = GaugeMetricFamily("wavecrate_open_cases", "Cases that wait for a person, by kind.", labels=["kind"])
    asked = select(Case.kind, func.count().label("waiting")).where(Case.closed_at.is_(None)).group_by(Case.kind)
    found = {row.kind: row.waiting for row in db.session.execute(asked)}
    for kind in CaseKind:
        told.add_metric([str(kind)], found.get(kind, 0))
    yield told
