"""The record of what the gateway told us, and up to when its list was read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select, update

from app.core.db import db, transaction
from app.payments import service
from app.payments.contract import GatewayEvent
from app.payments.models import PaymentEvent, SweepMark

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def event(number: int = 1, kind: str = "charge.refunded") -> GatewayEvent:
    return GatewayEvent(f"evt_{number}", kind, None, None, False, {"id": f"evt_{number}", "of": kind})


def kept() -> list[tuple[str, str, dict]]:
    rows = db.session.scalars(select(PaymentEvent).order_by(PaymentEvent.id))
    return [(row.id, row.type, row.payload) for row in rows]


def test_an_event_is_kept_once_as_it_first_came(app: Flask) -> None:
    assert service.known(["evt_1"]) == set()
    with transaction():
        assert service.remember(event()) is True
    with transaction():
        assert service.remember(event(kind="another body")) is False
        assert service.remember(event(2)) is True
    assert kept() == [
        ("evt_1", "charge.refunded", {"id": "evt_1", "of": "charge.refunded"}),
        ("evt_2", "charge.refunded", {"id": "evt_2", "of": "charge.refunded"}),
    ]
    assert service.known(["evt_1", "evt_3", "evt_2"]) == {"evt_1", "evt_2"}


def test_what_was_rolled_back_was_not_kept(app: Flask) -> None:
    assert service.remember(event()) is True
    db.session.rollback()
    assert service.known(["evt_1"]) == set()
    assert service.remember(event()) is True


def test_of_two_deliveries_at_once_one_has_its_effect(app: Flask) -> None:
    together, first = threading.Barrier(4), []

    def take() -> None:
        with app.app_context():
            together.wait()
            with transaction():
                first.append(service.remember(event()))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(first) == [False, False, False, True]


def test_how_far_a_list_was_read_never_goes_back(app: Flask) -> None:
    assert service.read_to("events") is None
    for moment, then in ((NOON, NOON), (NOON - timedelta(hours=1), NOON), (NOON + timedelta(hours=1), None)):
        with transaction():
            service.note_read("events", moment)
        assert service.read_to("events") == (then or moment)
    assert service.read_to("payments") is None
    with transaction():
        service.note_read("payments", NOON)
    assert service.read_to("payments") == NOON
    assert service.read_to("events") == NOON + timedelta(hours=1)


def test_what_another_process_has_read_is_known_here_too(app: Flask) -> None:
    with transaction():
        service.note_read("events", NOON)
    seen = db.session.get(SweepMark, "events")  # held, so that the session remembers it
    assert seen is not None
    with db.engine.begin() as other:
        other.execute(update(SweepMark).values(read_to=NOON + timedelta(hours=2)))
    assert service.read_to("events") == NOON + timedelta(hours=2)
