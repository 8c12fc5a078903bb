"""What becomes of money in the sandbox, asked by stripe-python as the shop would ask Stripe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stripe
from flask import Flask
from support.sandbox import Controls, direct_client

from app.payments.sandbox import currencies, server

FAILING_IBAN = "DE62370400440532013001"


class Till:
    """A sandbox, its controls and a client of it."""

    def __init__(self, app: Flask) -> None:
        self.app, self.does, self.client = app, Controls(app), direct_client(app)

    def session(self, amount: int = 990, currency: str = "eur", **more: Any) -> stripe.checkout.Session:
        price: Any = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Tides"}}
        params: Any = {
            "mode": "payment",
            "success_url": "https://shop.test/",
            "customer_email": "ada@example.org",
            "line_items": [{"quantity": 1, "price_data": price}],
            "payment_intent_data": {"metadata": {"order": "o1"}},
        }
        return self.client.v1.checkout.sessions.create(params | more)

    def paid(self, method: str = "card", amount: int = 990, currency: str = "eur", **means: Any) -> str:
        """The id of a payment by that."""
        return self.does.pay(self.session(amount, currency).id, method, **means)["payment_intent"]

    def payment(self, payment_id: str) -> Any:
        """The payment, its charge and its balance transaction."""
        return self.client.v1.payment_intents.retrieve(
            payment_id, {"expand": ["latest_charge.balance_transaction", "latest_charge.refunds"]}
        )

    def balance(self) -> int:
        """What the account holds, by its own books."""
        return sum(each.net for each in self.client.v1.balance_transactions.list({"limit": 100}).data)

    def events(self) -> list[str]:
        """Types of the events, oldest first."""
        return [each.type for each in reversed(self.client.v1.events.list({"limit": 100}).data)]


@pytest.fixture
def till(tmp_path: Path) -> Till:
    config = server.Config(tmp_path / "state.sqlite", "http://sandbox.test", server.PULL, "whsec_test_0123456789")
    return Till(server.create_sandbox(config))


def test_a_card_payment_is_charged_booked_and_told_of(till: Till) -> None:
    payment = till.payment(till.paid(number="4000 0027 6000 0016"))
    charge = payment.latest_charge
    assert (payment.status, payment.amount_received, payment.metadata["order"]) == ("succeeded", 990, "o1")
    assert (charge.status, charge.captured, charge.amount_captured) == ("succeeded", True, 990)
    assert (charge.payment_method_details.card.country, charge.payment_method_details.card.last4) == ("DE", "0016")
    booked = charge.balance_transaction
    assert (booked.type, booked.amount, booked.fee, booked.net, booked.currency) == ("charge", 990, 40, 950, "eur")
    assert booked.exchange_rate is None
    assert till.events() == [
        "payment_intent.created",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "charge.succeeded",
    ]


def test_another_currency_is_booked_in_the_account_s_own(till: Till) -> None:
    booked = till.payment(till.paid(amount=16500, currency="jpy")).latest_charge.balance_transaction
    assert (booked.amount, booked.currency) == (10000, "eur")
    assert booked.exchange_rate == pytest.approx(1 / 165, rel=1e-3)
    assert booked.net == booked.amount - booked.fee


@pytest.mark.parametrize(
    ("amount", "currency", "account", "settled"),
    [
        (990, "eur", "eur", 990),
        (16500, "jpy", "eur", 10000),
        (109, "usd", "eur", 100),
        (330, "kwd", "eur", 100),
        (100, "eur", "jpy", 165),
        (0, "usd", "eur", 0),
    ],
)
def test_amounts_are_exchanged_by_their_decimals(amount: int, currency: str, account: str, settled: int) -> None:
    assert currencies.settle(amount, currency, account) == settled
    assert currencies.settle(-amount, currency, account) == -settled


def test_a_declined_card_leaves_a_payment_that_the_next_attempt_goes_on_with(till: Till) -> None:
    session = till.session()
    first = till.does.pay(session.id, number="4000 0000 0000 9995", expect=402)
    payment = till.payment(first["payment_intent"])
    assert (payment.status, payment.amount_received) == ("requires_payment_method", 0)
    assert (payment.last_payment_error.code, payment.last_payment_error.decline_code) == (
        "card_declined",
        "insufficient_funds",
    )
    assert (payment.latest_charge.status, payment.latest_charge.paid) == ("failed", False)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        till.client.v1.refunds.create({"payment_intent": payment.id})
    assert till.does.pay(session.id, "paypal")["payment_intent"] == payment.id
    assert till.payment(payment.id).last_payment_error is None
    assert till.events().count("charge.failed") == 1


def test_a_session_that_expires_takes_its_declined_payment_with_it(till: Till) -> None:
    session = till.session()
    payment_id = till.does.pay(session.id, declined=True, expect=402)["payment_intent"]
    expired = till.client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.payment_intent, expired.payment_status) == ("expired", payment_id, "unpaid")
    assert till.payment(payment_id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        till.client.v1.checkout.sessions.expire(session.id)


def test_a_delayed_payment_is_unpaid_until_it_succeeds(till: Till) -> None:
    session = till.session()
    left = till.does.pay(session.id, "sepa_debit")
    assert (left["status"], left["payment_status"]) == ("complete", "unpaid")
    assert till.payment(left["payment_intent"]).status == "processing"
    assert till.balance() == 0
    till.does.advance(10)
    read = till.client.v1.checkout.sessions.retrieve(session.id)
    assert (read.status, read.payment_status) == ("complete", "paid")
    assert till.payment(left["payment_intent"]).latest_charge.status == "succeeded"
    assert till.balance() == 955
    assert till.events()[-3:] == [
        "checkout.session.async_payment_succeeded",
        "payment_intent.succeeded",
        "charge.succeeded",
    ]


@pytest.mark.parametrize("how", ["by itself", "on demand"])
def test_a_delayed_payment_that_fails_brings_nothing(till: Till, how: str) -> None:
    session = till.session()
    if how == "by itself":
        till.does.pay(session.id, "sepa_debit", iban=FAILING_IBAN)
        till.does.advance(10)
    else:
        till.does.pay(session.id, "sepa_debit")
        assert till.does.settle(session.id, "failed")["payment_status"] == "unpaid"
    read: Any = till.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (read.status, read.payment_status) == ("complete", "unpaid")
    assert read.payment_intent.status == "requires_payment_method"
    assert till.balance() == 0
    assert "checkout.session.async_payment_failed" in till.events()
    till.does.ask("POST", f"sessions/{session.id}/settle", 404)


def test_refunds_in_part_add_up_and_no_more_than_was_paid_comes_back(till: Till) -> None:
    payment_id = till.paid()
    create = till.client.v1.refunds.create
    first = create({"payment_intent": payment_id, "amount": 300, "metadata": {"why": "scratch"}})
    assert (first.status, first.amount, first.reason) == ("succeeded", 300, None)
    charge = till.payment(payment_id).latest_charge
    assert (charge.amount_refunded, charge.refunded) == (300, False)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as refused:
        create({"payment_intent": payment_id, "amount": 691})
    assert refused.value.param == "amount"
    rest = create({"charge": charge.id, "reason": "duplicate"})
    assert (rest.amount, rest.reason) == (690, "duplicate")
    charge = till.payment(payment_id).latest_charge
    assert (charge.amount_refunded, charge.refunded) == (990, True)
    assert [each.id for each in charge.refunds.data] == [rest.id, first.id]
    with pytest.raises(stripe.InvalidRequestError) as spent:
        create({"payment_intent": payment_id})
    assert spent.value.code == "charge_already_refunded"
    assert till.balance() == -57  # the fee is kept
    assert till.events().count("charge.refunded") == 2
    assert till.events().count("refund.created") == 2


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"payment_intent": "pi_none"},
        {"charge": "ch_none"},
        {"amount": 0},
        {"reason": "boredom"},
    ],
    ids=str,
)
def test_a_refund_of_nothing_is_refused(till: Till, params: dict) -> None:
    payment_id = till.paid()
    given = {"payment_intent": payment_id} | params if params.keys() & {"amount", "reason"} else params
    with pytest.raises(stripe.InvalidRequestError):
        till.client.v1.refunds.create(given)  # type: ignore[arg-type]
    assert till.payment(payment_id).latest_charge.amount_refunded == 0


def test_a_slow_refund_is_pending_before_it_arrives(till: Till) -> None:
    payment_id = till.paid(number="4000 0000 0000 7726")
    made = till.client.v1.refunds.create({"payment_intent": payment_id})
    assert made.status == "pending"
    till.does.advance(10)
    assert till.client.v1.refunds.retrieve(made.id).status == "succeeded"
    assert "refund.updated" in till.events()


def test_a_refund_that_fails_brings_the_money_back_to_the_shop(till: Till) -> None:
    payment_id = till.paid(number="4000 0000 0000 5126")
    before = till.balance()
    made = till.client.v1.refunds.create({"payment_intent": payment_id, "amount": 400})
    assert (made.status, till.balance()) == ("succeeded", before - 400)
    till.does.end_refund(made.id, "failed")
    failed = till.client.v1.refunds.retrieve(made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = till.payment(payment_id).latest_charge
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert till.balance() == before
    assert till.events()[-3:] == ["refund.failed", "refund.updated", "charge.refund.updated"]


def test_a_dispute_takes_the_money_and_a_won_one_gives_it_back_less_the_fee(till: Till) -> None:
    payment_id = till.paid()
    before = till.balance()
    dispute = till.does.dispute(payment_id)
    assert (dispute["status"], dispute["amount"], till.balance()) == ("needs_response", 990, before - 990 - 2000)
    assert till.payment(payment_id).latest_charge.disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        till.client.v1.refunds.create({"payment_intent": payment_id})
    assert refused.value.code == "charge_disputed"
    till.does.close_dispute(dispute["id"], "won")
    assert till.client.v1.disputes.retrieve(dispute["id"]).status == "won"
    assert till.balance() == before - 2000
    assert till.events()[-4:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    assert till.client.v1.refunds.create({"payment_intent": payment_id}).amount == 990
    till.does.ask("POST", f"disputes/{dispute['id']}/close", 400, outcome="lost")


def test_a_dispute_that_the_shop_gives_in_to_is_lost(till: Till) -> None:
    payment_id = till.paid()
    dispute = till.does.dispute(payment_id, amount=500, reason="duplicate")
    assert till.client.v1.disputes.close(dispute["id"]).status == "lost"
    (listed,) = till.client.v1.disputes.list({"payment_intent": payment_id}).data
    assert (listed.amount, listed.reason, listed.status) == (500, "duplicate", "lost")
    assert till.events()[-1] == "charge.dispute.closed"


def test_a_card_that_disputes_does_so_by_itself(till: Till) -> None:
    payment_id = till.paid(number="4000 0000 0000 0259")
    (dispute,) = till.client.v1.disputes.list({"payment_intent": payment_id}).data
    assert (dispute.reason, dispute.status) == ("fraudulent", "needs_response")


@pytest.mark.parametrize("more", [{"amount": 991}, {"amount": 0}, {"reason": "boredom"}, {"colour": "red"}], ids=str)
def test_what_cannot_be_disputed_is_not(till: Till, more: dict) -> None:
    till.does.ask("POST", "disputes", 400, payment_intent=till.paid(), **more)
    till.does.ask("POST", "disputes", 404, payment_intent="pi_none")
    assert till.client.v1.disputes.list().data == []


def test_lists_come_by_page_newest_first_and_by_what_is_asked_for(till: Till) -> None:
    payments = [till.paid() for _ in range(5)]
    listed = till.client.v1.payment_intents.list({"limit": 2})
    assert [each.id for each in listed.data] == payments[:2:-1]
    assert listed.has_more
    assert [each.id for each in listed.auto_paging_iter()] == payments[::-1]
    older = till.client.v1.payment_intents.list({"starting_after": payments[1]})
    assert ([each.id for each in older.data], older.has_more) == ([payments[0]], False)
    newer = till.client.v1.payment_intents.list({"ending_before": payments[1], "limit": 2})
    assert ([each.id for each in newer.data], newer.has_more) == ([payments[3], payments[2]], True)

    (charge,) = till.client.v1.charges.list({"payment_intent": payments[2]}).data
    assert charge.payment_intent == payments[2]
    (session,) = till.client.v1.checkout.sessions.list({"payment_intent": payments[2]}).data
    assert session.status == "complete"
    till.session()
    assert len(till.client.v1.checkout.sessions.list({"status": "open"}).data) == 1
    assert len(till.client.v1.balance_transactions.list({"source": charge.id}).data) == 1
    with pytest.raises(stripe.InvalidRequestError, match="No such object"):
        till.client.v1.payment_intents.list({"starting_after": "pi_none"})


def test_events_are_listed_by_time_and_type(till: Till) -> None:
    till.paid()
    till.does.advance(100)
    late = till.client.v1.checkout.sessions.retrieve(till.session().id).created
    till.paid()
    listed = till.client.v1.events.list
    assert len(listed({"created": {"gte": late}}).data) == len(listed({"created": {"lt": late}}).data) == 4
    assert {each.type for each in listed({"type": "charge.*"}).data} == {"charge.succeeded"}
    wanted = ["charge.succeeded", "checkout.session.completed"]
    assert {each.type for each in listed({"types": wanted}).data} == set(wanted)
    with pytest.raises(stripe.InvalidRequestError):
        listed({"type": "charge.*", "types": wanted})
    for each in till.does.take(limit=1):
        till.does.report(delivered=[each["delivery"]])
    assert len(listed({"delivery_success": False}).data) == 3
    event = listed({"limit": 1}).data[0]
    assert till.client.v1.events.retrieve(event.id).type == event.type
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        till.client.v1.events.retrieve("evt_none")


@pytest.mark.parametrize("expand", [["colour"], ["payment_intent.a.b.c.d"], ["payment_intent.latest_charge.colour"]])
def test_what_cannot_be_expanded_is_refused(till: Till, expand: list[str]) -> None:
    session = till.session()
    till.does.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        till.client.v1.checkout.sessions.retrieve(session.id, {"expand": expand})


def test_a_session_s_lines_can_be_read(till: Till) -> None:
    session: Any = till.session()
    (line,) = till.client.v1.checkout.sessions.line_items.list(session.id).data
    assert (line.description, line.amount_total, line.quantity) == ("Tides", 990, 1)
    session = till.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert session.line_items.data[0].description == "Tides"


@pytest.mark.parametrize(
    ("currency", "params", "methods"),
    [
        ("eur", {"allowed_payment_method_types": ["card", "klarna"]}, ["card"]),
        ("eur", {"excluded_payment_method_types": ["card", "sepa_debit"]}, ["alipay", "wechat_pay", "paypal"]),
        ("cny", {"allowed_payment_method_types": ["alipay", "paypal"]}, ["alipay"]),
        ("jpy", {}, ["card"]),
    ],
)
def test_a_list_of_methods_can_only_make_them_fewer(
    till: Till, currency: str, params: dict, methods: list[str]
) -> None:
    session = till.session(9900, currency, **params)
    assert session.payment_method_types == methods
    other = next(method for method in currencies.METHODS if method not in methods)
    till.does.ask("POST", f"sessions/{session.id}/pay", 400, method=other)


@pytest.mark.parametrize(
    "params",
    [
        {"allowed_payment_method_types": ["klarna"]},
        {"allowed_payment_method_types": ["card"], "excluded_payment_method_types": ["paypal"]},
        {"payment_method_types": ["card"]},
    ],
    ids=str,
)
def test_methods_that_cannot_be_are_refused(till: Till, params: dict) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        till.session(**params)
    assert refused.value.param in params
    if "payment_method_types" in params:
        assert refused.value.code == "payment_method_types_no_longer_supported"


def test_another_version_of_the_api_has_other_parameters(till: Till) -> None:
    price: Any = {"currency": "eur", "unit_amount": 990, "product_data": {"name": "Tides"}}
    params: Any = {
        "mode": "payment",
        "success_url": "https://shop.test/",
        "line_items": [{"quantity": 1, "price_data": price}],
    }
    create = till.client.v1.checkout.sessions.create
    before: Any = {"stripe_version": "2026-08-26.dahlia"}
    made = create(params | {"payment_method_types": ["paypal"]}, before)
    assert made.payment_method_types == ["paypal"]
    assert made.last_response.headers["Stripe-Version"] == "2026-08-26.dahlia"
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        create(params | {"allowed_payment_method_types": ["paypal"]}, before)
    for wrong in ("2031-01-01.fern", "latest"):
        with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
            create(params, {"stripe_version": wrong})


def test_a_session_lives_as_long_as_the_shop_says(till: Till) -> None:
    now = till.session().created
    session = till.session(expires_at=now + 1900)
    assert session.expires_at == now + 1900
    till.does.advance(2000)
    assert till.client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    till.does.ask("POST", f"sessions/{session.id}/pay", 400)
    for wrong in (now + 60, now + 3 * 86_400):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            till.session(expires_at=wrong)
        assert refused.value.param == "expires_at"
