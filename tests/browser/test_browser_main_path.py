"""The shop's main job in a browser: hear a preview, buy, stream, download, and lose it with a refund."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from app.accounts import service as accounts
from app.accounts.models import Role
from app.core.db import transaction
from tests.browser.shop import PASSWORD, Shop, buy, sign_up

MOVED_ON = "([selector, from]) => document.querySelector(selector).currentTime > from + 1"


def plays_on(page: Page, selector: str = ".player__audio") -> None:
    """The element's clock runs: it decodes what it gets."""
    now = page.evaluate("selector => document.querySelector(selector).currentTime", selector)
    page.wait_for_function(MOVED_ON, arg=[selector, now])


def test_a_newcomer_signs_up_buys_streams_and_downloads(page: Page, live_shop: Shop, tmp_path: Path) -> None:
    sign_up(page, live_shop)
    page.goto(live_shop.album)
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    expect(page.locator(".site-nav__cart .count")).to_have_text("1")
    page.get_by_role("button", name="Pay").click()
    page.locator("#pay").click()

    # The payment page sends the browser back before the webhook arrives.
    expect(page.get_by_role("heading", name="Confirming your payment")).to_be_visible()
    expect(page.get_by_role("heading", name="It’s yours")).to_be_visible()

    page.goto(live_shop.album)
    expect(page.get_by_text("In your library").first).to_be_visible()
    keys: list[int] = []
    page.on("response", lambda answer: keys.append(answer.status) if answer.url.endswith("/key/0.key") else None)
    page.get_by_role("button", name="Play all").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    plays_on(page)
    assert keys
    assert set(keys) == {200}

    page.get_by_role("link", name="Download", exact=True).first.click()
    with page.expect_download() as started:
        page.locator('#main a[href^="/downloads/"][href$="/flac"]').first.click()
    assert started.value.suggested_filename.endswith(".flac")
    file = tmp_path / "track.flac"
    started.value.save_as(file)
    assert file.read_bytes()[:4] == b"fLaC"


def test_a_refund_silences_the_stream(page: Page, live_shop: Shop) -> None:
    sign_up(page, live_shop)
    buy(page, live_shop.album)
    order_url = page.url
    page.goto(live_shop.album)
    page.get_by_role("button", name="Play Low Water").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    key = page.evaluate("performance.getEntriesByType('resource').map(e => e.name).find(n => n.endsWith('/key/0.key'))")
    assert page.request.get(key).status == 200

    assert page.context.browser
    with live_shop.app.app_context(), transaction():
        accounts.ensure_account("refunds@example.org", PASSWORD, "Rae", role=Role.ADMIN)
    desk = page.context.browser.new_context(base_url=live_shop.base_url, locale="en-GB")
    till = desk.new_page()
    till.goto("/sign-in")
    till.get_by_label("E-mail").fill("refunds@example.org")
    till.get_by_label("Password", exact=True).fill(PASSWORD)
    till.locator("#main").get_by_role("button", name="Sign in").click()
    till.wait_for_url("**/")
    till.goto(order_url)
    till.get_by_role("link", name="All about this order").click()
    till.get_by_label("Why").fill("It skips.")
    till.get_by_role("button", name="Give it back").click()
    expect(till.get_by_text("is on its way back")).to_be_visible()
    desk.close()

    assert page.request.get(key).status == 403
    page.get_by_role("button", name="Play Bell Buoy").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "error")
    expect(page.locator(".player__message")).to_contain_text("You do not own this track any more")


def test_a_film_plays_in_its_page(page: Page, live_shop: Shop) -> None:
    sign_up(page, live_shop)
    buy(page, live_shop.film)
    page.goto(live_shop.film)
    page.get_by_role("button", name="Play the film").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    plays_on(page, "video.film")
    assert page.evaluate("document.querySelector('video.film').videoWidth") > 0
    page.get_by_role("link", name="Wavecrate").first.click()
    expect(page.locator("#player")).to_be_hidden()


def test_music_plays_on_while_one_browses_and_resumes_where_it_was_left(page: Page, live_shop: Shop) -> None:
    sign_up(page, live_shop)
    buy(page, live_shop.album)
    page.goto(live_shop.album)
    page.get_by_role("button", name="Play Low Water").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.get_by_role("link", name="Music").first.click()
    expect(page.get_by_role("heading", name="Music", level=1)).to_be_focused()
    plays_on(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Harbour Lights")).to_be_visible()
    plays_on(page)
    page.go_forward()
    expect(page.get_by_role("heading", name="Music", level=1)).to_be_visible()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")

    page.get_by_label("Position in the track").fill("8")
    with page.expect_response(lambda answer: "/progress" in answer.url and answer.ok):
        page.locator("#player").get_by_role("button", name="Pause").click()
    page.goto(live_shop.album)
    page.get_by_role("button", name="Play Low Water").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    assert page.evaluate("document.querySelector('.player__audio').currentTime") >= 7.5


def test_previews_play_for_anybody_one_at_a_time(page: Page, live_shop: Shop) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/play/" in request.url else None)
    page.goto(live_shop.album)
    first, second = (
        page.get_by_role("button", name="Preview Low Water"),
        page.get_by_role("button", name="Preview Bell Buoy"),
    )
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    expect(page.locator("#player")).to_contain_text("Preview")
    plays_on(page)
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(first).to_have_attribute("aria-pressed", "false")
    second.click()
    expect(page.locator("#player")).to_have_attribute("data-state", "paused")
    assert not asked


@pytest.mark.parametrize("path", ["masters", "downloads", "archives"])
def test_a_media_path_opens_nothing_else(page: Page, live_shop: Shop, path: str) -> None:
    sign_up(page, live_shop)
    buy(page, live_shop.release_url("Copper"))
    page.goto(live_shop.release_url("Copper"))
    with page.expect_response("**/play/*") as answer:
        page.get_by_role("button", name="Play Copper").click()
    playlist = answer.value.json()["playlist"]
    token = "/".join(playlist.split("/")[:3])
    sha = playlist.split("/")[4]
    for address in (
        f"{token}/{path}/{sha}",
        f"{token}/streams/{sha}/..%2f..%2f{path}/{sha}",
        f"{token}/streams/{'0' * 64}/multivariant.m3u8",
    ):
        assert page.request.get(address).status in (403, 404)
