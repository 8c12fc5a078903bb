"""Coupons: who may use which, and of two who want the last use of one, one gets it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select
from support import rows

from app.core import clock, ids
from app.core.codes import spelled
from app.core.db import db, transaction
from app.core.money import Money
from app.pricing import coupons
from app.pricing.contract import CurrencyTerms, Reduction, Refusal
from app.pricing.coupons import BadCoupon, CouponRefused, CouponWish, Customer
from app.pricing.models import Coupon, CouponCode, CouponTally, CouponUse

FIVE = Money(500, "EUR")


def a_coupon(code: str = "SUMMER25", **wish: object) -> Coupon:
    fields = {"name": "Summer", "percent": Decimal(25)} | wish
    with transaction():
        made = coupons.create(CouponWish(**fields))  # type: ignore[arg-type]
        coupons.add_code(made, code)
    return made


def reserve(order: str, code: str = "SUMMER25", customer: Customer | None = None) -> CouponUse:
    with transaction():
        return coupons.reserve(order, code, customer or Customer(), FIVE)


def fresh(coupon: Coupon) -> int:
    db.session.refresh(coupon)
    return coupon.uses


def in_threads(app: Flask, each: Callable[[int], None], count: int) -> list[Exception | None]:
    """Run `each` so often at once, each in a context and transaction of its own; what each raised."""
    start = threading.Barrier(count)

    def run(number: int) -> Exception | None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    each(number)
            except CouponRefused as error:
                return error
            finally:
                db.session.remove()
        return None

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_code_is_read_however_it_is_typed_and_says_what_it_does(app: Flask) -> None:
    a_coupon("SUMMER25", terms=(CurrencyTerms("EUR", least=2000),))
    for typed in ("SUMMER25", " summer 25 ", "Sum-mer–25"):
        assert coupons.check(typed, Customer()) == Reduction(
            "SUMMER25", Decimal("25.00"), (CurrencyTerms("EUR", None, 2000),)
        )
    with pytest.raises(CouponRefused, match="no code “WINTER”"):
        coupons.check("WINTER", Customer())


def test_a_coupon_holds_for_its_time_and_until_it_is_disabled(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    made = a_coupon(starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=2))

    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    with pytest.raises(CouponRefused, match="not hold yet"):
        coupons.check("SUMMER25", Customer())
    at(now + timedelta(days=1))
    assert coupons.check("SUMMER25", Customer())
    at(now + timedelta(days=2))
    with pytest.raises(CouponRefused, match="over"):
        coupons.check("SUMMER25", Customer())
    at(now + timedelta(days=1))
    with transaction():
        coupons.disable(made)
    with pytest.raises(CouponRefused, match="over"):
        reserve("order1")
    with transaction():
        coupons.enable(made)
    assert reserve("order1").state == "reserved"


def test_a_coupon_is_for_its_customers_and_for_first_orders(app: Flask) -> None:
    ada, bob = rows.account("Ada"), rows.account("Bob")
    a_coupon("FORADA", account_ids=[ada.id])
    assert coupons.check("FORADA", Customer(ada.id))
    for other in (Customer(bob.id), Customer(email="ada@example.org"), Customer()):
        with pytest.raises(CouponRefused, match="somebody else"):
            coupons.check("FORADA", other)
    a_coupon("WELCOME", first_order_only=True)
    with pytest.raises(CouponRefused, match="first order"):
        coupons.check("WELCOME", Customer(bob.id, has_ordered=True))
    reserve("order1", "WELCOME", Customer(bob.id))
    with pytest.raises(CouponRefused, match="used this code before"):  # in another tab, before the first is paid
        reserve("order2", "WELCOME", Customer(bob.id))


def test_what_it_is_for_goes_along_to_the_quote(app: Flask) -> None:
    release = rows.release("Tides")
    a_coupon("TIDES", percent=None, terms=[CurrencyTerms("JPY", 300, 1000)], release_ids=[release.id])
    found = coupons.check("TIDES", Customer())
    assert found == Reduction("TIDES", None, (CurrencyTerms("JPY", 300, 1000),), frozenset({release.id}))
    assert "1000 JPY" in coupons.refusal_text(Refusal.BELOW_LEAST, found, "JPY")
    assert "EUR" in coupons.refusal_text(Refusal.CURRENCY, found, "EUR")
    assert coupons.refusal_text(Refusal.NOTHING_ELIGIBLE, found, "JPY")


def test_a_use_is_reserved_taken_and_given_back_once_however_often_it_is_asked_for(app: Flask) -> None:
    made = a_coupon(max_uses=2)
    for _again in range(3):
        assert reserve("order1").discount == FIVE
    assert fresh(made) == 1
    reserve("order2")
    with pytest.raises(CouponRefused, match="used up"):
        coupons.check("SUMMER25", Customer())
    with pytest.raises(CouponRefused, match="used up"):
        reserve("order3")
    with transaction():
        assert [coupons.release("order2") for _again in range(2)] == [True, False]
    assert fresh(made) == 1
    reserve("order3")
    with transaction():
        assert [coupons.take("order1") for _again in range(2)] == [True, False]
        assert not coupons.release("order1")  # what is used stays used
        assert not coupons.take("order without a coupon"[:16])
    assert fresh(made) == 2


def test_an_order_has_one_coupon_and_none_after_it_was_given_up(app: Flask) -> None:
    a_coupon("ONE")
    a_coupon("OTHER")
    reserve("order1", "ONE")
    with pytest.raises(CouponRefused, match="another code"):
        reserve("order1", "OTHER")
    with transaction():
        coupons.release("order1")
    with pytest.raises(CouponRefused, match="given up"):
        reserve("order1", "ONE")


def test_an_order_paid_after_its_coupon_went_to_another_keeps_its_discount(app: Flask) -> None:
    made = a_coupon()
    with transaction():
        (code,) = coupons.make_codes(made, 1)
    reserve("order1", code)
    with transaction():
        coupons.release("order1")
    reserve("order2", code)
    with transaction():
        assert [coupons.take("order1"), coupons.take("order1"), coupons.take("order2")] == [True, False, True]
    states = db.session.execute(select(CouponUse.order_id, CouponUse.state).order_by(CouponUse.order_id))
    assert [tuple(row) for row in states] == [("order1", "late"), ("order2", "taken")]
    assert fresh(made) == 1


def test_a_customer_is_counted_by_account_and_by_e_mail(app: Flask) -> None:
    ada = rows.account("Ada")
    made = a_coupon(max_uses_each=1)
    with pytest.raises(CouponRefused, match="per customer"):
        reserve("order0")
    reserve("order1", customer=Customer(email="Ada@Example.org "))
    for same in (Customer(email="ada@example.org"), Customer(ada.id, "ada@example.org")):
        with pytest.raises(CouponRefused, match="used this code before"):
            coupons.check("SUMMER25", same)
        with pytest.raises(CouponRefused, match="used this code before"):
            reserve("order2", customer=same)
    assert fresh(made) == 1  # who was refused is not counted
    assert db.session.scalars(select(CouponTally.uses)).all() == [1]
    reserve("order3", customer=Customer(ada.id, "other@example.org"))
    with transaction():
        coupons.release("order1")
    reserve("order4", customer=Customer(email="ada@example.org"))
    assert fresh(made) == 2


def test_a_refusal_leaves_nothing_even_where_the_transaction_goes_on(app: Flask) -> None:
    a_coupon(max_uses=1)
    reserve("order1")
    with transaction():
        with pytest.raises(CouponRefused):
            coupons.reserve("order2", "SUMMER25", Customer(), FIVE)
        db.session.flush()
    assert db.session.scalars(select(CouponUse.order_id)).all() == ["order1"]


def test_of_many_after_a_single_use_code_one_gets_it(app: Flask) -> None:
    made = a_coupon()
    with transaction():
        (code,) = coupons.make_codes(made, 1)
    refused = in_threads(app, lambda n: coupons.reserve(f"order{n}", code, Customer(), FIVE) and None, 6)
    assert [error is None for error in refused].count(True) == 1
    assert all("used up" in str(error) for error in refused if error)
    assert fresh(made) == 1
    with pytest.raises(CouponRefused, match="used up"):
        coupons.check(code, Customer())


def test_of_many_after_the_last_uses_of_a_limit_as_many_get_it_as_there_are(app: Flask) -> None:
    made = a_coupon(max_uses=3)
    refused = in_threads(app, lambda n: coupons.reserve(f"order{n}", "SUMMER25", Customer(), FIVE) and None, 8)
    assert [error is None for error in refused].count(True) == 3
    assert fresh(made) == 3
    assert db.session.scalar(select(func.count()).select_from(CouponUse)) == 3


def test_one_customer_in_many_tabs_uses_a_coupon_once(app: Flask) -> None:
    ada = rows.account("Ada").id
    made = a_coupon(max_uses_each=1)
    who = Customer(ada, "ada@example.org")
    refused = in_threads(app, lambda n: coupons.reserve(f"order{n}", "SUMMER25", who, FIVE) and None, 6)
    assert [error is None for error in refused].count(True) == 1
    assert fresh(made) == 1


def test_one_order_asked_for_in_many_tabs_has_one_use(app: Flask) -> None:
    made = a_coupon(max_uses=5)
    assert in_threads(app, lambda n: coupons.reserve("order1", "SUMMER25", Customer(), FIVE) and None, 6) == [None] * 6
    assert fresh(made) == 1


def test_codes_are_made_in_bulk_and_cannot_be_guessed(app: Flask) -> None:
    made = a_coupon()
    with transaction():
        codes = coupons.make_codes(made, 2500)
    assert len(set(codes)) == 2500
    assert all(len(code) == 16 and set(code) <= set("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for code in codes)
    assert db.session.scalar(select(func.count()).where(CouponCode.coupon_id == made.id, CouponCode.single_use)) == 2500
    assert coupons.check(spelled(codes[0]).lower(), Customer()).code == codes[0]
    assert spelled("ABCDEFGHJKLMNPQR") == "ABCD-EFGH-JKLM-NPQR"
    for count in (0, coupons.MOST_CODES + 1):
        with pytest.raises(BadCoupon):
            coupons.make_codes(made, count)


@pytest.mark.parametrize(
    "wish",
    [
        {"name": " "},
        {"percent": None},
        {"percent": Decimal(0)},
        {"percent": Decimal("100.01")},
        {"percent": Decimal("12.345")},
        {"terms": [CurrencyTerms("EUR", 500)]},
        {"percent": None, "terms": [CurrencyTerms("EUR", 500), CurrencyTerms("USD", None, 1000)]},
        {"percent": None, "terms": [CurrencyTerms("EUR", 500), CurrencyTerms("EUR", 600)]},
        {"percent": None, "terms": [CurrencyTerms("EUR", -500)]},
        {"max_uses": 0},
        {"max_uses_each": -1},
        {"starts_at": datetime(2026, 1, 2, tzinfo=UTC), "ends_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_a_coupon_that_contradicts_itself_is_refused(app: Flask, wish: dict[str, object]) -> None:
    with pytest.raises(BadCoupon):
        a_coupon(**wish)


def test_a_code_belongs_to_one_coupon_and_is_made_of_letters_and_digits(app: Flask) -> None:
    made = a_coupon("SUMMER25")
    for code in ("summer-25", "AB", "A" * 41, "夏天二十五", "100%"):
        with pytest.raises(BadCoupon):
            coupons.add_code(made, code)


def test_ids_of_orders_fit(app: Flask) -> None:
    a_coupon()
    assert reserve(ids.new_id()).state == "reserved"
