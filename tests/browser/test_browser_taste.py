"""One's taste in one's own hands, in a browser: said on a card and undone there, stars, the page of one's own taste."""

from __future__ import annotations

import time

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.accounts.models import Account
from app.core.db import db
from app.discovery.models import Event
from tests.browser.shop import LANGUAGE, RESULTS, SCREENS, Shop, buy, faults, sign_up


def _told(shop: Shop, email: str, kind: str) -> bool:
    """Whether the event log hears of such an event; what a player tells comes when it comes."""
    deadline = time.monotonic() + 40
    with shop.app.app_context():
        query = select(Event.id).join(Account, Account.id == Event.account_id)
        while time.monotonic() < deadline:
            db.session.rollback()
            if db.session.scalar(query.where(Account.email == email, Event.kind == kind)) is not None:
                break
            time.sleep(0.2)
        else:
            return False
        db.session.remove()
    return True


def _picture(page: Page, name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / f"{name}.png", full_page=True)


def test_a_card_is_dismissed_and_brought_back_by_keyboard(page: Page, live_shop: Shop) -> None:
    sign_up(page, live_shop)
    expect(page.get_by_text("Let what you play and view shape your recommendations?")).to_be_visible()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_text("shape your recommendations?")).to_have_count(0)

    # Whichever release the other tests' buyers left on it: what sells moves to "Popular now".
    shelf = page.get_by_role("region", name="New music")
    link = shelf.get_by_role("listitem").first.get_by_role("link").first
    address = link.get_attribute("href")
    assert address
    address = address.partition("?")[0]  # wherever on the page it is met
    card = shelf.get_by_role("listitem").filter(has=page.locator(f'a[href^="{address}"]'))
    title = card.locator(".sleeve__title").inner_text()
    menu = card.locator("summary")
    expect(menu).to_have_accessible_name(f"Say something about {title}")
    menu.focus()
    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="I own this elsewhere")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    gone = shelf.get_by_role("listitem").filter(has_text=f"“{title}” is not for you")
    undo = gone.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(undo).to_have_accessible_description(f"“{title}” is not for you: no shelf shows it again.")
    page.keyboard.press("Enter")
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(undo).to_be_focused()

    page.get_by_role("link", name="Wavecrate").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("region", name="New music")).to_be_visible()
    expect(page.locator(f'a[href^="{address}"]')).to_have_count(0)


def test_the_player_tells_of_previews_and_of_what_is_skipped(page: Page, live_shop: Shop) -> None:
    email = sign_up(page, live_shop)
    page.get_by_role("button", name="Yes, let it count").click()
    expect(page.get_by_text("from now on")).to_be_visible()
    page.goto(live_shop.album)
    page.get_by_role("button", name="Preview Low Water").click()
    assert _told(live_shop, email, "preview")
    buy(page, live_shop.album)
    page.goto(live_shop.album)
    page.get_by_role("button", name="Play all").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.locator("#player [data-action=next]").click()
    assert _told(live_shop, email, "skip")
    assert _told(live_shop, email, "finish")  # the second track, to its end
    assert _told(live_shop, email, "view")


def test_one_s_own_taste_on_every_screen(browser: Browser, live_shop: Shop) -> None:
    context = browser.new_context(base_url=live_shop.base_url, locale="en-GB", bypass_csp=True)
    page = context.new_page()
    sign_up(page, live_shop)
    _pictures(page, "taste-home", "/")
    for title, button in (("Copper", "Not for me"), ("Kite Season", "I own this elsewhere")):
        page.goto(live_shop.release_url(title))
        page.locator("#opinion").get_by_role("button", name=button).click()
        expect(page.locator("#opinion").get_by_role("button", name="Undo")).to_be_focused()
    buy(page, live_shop.album)
    page.goto(live_shop.album)
    page.get_by_role("button", name="4 stars").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="4 stars")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="4 stars")).to_be_focused()
    _pictures(page, "taste-release", live_shop.album)

    page.goto("/account/taste")
    likes = page.get_by_role("region", name="What the shop thinks you like")
    expect(likes.get_by_role("listitem")).to_have_count(2)
    likes.get_by_role("button", name="Remove Kite Season").click()
    expect(page.get_by_role("region", name="Removed").get_by_role("link", name="Kite Season")).to_be_visible()
    _pictures(page, "taste-page", "/account/taste")
    page.goto("/account/taste?lang=en")
    page.get_by_role("region", name="Not for you").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("region", name="Not for you")).to_have_count(0)
    page.get_by_label("Off", exact=True).check()
    page.get_by_role("region", name="Recommendations").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.goto("/?lang=en")
    expect(page.get_by_role("region", name="New music")).to_be_visible()
    for name in ("For you", "Because", "New for you"):
        expect(page.get_by_role("region", name=name)).to_have_count(0)
    expect(page.get_by_role("link", name="More for you")).to_have_count(0)
    context.close()


def _pictures(page: Page, name: str, address: str) -> None:
    """Axe has nothing to say, and nothing is wider than a phone."""
    joint = "&" if "?" in address else "?"
    for theme, locale, width in SCREENS:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{address}{joint}lang={LANGUAGE[locale]}")
        menu = page.locator("#main .sleeve-box__menu summary").first
        if menu.count():
            menu.click()
        assert not faults(page), (name, theme, width, locale)
        _picture(page, f"{name}-{theme}-{locale}-{width}")
    page.goto("/?lang=en")
