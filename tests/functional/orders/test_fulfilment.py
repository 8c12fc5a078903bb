"""Fulfilment under repeats, races and lies; each on the real database."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows
from support.shop import offer

from app.accounts.models import Account
from app.cart import service as carts
from app.cart.queries import cart_of
from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery.models import Event, EventKind
from app.licenses import service as licenses
from app.licenses.models import License, Use
from app.orders import service
from app.orders.models import Order, OrderState
from app.payments.contract import CheckoutStatus


def placed(account: Account, *releases: Release, minor: int = 990, currency: str = "EUR") -> Order:
    with transaction():
        cart = carts.open_cart(account.id)
    for release in releases:
        offer_id = offer(release=release, minor=minor, currency=currency).id
        with transaction():
            carts.add(cart, offer_id)
    with transaction():
        order = service.place(account, cart)
        service.opened(order.id, f"cs_{order.id}")
    return order


def paid(order: Order) -> CheckoutStatus:
    return CheckoutStatus(
        id=f"cs_{order.id}",
        order_id=order.id,
        total=order.total,
        paid=True,
        open=False,
        payment_id=f"pi_{order.id}",
    )


def count(model: type, *where: object) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0  # type: ignore[arg-type]


def test_an_order_is_a_snapshot_that_later_prices_do_not_reach(app: Flask) -> None:
    ada, release = rows.account(), rows.release("Tides", title_zh="潮汐")
    order = placed(ada, release)
    release.title = "Renamed"
    order.lines[0].offer.active = False
    offer(release=release, minor=4900)
    assert order.total == Money(990, "EUR")
    assert [(line.title, line.price_minor) for line in order.lines] == [("Tides – Mira Sol", 990)]


def test_fulfilling_grants_each_line_records_the_purchase_and_empties_the_cart_of_it(app: Flask) -> None:
    ada, tides, harbour, later = rows.account(), rows.release("Tides"), rows.release("Harbour"), rows.release("Later")
    order = placed(ada, tides, harbour)
    kept = offer(release=later).id
    with transaction():
        carts.add(carts.open_cart(ada.id), kept)
        service.fulfil(paid(order))
    assert order.state == OrderState.PAID
    assert order.paid_at is not None
    assert order.payment_id == f"pi_{order.id}"
    assert {row.grant_key for row in db.session.scalars(select(License))} == {line.id for line in order.lines}
    assert count(Event, Event.kind == EventKind.PURCHASE) == 2
    cart = cart_of(ada.id)
    assert cart is not None
    assert [item.offer_id for item in cart.items] == [kept]


def test_fulfilling_again_changes_nothing(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    order = placed(ada, release)
    for _again in range(3):
        with transaction():
            service.fulfil(paid(order))
    assert count(License) == 1
    assert count(Event, Event.kind == EventKind.PURCHASE) == 1


def test_two_fulfilments_at_once_grant_once(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    order = placed(ada, release)
    status = paid(order)
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def fulfil() -> None:
        try:
            with app.app_context():
                together.wait()
                with transaction():
                    service.fulfil(status)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=fulfil) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(License) == 1
    assert count(Event, Event.kind == EventKind.PURCHASE) == 1


@pytest.mark.parametrize(
    "lie",
    [
        {"total": Money(989, "EUR")},
        {"total": Money(990, "USD")},
        {"total": Money(99_000, "EUR")},
        {"paid": False},
        {"order_id": None},
        {"order_id": "nosuchorder"},
        {"id": "cs_another"},
    ],
    ids=lambda lie: "-".join(lie),
)
def test_what_does_not_match_the_order_grants_nothing(app: Flask, lie: dict) -> None:
    ada, release = rows.account(), rows.release()
    order = placed(ada, release)
    with pytest.raises(service.PaymentMismatch), transaction():
        service.fulfil(replace(paid(order), **lie))
    db.session.refresh(order)
    assert order.state == OrderState.PENDING
    assert count(License) == 0
    assert count(Event, Event.kind == EventKind.PURCHASE) == 0


def test_another_order_s_payment_does_not_pay_this_one(app: Flask) -> None:
    ada, bo = rows.account(), rows.account("Bo")
    cheap = placed(ada, rows.release("Cheap"), minor=99)
    dear = placed(bo, rows.release("Dear"), minor=9900)
    with pytest.raises(service.PaymentMismatch), transaction():
        service.fulfil(replace(paid(cheap), order_id=dear.id))
    assert count(License) == 0


def test_an_order_cancelled_at_the_moment_it_was_paid_is_paid(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    order = placed(ada, release)
    with transaction():
        service.cancel(order.id)
    with transaction():
        service.fulfil(paid(order))
    assert licenses.may(ada.id, release.tracks[0].id, Use.STREAM)


def test_a_refund_revokes_and_a_late_webhook_does_not_bring_the_music_back(app: Flask) -> None:
    ada, release = rows.account(), rows.release()
    order = placed(ada, release)
    with transaction():
        service.fulfil(paid(order))
    for _again in range(2):
        with transaction():
            service.refund(order, "asked for")
    assert order.state == OrderState.REFUNDED
    assert not licenses.may(ada.id, release.tracks[0].id, Use.STREAM)
    assert count(Event, Event.kind == EventKind.REFUND) == 1
    with transaction():
        service.fulfil(paid(order))
    assert not licenses.may(ada.id, release.tracks[0].id, Use.STREAM)


def test_only_a_paid_order_is_refunded(app: Flask) -> None:
    order = placed(rows.account(), rows.release())
    with pytest.raises(service.NotRefundable), transaction():
        service.refund(order, "asked for")
    with transaction():
        service.cancel(order.id)
    with pytest.raises(service.NotRefundable), transaction():
        service.refund(order, "asked for")


def test_what_is_owned_already_is_not_ordered_again(app: Flask) -> None:
    ada, release = rows.account(), rows.release("Tides")
    order = placed(ada, release)
    rows.own(ada, release=release)
    cart = cart_of(ada.id)
    assert cart is not None
    with pytest.raises(service.CartChanged, match="Yours already"), transaction():
        service.place(ada, cart)
    assert db.session.scalars(select(Order)).all() == [order]


def test_an_order_for_another_total_than_the_buyer_saw_is_not_made(app: Flask) -> None:
    ada = rows.account()
    with transaction():
        cart = carts.open_cart(ada.id)
    offer_id = offer(release=rows.release()).id
    with transaction():
        carts.add(cart, offer_id)
    with pytest.raises(service.CartChanged, match="has changed"), transaction():
        service.place(ada, cart, expected=Money(890, "EUR"))
    assert count(Order) == 0
