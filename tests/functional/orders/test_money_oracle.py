"""Who guards the guard: the shop is broken on purpose, and the oracle must say so, each time in the right words."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.ground import Engines
from support.money import books, oracle, truth
from support.money.oracle import Wrong
from support.money.people import Page, People, Wish
from support.money.points import Plan
from support.money.storm import Storm
from support.money.together import Part, together
from support.money.world import Ground, World

from app.core.db import db, transaction
from app.licenses import service as licenses
from app.orders import books as entries
from app.orders import entitlement, fulfilment, settlement
from app.orders.locks import locked
from app.payments import stripe_gateway
from app.pricing import coupons


@pytest.fixture(scope="module")
def ground(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A filled shop to clone."""
    return Ground.lay(engines.postgres, Path(tmp_path_factory.mktemp("gateways")), engines.template)


@pytest.fixture
def world(ground: Ground) -> Iterator[World]:
    """A shop of the test's own."""
    with ground.world() as made:
        yield made


@pytest.fixture
def people(world: World) -> People:
    """Who is in it."""
    return People(world)


def paid(people: People, *, who: int = 1, code: str | None = None) -> Page:
    page = people.buy(people.buyers[who], [Wish(people.world.stock.releases[0])], code)[1]
    assert page is not None
    assert people.pay(page)
    people.world.carrier.round()
    return page


def found(world: World) -> set[Wrong]:
    return {each.wrong for each in world.judge().findings}


def change(world: World, sql: str) -> None:
    """Behind the shop's back."""
    with psycopg.connect(world.database) as connection:
        changed = [connection.execute(each).rowcount for each in sql.split(";")]  # type: ignore[arg-type]
    assert changed[-1] > 0


def nothing(*_given: Any, **_named: Any) -> None:
    """What a step does that was forgotten."""


def test_a_sale_as_it_should_be_is_not_complained_of(world: World, people: People) -> None:
    paid(people)
    verdict = world.judge()
    assert verdict.clean, str(verdict)
    assert (verdict.orders, verdict.paid, verdict.payments, verdict.licenses) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("UPDATE license SET revoked_at = now(), revoked_reason = 'a slip'", Wrong.LOST),
        ("DELETE FROM license", Wrong.LOST),
        ("UPDATE license SET track_id = (SELECT id FROM track LIMIT 1), release_id = NULL", Wrong.LOST),
        ("UPDATE license SET account_id = (SELECT max(id) FROM account)", Wrong.CLAIM),
        ("UPDATE license SET rental_days = 3, rental_hours = 48", Wrong.UNPAID),
        (
            "INSERT INTO license (id, account_id, release_id, grant_key, created_at)"
            " SELECT 'x', account_id, release_id, 'given away', now() FROM license",
            Wrong.UNPAID,
        ),
        ("UPDATE customer_order SET state = 'pending', paid_at = NULL", Wrong.STUCK),
    ],
)
def test_rows_that_lie(world: World, people: People, sql: str, wrong: Wrong) -> None:
    paid(people)
    change(world, sql)
    assert wrong in found(world)


def test_books_that_cannot_be_changed_are_read_wrong_instead(world: World, people: People) -> None:
    paid(people)
    told, real = books.read(world.database), truth.read(world.bank.state)
    assert oracle.judge(told, real).clean
    (payment,) = real.payments.values()
    for side in ("captured", "refunded", "disputed", "fee"):
        off = replace(real, payments={payment.id: replace(payment, **{side: getattr(payment, side) + 1})})
        assert oracle.judge(told, off).ledger_difference >= 1, side
    (line,) = told.by_line
    told.by_line[line]["sales"] -= 5
    assert oracle.judge(told, real).ledger_difference == 5


def test_a_license_without_a_payment(world: World, people: People) -> None:
    page = people.buy(people.buyers[1], [Wish(world.stock.releases[0])])[1]
    assert page is not None
    with world.app.app_context(), transaction():
        order = locked(page.order_id)
        assert order is not None
        fulfilment._grant(order)
    assert Wrong.UNPAID in found(world)


BREAKS: dict[str, tuple[object, str, Callable[..., Any], Wrong]] = {
    "licenses stay when the money goes": (licenses, "set_standing", lambda *_given, **_named: False, Wrong.UNPAID),
    "a refund is not booked": (entries, "_refund", nothing, Wrong.LEDGER),
    "a refund is asked for and forgotten": (settlement, "carry_out", nothing, Wrong.STUCK),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_refund_in_a_broken_shop(world: World, people: People, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    owner, name, instead, wrong = BREAKS[what]
    page = paid(people)
    monkeypatch.setattr(owner, name, instead)
    people.refund(page.order_id)
    assert Storm(world, random.Random(0)).calm().verdict.count(wrong)


def test_a_coupon_that_is_never_taken(world: World, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coupons, "take", nothing)
    paid(people, code=world.stock.single_use[0])
    assert Wrong.COUPON in found(world)


def test_a_coupon_that_two_have(world: World, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    code = world.stock.single_use[0]
    paid(people, code=code)
    paid(people, who=2)
    change(
        world,
        "DROP INDEX uq_coupon_use_single;"
        "INSERT INTO coupon_use SELECT (SELECT max(id) FROM customer_order o WHERE o.id <> u.order_id), coupon_id,"
        " code_id, single_use, customers, state, discount_minor, currency, reserved_at, settled_at FROM coupon_use u",
    )
    assert Wrong.COUPON in found(world)


def test_two_pages_for_one_thing_where_nobody_looks(
    world: World, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulfilment, "_bought_twice", lambda *_given: [])
    buying = people.buying(people.buyers[1], [Wish(world.stock.releases[0])])
    turns = itertools.count()
    answers = together(world, [Part("buy", buying), Part("buy", buying)], lambda waiting: next(turns) % waiting)
    for _course, answer in answers:
        page = people.told(people.buyers[1], answer)
        assert page is not None
        assert people.pay(page)
    assert Wrong.DOUBLED in {each.wrong for each in Storm(world, random.Random(0)).calm().verdict.findings}


def test_an_event_that_is_kept_before_it_has_its_effect(
    world: World, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop that commits once too often is found by killing it there, and only by that."""
    granting = fulfilment._grant

    def careless(order: Any) -> None:
        order.payment_id = order.payment_id or "pi"
        db.session.commit()
        granting(order)

    monkeypatch.setattr(fulfilment, "_grant", careless)

    def lost(kill_at: int | None) -> bool:
        buyer = people.buyers[1 + (kill_at or 0)]
        page = people.buy(buyer, [Wish(world.stock.releases[0])])[1]
        assert page is not None
        people.pay(page)
        (parcel, *_others) = world.carrier.due()
        world.carrier.carry(parcel, Plan(kill_at=kill_at))
        people.rest()
        return Wrong.LOST in found(world)

    assert not lost(None)
    assert any(lost(at) for at in range(1, 16))


def test_a_refund_under_a_new_key_each_time(world: World, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given back twice, where the process died before it heard the answer."""
    asking, keys = stripe_gateway.refund, itertools.count()
    monkeypatch.setattr(
        stripe_gateway,
        "refund",
        lambda payment, amount, key, **more: asking(payment, amount, f"{key}{next(keys)}", **more),
    )

    def wrong(kill_at: int | None) -> bool:
        page = paid(people, who=1 + (kill_at or 0))
        people.refund(page.order_id, 0.4)
        people.work(lambda: Plan(kill_at=kill_at))
        people.work()
        world.carrier.round()
        told = books.read(world.database).refunds[page.order_id]
        return (
            sum(each.refunded for each in world.truth().of_order(page.order_id))
            > sum(each["amount_minor"] for each in told)
            and not world.judge().clean
        )

    assert any(wrong(at) for at in range(1, 10))


def test_entitlement_that_is_skipped(world: World, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    page = paid(people)
    monkeypatch.setattr(entitlement, "apply", nothing)
    payment = next(iter(world.truth().payments))
    people.dispute(payment)
    world.carrier.round()
    assert Wrong.UNPAID in found(world), page


def test_what_waits_is_told_when_all_is_over(world: World, people: People) -> None:
    people.buy(people.buyers[1], [Wish(world.stock.releases[0])])
    assert world.judge().clean
    assert {each.wrong for each in world.judge(at_rest=True).findings} == {Wrong.STUCK}
