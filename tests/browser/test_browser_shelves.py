"""Shelves and radio in a browser: what stands there and why, on every screen; a station by keyboard."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from support import rows
from support.shop import offer
from werkzeug.serving import make_server

from app.accounts import login, sessions
from app.accounts.models import Account
from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.demo.catalogue import RELEASES
from app.demo.covers import cover
from app.demo.history import TASTES
from app.discovery import service as discovery
from app.discovery.models import EventKind
from media_store import keys
from media_store.s3 import S3Store
from tests.browser.shop import LANGUAGE, RESULTS, SCREENS, Shop, buy, faults, sign_up


@dataclass
class Front:
    """A shop of some forty releases and four tastes, without recordings; and somebody who bought a few."""

    url: str
    app: Flask
    account: Account
    owned: list[Release]

    def signed_in(self, browser: Browser, **more: object) -> BrowserContext:
        """Who bought them; see `Browser.new_context` for what more it takes."""
        _made, token = sessions.begin(self.account, remembered=False, address="127.0.0.1", user_agent="a test")
        db.session.commit()
        context = browser.new_context(base_url=self.url, locale="en-GB", **more)  # type: ignore[arg-type]
        context.add_cookies([{"name": login.cookie_name(), "value": token, "url": self.url}])
        return context


@pytest.fixture
def front(app: Flask, store: S3Store) -> Iterator[Front]:
    made: dict[str, list[Release]] = {}
    for spec in reversed([spec for spec in RELEASES if not spec.film]):
        picture = cover(spec.key, 640)
        key = keys.cover(hashlib.sha256(picture).hexdigest())
        store.put_bytes(key, picture, "image/jpeg")
        for volume, title in enumerate((spec.title, f"{spec.title}, Again", f"{spec.title}, at Night")):
            release = rows.release(
                title, 3, title_zh=f"{spec.title_zh}·{volume}", artist=spec.artist, artist_zh=spec.artist_zh
            )
            release.cover_key = key
            if volume == 2:
                release.published_at = clock.now() - timedelta(days=90)
            offer(release=release, minor=690 + 100 * volume)
            made.setdefault(spec.key, []).append(release)
    chance = random.Random(4)
    for taste in TASTES.values():
        crate = [release for key, likes in taste.items() if likes >= 0.5 for release in made.get(key, [])]
        for _ in range(14):
            fan = rows.account()
            usual = [one for one in crate if one.offer.price_minor < 890]
            late = [one for one in crate if one.offer.price_minor == 890]
            for release in [*chance.sample(usual, min(6, len(usual))), *chance.sample(late, 1)]:
                discovery.record(fan.id, release.id, EventKind.PURCHASE)
    ada = rows.consenting()
    owned = [made["weather"][0], made["doors"][0], made["orders"][0], made["orders"][1]]
    for release in owned:
        rows.own(ada, release=release)
        discovery.record(ada.id, release.id, EventKind.PURCHASE)
    for track in made["load"][0].tracks[:2]:
        rows.own(ada, track=track)
    with transaction():
        discovery.train()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Front(f"http://127.0.0.1:{server.port}", app, ada, owned)
    server.shutdown()
    thread.join()


def test_shelves_say_why_and_come_as_one_scrolls(browser: Browser, front: Front) -> None:
    context = front.signed_in(browser, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto("/")
    titles = [release.title for release in front.owned]
    for_you = page.get_by_role("region", name="For you", exact=True)
    cards = for_you.get_by_role("listitem")
    expect(cards.first).to_be_visible()
    for text in cards.all_inner_texts():
        assert any(f"Because you own {title}" in text for title in titles), text
    headings = page.get_by_role("heading", level=2)
    expect(headings.filter(has_text="Because you own")).to_have_count(1)
    expect(page.get_by_role("heading", name="Complete your collection")).to_have_count(0)

    page.get_by_role("link", name="More for you").scroll_into_view_if_needed()
    complete = page.get_by_role("region", name="Complete your collection")
    expect(complete).to_contain_text("You have 2 tracks of 3")
    expect(page.get_by_role("region", name="Off the beaten track")).to_be_visible()
    expect(page.get_by_role("link", name="More for you")).to_have_count(0)
    shown = page.locator(".sleeve__link").evaluate_all("links => links.map(link => new URL(link.href).pathname)")
    assert len(shown) == len(set(shown)) > 18

    card = complete.get_by_role("listitem").first
    card.locator("summary").click()
    card.get_by_role("button", name="Not for me").click()
    expect(card.get_by_role("button", name="Undo")).to_be_focused()
    context.close()


def test_without_script_a_link_leads_to_the_rest(browser: Browser, front: Front) -> None:
    context = front.signed_in(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name="More for you").click()
    expect(page.get_by_role("heading", name="More for you", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Complete your collection")).to_be_visible()
    context.close()


def test_shelves_on_every_screen(browser: Browser, front: Front) -> None:
    RESULTS.mkdir(exist_ok=True)
    context = front.signed_in(browser, bypass_csp=True)
    page = context.new_page()
    release = front.owned[0]
    pages = {
        "home": "/",
        "more": "/shelves/more",
        "release": f"/releases/{release.id}",
        "artist": f"/artists/{release.artist_id}",
    }
    for theme, locale, width in SCREENS:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        for name, address in pages.items():
            page.goto(f"{address}?lang={LANGUAGE[locale]}")
            more = page.locator('[hx-get^="/shelves/more"]')
            if more.count():
                more.scroll_into_view_if_needed()
                expect(more).to_have_count(0)
            expect(page.locator(".shelf").first).to_be_visible()
            assert not faults(page), (name, theme, width, locale)
            page.screenshot(path=RESULTS / f"shelves-{name}-{theme}-{locale}-{width}.png", full_page=True)
    context.close()


def test_a_guest_s_radio_goes_on_and_on_by_keyboard(page: Page, live_shop: Shop) -> None:
    page.goto(live_shop.album)
    page.get_by_role("button", name="Preview Low Water").click()
    player = page.locator("#player")
    expect(player).to_have_attribute("data-state", "playing")
    title = player.locator(".player__title")
    radio = player.get_by_role("button", name="Radio from this track")
    expect(radio).to_have_attribute("aria-pressed", "false")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    expect(radio).to_have_attribute("aria-pressed", "true")
    said = player.locator(".player__said")
    expect(said).to_have_text("Radio from “Low Water” is on.")
    expect(player.get_by_role("button", name="Not for me")).to_have_count(0)

    # What comes on the title line, for a single of two seconds may give way to the next by itself.
    title.evaluate("""line => {
        window.heard = [line.textContent];
        const hear = () => line.textContent !== heard.at(-1) && heard.push(line.textContent);
        new MutationObserver(hear).observe(line, {childList: true, characterData: true, subtree: true});
    }""")
    for count in range(2, 7):
        page.keyboard.press("n")
        page.wait_for_function("count => heard.length >= count", arg=count)
        expect(said).to_contain_text("On the radio: ")
        expect(said).to_contain_text("a preview")
        expect(player.locator(".player__badge")).to_have_text("Preview")
    heard = page.evaluate("heard")
    # Everything in the shop but the film, each once; and then it begins anew.
    assert heard[0] == "Low Water"
    assert sorted(heard[:5]) == ["Bell Buoy", "Copper", "Kite Season", "Low Water", "Small Hours"]
    said_last = said.inner_text()
    assert any(f"On the radio: {name} by" in said_last for name in page.evaluate("heard"))
    # By itself, too: the singles last two seconds.
    page.goto(live_shop.release_url("Copper"))
    page.get_by_role("button", name="Radio from Copper").focus()
    page.keyboard.press("Enter")
    expect(title).to_have_text("Copper")
    expect(title).not_to_have_text("Copper")
    page.locator("#main").get_by_role("link").first.focus()
    page.keyboard.press("r")
    expect(said).to_have_text("Radio is off.")
    expect(radio).to_have_attribute("aria-pressed", "false")


def test_a_radio_plays_what_is_owned_whole_and_drops_what_is_not_for_one(browser: Browser, live_shop: Shop) -> None:
    context = browser.new_context(base_url=live_shop.base_url, locale="en-GB", bypass_csp=True)
    page = context.new_page()
    RESULTS.mkdir(exist_ok=True)
    sign_up(page, live_shop)
    buy(page, live_shop.album)
    page.goto(live_shop.release_url("Copper"))
    page.get_by_role("button", name="Radio from Copper").click()
    player = page.locator("#player")
    title = player.locator(".player__title")
    expect(player.get_by_role("button", name="Radio from this track")).to_have_attribute("aria-pressed", "true")
    for theme, width in (("dark", 360), ("light", 1280)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=RESULTS / f"radio-{theme}-{width}.png")
        page.screenshot(path=RESULTS / f"radio-{theme}-{width}-all.png", full_page=True)
        assert not faults(page), (theme, width)
    modes: dict[str, str] = {}
    for _ in range(5):
        now = title.inner_text()
        modes[now] = str(player.get_attribute("data-mode"))
        player.get_by_role("button", name="Next track").click()
        expect(title).not_to_have_text(now)
    assert {name for name, mode in modes.items() if mode == "track"} <= {"Low Water", "Bell Buoy"}
    assert {"Low Water", "Bell Buoy"} & modes.keys()
    assert {modes[name] for name in modes.keys() - {"Low Water", "Bell Buoy"}} == {"preview"}

    gone = title.inner_text()
    player.get_by_role("button", name="Not for me").click()
    expect(title).not_to_have_text(gone)
    page.goto("/account/taste")
    expect(page.get_by_role("region", name="Not for you")).to_be_visible()
    context.close()
