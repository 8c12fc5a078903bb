"""The words the shop and the gateway speak in: what they are unless said, and that nobody rewrites what was told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import WavecrateError
from app.core.money import Money
from app.payments import contract
from app.payments.contract import (
    Checkout,
    CheckoutLine,
    CheckoutOrder,
    CheckoutStatus,
    Dispute,
    DisputeState,
    GatewayEvent,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)

EUR = Money(990, "EUR")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LEAST: list[Any] = [
    CheckoutLine("Tides", EUR),
    CheckoutOrder("o", (CheckoutLine("Tides", EUR),), "a@b.c", "https://s/", "https://c/", "en"),
    Checkout("cs_1", "https://pay/"),
    CheckoutStatus("cs_1", "o", EUR, paid=False, open=True, payment_id=None),
    Refund("re_1", "pi_1", EUR, RefundState.PENDING, None, NOW),
    Dispute("du_1", "pi_1", EUR, DisputeState.OPEN, "fraudulent", NOW),
    Payment("pi_1", "o", True, EUR, EUR, EUR, None, None, False, NOW),
    GatewayEvent("evt_1", "charge.refunded", None, None, False, {"secret": "of a buyer"}),
]


def test_how_the_web_answers_each_error() -> None:
    found = {
        name: thing.status
        for name, thing in vars(contract).items()
        if isinstance(thing, type) and issubclass(thing, WavecrateError) and thing is not WavecrateError
    }
    assert found == {"PaymentUnavailable": 503, "UnclearPlace": 400, "RefundRefused": 409, "BadSignature": 400}


def test_the_states_are_stripe_s_words_and_ours() -> None:
    assert [str(each) for each in PaymentState] == ["unpaid", "paid", "no_payment_required"]
    assert [str(each) for each in RefundState] == ["pending", "requires_action", "succeeded", "failed", "canceled"]
    assert [str(each) for each in DisputeState] == ["open", "won", "lost", "inquiry"]


def test_a_refund_is_the_buyer_s_unless_it_failed() -> None:
    assert {each: each.returned for each in RefundState} == {
        RefundState.PENDING: True,
        RefundState.NEEDS_BUYER: True,
        RefundState.SUCCEEDED: True,
        RefundState.FAILED: False,
        RefundState.CANCELED: False,
    }


@pytest.mark.parametrize("told", LEAST, ids=lambda told: type(told).__name__)
def test_what_was_told_stays_as_it_was_told(told: Any) -> None:
    for each in fields(told):
        with pytest.raises(FrozenInstanceError):
            setattr(told, each.name, None)


def test_what_is_not_said() -> None:
    order, status, payment, event = LEAST[1], LEAST[3], LEAST[6], LEAST[7]
    assert (order.tax, order.methods, order.expires_at, order.attempt) == (None, (), None, 1)
    assert order.needs_address is False
    assert status.state is PaymentState.UNPAID
    assert [status.expired, status.underway, status.failed, status.livemode] == [False] * 4
    assert not any(each is None for each in (status.expired, status.underway, status.failed, status.livemode))
    assert (status.email, status.country, status.card_country, status.method) == (None,) * 4
    assert (payment.method, payment.card_country, payment.refunds, payment.disputes) == (None, None, (), ())
    assert (event.created, event.livemode, event.refund_id, event.dispute_id) == (None, False, None, None)


def test_a_buyer_s_data_is_not_written_where_an_event_is_printed() -> None:
    assert "secret" not in repr(LEAST[7])
    assert "evt_1" in repr(LEAST[7])


def test_a_page_asks_for_its_lines_and_its_tax() -> None:
    lines = (CheckoutLine("a", Money(100, "EUR")), CheckoutLine("b", Money(20, "EUR")), CheckoutLine("c", EUR))

    def total(*lines: CheckoutLine, tax: CheckoutLine | None = None) -> Money:
        return CheckoutOrder("o", lines, "a@b.c", "https://s/", "https://c/", "en", tax).total

    assert total(*lines) == Money(1110, "EUR")
    assert total(lines[0]) == Money(100, "EUR")
    assert total(*lines, tax=CheckoutLine("VAT", Money(7, "EUR"))) == Money(1117, "EUR")
    assert total(tax=CheckoutLine("VAT", Money(7, "EUR"))) == Money(7, "EUR")
