"""What the worker does for orders: gives money back, and sweeps."""

from __future__ import annotations

from app.core.queue import BACKOFF, DEFAULT, PATIENCE, periodic, queue_context, task
from app.orders import refunds, settlement, sweeping, verifying


@task(name=refunds.CARRY_OUT, queue=DEFAULT, retry=PATIENCE)
def carry_out(refund_id: str) -> None:
    """Have a refund made; again and again while the gateway doesn't answer."""
    with queue_context():
        settlement.carry_out(refund_id)


EVERY_HALF_MINUTE = "* * * * * */30"  # the sixth field is the seconds


@periodic(cron=EVERY_HALF_MINUTE)
@task(name="orders.sweep", queue=DEFAULT, lock="orders.sweep", queueing_lock="orders.sweep")
def sweep(timestamp: int = 0) -> None:
    """Twice a minute: bring to its end what was left half-way."""
    with queue_context():
        sweeping.sweep()


@periodic(cron="41 3 * * *")
@task(name="orders.verify", queue=DEFAULT, retry=BACKOFF, lock="orders.verify", queueing_lock="orders.verify")
def verify(timestamp: int = 0) -> None:
    """Every night: hold the books against the gateway's list; a case says what differs."""
    with queue_context():
        verifying.nightly()
