"""The ledger's entries of an order's whole life, posting by posting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from support import rows
from support.selling import follow, payment, placed, sold

from app.core.db import transaction
from app.core.money import Money
from app.ledger import queries as ledger
from app.ledger.models import Book
from app.orders import books, locks, refunds
from app.orders.models import Order, RefundOrigin
from app.payments.contract import Dispute, DisputeState, Payment, Refund, RefundState

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
OTHER = "pi_other"


def entry(key: str) -> dict[str, Any] | None:
    """An entry: its facts and its postings, by account and line."""
    found = ledger.entry(key)
    if found is None:
        return None
    return {
        "kind": found.kind,
        "order": found.order_id,
        "payment": found.payment_id,
        "at": found.at,
        "facts": found.facts,
        "posts": sorted((each.account, each.line_id or "", each.currency, each.minor) for each in found.postings),
    }


def posts(*each: tuple[Book, str, int], currency: str = "EUR") -> list[tuple[str, str, str, int]]:
    return sorted((str(book), line, currency, minor) for book, line, minor in each)


def told(order: Order, **changes: Any) -> Payment:
    return payment(order, **({"created": AT} | changes))


def back(number: int, minor: int, *, state: str = "succeeded", key: str | None = None, of: str = "") -> Refund:
    at = AT + timedelta(hours=number)
    return Refund(f"re_{number}", of, Money(minor, "EUR"), RefundState(state), key, at)


def taken(number: int, minor: int, state: DisputeState = DisputeState.OPEN, of: str = "") -> Dispute:
    return Dispute(f"du_{number}", of, Money(minor, "EUR"), state, "fraudulent", AT + timedelta(days=number))


def an_order(*, gift: bool = False) -> tuple[Order, str, str]:
    """An order of two lines, 990 with 158 of tax (a gift, if wanted) and 310 without; placed and not paid."""
    order = placed(rows.account(), sold(tax=158, gift_to="bo@example.org" if gift else None), sold(minor=310))
    return order, order.lines[0].id, order.lines[1].id


def test_a_sale_its_payment_and_its_fee(app: Flask) -> None:
    order, first, second = an_order()
    paid = told(order, method=None)
    follow(order, paid)
    follow(order, paid)
    about = {"order": order.id, "payment": paid.id, "at": AT}
    assert entry(f"order:{order.id}") == about | {
        "kind": "order",
        "facts": {},
        "posts": posts(
            (Book.BUYERS, "", 1300), (Book.SALES, first, -832), (Book.TAX, first, -158), (Book.SALES, second, -310)
        ),
    }
    assert entry(f"payment:{paid.id}") == about | {
        "kind": "payment",
        "facts": {"method": ""},
        "posts": posts((Book.GATEWAY, "", 1300), (Book.BUYERS, "", -1300)),
    }
    assert entry(f"fee:{paid.id}") == about | {
        "kind": "fee",
        "facts": {},
        "posts": posts((Book.FEES, "", 30), (Book.GATEWAY, "", -30)),
    }
    assert books.behind(order) == {first: 990, second: 310}


def test_a_fee_is_booked_when_it_is_known_in_the_account_s_currency(app: Flask) -> None:
    order, _first, _second = an_order()
    follow(order, told(order, fee=None, method="sepa_debit"))
    assert entry(f"fee:pi_{order.id}") is None
    assert entry(f"payment:pi_{order.id}")["facts"] == {"method": "sepa_debit"}  # type: ignore[index]
    follow(order, told(order, fee=Money(33, "USD")))
    found = entry(f"fee:pi_{order.id}")
    assert found is not None
    assert found["posts"] == posts((Book.FEES, "", 33), (Book.GATEWAY, "", -33), currency="USD")


def test_a_gift_is_earned_later(app: Flask) -> None:
    order, first, second = an_order(gift=True)
    follow(order, told(order))
    assert entry(f"order:{order.id}")["posts"] == posts(  # type: ignore[index]
        (Book.BUYERS, "", 1300), (Book.GIFTS, first, -832), (Book.TAX, first, -158), (Book.SALES, second, -310)
    )
    follow(order, told(order, refunds=(back(1, 1300),), refunded=Money(1300, "EUR")))
    assert entry("refund:re_1")["posts"] == posts(  # type: ignore[index]
        (Book.GATEWAY, "", -1300), (Book.GIFTS, first, 832), (Book.TAX, first, 158), (Book.SALES, second, 310)
    )
    assert books.behind(order) == {first: 0, second: 0}


def test_what_bought_nothing_waits(app: Flask) -> None:
    order, _first, _second = an_order()
    follow(order, told(order))
    stray = told(order, id=OTHER, refunds=(back(1, 100, of=OTHER),), disputes=(taken(1, 200, of=OTHER),))
    with transaction():
        books.follow(locks.locked(order.id), stray)
    about = {"order": order.id, "payment": OTHER}
    assert entry(f"payment:{OTHER}") == about | {
        "kind": "payment",
        "at": AT,
        "facts": {"method": "card"},
        "posts": posts((Book.GATEWAY, "", 1300), (Book.UNAPPLIED, "", -1300)),
    }
    assert entry("refund:re_1") == about | {
        "kind": "refund",
        "at": AT + timedelta(hours=1),
        "facts": {"key": ""},
        "posts": posts((Book.GATEWAY, "", -100), (Book.UNAPPLIED, "", 100)),
    }
    assert entry("dispute:du_1") == about | {
        "kind": "dispute",
        "at": AT + timedelta(days=1),
        "facts": {"reason": "fraudulent"},
        "posts": posts((Book.GATEWAY, "", -200), (Book.DISPUTES, "", 200)),
    }
    with transaction():
        books.follow(None, replace(stray, id="pi_nobody", refunds=(), disputes=()))
    assert entry("payment:pi_nobody")["order"] is None  # type: ignore[index]
    assert entry("fee:pi_nobody")["order"] is None  # type: ignore[index]


def test_a_refund_that_says_no_lines_is_shared_by_all(app: Flask) -> None:
    order, first, second = an_order()
    paid = told(order, refunds=(back(1, 650),), refunded=Money(650, "EUR"))
    follow(order, paid)
    assert entry("refund:re_1") == {
        "kind": "refund",
        "order": order.id,
        "payment": "",
        "at": AT + timedelta(hours=1),
        "facts": {"key": ""},
        "posts": posts(
            (Book.GATEWAY, "", -650), (Book.SALES, first, 416), (Book.TAX, first, 79), (Book.SALES, second, 155)
        ),
    }
    # the second takes from what the first left
    follow(order, replace(paid, refunds=(*paid.refunds, back(2, 650)), refunded=Money(1300, "EUR")))
    assert entry("refund:re_2")["posts"] == posts(  # type: ignore[index]
        (Book.GATEWAY, "", -650), (Book.SALES, first, 416), (Book.TAX, first, 79), (Book.SALES, second, 155)
    )
    assert books.behind(order) == {first: 0, second: 0}


def test_a_refund_of_a_line_is_that_line_s(app: Flask) -> None:
    order, first, second = an_order()
    follow(order, told(order))
    with transaction():
        asked = refunds.ask(
            locks.locked(order.id),  # type: ignore[arg-type]
            {second: 310},
            reason="r",
            origin=RefundOrigin.STAFF,
        )
    follow(order, told(order, refunds=(back(1, 310, key=asked.id),), refunded=Money(310, "EUR")))
    found = entry("refund:re_1")
    assert found is not None
    assert found["facts"] == {"key": asked.id}
    assert found["posts"] == posts((Book.GATEWAY, "", -310), (Book.SALES, second, 310))
    assert books.behind(order) == {first: 990, second: 0}


@pytest.mark.parametrize("minor", [300, 320])
def test_a_refund_of_another_amount_than_was_wished_is_shared_by_all(app: Flask, minor: int) -> None:
    order, first, second = an_order()
    follow(order, told(order))
    with transaction():
        asked = refunds.ask(
            locks.locked(order.id),  # type: ignore[arg-type]
            {second: 310},
            reason="r",
            origin=RefundOrigin.STAFF,
        )
    follow(order, told(order, refunds=(back(1, minor, key=asked.id),), refunded=Money(minor, "EUR")))
    left = books.behind(order)
    assert left[first] < 990
    assert left[second] > 0
    assert left[first] + left[second] == 1300 - minor


def test_what_is_gone_from_a_line_is_taken_from_the_others_and_the_rest_is_lost(app: Flask) -> None:
    order, first, second = an_order()
    paid = told(order)
    follow(order, paid)
    with transaction():
        asked = refunds.ask(
            locks.locked(order.id),  # type: ignore[arg-type]
            {second: 310},
            reason="r",
            origin=RefundOrigin.STAFF,
        )
    # The gateway's dashboard gave it all back first; ours comes after it.
    both = (back(1, 1200), back(2, 310, key=asked.id))
    follow(order, replace(paid, refunds=both, refunded=Money(1510, "EUR")))
    found = entry("refund:re_2")
    assert found is not None
    assert (str(Book.LOSSES), "", "EUR", 210) in found["posts"]
    assert books.behind(order) == {first: 0, second: 0}


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_a_refund_whose_money_came_back_is_reversed_once(app: Flask, state: str) -> None:
    order, first, second = an_order()
    paid = told(order, refunds=(back(1, 1300),), refunded=Money(1300, "EUR"))
    follow(order, paid)
    assert entry("refund_failed:re_1") is None
    for _again in range(2):
        follow(order, told(order, refunds=(back(1, 1300, state=state),)))
    assert entry("refund_failed:re_1") == {
        "kind": "refund_failed",
        "order": order.id,
        "payment": "",
        "at": AT + timedelta(hours=1),
        "facts": {},
        "posts": posts(
            (Book.GATEWAY, "", 1300), (Book.SALES, first, -832), (Book.TAX, first, -158), (Book.SALES, second, -310)
        ),
    }
    assert books.behind(order) == {first: 990, second: 310}


def test_a_dispute_is_shared_by_the_lines_and_ends_one_way_or_the_other(app: Flask) -> None:
    order, first, second = an_order()
    follow(order, told(order, disputes=(taken(1, 1300, of="pi_x"),)))
    assert entry("dispute:du_1") == {
        "kind": "dispute",
        "order": order.id,
        "payment": "pi_x",
        "at": AT + timedelta(days=1),
        "facts": {"reason": "fraudulent"},
        "posts": posts((Book.GATEWAY, "", -1300), (Book.DISPUTES, first, 990), (Book.DISPUTES, second, 310)),
    }
    assert books.behind(order) == {first: 0, second: 0}
    won = told(order, disputes=(taken(1, 1300, DisputeState.WON, of="pi_x"),))
    follow(order, won)
    assert entry("dispute_won:du_1") == {
        "kind": "dispute_won",
        "order": order.id,
        "payment": "pi_x",
        "at": AT + timedelta(days=1),
        "facts": {},
        "posts": posts((Book.GATEWAY, "", 1300), (Book.DISPUTES, first, -990), (Book.DISPUTES, second, -310)),
    }
    assert books.behind(order) == {first: 990, second: 310}
    assert entry("dispute_lost:du_1") is None
    lost = taken(2, 400, DisputeState.LOST, of="pi_x")
    follow(order, replace(won, disputes=(*won.disputes, lost)))
    assert entry("dispute_lost:du_2") == {
        "kind": "dispute_lost",
        "order": order.id,
        "payment": "pi_x",
        "at": AT + timedelta(days=2),
        "facts": {},
        "posts": posts(
            (Book.DISPUTES, first, -305),
            (Book.LOSSES, first, 305),
            (Book.DISPUTES, second, -95),
            (Book.LOSSES, second, 95),
        ),
    }
    assert entry("dispute_won:du_2") is None
    assert books.behind(order) == {first: 685, second: 215}


def test_a_dispute_of_more_than_is_left_takes_what_is_left_and_the_rest_is_nobody_s(app: Flask) -> None:
    order, first, second = an_order()
    paid = told(order, refunds=(back(1, 1000),), disputes=(taken(1, 1300),), refunded=Money(1000, "EUR"))
    follow(order, paid)
    found = entry("dispute:du_1")
    assert found is not None
    assert [each for each in found["posts"] if not each[1]] == posts(
        (Book.GATEWAY, "", -1300), (Book.DISPUTES, "", 1000)
    )
    assert books.behind(order) == {first: 0, second: 0}


def test_a_question_of_the_bank_moves_nothing(app: Flask) -> None:
    order, first, second = an_order()
    follow(order, told(order, disputes=(taken(1, 1300, DisputeState.INQUIRY),)))
    assert entry("dispute:du_1") is None
    assert books.behind(order) == {first: 990, second: 310}


def test_they_are_booked_in_the_order_they_were_made(app: Flask) -> None:
    order, _first, _second = an_order()
    late, soon = back(2, 400), back(1, 1000)
    follow(order, told(order, refunds=(late, soon), refunded=Money(1400, "EUR"), disputes=(taken(2, 5), taken(1, 6))))
    numbers = [ledger.entry(key).number for key in ("refund:re_1", "refund:re_2", "dispute:du_1", "dispute:du_2")]  # type: ignore[union-attr]
    assert numbers == sorted(numbers)
    assert (str(Book.LOSSES), "", "EUR", 100) in entry("refund:re_2")["posts"]  # type: ignore[index]
