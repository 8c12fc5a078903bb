"""From payments to licenses under repeats, races and lies; each on the real database."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows, selling
from support.selling import Sold, bought, follow, payment, placed, sold
from support.shop import offer

from app.core import clock
from app.core.db import db, transaction
from app.core.money import Money
from app.discovery import signal
from app.discovery.models import Event, EventKind
from app.ledger import queries as ledger
from app.ledger.models import Book, Entry
from app.licenses import service as licenses
from app.licenses.models import License, Use
from app.orders import fulfilment, locks, queries, refunds
from app.orders.models import Case, CaseKind, OrderRefund, OrderState, RefundOrigin, RefundState
from app.payments.contract import (
    CheckoutStatus,
    Dispute,
    DisputeState,
    Payment,
    Refund,
)
from app.payments.contract import (
    RefundState as GatewayRefundState,
)
from app.pricing.models import TaxEvidence


def count(model: type, *where: object) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0  # type: ignore[arg-type]


def standing() -> set[str]:
    return set(db.session.scalars(select(License.grant_key).where(License.revoked_at.is_(None))))


def given_back(told: Payment, minor: int, *, key: str | None = None, state: str = "succeeded") -> Payment:
    made = Refund(
        id=f"re_{len(told.refunds)}_{told.id}",
        payment_id=told.id,
        amount=Money(minor, "EUR"),
        state=GatewayRefundState(state),
        key=key,
        created=clock.now(),
    )
    return replace(told, refunds=(*told.refunds, made), refunded=Money(told.refunded.minor + minor, "EUR"))


def disputed(told: Payment, state: DisputeState, minor: int | None = None) -> Payment:
    case = Dispute(
        id=f"dp_{told.id}",
        payment_id=told.id,
        amount=Money(minor or told.captured.minor, "EUR"),
        state=state,
        reason="fraudulent",
        created=clock.now(),
    )
    return replace(told, disputes=(case,))


def test_a_payment_grants_each_line_records_the_purchase_and_writes_the_books(app: Flask) -> None:
    ada = rows.account()
    order = placed(ada, sold(tax=158), sold(minor=500))
    follow(order, payment(order))
    assert order.state == OrderState.PAID
    assert (order.payment_id, order.paid_by) == (f"pi_{order.id}", "card")
    assert standing() == {line.id for line in order.lines}
    assert count(Event, Event.kind == EventKind.PURCHASE) == 2
    money = ledger.line_money(order.id)
    assert [money[line.id] for line in order.lines] == [{Book.SALES: 832, Book.TAX: 158}, {Book.SALES: 500}]
    assert {entry.key for entry in db.session.scalars(select(Entry))} == {
        f"order:{order.id}",
        f"payment:pi_{order.id}",
        f"fee:pi_{order.id}",
    }


def test_hearing_of_it_again_changes_nothing(app: Flask) -> None:
    order = placed(rows.account(), sold())
    for _again in range(3):
        follow(order, payment(order))
    assert (count(License), count(Entry), count(Event, Event.kind == EventKind.PURCHASE)) == (1, 3, 1)


def test_hearing_of_it_from_four_sides_at_once_grants_once(app: Flask) -> None:
    order = placed(rows.account(), sold())
    told, order_id = payment(order), order.id
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def hear() -> None:
        try:
            with app.app_context():
                together.wait()
                with transaction():
                    fulfilment.follow(locks.locked(order_id), told, None, live=False)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hear) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (count(License), count(Entry)) == (1, 3)


@pytest.mark.parametrize(
    "lie",
    [
        {"captured": Money(989, "EUR")},
        {"captured": Money(991, "EUR")},
        {"captured": Money(990, "USD")},
        {"livemode": True},
        {"order_id": "another"},
        {"order_id": None},
    ],
    ids=lambda lie: "-".join(f"{name}-{value}" for name, value in lie.items()),
)
def test_a_payment_that_is_not_what_was_ordered_grants_nothing_and_raises_a_case(app: Flask, lie: dict) -> None:
    order = placed(rows.account(), sold())
    for _again in range(2):
        follow(order, payment(order, **lie))
    assert count(License) == 0
    assert count(Event, Event.kind == EventKind.PURCHASE) == 0
    assert order.state == OrderState.CANCELLED
    assert db.session.scalars(select(Case.kind)).all() == [CaseKind.MISMATCH]
    assert ledger.entry(f"order:{order.id}") is None
    assert (ledger.entry(f"payment:pi_{order.id}") is None) == ("livemode" in lie)


@pytest.mark.parametrize(
    "lie", [{"total": Money(989, "EUR")}, {"order_id": "another"}, {"order_id": None}, {"livemode": True}], ids=str
)
def test_a_page_that_is_not_the_order_s_grants_nothing(app: Flask, lie: dict) -> None:
    order = placed(rows.account(), sold())
    page = CheckoutStatus(
        id="cs_1", order_id=order.id, total=order.total, paid=True, open=False, payment_id=f"pi_{order.id}"
    )
    follow(order, payment(order), replace(page, **lie))
    assert count(License) == 0
    follow(order, payment(order), page)
    assert count(License) == 1


def test_a_payment_for_no_order_of_ours_is_a_case_and_waits_in_the_books(app: Flask) -> None:
    order = placed(rows.account(), sold())
    with transaction():
        fulfilment.follow(None, payment(order, order_id="another"), None, live=False)
    entry = ledger.entry(f"payment:pi_{order.id}")
    assert entry is not None
    assert {row.account: row.minor for row in entry.postings} == {Book.GATEWAY: 990, Book.UNAPPLIED: -990}
    assert count(Case) == 1


def test_what_has_not_succeeded_is_nothing(app: Flask) -> None:
    order = placed(rows.account(), sold())
    follow(order, payment(order, succeeded=False))
    assert (order.state, count(Entry), count(License)) == (OrderState.PENDING, 0, 0)


def test_an_order_given_up_at_the_moment_it_was_paid_is_paid(app: Flask) -> None:
    ada, line = rows.account(), sold()
    order = placed(ada, line)
    with transaction():
        fulfilment.cancel(order)
    follow(order, payment(order))
    assert order.state == OrderState.PAID
    assert licenses.may(ada.id, line.offer.subject_release.tracks[0].id, Use.STREAM)


def test_a_second_payment_for_one_order_goes_back_and_the_license_stays(app: Flask) -> None:
    order = bought(rows.account(), sold())
    second = payment(order, id="pi_second")
    for _again in range(2):
        follow(order, second)
    (back,) = queries.refunds_of(order.id)
    assert (back.payment_id, back.amount, back.origin, back.lines) == (
        "pi_second",
        Money(990, "EUR"),
        RefundOrigin.DUPLICATE,
        {},
    )
    assert len(standing()) == 1
    follow(order, given_back(second, 990, key=back.id))
    assert queries.refunds_of(order.id)[0].state == RefundState.DONE
    assert order.state == OrderState.PAID
    assert len(standing()) == 1
    assert ledger.of_payment("pi_second").refunded == 990


def test_the_same_thing_bought_in_two_orders_is_kept_once_and_the_second_money_goes_back(app: Flask) -> None:
    ada, line, other = rows.account(), sold(), sold(minor=300)
    first, second = placed(ada, line), placed(ada, line, other)
    follow(second, payment(second))
    follow(first, payment(first))
    assert standing() == {each.id for each in second.lines}
    (back,) = queries.refunds_of(first.id)
    assert (back.amount.minor, back.origin, back.lines) == (990, RefundOrigin.DUPLICATE, {first.lines[0].id: 990})
    assert queries.refunds_of(second.id) == []


def test_of_two_orders_that_share_one_thing_only_that_line_goes_back(app: Flask) -> None:
    ada, line, other = rows.account(), sold(), sold(minor=300)
    bought(ada, line)
    second = bought(ada, line, other)
    (back,) = queries.refunds_of(second.id)
    assert back.lines == {second.lines[0].id: 990}
    assert second.lines[1].id in standing()
    assert second.lines[0].id not in standing()


def test_a_guest_who_buys_twice_is_known_by_the_address(app: Flask) -> None:
    line = sold()
    bought(None, line)
    second = bought(None, line)
    assert len(queries.refunds_of(second.id)) == 1
    assert queries.refunds_of(bought(None, line, email="another@example.org").id) == []


def album_and_track() -> tuple[Sold, Sold]:
    release = rows.release("Tides")
    track = release.tracks[0]
    return Sold(offer(release=release)), Sold(offer(track=track, minor=149), 149)


@pytest.mark.parametrize("first", ["album", "track"])
def test_a_track_bought_with_its_album_goes_back_whichever_came_first(app: Flask, first: str) -> None:
    album, track = album_and_track()
    order = bought(rows.account(), *((album, track) if first == "album" else (track, album)))
    (back,) = queries.refunds_of(order.id)
    (line,) = [each for each in order.lines if each.offer.track_id]
    assert (back.lines, back.origin) == ({line.id: 149}, RefundOrigin.DUPLICATE)
    assert standing() == {each.id for each in order.lines if each is not line}


def test_a_track_bought_with_its_album_goes_back_when_both_come_back_from_a_dispute(app: Flask) -> None:
    order = placed(rows.account(), *album_and_track())
    told = payment(order)
    follow(order, disputed(told, DisputeState.OPEN))
    assert (queries.refunds_of(order.id), standing()) == ([], set())
    follow(order, disputed(told, DisputeState.WON))
    (back,) = queries.refunds_of(order.id)
    assert back.lines == {order.lines[1].id: 149}
    assert standing() == {order.lines[0].id}


@pytest.mark.parametrize("guest", [False, True])
def test_a_track_bought_while_its_album_was_away_goes_back_when_that_returns(app: Flask, guest: bool) -> None:
    """One that was bought before the album stays: who buys the album later knows what they have."""
    ada = None if guest else rows.account()
    tides, harbour = rows.release("Tides"), rows.release("Harbour")
    one, other = (Sold(offer(track=each.tracks[0], minor=149), 149) for each in (tides, harbour))
    before = bought(ada, other)
    order = placed(ada, Sold(offer(bundle=[tides, harbour])))
    told = payment(order)
    follow(order, told)
    follow(order, disputed(told, DisputeState.OPEN))
    later = bought(ada, one, sold("Another"))
    elsewhere = bought(rows.account("Bo"), one)
    assert queries.refunds_of(later.id) == []

    for _again in range(2):
        follow(order, disputed(told, DisputeState.WON))

        (back,) = queries.refunds_of(later.id)
        assert (back.lines, back.origin) == ({later.lines[0].id: 149}, RefundOrigin.DUPLICATE)
        assert [queries.refunds_of(each.id) for each in (order, before, elsewhere)] == [[], [], []]
        assert later.lines[0].id not in standing()
        assert {later.lines[1].id, before.lines[0].id, elsewhere.lines[0].id} < standing()


def test_what_was_bought_twice_is_sent_back_once_though_the_money_returns(app: Flask) -> None:
    buyer, line = rows.account(), sold()
    bought(buyer, line)
    second = bought(buyer, line)
    (back,) = queries.refunds_of(second.id)
    follow(second, given_back(payment(second), 990, key=back.id, state="failed"))
    assert [each.id for each in queries.refunds_of(second.id)] == [back.id]
    assert back.state == RefundState.FAILED
    assert count(Case) == 1  # a person decides
    assert standing(), "what is paid for stands"


@pytest.mark.parametrize(("card", "raised"), [("FR", 0), ("IT", 1)])
def test_a_card_of_another_country_than_was_taxed_is_a_case(app: Flask, card: str, raised: int) -> None:
    order = placed(rows.account(), sold())
    evidence = {"country": "FR", "taxed_in": "FR", "treatment": "taxed", "agreement": "single", "billing_country": "FR"}
    db.session.add(TaxEvidence(order_id=order.id, **evidence))
    db.session.commit()
    for _time in range(2):
        follow(order, payment(order, card_country=card))
    found = db.session.scalars(select(Case)).all()
    assert [(case.kind, case.key, case.order_id, case.payment_id, case.facts) for case in found] == raised * [
        (CaseKind.COUNTRY, f"country:{order.id}", order.id, order.payment_id, {"billing": "FR", "card": card})
    ]
    assert len(standing()) == 1, "they have what they paid for all the same"


def test_of_two_lines_that_are_the_same_thing_one_stays(app: Flask) -> None:
    line = sold()
    order = bought(rows.account(), line, replace(line, minor=500))
    (back,) = queries.refunds_of(order.id)
    assert len(back.lines) == 1
    assert len(standing()) == 1
    assert standing().isdisjoint(back.lines)


def test_a_gift_of_what_one_owns_is_no_second_purchase(app: Flask) -> None:
    ada, line = rows.account(), sold()
    bought(ada, line)
    gift = bought(ada, replace(line, gift_to="bo@example.org"))
    assert queries.refunds_of(gift.id) == []
    held = db.session.scalars(select(License).where(License.grant_key == gift.lines[0].id)).one()
    assert held.account_id is None
    assert ledger.line_money(gift.id)[gift.lines[0].id] == {Book.GIFTS: 990}


def test_a_refund_at_the_gateway_takes_the_music_back_and_nothing_brings_it_again(app: Flask) -> None:
    order = bought(rows.account(), sold())
    told = given_back(payment(order), 990)
    for _again in range(2):
        follow(order, told)
    assert (order.state, standing()) == (OrderState.REFUNDED, set())
    assert count(Event, Event.kind == EventKind.REFUND) == 1
    follow(order, payment(order))
    assert (order.state, standing()) == (OrderState.REFUNDED, set())


def test_a_bundle_is_one_purchase_and_is_taken_back_whole(app: Flask) -> None:
    """The releases in it share what buying says of a taste; a refund, and a dispute that is won, are of each."""
    ada, releases = rows.account(), [rows.release("A"), rows.release("B")]
    order = bought(ada, Sold(offer(bundle=releases)))

    def told(kind: EventKind) -> list[tuple[str, float]]:
        query = select(Event.release_id, Event.value).where(Event.kind == kind).order_by(Event.id)
        return [(release_id, value) for release_id, value in db.session.execute(query)]

    once = [(release.id, 0.5) for release in releases]
    assert told(EventKind.PURCHASE) == once
    follow(order, disputed(payment(order), DisputeState.OPEN))
    assert [release_id for release_id, _value in told(EventKind.REFUND)] == [release.id for release in releases]
    follow(order, disputed(payment(order), DisputeState.WON))
    assert told(EventKind.PURCHASE) == once * 2
    liked = dict(db.session.execute(signal.likes_of(ada.id, clock.now())).all())  # type: ignore[arg-type]
    assert liked == pytest.approx({release.id: 2.5 for release in releases}, rel=1e-3)


def test_part_of_the_money_given_back_at_the_gateway_leaves_the_music(app: Flask) -> None:
    order = bought(rows.account(), sold(tax=158), sold(minor=310))
    follow(order, given_back(payment(order), 650))
    assert (order.state, len(standing())) == (OrderState.PAID, 2)
    assert {line.id: sum(ledger.line_money(order.id)[line.id].values()) for line in order.lines} == {
        order.lines[0].id: 495,
        order.lines[1].id: 155,
    }


def test_a_refund_counts_as_soon_as_it_is_asked_for_and_no_more_once_it_is_refused(app: Flask) -> None:
    order = bought(rows.account(), sold(), sold(minor=300))
    line = order.lines[0]
    with transaction():
        back = refunds.ask(locks.locked(order.id), {line.id: 990}, reason="asked", origin=RefundOrigin.STAFF)  # type: ignore[arg-type]
    assert line.id not in standing()
    with pytest.raises(refunds.NotRefundable), transaction():
        refunds.ask(order, {line.id: 1}, reason="again", origin=RefundOrigin.STAFF)
    with transaction():
        refunds.refused(back, locks.locked(order.id), "no")  # type: ignore[arg-type]
    assert line.id in standing()
    assert db.session.scalars(select(Case.kind)).all() == [CaseKind.REFUND_REFUSED]


def test_a_refund_whose_money_comes_back_gives_the_license_back(app: Flask) -> None:
    order = bought(rows.account(), sold())
    with transaction():
        back = refunds.ask(
            locks.locked(order.id),  # type: ignore[arg-type]
            {order.lines[0].id: 990},
            reason="asked",
            origin=RefundOrigin.STAFF,
        )
    follow(order, given_back(payment(order), 990, key=back.id, state="pending"))
    assert (order.state, back.state, standing()) == (OrderState.REFUNDED, RefundState.DONE, set())
    follow(order, given_back(payment(order), 990, key=back.id, state="failed"))
    assert (order.state, back.state, len(standing())) == (OrderState.PAID, RefundState.FAILED, 1)
    assert count(Case) == 1


def test_a_license_follows_a_dispute_there_and_back(app: Flask) -> None:
    order = bought(rows.account(), sold())
    told = payment(order)
    follow(order, disputed(told, DisputeState.INQUIRY))
    assert len(standing()) == 1
    follow(order, disputed(told, DisputeState.OPEN))
    assert (standing(), order.state) == (set(), OrderState.PAID)
    follow(order, disputed(told, DisputeState.WON))
    assert len(standing()) == 1
    follow(order, disputed(told, DisputeState.OPEN))  # an older answer, late
    assert len(standing()) == 1


def test_a_dispute_lost_is_the_end_even_where_it_is_heard_of_first(app: Flask) -> None:
    order = bought(rows.account(), sold(tax=158))
    follow(order, disputed(payment(order), DisputeState.LOST))
    assert standing() == set()
    assert ledger.line_money(order.id)[order.lines[0].id] == {
        Book.SALES: 832,
        Book.TAX: 158,
        Book.DISPUTES: 0,
        Book.LOSSES: -990,
    }


def test_what_costs_nothing_is_given_at_once(app: Flask) -> None:
    ada = rows.account()
    order = placed(ada, sold(minor=0))
    with transaction():
        fulfilment.free(locks.locked(order.id))  # type: ignore[arg-type]
    assert (order.state, len(standing()), count(Entry)) == (OrderState.PAID, 1, 0)


def test_two_refunds_of_one_line_at_once_give_it_back_once(app: Flask) -> None:
    order = bought(rows.account(), sold())
    order_id, line_id = order.id, order.lines[0].id
    together, outcomes = threading.Barrier(2), []

    def give_back() -> None:
        with app.app_context():
            together.wait()
            try:
                with transaction():
                    found = locks.locked(order_id)
                    assert found is not None
                    refunds.ask(found, {line_id: 990}, reason="asked", origin=RefundOrigin.CUSTOMER)
                outcomes.append("asked")
            except refunds.NotRefundable:
                outcomes.append("refused")

    threads = [threading.Thread(target=give_back) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["asked", "refused"]
    assert count(OrderRefund) == 1


def test_nothing_can_be_asked_back_of_what_was_not_paid(app: Flask) -> None:
    order = placed(rows.account(), sold())
    with pytest.raises(refunds.NotRefundable), transaction():
        refunds.ask(order, {order.lines[0].id: 990}, reason="asked", origin=RefundOrigin.STAFF)
    assert selling.payment(order).succeeded
