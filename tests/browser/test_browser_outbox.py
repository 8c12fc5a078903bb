"""The outbox, and what lies in it, as people see them: by keyboard, on a phone, in the dark, and by axe."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from support.instance import eventually
from support.letter_samples import CONTEXTS, invoice_data

from app.core.db import db, transaction
from app.letters import rendering, service
from app.letters.kinds import KINDS
from app.letters.models import Letter, LetterState
from tests.browser.shop import RESULTS, Shop, faults


@pytest.fixture(scope="module")
def receipt(live_shop: Shop) -> str:
    """A receipt the shop's own worker has put into the outbox; its id."""
    with live_shop.app.app_context():
        context = CONTEXTS["receipt"] | {"link": f"{live_shop.base_url}/browse"}
        with transaction():
            letter_id = service.enqueue(
                "receipt", "ada@example.org", "en", context, key="browser", attachments=[invoice_data()]
            ).id

        def sent() -> bool:
            db.session.rollback()
            db.session.expire_all()
            return db.session.get_one(Letter, letter_id).state == LetterState.SENT

        eventually(sent)
        db.session.remove()
    return letter_id


def test_a_letter_is_found_read_and_followed(page: Page, live_shop: Shop, receipt: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Outbox").click()
    page.get_by_role("link", name="Order 1001: thank you, and your receipt").click()
    expect(page.get_by_role("heading", name="Order 1001", level=1)).to_be_visible()
    page.get_by_text("As text").click()
    expect(page.locator(".letter-text")).to_contain_text("夜航 · 导演剪辑版: €12.90")
    with page.expect_download() as download:
        page.get_by_role("link", name="invoice-2026-1001.pdf").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    page.frame_locator(".letter").get_by_role("link", name="Go to your music").click()
    page.wait_for_url("**/browse")


def test_a_letter_has_no_rights_in_the_shop(page: Page, live_shop: Shop, receipt: str) -> None:
    page.goto(f"/outbox/{receipt}")
    frame = next(frame for frame in page.frames if frame.url.endswith("/body"))
    assert frame.evaluate("origin") == "null"
    assert page.evaluate("document.querySelector('.letter').contentDocument") is None


@pytest.mark.parametrize(("theme", "locale", "width"), [("light", "en-GB", 1280), ("dark", "zh-CN", 360)])
def test_the_page_is_for_everybody(
    browser: Browser, live_shop: Shop, receipt: str, theme: str, locale: str, width: int
) -> None:
    RESULTS.mkdir(exist_ok=True)
    context = browser.new_context(
        base_url=live_shop.base_url,
        locale=locale,
        color_scheme=theme,
        viewport={"width": width, "height": 860},
        bypass_csp=True,
    )
    page = context.new_page()
    found = {}
    for name, path in (("outbox", "/outbox"), ("letter", f"/outbox/{receipt}"), ("body", f"/outbox/{receipt}/body")):
        page.goto(path)
        found[name] = faults(page)
        page.screenshot(path=RESULTS / f"{name}-{theme}-{locale}-{width}.png", full_page=True)
    context.close()
    assert found == {"outbox": [], "letter": [], "body": []}


@pytest.mark.parametrize(("theme", "width"), [("light", 700), ("dark", 360)])
@pytest.mark.parametrize("locale", ["en", "zh_Hans"])
def test_every_letter_is_for_everybody(browser: Browser, live_shop: Shop, theme: str, width: int, locale: str) -> None:
    """Each by itself, as a mail program shows it: no network, and no words of ours around it."""
    RESULTS.mkdir(exist_ok=True)
    context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    found = {}
    for kind in sorted(KINDS):
        with live_shop.app.app_context():
            plain = {name: service._plain(value) for name, value in CONTEXTS[kind].items()}
            words = rendering.write(Letter(kind=kind, locale=locale, context=plain, attachments=[{}]))
        page.set_content(words.html)
        if wrong := faults(page, least=True, runOnly=["wcag2a", "wcag2aa", "wcag21aa"]):
            found[kind] = wrong
        page.screenshot(path=RESULTS / f"letter-{kind}-{theme}-{locale}.png", full_page=True)
    context.close()
    assert not found
