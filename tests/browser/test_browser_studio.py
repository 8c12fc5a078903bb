"""An editor in a browser: send a master, watch it being made, name and price it, publish it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from app.accounts import service as accounts
from app.accounts.models import Role
from app.core.db import transaction
from tests.browser.shop import PASSWORD, Shop
from tests.media_samples import make_audio, truncate

SLOW = 90_000  # a transcode on a busy machine


def sign_in_as_editor(page: Page, shop: Shop) -> None:
    with shop.app.app_context(), transaction():
        accounts.ensure_account("studio@example.org", PASSWORD, "Edda", role=Role.MANAGER)
    page.goto("/sign-in?next=/studio")
    page.get_by_label("E-mail").fill("studio@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("#main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Studio")).to_be_visible(timeout=20_000)


def test_an_editor_sends_a_master_and_publishes_it(page: Page, live_shop: Shop, tmp_path: Path) -> None:
    sign_in_as_editor(page, live_shop)
    # By a link, so that the page arrives as a swap of its main part and not as a load.
    page.locator("#main").get_by_role("link", name="Upload masters").first.click()
    expect(page.get_by_role("heading", name="Upload masters")).to_be_visible()
    good = make_audio(tmp_path / "Slow Tram 慢车.wav", seconds=3, frequency=260)
    cut = truncate(make_audio(tmp_path / "Cut Short.flac", seconds=3), 0.5)
    page.get_by_label("Choose masters, or drop them here").set_input_files([good, cut])

    refused = page.locator(".upload", has_text="Cut Short.flac")
    expect(refused.get_by_text("Refused")).to_be_visible(timeout=SLOW)
    expect(refused).to_contain_text("truncated")
    sent = page.locator(".upload", has_text="Slow Tram 慢车.wav")
    expect(sent.get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW)
    expect(page.locator("#upload-said")).to_contain_text(".")  # what state it came to was said aloud

    sent.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Slow Tram 慢车", level=1)).to_be_visible()
    page.get_by_label("Title", exact=True).fill("Slow Tram")
    page.get_by_label("Chinese title", exact=True).fill("慢车")
    page.get_by_label("Artist", exact=True).fill("Edda Quill")
    page.get_by_label("Price", exact=True).fill("1.50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("It is in the shop.")).to_be_visible()
    page.get_by_role("link", name="See it in the shop").click()
    expect(page.get_by_role("heading", name="Slow Tram", level=1)).to_be_visible()
    expect(page.get_by_text("Edda Quill").first).to_be_visible()
