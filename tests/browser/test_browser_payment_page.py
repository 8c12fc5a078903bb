"""The sandbox's payment page in a real browser: every method, declined and paid, readable and usable by anybody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.sandbox import Controls, direct_client
from werkzeug.serving import make_server

from app.engines.processes import free_ports
from app.payments.sandbox import server
from tests.browser.shop import RESULTS, SCREENS, faults

METHODS = ("card", "alipay", "wechat_pay", "paypal", "sepa_debit")


class Desk:
    """A sandbox that answers on a port, and a shop's way to it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        config = server.Config(directory / "state.sqlite", self.url, server.PULL, "whsec_test_0123456789")
        self.app = server.create_sandbox(config)
        self.does, self.client = Controls(self.app), direct_client(self.app)

    def session(self, locale: str = "auto", **more: Any) -> Any:
        """A session for two things, that leads back to the sandbox's own front page."""
        lines = [
            {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": amount, "product_data": {"name": name}}}
            for name, amount in (("Harbour Lights – The Ferrymen", 990), ("港口灯火 – 摆渡人" * 6, 129))
        ]
        params: Any = {
            "mode": "payment",
            "line_items": lines,
            "success_url": f"{self.url}/?back",
            "cancel_url": f"{self.url}/?left",
            "locale": locale,
        }
        return self.client.v1.checkout.sessions.create(params | more)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    (port,) = free_ports(1)
    made = Desk(tmp_path_factory.mktemp("sandbox"), port)
    listening = make_server("127.0.0.1", port, made.app, threaded=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("locale", "declined"), [("en", "was declined"), ("zh", "付款被拒绝")])
def test_each_method_is_declined_by_its_button_and_pays_afterwards(
    visitor: Page, desk: Desk, method: str, locale: str, declined: str
) -> None:
    session = desk.session(locale, customer_email="ada@example.org")
    visitor.goto(session.url)
    visitor.locator(f"button[name=decline][value={method}]").click()
    expect(visitor.get_by_role("alert")).to_contain_text(declined)
    expect(visitor.locator(f"#{method}")).to_be_checked()
    visitor.locator("#pay").click()
    visitor.wait_for_url("**/?back")
    left = desk.client.v1.checkout.sessions.retrieve(session.id)
    assert (left.status, left.payment_status) == ("complete", "unpaid" if method == "sepa_debit" else "paid")


def test_a_guest_pays_by_keyboard_alone(visitor: Page, desk: Desk) -> None:
    session = desk.session()
    visitor.goto(session.url)
    visitor.get_by_label("E-mail").focus()
    visitor.keyboard.type("guest@example.org")
    visitor.keyboard.press("Tab")
    expect(visitor.locator("#card")).to_be_focused()
    visitor.keyboard.press("Tab")
    expect(visitor.get_by_label("Card number")).to_be_focused()
    visitor.keyboard.press("ControlOrMeta+a")
    visitor.keyboard.type("4000 0027 6000 0016")
    visitor.get_by_label("Country of your billing address").select_option("AT")
    visitor.get_by_label("Card number").press("Enter")
    visitor.wait_for_url("**/?back")
    buyer = desk.client.v1.checkout.sessions.retrieve(session.id).customer_details
    assert buyer is not None
    assert buyer.address is not None
    assert (buyer.email, buyer.address.country) == ("guest@example.org", "AT")


@pytest.mark.parametrize(("theme", "locale", "width"), SCREENS)
def test_it_is_readable_named_and_no_wider_than_a_phone(
    browser: Browser, desk: Desk, theme: Any, locale: str, width: int
) -> None:
    context = browser.new_context(
        locale=locale, color_scheme=theme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    page = context.new_page()
    found = {}
    expired = desk.session()
    desk.client.v1.checkout.sessions.expire(expired.id)
    page.goto(desk.session().url)
    RESULTS.mkdir(exist_ok=True)
    for name in ("open", "declined", "iban", "closed"):
        if name == "declined":
            page.get_by_label({"en-GB": "E-mail", "zh-CN": "电子邮箱"}[locale]).fill("ada@example.org")
            page.locator("button[name=decline][value=wechat_pay]").click()
            page.get_by_role("alert").wait_for()
        elif name == "iban":
            page.locator("#sepa_debit").check()
        elif name == "closed":
            page.goto(f"{desk.url}/pay/{expired.id}")
        page.screenshot(path=RESULTS / f"payment-{name}-{theme}-{locale}-{width}.png", full_page=True)
        if wrong := faults(page, least=True):
            found[name] = wrong
    context.close()
    assert not found
