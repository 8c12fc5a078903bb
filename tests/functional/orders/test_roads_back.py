"""Ways the money can go back, from the gateway's side, by webhooks over HTTP: the license follows each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from support import rows
from support.instance import eventually
from support.sandbox import direct_client
from support.selling import fresh, placed, sold, standing
from support.shop import LiveShop, live_shop
from support.till import FAILING_REFUNDS, SLOW_REFUNDS

from app.core.db import db, transaction
from app.core.money import Money
from app.letters.models import Letter
from app.licenses import service as granting
from app.orders import locks, queries, refunds, settlement, verifying
from app.orders.models import Order, OrderState, RefundOrigin, RefundState
from app.payments import stripe_gateway
from app.payments.contract import CheckoutLine, CheckoutOrder
from app.settings import Settings


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(settings, tmp_path) as running:
        running.app.extensions["stripe"] = direct_client(running.sandbox)
        yield running


def bought(live: LiveShop, **means: str) -> tuple[Order, str]:
    order = placed(rows.account(), sold("Tides"), sold("Harbour", minor=500))
    lines = tuple(CheckoutLine(line.title, Money(line.price_minor, "EUR")) for line in order.lines)
    page = stripe_gateway.open_checkout(
        CheckoutOrder(order.id, lines, order.email, f"{live.url}/ok", f"{live.url}/cart", "en")
    )
    with transaction():
        order.checkout_id = page.id
    payment: str = live.controls.pay(page.id, **means)["payment_intent"]
    eventually(lambda: fresh(order).state == OrderState.PAID)
    eventually(lambda: live.undelivered() == 0)
    assert standing(order) == [True, True]
    return order, payment


def happens(live: LiveShop, step: Callable[[], object]) -> list[str]:
    """Do it, wait until the shop has heard all of it; the events it was told of."""
    before = {event["id"] for event in live.events()}
    step()
    known = [event["type"] for event in live.events() if event["id"] not in before]
    eventually(lambda: live.undelivered() == 0)
    return known


def clean() -> bool:
    return verifying.compare(verifying.prove()).differences == []


@pytest.mark.parametrize(("outcome", "stands"), [("won", True), ("lost", False)])
def test_a_dispute_shuts_the_license_and_its_end_decides(live: LiveShop, outcome: str, stands: bool) -> None:
    order, payment = bought(live)
    made: dict[str, str] = {}
    happens(live, lambda: made.update(live.controls.dispute(payment)))
    assert standing(order) == [False, False]
    assert not any(granting.may(order.account_id, track.id, "stream") for track in _tracks(order))  # type: ignore[arg-type]
    assert [each.kind for each in queries.cases(closed=False).items] == ["dispute"]
    assert clean()

    happens(live, lambda: live.controls.close_dispute(made["id"], outcome))
    assert standing(order) == [stands, stands]
    assert fresh(order).state == OrderState.PAID
    assert clean()


def test_the_first_event_of_a_dispute_is_enough(live: LiveShop) -> None:
    live.controls.fault("drop", match="charge.dispute.funds_withdrawn")
    live.controls.fault("drop", match="charge.dispute.updated")
    order, payment = bought(live)
    happens(live, lambda: live.controls.dispute(payment))
    assert standing(order) == [False, False]


@pytest.mark.parametrize("dropped", ["charge.dispute.created", "charge.dispute.closed"])
def test_whichever_event_of_a_dispute_is_lost_the_others_make_up_for_it(live: LiveShop, dropped: str) -> None:
    live.controls.fault("drop", match=dropped)
    order, payment = bought(live)
    made: dict[str, str] = {}
    happens(live, lambda: made.update(live.controls.dispute(payment)))
    assert standing(order) == [False, False]
    happens(live, lambda: live.controls.close_dispute(made["id"], "won"))
    assert standing(order) == [True, True]


def test_money_given_back_at_the_dashboard_takes_the_licenses_once_it_is_all(live: LiveShop) -> None:
    order, payment = bought(live)
    stripe = live.app.extensions["stripe"]
    happens(live, lambda: stripe.v1.refunds.create({"payment_intent": payment, "amount": 400}))
    assert standing(order) == [True, True]
    assert fresh(order).state == OrderState.PAID
    happens(live, lambda: stripe.v1.refunds.create({"payment_intent": payment}))
    assert standing(order) == [False, False]
    assert fresh(order).state == OrderState.REFUNDED
    assert clean()
    told = db.session.scalars(select(Letter).where(Letter.kind == "refund").order_by(Letter.created_at)).all()
    assert [(each.to_address, len(each.attachments)) for each in told] == [(order.email, 1)] * 2


def asked(order: Order, number: int) -> str:
    with transaction():
        held = locks.locked(order.id)
        assert held is not None
        line = held.lines[number]
        return refunds.ask(held, {line.id: line.price_minor}, reason="", origin=RefundOrigin.STAFF).id


def test_a_refund_that_fails_in_the_end_gives_the_license_back_and_calls_a_person(live: LiveShop) -> None:
    order, _payment = bought(live, number=FAILING_REFUNDS)
    refund = asked(order, 0)
    assert settlement.carry_out(refund).state == RefundState.DONE
    assert standing(order) == [False, True]
    happens(live, lambda: live.controls.advance(10))
    eventually(lambda: standing(order) == [True, True])
    assert queries.refunds_of(order.id)[0].state == RefundState.FAILED
    assert [each.kind for each in queries.cases(closed=False).items] == ["refund_refused"]
    assert "case" in set(db.session.scalars(select(Letter.kind)))
    assert clean()


def test_a_refund_that_takes_its_time_counts_from_the_start(live: LiveShop) -> None:
    order, _payment = bought(live, number=SLOW_REFUNDS)
    settlement.carry_out(asked(order, 1))
    assert standing(order) == [True, False]
    happens(live, lambda: live.controls.advance(10))
    assert standing(order) == [True, False]
    assert clean()


def test_a_refund_of_a_disputed_payment_is_refused_and_calls_a_person(live: LiveShop) -> None:
    """The shop had not heard of the dispute yet when staff asked."""
    live.controls.fault("drop", match="charge.dispute.*")
    order, payment = bought(live)
    live.controls.dispute(payment)
    refund = asked(order, 0)
    assert settlement.carry_out(refund).state == RefundState.FAILED
    assert standing(order) == [False, False]
    assert {each.kind for each in queries.cases(closed=False).items} == {"refund_refused", "dispute"}
    assert clean()


def _tracks(order: Order):  # type: ignore[no-untyped-def]
    return [track for line in order.lines for track in line.offer.subject_release.tracks]
