"""Where orders meet the gateway, step by step: what is asked, what is kept, and what a failure leaves for the sweep."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from croniter import croniter
from flask import Flask, request
from sqlalchemy import select
from support import rows, selling
from support.selling import Sold, sold
from support.till import FAILING_REFUNDS, Till

from app.accounts.models import Account
from app.cart import service as carts
from app.cart.models import Cart
from app.core import clock, queue
from app.core.db import db, transaction
from app.core.errors import NotFound, WavecrateError
from app.core.money import Money
from app.ledger import queries as ledger
from app.letters.models import Letter
from app.licenses.models import License
from app.orders import locks, refunds, settlement, sweeping, tasks
from app.orders.models import Case, CaseKind, Order, OrderRefund, OrderState, RefundOrigin, RefundState
from app.payments import service as payments
from app.payments import stripe_gateway as gateway
from app.payments.contract import GatewayEvent, PaymentUnavailable
from app.payments.models import PaymentEvent
from app.payments.sandbox.params import decode

PAGES = settlement.Pages("http://shop.test/orders/{order}/return", "http://shop.test/cart")


@pytest.fixture
def till(app: Flask, tmp_path: Path) -> Till:
    return Till(app, tmp_path)


@pytest.fixture
def asked(till: Till) -> list[tuple[str, str, dict]]:
    """What the shop asks of the gateway."""
    found: list[tuple[str, str, dict]] = []

    @till.sandbox.before_request
    def _note() -> None:
        if request.path.startswith("/v1/"):
            found.append((request.method, request.path, decode((request.form or request.args).items(multi=True))))

    return found


def cart_of(account: Account, *lines: Sold) -> Cart:
    with transaction():
        cart = carts.open_cart(account.id)
    for line in lines:
        with transaction():
            carts.add(cart, line.offer.id)
    return cart


def start(cart: Cart, account: Account, **more: Any) -> tuple[Order, str | None]:
    given = {"account": account, "email": account.email, "pages": PAGES, "locale": "en"} | more
    return settlement.start_checkout(cart, **given)


def ordered(account: Account | None = None) -> Order:
    ada = account or rows.account()
    return start(cart_of(ada, sold()), ada)[0]


def pay(till: Till, order: Order, **means: Any) -> str:
    assert order.checkout_id is not None
    return till.does.pay(order.checkout_id, **means)["payment_intent"]


def fresh(order: Order) -> Order:
    db.session.rollback()
    db.session.refresh(order)
    return order


def standing() -> int:
    return len(db.session.scalars(select(License).where(License.revoked_at.is_(None))).all())


def event(kind: str, number: int = 1, **about: Any) -> GatewayEvent:
    known: dict[str, Any] = {"checkout_id": None, "payment_id": None, "fully_refunded": False}
    return GatewayEvent(id=f"evt_{number}", type=kind, payload={"n": number}, created=clock.now(), **(known | about))


def kept() -> set[str]:
    return set(db.session.scalars(select(PaymentEvent.id)))


def letters(kind: str) -> int:
    return len(db.session.scalars(select(Letter).where(Letter.kind == kind)).all())


# --- starting ---


def test_a_page_is_opened_for_the_order_s_lines(till: Till, asked: list) -> None:
    ada, line = rows.account(), sold("Tides", minor=990)
    order, address = start(cart_of(ada, line), ada, expected=Money(990, "EUR"), locale="zh_Hans")
    ((method, path, sent),) = asked
    assert (method, path) == ("POST", "/v1/checkout/sessions")
    assert sent["client_reference_id"] == order.id
    assert sent["success_url"] == f"http://shop.test/orders/{order.id}/return"
    assert sent["cancel_url"] == "http://shop.test/cart"
    assert (sent["customer_email"], sent["locale"]) == (ada.email, "zh")
    assert sent["expires_at"] == str(int((order.created_at + timedelta(hours=2)).timestamp()))
    assert [each["price_data"]["unit_amount"] for each in sent["line_items"]] == ["990"]
    assert (order.state, order.checkout_url) == (OrderState.PENDING, address)
    assert order.checkout_id in (address or "")


def test_tax_beside_the_prices_is_a_line_of_its_own(till: Till, asked: list) -> None:
    order = selling.placed(rows.account(), sold(tax=158), sold(minor=310, tax=10))
    inside = settlement._wanted(order, PAGES)
    assert [each.amount.minor for each in inside.lines] == [990, 310]
    assert inside.tax is None
    order.inclusive = False
    beside = settlement._wanted(order, PAGES)
    assert [each.amount.minor for each in beside.lines] == [832, 300]
    assert beside.tax is not None
    assert (beside.tax.title, beside.tax.amount) == ("Tax", Money(168, "EUR"))
    assert beside.total == order.total
    untaxed = selling.placed(rows.account(), sold())
    untaxed.inclusive = False
    assert settlement._wanted(untaxed, PAGES).tax is None
    assert [each.title for each in beside.lines] == [line.title for line in order.lines]


def test_what_costs_nothing_asks_nothing(till: Till, asked: list) -> None:
    ada = rows.account()
    order, address = start(cart_of(ada, sold(minor=0)), ada)
    assert (address, asked, order.state, standing()) == (None, [], OrderState.PAID, 1)


def test_pages_left_open_are_closed_first(till: Till, asked: list) -> None:
    ada = rows.account()
    cart = cart_of(ada, sold())
    first, _address = start(cart, ada)
    second, _address = start(cart, ada)
    assert asked[1][:2] == ("POST", f"/v1/checkout/sessions/{first.checkout_id}/expire")
    assert (fresh(first).state, fresh(second).state) == (OrderState.CANCELLED, OrderState.PENDING)
    assert first.settled_at is not None


def test_a_guest_s_open_pages_are_those_the_browser_knows(till: Till) -> None:
    line = sold()
    orders = []
    for opened in ((), (), "first"):
        with transaction():
            cart = carts.open_cart(None)
            carts.add(cart, line.offer.id)
        known = [orders[0].id] if opened else []
        orders.append(
            settlement.start_checkout(
                cart, account=None, email="guest@example.org", pages=PAGES, locale="en", opened=known
            )[0]
        )
    assert [fresh(order).state for order in orders] == [
        OrderState.CANCELLED,
        OrderState.PENDING,
        OrderState.PENDING,
    ]


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "error_before"])
def test_a_page_that_does_not_open_gives_the_order_up_and_keeps_the_cart(till: Till, kind: str) -> None:
    ada = rows.account()
    cart = cart_of(ada, sold())
    till.does.fault(kind, match="POST /v1/checkout/sessions")
    with pytest.raises(PaymentUnavailable):
        start(cart, ada)
    assert [order.state for order in db.session.scalars(select(Order))] == [OrderState.CANCELLED]
    db.session.expire_all()
    assert len(cart.items) == 1


def test_an_order_that_was_given_up_while_its_page_opened_shows_no_page(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_checkout = gateway.open_checkout

    def slow(order: Any) -> Any:
        page = open_checkout(order)
        with transaction():
            settlement.fulfilment.cancel(settlement._known(order.id))
        return page

    monkeypatch.setattr(gateway, "open_checkout", slow)
    order = ordered()
    assert (fresh(order).state, order.checkout_url) == (OrderState.CANCELLED, None)
    assert order.checkout_id is not None


# --- asking how it stands ---


def test_settling_asks_about_the_page_and_later_about_the_payment(till: Till, asked: list) -> None:
    order = ordered()
    payment_id = pay(till, order)
    del asked[:]
    assert settlement.settle(order.id).state == OrderState.PAID
    assert [path for _method, path, _sent in asked] == [
        f"/v1/checkout/sessions/{order.checkout_id}",
        f"/v1/payment_intents/{payment_id}",
        "/v1/refunds",
    ]
    assert order.settled_at is not None
    del asked[:]
    settlement.settle(order.id)
    assert [path for _method, path, _sent in asked] == [f"/v1/payment_intents/{payment_id}", "/v1/refunds"]
    free = selling.placed(rows.account(), sold(minor=0))
    del asked[:]
    assert settlement.settle(free.id).state == OrderState.PENDING
    assert asked == []


def test_an_open_page_changes_nothing(till: Till) -> None:
    order = ordered()
    assert settlement.settle(order.id).state == OrderState.PENDING
    assert (letters("order_placed"), letters("payment_failed")) == (0, 0)


def test_a_page_of_another_attempt_decides_nothing(till: Till) -> None:
    order = ordered()
    page = order.checkout_id
    assert page is not None
    gateway.expire_checkout(page)
    order.checkout_id = "cs_another"
    db.session.commit()
    settlement.take_event(event("checkout.session.expired", checkout_id=page))
    assert fresh(order).state == OrderState.PENDING
    order.checkout_id = None  # whoever opened it died before it was noted
    db.session.commit()
    settlement.take_event(event("checkout.session.expired", 2, checkout_id=page))
    assert fresh(order).state == OrderState.CANCELLED


def test_a_slow_payment_is_told_of_and_so_is_its_failure(till: Till) -> None:
    order = ordered()
    pay(till, order, method="sepa_debit")
    settlement.settle(order.id)
    assert (fresh(order).state, letters("order_placed"), letters("payment_failed")) == (OrderState.PENDING, 1, 0)
    with pytest.raises(settlement.PaymentUnderWay, match=r"^The payment is under way and can’t be stopped\. If it suc"):
        settlement.cancel(order.id)
    assert order.checkout_id is not None
    till.does.settle(order.checkout_id, "failed")
    settlement.settle(order.id)
    assert (fresh(order).state, letters("order_placed"), letters("payment_failed")) == (OrderState.CANCELLED, 1, 1)


def test_cancelling_closes_the_page_unless_it_was_paid(till: Till) -> None:
    order, paid, unopened = ordered(), ordered(), selling.placed(rows.account(), sold())
    pay(till, paid)
    assert settlement.cancel(order.id).state == OrderState.CANCELLED
    assert settlement.cancel(paid.id).state == OrderState.PAID
    assert standing() == 1
    assert settlement.cancel(unopened.id).state == OrderState.CANCELLED
    with pytest.raises(NotFound, match=r"^There is no such order\.$"):
        settlement.cancel("no such order")


# --- events ---


def test_an_event_makes_the_shop_ask_and_is_kept_with_its_effect(till: Till, asked: list) -> None:
    order = ordered()
    payment_id = pay(till, order)
    del asked[:]
    settlement.take_event(event("checkout.session.completed", checkout_id=order.checkout_id, payment_id=payment_id))
    assert asked[0][1] == f"/v1/checkout/sessions/{order.checkout_id}"
    assert (fresh(order).state, kept(), standing()) == (OrderState.PAID, {"evt_1"}, 1)
    del asked[:]
    settlement.take_event(event("checkout.session.completed", checkout_id=order.checkout_id, payment_id=payment_id))
    assert asked == []


@pytest.mark.parametrize(
    "kind",
    [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    ],
)
def test_every_event_about_money_makes_the_shop_ask(till: Till, kind: str) -> None:
    order = ordered()
    payment_id = pay(till, order)
    settlement.take_event(event(kind, payment_id=payment_id))
    assert fresh(order).state == OrderState.PAID


@pytest.mark.parametrize(
    ("kind", "more"), [("payment_intent.succeeded", {}), ("charge.refunded", {"livemode": True})], ids=str
)
def test_other_events_and_those_of_the_other_mode_are_kept_and_no_more(
    till: Till, asked: list, kind: str, more: dict
) -> None:
    order = ordered()
    payment_id = pay(till, order)
    del asked[:]
    settlement.take_event(event(kind, payment_id=payment_id, checkout_id=order.checkout_id, **more))
    assert (asked, kept(), fresh(order).state) == ([], {"evt_1"}, OrderState.PENDING)


def test_an_event_about_nothing_of_ours_is_kept(till: Till) -> None:
    settlement.take_event(event("charge.refunded"))
    assert kept() == {"evt_1"}
    assert db.session.scalars(select(Case)).all() == []


def test_an_event_that_cannot_be_asked_about_is_not_kept(till: Till) -> None:
    order = ordered()
    pay(till, order)
    till.does.fault("error_before")
    with pytest.raises(PaymentUnavailable):
        settlement.take_event(event("checkout.session.completed", checkout_id=order.checkout_id))
    assert (kept(), fresh(order).state) == (set(), OrderState.PENDING)


def test_a_payment_is_followed_by_its_own_name(till: Till) -> None:
    order = ordered()
    payment_id = pay(till, order)
    settlement.follow_payment(payment_id)
    assert (fresh(order).state, order.payment_id) == (OrderState.PAID, payment_id)


# --- refunds ---


def ask(order: Order, minor: int = 990) -> OrderRefund:
    with transaction():
        found = locks.locked(order.id)
        assert found is not None
        return refunds.ask(found, {order.lines[0].id: minor}, reason="asked", origin=RefundOrigin.STAFF)


def paid(till: Till, **means: Any) -> Order:
    order = ordered()
    pay(till, order, **means)
    return settlement.settle(order.id)


def test_a_refund_is_asked_for_under_its_own_name_and_booked(till: Till, asked: list) -> None:
    order = paid(till)
    row = ask(order, 400)
    del asked[:]
    done = settlement.carry_out(row.id)
    sent = next(sent for method, path, sent in asked if (method, path) == ("POST", "/v1/refunds"))
    assert (sent["payment_intent"], sent["amount"]) == (order.payment_id, "400")
    assert sent["metadata"] == {"key": row.id, "order": order.id}
    assert (done.state, done.amount) == (RefundState.DONE, Money(400, "EUR"))
    assert ledger.of_payment(order.payment_id or "").refunded == 400
    assert done.gateway_id is not None
    assert ledger.entry(f"refund:{done.gateway_id}") is not None
    del asked[:]
    assert settlement.carry_out(row.id).state == RefundState.DONE
    assert asked == []
    with pytest.raises(NotFound, match=r"^There is no such refund\.$"):
        settlement.carry_out("no such refund")


def test_a_refund_the_gateway_will_not_make_is_a_case_and_the_books_know_why(till: Till) -> None:
    order = paid(till)
    row = ask(order)
    till.refund(order.payment_id or "", 500)
    done = settlement.carry_out(row.id)
    assert done.state == RefundState.FAILED
    assert "refuses this refund" in (done.error or "")
    assert db.session.scalars(select(Case.kind)).all() == [CaseKind.REFUND_REFUSED]
    assert ledger.of_payment(order.payment_id or "").refunded == 500
    assert standing() == 1


def test_a_refund_of_what_went_back_meanwhile_is_over(till: Till) -> None:
    order = paid(till)
    row = ask(order)
    till.refund(order.payment_id or "", 990)
    assert settlement.carry_out(row.id).state == RefundState.FAILED
    assert (fresh(order).state, standing()) == (OrderState.REFUNDED, 0)


def test_a_refund_stays_asked_for_while_the_gateway_is_away(till: Till) -> None:
    order = paid(till)
    row = ask(order)
    till.does.fault("timeout_before")
    with pytest.raises(PaymentUnavailable):
        settlement.carry_out(row.id)
    db.session.rollback()
    assert db.session.get_one(OrderRefund, row.id, populate_existing=True).state == RefundState.ASKED


# --- the sweep ---


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Puts the shop's clock forward; the gateway's stays."""
    now, ahead = clock.now, [timedelta()]
    monkeypatch.setattr(clock, "now", lambda: now() + ahead[0])

    def forward(by: timedelta) -> None:
        ahead[0] += by

    return forward


def test_the_sweep_asks_about_orders_that_wait_too_long(till: Till, later: Callable[[timedelta], None]) -> None:
    till.does.fault("drop")
    order, lost, unopened = ordered(), ordered(), selling.placed(rows.account(), sold())
    pay(till, order)
    with transaction():
        payments.note_read("events", clock.now() + timedelta(hours=1))  # so that no event tells of it
    sweeping.sweep()
    assert fresh(order).state == OrderState.PENDING
    later(timedelta(minutes=9, seconds=50))
    sweeping.sweep()
    assert fresh(order).state == OrderState.PENDING
    later(timedelta(seconds=20))
    sweeping.sweep()
    assert [fresh(each).state for each in (order, lost, unopened)] == [
        OrderState.PAID,
        OrderState.PENDING,
        OrderState.CANCELLED,
    ]


def test_the_sweep_reads_what_happened_since_it_last_read_and_a_little_before(
    till: Till, asked: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def since() -> datetime:
        listed = [sent for _method, path, sent in asked if path == "/v1/events"]
        assert listed[-1]["types"] == list(settlement.ABOUT_MONEY)
        return datetime.fromtimestamp(int(listed[-1]["created"]["gte"]), clock.now().tzinfo)

    now = clock.now().replace(microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: now)
    sweeping.sweep()
    assert since() == now - timedelta(days=2, minutes=10)
    assert payments.read_to("events") == now
    sweeping.sweep()
    assert since() == now - timedelta(minutes=10)


def test_the_first_sweep_reads_from_the_oldest_order_on_for_earlier_ones_may_have_died(
    till: Till, later: Callable[[timedelta], None]
) -> None:
    """A dispute is won while no sweep comes through; the next that does comes ten days later."""
    till.does.fault("drop")
    order = ordered()
    payment_id = pay(till, order)
    settlement.settle(order.id)
    case = till.does.dispute(payment_id)
    settlement.settle(order.id)
    assert [each.revoked_at is not None for each in db.session.scalars(select(License))] == [True]
    till.does.close_dispute(case["id"], "won")
    later(timedelta(days=10))
    sweeping.sweep()
    db.session.expire_all()
    assert [each.revoked_at for each in db.session.scalars(select(License))] == [None]


def test_an_event_the_sweep_cannot_take_is_read_again(
    till: Till, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    order = ordered()
    pay(till, order)
    till.does.fault("error_before", match="GET /v1/checkout/*")
    with caplog.at_level(logging.WARNING):
        sweeping.sweep()
    marked = payments.read_to("events")
    made = [each for each in till.does.ask("GET", "outbox") if each]
    assert made
    assert marked is not None
    assert marked <= clock.now()
    assert marked.microsecond == 0  # the event's own second, not the sweep's
    assert any(message.startswith("sweep: event evt_") for message in caplog.messages)
    till.does.no_faults()
    sweeping.sweep()
    assert fresh(order).state == OrderState.PAID


def test_the_sweep_carries_refunds_out_and_one_that_fails_keeps_none_back(
    till: Till, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = paid(till), paid(till)
    rows_ = [ask(first), ask(second)]
    carry_out = settlement.carry_out

    def fails_once(refund_id: str) -> OrderRefund:
        if refund_id == rows_[0].id:
            raise RuntimeError("a mistake of ours")
        return carry_out(refund_id)

    monkeypatch.setattr(settlement, "carry_out", fails_once)
    sweeping.sweep()
    db.session.expire_all()
    assert [row.state for row in rows_] == [RefundState.ASKED, RefundState.DONE]
    assert f"sweep: refund {rows_[0].id}" in caplog.messages


def test_the_sweep_fetches_the_fee_that_came_late(till: Till, later: Callable[[timedelta], None], asked: list) -> None:
    order = paid(till)
    payment_id = order.payment_id or ""
    assert ledger.entry(f"fee:{payment_id}") is not None
    unbooked = selling.placed(rows.account(), sold())
    selling.follow(unbooked, selling.payment(unbooked, fee=None))
    later(timedelta(minutes=2))
    assert sweeping._unbooked() == [unbooked.id]
    with transaction():
        unbooked.settled_at = clock.now()
    assert sweeping._unbooked() == []
    later(timedelta(minutes=11))
    assert sweeping._unbooked() == [unbooked.id]


def test_what_fails_in_a_sweep_keeps_nothing_else_back_and_the_log_names_it(
    till: Till,
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_about: object) -> None:
        raise RuntimeError("a mistake of ours")

    waits, unbooked = ordered(), selling.placed(rows.account(), sold())
    selling.follow(unbooked, selling.payment(unbooked, fee=None))
    later(timedelta(minutes=11))
    monkeypatch.setattr(sweeping, "_read_events", fails)
    monkeypatch.setattr(settlement, "settle", fails)
    monkeypatch.setattr(sweeping.claims, "send_due", fails)
    monkeypatch.setattr(sweeping.correspondence, "preorders_out", fails)
    sweeping.sweep()
    named = ["events", f"order {waits.id}", f"books of {unbooked.id}", "gifts", "pre-orders"]
    assert [each for each in caplog.messages if each.startswith("sweep")] == [f"sweep: {each}" for each in named]


def test_a_step_that_fails_is_rolled_back_and_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    def spoil(error: Exception) -> Callable[[], None]:
        def step() -> None:
            rows.account("Nobody")
            db.session.add(Account(email="half@example.org", name="Half", password_hash="!"))
            db.session.flush()
            raise error

        return step

    with caplog.at_level(logging.WARNING):
        assert sweeping._try("one", lambda: None) is True
        assert sweeping._try("two", spoil(WavecrateError("mend it"))) is False
        assert sweeping._try("three", spoil(RuntimeError("ours"))) is False
    assert [(each.levelname, each.message) for each in caplog.records if each.message.startswith("sweep")] == [
        ("WARNING", "sweep: two: mend it"),
        ("ERROR", "sweep: three"),
    ]
    assert caplog.records[-1].exc_info is not None
    assert db.session.scalars(select(Account).where(Account.email == "half@example.org")).all() == []


def test_the_sweep_sends_gifts_and_word_of_what_is_out(app: Flask, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(sweeping.claims, "send_due", lambda: done.append("gifts"))
    monkeypatch.setattr(sweeping.correspondence, "preorders_out", lambda now: done.append(f"out {now.tzinfo}"))
    sweeping.sweep()
    assert done == ["gifts", "out UTC"]


def test_a_refund_that_fails_in_the_end_is_found_by_the_sweep(till: Till) -> None:
    order = paid(till, number=FAILING_REFUNDS)
    row = ask(order)
    settlement.carry_out(row.id)
    assert standing() == 0
    till.does.advance(10)
    sweeping.sweep()
    db.session.expire_all()
    assert (row.state, standing()) == (RefundState.FAILED, 1)


def test_the_tasks_are_what_the_queue_calls(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(settlement, "carry_out", lambda refund_id: called.append(refund_id))
    monkeypatch.setattr(sweeping, "sweep", lambda: called.append("sweep"))
    monkeypatch.setattr(tasks.verifying, "nightly", lambda: called.append("verify"))
    tasks.carry_out(refund_id="re")
    tasks.sweep(timestamp=1)
    tasks.verify(timestamp=1)
    assert called == ["re", "sweep", "verify"]
    names = {each.name: each for each in (tasks.carry_out, tasks.sweep, tasks.verify)}
    assert set(names) == {refunds.CARRY_OUT, "orders.sweep", "orders.verify"}


def test_when_and_how_the_worker_runs_them(app: Flask) -> None:
    """Twice a minute and once a night; never two of one kind at a time, and a refund is tried until it is made."""
    seconds = {}
    for each in queue.queue.periodic_registry.periodic_tasks.values():
        times = croniter(each.cron, datetime(2026, 11, 22, tzinfo=UTC))
        seconds[each.task.name] = {-times.get_next(float) + times.get_next(float) for _time in range(3)}
    assert (seconds["orders.sweep"], seconds["orders.verify"]) == ({30.0}, {86_400.0})
    for task in (tasks.sweep, tasks.verify):
        assert (task.lock, task.queueing_lock, task.queue) == (task.name, task.name, queue.DEFAULT)
    assert (tasks.carry_out.retry_strategy, tasks.carry_out.queue) == (queue.PATIENCE, queue.DEFAULT)
    assert tasks.verify.retry_strategy == queue.BACKOFF
