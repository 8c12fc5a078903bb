"""The sandbox by itself: its page, its file, its webhooks, and as a process of its own."""

from __future__ import annotations

import http.server
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from support.sandbox import Controls

from app.engines import processes
from app.payments.sandbox import server
from app.payments.sandbox.bank import Bank
from app.payments.sandbox.params import BadParameter, decode
from app.payments.sandbox.webhooks import sign
from app.settings import ROOT

SECRET = "whsec_test_0123456789"


class Receiver:
    """A shop that answers webhooks as it is told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: Queue[tuple[bytes, str]] = Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.end_headers()
                receiver.got.put((body, self.headers["Stripe-Signature"]))

            def log_message(self, *_args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/stripe"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> server.Config:
    return server.Config(tmp_path / "state.sqlite", "http://sandbox.test", receiver.url, SECRET)


def bank(app: Flask) -> Bank:
    return app.extensions["sandbox"]


def happened(app: Flask) -> list[str]:
    """Types of the events, oldest first."""
    return [event["type"] for event in reversed(bank(app).state.events()[0])]


def open_session(client: FlaskClient, **changes: str) -> dict:
    form = {
        "mode": "payment",
        "success_url": "http://shop.test/return?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.test/cart",
        "customer_email": "ada@example.org",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "990",
        "line_items[0][price_data][product_data][name]": "<b>Tides</b>",
    } | changes
    answer = client.post("/v1/checkout/sessions", data=form, headers={"Authorization": "Bearer sk_test_sandbox"})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def pay(client: FlaskClient, session: dict, **form: str):  # type: ignore[no-untyped-def]
    return client.post(f"/pay/{session['id']}", data={"method": "card", "number": "4242 4242 4242 4242"} | form)


def test_the_browser_goes_back_at_once_and_the_webhook_comes_signed(config: server.Config, receiver: Receiver) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client)
    back = pay(client, session)
    assert (back.status_code, back.location) == (303, f"http://shop.test/return?session={session['id']}")
    assert receiver.got.empty()
    courier = server.start_courier(app, config)
    try:
        body, header = receiver.got.get(timeout=60)
    finally:
        courier.stop()
    event = json.loads(body)
    assert event["type"] == "checkout.session.completed"
    assert event["data"]["object"]["id"] == session["id"]
    at = int(re.match(r"t=(\d+),", header).group(1))  # type: ignore[union-attr]
    assert header == sign(body, SECRET, at)


def test_an_event_the_shop_does_not_take_comes_again_also_after_a_restart(
    config: server.Config, receiver: Receiver
) -> None:
    receiver.answers = [500, 503]
    app = server.create_sandbox(config)
    client = app.test_client()
    pay(client, open_session(client))
    courier = server.start_courier(app, config)
    first = receiver.got.get(timeout=60)[0]
    courier.stop()

    courier = server.start_courier(server.create_sandbox(config), config)
    try:
        seen = [json.loads(receiver.got.get(timeout=60)[0])["id"] for _ in range(3)]
    finally:
        courier.stop()
    assert json.loads(first)["id"] in seen
    assert bank(app).outbox.next_due() is None


def test_a_delay_can_be_set_between_payment_and_webhook(config: server.Config) -> None:
    app = server.create_sandbox(replace(config, webhook_delay=3600.0))
    client = app.test_client()
    pay(client, open_session(client))
    assert bank(app).outbox.claim(1) == []
    assert bank(app).outbox.next_due() is not None


def test_paying_twice_pays_once(config: server.Config) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client)
    assert pay(client, session).status_code == 303
    assert pay(client, session).status_code == 303
    assert happened(app).count("checkout.session.completed") == 1
    assert "was paid" in client.get(f"/pay/{session['id']}").text


@pytest.mark.parametrize(
    ("currency", "amount", "shown", "methods"),
    [
        ("eur", "990", "€9.90", ["card", "alipay", "wechat_pay", "paypal", "sepa_debit"]),
        ("cny", "6800", "CN¥68.00", ["card", "alipay", "wechat_pay"]),
        ("usd", "990", "$9.90", ["card", "paypal"]),
        ("jpy", "990", "¥990", ["card"]),
        ("inr", "9900", "₹99.00", ["card"]),
        ("kwd", "9900", "KWD", ["card"]),
    ],
)
def test_the_page_offers_what_the_currency_allows(
    config: server.Config, currency: str, amount: str, shown: str, methods: list[str]
) -> None:
    client = server.create_sandbox(config).test_client()
    session = open_session(
        client,
        **{
            "locale": "en",
            "line_items[0][price_data][currency]": currency,
            "line_items[0][price_data][unit_amount]": amount,
        },
    )
    page = client.get(f"/pay/{session['id']}").text
    assert re.findall(r'name="method" value="(\w+)"', page) == methods
    assert shown in page
    assert "&lt;b&gt;Tides&lt;/b&gt;" in page
    if "paypal" not in methods:
        assert pay(client, session, method="paypal").status_code == 402


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"number": "4000 0000 0000 0002"}, "was declined"),
        ({"number": "4000 0000 0000 9995"}, "was declined"),
        ({"number": "4000 0000 0000 0069"}, "was declined"),
        ({"number": "4242424242424243"}, "no card number"),
        ({"number": ""}, "no card number"),
        ({"method": "wechat_pay", "decline": "1"}, "was declined"),
        ({"method": "card", "decline": "alipay"}, "was declined"),
        ({"decline": "card", "number": ""}, "was declined"),
        ({"decline": "sepa_debit"}, "was declined"),
        ({"method": "sepa_debit", "iban": "DE00 1234"}, "no IBAN"),
        ({"method": ""}, "Choose one"),
        ({"method": "cash"}, "Choose one"),
    ],
    ids=str,
)
def test_a_declined_payment_stays_on_the_page_and_sends_nothing(
    config: server.Config, form: dict[str, str], message: str
) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client, locale="en")
    answer = pay(client, session, **form)
    assert answer.status_code == 402
    assert message in answer.text
    assert bank(app).outbox.next_due() is None
    assert "checkout.session.completed" not in happened(app)
    assert pay(client, session).status_code == 303


def test_the_page_speaks_chinese_too_and_carries_no_inline_script_or_style(config: server.Config) -> None:
    client = server.create_sandbox(config).test_client()
    page = client.get(f"/pay/{open_session(client, locale='zh')['id']}")
    assert 'lang="zh-Hans"' in page.text
    for word in ("此页面不会产生真实扣款", "支付宝", "微信支付", "合计"):
        assert word in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert client.get("/static/sandbox.css").status_code == 200


def test_a_page_whose_time_is_up_takes_no_payment_and_nobody_had_to_look(config: server.Config) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client)
    Controls(app).advance(24 * 3600 + 1)
    assert happened(app) == ["checkout.session.expired"]
    assert pay(client, session).status_code == 410
    assert client.get("/pay/cs_test_none").status_code == 404
    assert pay(client, {"id": "cs_test_none"}).status_code == 404


def test_there_is_a_button_to_be_declined_for_each_method_after_the_one_that_pays(config: server.Config) -> None:
    """Enter in a field presses a form's first button; it must not be one that declines."""
    client = server.create_sandbox(config).test_client()
    page = client.get(f"/pay/{open_session(client, locale='en')['id']}").text
    assert re.findall(r'name="decline" value="(\w+)"', page) == ["card", "alipay", "wechat_pay", "paypal", "sepa_debit"]
    assert page.index('id="pay"') < page.index('name="decline"')
    assert "Decline: Alipay" in page


def test_where_nothing_is_owed_nothing_is_paid(config: server.Config) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client, **{"line_items[0][price_data][unit_amount]": "0", "locale": "en"})
    page = client.get(f"/pay/{session['id']}").text
    assert "Complete the order" in page
    assert 'name="method"' not in page
    assert client.post(f"/pay/{session['id']}").status_code == 303
    (event,) = bank(app).state.events()[0]
    assert event["data"]["object"]["payment_status"] == "no_payment_required"
    assert event["data"]["object"]["payment_intent"] is None


def test_the_page_asks_for_the_address_the_shop_did_not_give(config: server.Config) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client, customer_email="", locale="en")
    assert 'type="email"' in client.get(f"/pay/{session['id']}").text
    assert "no e-mail address" in pay(client, session, email="nobody").text
    assert pay(client, session, email="ada@example.org", country="FR").status_code == 303
    buyer = bank(app).state.events(kind="checkout.session.completed")[0][0]["data"]["object"]["customer_details"]
    assert (buyer["email"], buyer["address"]["country"]) == ("ada@example.org", "FR")


@pytest.mark.parametrize(
    ("form", "country"),
    [
        ({}, "US"),
        ({"number": "4000 0027 6000 0016"}, "DE"),
        ({"number": "4000 0015 6000 0002", "country": "HK"}, "HK"),
        ({"method": "sepa_debit", "iban": "DE89370400440532013000"}, "DE"),
        ({"method": "alipay"}, "CN"),
    ],
    ids=str,
)
def test_an_address_that_must_be_given_is(config: server.Config, form: dict[str, str], country: str) -> None:
    app = server.create_sandbox(config)
    client = app.test_client()
    session = open_session(client, locale="zh", billing_address_collection="required")
    assert pay(client, session, **form).status_code == 303
    session = bank(app).state.events(kind="checkout.session.completed")[0][0]["data"]["object"]
    assert session["customer_details"]["address"]["country"] == country


def test_forms_are_nested_as_stripe_nests_them() -> None:
    assert decode([("a", "1"), ("b[c]", "2"), ("d[1][e]", "4"), ("d[0][e]", "3")]) == {
        "a": "1",
        "b": {"c": "2"},
        "d": [{"e": "3"}, {"e": "4"}],
    }
    assert decode([("expand[]", "a"), ("expand[]", "b")]) == {"expand": ["a", "b"]}
    with pytest.raises(BadParameter):
        decode([("a", "1"), ("a[b]", "2")])


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SANDBOX_STATE", "SANDBOX_PUBLIC_URL", "SANDBOX_WEBHOOK_URL", "STRIPE_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(server.SandboxError, match="SANDBOX_STATE is not set"):
        server.Config.from_environment()
    for name in ("SANDBOX_STATE", "SANDBOX_PUBLIC_URL", "SANDBOX_WEBHOOK_URL", "STRIPE_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "x")
    for name, value in (("SANDBOX_SETTLE_DELAY", "soon"), ("SANDBOX_CURRENCY", "shells")):
        with monkeypatch.context() as wrong:
            wrong.setenv(name, value)
            with pytest.raises(server.SandboxError, match=f"{name} is '{value}'"):
                server.Config.from_environment()
    assert server.Config.from_environment().currency == "eur"


def test_a_file_of_an_older_shape_is_begun_anew(config: server.Config) -> None:
    with closing(sqlite3.connect(config.state)) as old:
        old.execute("CREATE TABLE object (id TEXT PRIMARY KEY, kind TEXT, body TEXT, private TEXT)")
        old.execute("INSERT INTO object VALUES ('cs_test_old', 'checkout.session', '{}', '{}')")
        old.commit()
    client = server.create_sandbox(config).test_client()
    assert client.get("/pay/cs_test_old").status_code == 404
    assert pay(client, open_session(client)).status_code == 303


def test_it_runs_as_a_process_of_its_own_and_remembers_over_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    (port,) = processes.free_ports(1)
    base = f"http://127.0.0.1:{port}"
    env = os.environ | {
        "SANDBOX_STATE": str(tmp_path / "state.sqlite"),
        "SANDBOX_PUBLIC_URL": base,
        "SANDBOX_WEBHOOK_URL": receiver.url,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "SANDBOX_WEBHOOK_DELAY": "0",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--threads", "4"]
    command += ["app.payments.sandbox.server:application()"]

    def start() -> subprocess.Popen[bytes]:
        process = processes.start(command, log=tmp_path / "sandbox.log", env=env)
        processes.wait_for_http(base, process, name="The sandbox", log=tmp_path / "sandbox.log", seconds=60)
        return process

    receiver.answers = [500]
    process = start()
    try:
        form = {
            "mode": "payment",
            "success_url": "http://shop.test/",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": "990",
            "line_items[0][price_data][product_data][name]": "Tides",
        }
        key = {"Authorization": "Bearer sk_test_sandbox"}
        session = requests.post(f"{base}/v1/checkout/sessions", data=form, headers=key, timeout=60).json()
        paid = requests.post(
            session["url"], data={"method": "alipay", "email": "a@b.c"}, timeout=60, allow_redirects=False
        )
        assert paid.status_code == 303
        receiver.got.get(timeout=60)
        processes.stop(process, 9, grace=0)
        process = start()
        read = requests.get(f"{base}/v1/checkout/sessions/{session['id']}", headers=key, timeout=60).json()
        assert read["payment_status"] == "paid"
        kinds = {json.loads(receiver.got.get(timeout=60)[0])["type"]}
        while "checkout.session.completed" not in kinds:
            kinds.add(json.loads(receiver.got.get(timeout=60)[0])["type"])
    finally:
        processes.stop(process, 9, grace=0)
