"""The sandbox's faults, its idempotency keys and its outbox: what they promise, seen through stripe-python."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import stripe
from flask import Flask
from support.sandbox import Controls, Direct, direct_client
from werkzeug.serving import make_server

from app.engines import processes
from app.payments.sandbox import server
from app.payments.sandbox.faults import BadRule, Faults, Rule
from app.payments.sandbox.outbox import MAX_ATTEMPTS, retry_after

SECRET = "whsec_test_0123456789"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return server.create_sandbox(server.Config(tmp_path / "state.sqlite", "http://sandbox.test", server.PULL, SECRET))


@pytest.fixture
def does(app: Flask) -> Controls:
    return Controls(app)


@pytest.fixture
def client(app: Flask) -> stripe.StripeClient:
    return direct_client(app)


def params(amount: int = 990) -> Any:
    price = {"currency": "eur", "unit_amount": amount, "product_data": {"name": "Tides"}}
    return {
        "mode": "payment",
        "success_url": "https://shop.test/",
        "customer_email": "ada@example.org",
        "line_items": [{"quantity": 1, "price_data": price}],
    }


def create(client: stripe.StripeClient, key: str | None = None, amount: int = 990) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(params(amount), {"idempotency_key": key} if key else {})


def header(answered: Any, name: str) -> str | None:
    """A header of an answer or of an error."""
    headers: Any = answered.headers if isinstance(answered, stripe.StripeError) else answered.last_response.headers
    return headers.get(name)


def sessions(client: stripe.StripeClient) -> int:
    return len(client.v1.checkout.sessions.list({"limit": 100}).data)


# --- idempotency keys ---


def test_the_same_key_gets_the_same_answer_and_says_that_it_is_one(client: stripe.StripeClient) -> None:
    first, again = create(client, "k"), create(client, "k")
    assert first.to_dict() == again.to_dict()
    assert header(first, "Idempotent-Replayed") is None
    assert header(again, "Idempotent-Replayed") == "true"
    assert sessions(client) == 1


def test_an_error_of_the_execution_is_kept_and_one_of_the_parameters_is_not(
    does: Controls, client: stripe.StripeClient
) -> None:
    payment_id = does.pay(create(client).id)["payment_intent"]
    refund = client.v1.refunds.create
    with pytest.raises(stripe.InvalidRequestError, match="Invalid reason"):
        refund({"payment_intent": payment_id, "reason": "boredom"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.InvalidRequestError, match="greater than"):
        refund({"payment_intent": payment_id, "amount": 2000}, {"idempotency_key": "k"})
    with pytest.raises(stripe.InvalidRequestError, match="greater than") as kept:
        refund({"payment_intent": payment_id, "amount": 2000}, {"idempotency_key": "k"})
    assert header(kept.value, "Idempotent-Replayed") == "true"
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        refund({"payment_intent": payment_id}, {"idempotency_key": "k"})
    assert client.v1.refunds.list().data == []


def test_a_key_is_another_request_s_at_another_address_and_nobody_s_after_a_day(
    does: Controls, client: stripe.StripeClient
) -> None:
    session = create(client, "k")
    with pytest.raises(stripe.IdempotencyError):
        client.v1.checkout.sessions.expire(session.id, None, {"idempotency_key": "k"})
    does.advance(24 * 3600 + 1)
    assert create(client, "k").id != session.id
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        create(client, "k" * 256)


def test_two_at_once_under_one_key_are_one_and_a_conflict(does: Controls, client: stripe.StripeClient) -> None:
    does.fault("slow", match="POST /v1/checkout/sessions", times=1, seconds=2)
    done: list[stripe.checkout.Session] = []
    first = threading.Thread(target=lambda: done.append(create(client, "k")))
    first.start()
    while not does.injected():
        pass
    with pytest.raises(stripe.APIError) as clash:
        create(client, "k")
    first.join()
    assert clash.value.http_status == 409
    assert clash.value.error is not None
    assert (clash.value.error.type, clash.value.error.code) == ("idempotency_error", "idempotency_key_in_use")
    assert create(client, "k").id == done[0].id
    assert sessions(client) == 1


# --- faults of requests ---


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        ("timeout_before", stripe.APIConnectionError, 0),
        ("timeout_after", stripe.APIConnectionError, 1),
        ("error_before", stripe.APIError, 0),
        ("error_after", stripe.APIError, 1),
        ("rate_limit", stripe.RateLimitError, 0),
    ],
)
def test_a_fault_befalls_the_next_call_and_takes_effect_or_not(
    does: Controls, client: stripe.StripeClient, kind: str, error: type[Exception], made: int
) -> None:
    does.fault(kind, match="POST /v1/checkout/*", times=1)
    assert sessions(client) == 0
    with pytest.raises(error):
        create(client, "k")
    assert sessions(client) == made
    assert does.injected() == {kind: 1}
    if kind == "error_after":
        with pytest.raises(stripe.APIError) as kept:  # Stripe keeps its own errors under the key as well
            create(client, "k")
        assert header(kept.value, "Idempotent-Replayed") == "true"
        assert header(kept.value, "Stripe-Should-Retry") == "false"
        assert create(client, "k-2").id
    else:
        assert create(client, "k").id
        assert sessions(client) == 1


def test_stripe_python_s_own_retry_rides_out_a_lost_answer(app: Flask, does: Controls) -> None:
    does.fault("timeout_after", match="POST *", times=1)
    session = create(direct_client(app, retries=1), "k")
    assert sessions(direct_client(app)) == 1
    assert header(session, "Idempotent-Replayed") == "true"


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "error_before", "error_after", "rate_limit"])
def test_reading_can_fail_too(does: Controls, client: stripe.StripeClient, kind: str) -> None:
    session = create(client)
    does.fault(kind, match="GET *", times=1)
    with pytest.raises(stripe.StripeError):
        client.v1.checkout.sessions.retrieve(session.id)
    assert client.v1.checkout.sessions.retrieve(session.id).id == session.id


def test_over_a_socket_the_line_is_cut(app: Flask, does: Controls) -> None:
    (port,) = processes.free_ports(1)
    listening = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        far = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": f"http://127.0.0.1:{port}"})
        for kind, made in (("timeout_before", 0), ("timeout_after", 1)):
            does.fault(kind, times=1, match="POST *")
            with pytest.raises(stripe.APIConnectionError):
                far.v1.checkout.sessions.create(params(), {"max_network_retries": 0})
            assert sessions(far) == made
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def test_the_same_seed_strikes_the_same_calls() -> None:
    def struck(seed: int) -> list[int]:
        faults = Faults()
        faults.add(Rule("timeout_after", "POST *", probability=0.3, seed=seed))
        return [number for number in range(200) if faults.for_request("POST", "/v1/refunds")]

    assert struck(7) == struck(7) != struck(8)
    assert 30 < len(struck(7)) < 90


def test_a_rule_lets_pass_what_it_is_told_to_and_ends() -> None:
    faults = Faults()
    faults.add(Rule("error_before", "* /v1/refunds", times=2, skip=1))
    assert faults.for_request("POST", "/v1/events") is None
    assert [bool(faults.for_request("POST", "/v1/refunds")) for _ in range(5)] == [False, True, True, False, False]
    faults.clear()
    assert faults.shown() == {"rules": [], "injected": {"error_before": 2}}


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "earthquake"}, {"probability": 2}, {"times": 0}, {"skip": -1}],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(does: Controls, wrong: dict) -> None:
    rule = {"kind": "drop"} | wrong
    with pytest.raises(BadRule, match=next(iter(wrong))):
        Rule(**rule)
    does.ask("POST", "faults", 400, **rule)
    does.ask("POST", "faults", 400)
    does.ask("POST", "faults", 400, kind="drop", colour="red")
    assert does.ask("GET", "faults")["rules"] == []


def test_the_controls_are_for_the_holder_of_the_key(app: Flask) -> None:
    stranger = app.test_client()
    for method, path in (("GET", "faults"), ("POST", "clock"), ("POST", "outbox/take"), ("POST", "disputes")):
        assert stranger.open(f"/sandbox/{path}", method=method).status_code == 401
    assert app.test_client().post("/v1/sandbox/faults").status_code == 401


# --- events on their way ---


def paid(does: Controls, client: stripe.StripeClient) -> list[str]:
    """Pay a session; the types of what is then delivered, in order."""
    does.pay(create(client).id)
    return [each["type"] for each in does.take()]


BOTH = ["checkout.session.completed", "payment_intent.succeeded"]


@pytest.mark.parametrize(
    ("rules", "delivered"),
    [
        ([], BOTH),
        ([{"kind": "drop", "match": "checkout.*"}], BOTH[1:]),
        ([{"kind": "duplicate", "match": "checkout.*"}], [BOTH[0], BOTH[0], BOTH[1]]),
        ([{"kind": "reorder", "match": "checkout.*"}], BOTH[::-1]),
        ([{"kind": "delay", "match": "checkout.*", "seconds": 60}], BOTH[1:]),
        ([{"kind": "duplicate", "match": "checkout.*", "seconds": 60}], BOTH),
    ],
    ids=str,
)
def test_an_event_can_come_twice_never_late_or_after_its_successor(
    does: Controls, client: stripe.StripeClient, rules: list[dict], delivered: list[str]
) -> None:
    for rule in rules:
        does.fault(**rule)
    assert paid(does, client) == delivered
    does.advance(61)
    late = [each["type"] for each in does.take() if each["attempts"] == 0]
    assert late == (BOTH[:1] if any("seconds" in rule for rule in rules) else [])
    listed = [each.type for each in client.v1.events.list().data]
    assert "checkout.session.completed" in listed  # whoever asks hears of what was dropped


def test_a_clock_that_is_wrong_shows_in_the_event_and_in_its_signature(
    does: Controls, client: stripe.StripeClient
) -> None:
    does.fault("skew", match="checkout.*", seconds=600)
    does.pay(create(client).id)
    skewed, right = does.take()
    ahead = int(skewed["signature"][2:].split(",")[0]) - int(right["signature"][2:].split(",")[0])
    assert ahead == 600
    events = {each.type: each.created for each in client.v1.events.list().data}
    assert 598 < events["checkout.session.completed"] - events["payment_intent.succeeded"] < 602
    client.construct_event(skewed["body"], skewed["signature"], SECRET)


def test_what_is_taken_and_not_reported_comes_again_and_what_failed_by_the_schedule(
    does: Controls, client: stripe.StripeClient
) -> None:
    does.pay(create(client).id)
    first, second = does.take()
    assert does.take() == []
    assert does.report(delivered=[first["delivery"]], failed=[second["delivery"]])["undelivered"] == 1
    does.advance(retry_after(0) + 1)
    (again,) = does.take()
    assert (again["event"], again["attempts"]) == (second["event"], 1)
    does.advance(61)  # the lease is over
    (third,) = does.take()
    assert third["attempts"] == 2
    assert third["body"] == second["body"]
    assert does.report(delivered=[third["delivery"]])["undelivered"] == 0


def test_the_schedule_grows_and_ends(does: Controls, client: stripe.StripeClient) -> None:
    assert [retry_after(attempt) for attempt in range(4)] == [0.25, 0.5, 1.0, 2.0]
    assert retry_after(50) == 30
    does.fault("drop", match="payment_intent.*")
    does.pay(create(client).id)
    for _ in range(MAX_ATTEMPTS):
        (due,) = does.take()
        does.report(failed=[due["delivery"]])
        does.advance(31)
    assert does.take() == []
    assert does.ask("GET", "outbox")["next_due"] is None
    does.ask("POST", "outbox/retry")
    assert len(does.take()) == 1


def test_an_event_can_be_sent_again(does: Controls, client: stripe.StripeClient) -> None:
    does.pay(create(client).id)
    first = does.take()
    does.report(delivered=[each["delivery"] for each in first])
    does.ask("POST", f"events/{first[0]['event']}/resend")
    assert [each["event"] for each in does.take()] == [first[0]["event"]]
    does.ask("POST", "events/evt_none/resend", 404)


def test_a_restart_forgets_no_delivery_no_delayed_payment_and_not_the_clock(
    tmp_path: Path, does: Controls, client: stripe.StripeClient
) -> None:
    session = create(client)
    does.pay(session.id, "sepa_debit")
    does.advance(-5)
    config = server.Config(tmp_path / "state.sqlite", "http://sandbox.test", server.PULL, SECRET)
    after = Controls(server.create_sandbox(config))
    assert after.ask("POST", "clock")["offset"] == -5
    after.advance(20)
    assert [each["type"] for each in after.take()] == [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "payment_intent.succeeded",
    ]


def test_many_at_once_lose_nothing_and_double_nothing(app: Flask, does: Controls) -> None:
    session = create(direct_client(app))
    payment_id = does.pay(session.id)["payment_intent"]
    came: list[int] = []

    def refund() -> None:
        client = stripe.StripeClient("sk_test_sandbox", http_client=Direct(app), base_addresses={"api": "http://s"})
        for _ in range(10):
            try:
                came.append(client.v1.refunds.create({"payment_intent": payment_id, "amount": 11}).amount)
            except stripe.InvalidRequestError as error:
                assert error.code == "charge_already_refunded"  # noqa: PT017

    threads = [threading.Thread(target=refund) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(came) == 990
    assert len(came) == 90
