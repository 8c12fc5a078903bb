"""A film with several sounds, subtitles and chapters: one chooses in the player, and it remembers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.catalog.models import Release
from app.core.db import db
from app.core.money import Money
from app.media.models import JobState, TranscodeJob
from app.studio import importer
from tests.browser.shop import RESULTS, Shop, buy, sign_up
from tests.media_samples import make_many_tracks


@pytest.fixture
def film(live_shop: Shop, tmp_path: Path) -> str:
    """The page of a film with English and Chinese sound, a commentary, two subtitles and two chapters."""
    make_many_tracks(tmp_path / "Two Harbours.mkv", seconds=6)
    with live_shop.app.app_context():
        report = importer.import_paths(
            [tmp_path / "Two Harbours.mkv"],
            price=Money(790, "EUR"),
            track_price=None,
            publish=True,
            on_progress=lambda *_: None,
        )
        assert not report.refused
        while db.session.query(TranscodeJob).filter(TranscodeJob.state != JobState.DONE).count():
            db.session.remove()
            time.sleep(0.5)
        [found] = db.session.query(Release).filter(Release.title == "Two Harbours")
        address = f"{live_shop.base_url}/releases/{found.id}"
        db.session.remove()
    return address


def test_sound_subtitles_and_chapters_are_chosen_in_the_player(live_shop: Shop, film: str, page: Page) -> None:
    sign_up(page, live_shop)
    buy(page, film)
    page.goto(film)
    page.get_by_role("button", name="Play the film").click()
    player = page.locator("#player")
    sound, subtitles = player.get_by_label("Sound", exact=True), player.get_by_label("Subtitles")
    chapter = player.get_by_label("Chapter")
    expect(sound.locator("option")).to_have_text(["English", "中文", "导演评论"])
    expect(chapter.locator("option")).to_have_text(["Opening", "第二章"])
    expect(subtitles.locator("option")).to_have_count(3)
    expect(subtitles.locator("option").first).to_have_text("Off")

    page.evaluate("document.querySelector('video.film').pause()")
    sound.select_option("中文")
    subtitles.select_option(index=2)
    page.wait_for_function(
        "() => [...document.querySelector('video.film').textTracks].some((t) => t.mode === 'showing' && t.cues?.length)"
    )
    shown = page.evaluate(
        "[...document.querySelector('video.film').textTracks].filter((t) => t.mode === 'showing')"
        ".map((t) => t.language)"
    )
    assert shown == ["zh"]
    chapter.select_option("第二章")
    page.wait_for_function("() => Math.abs(document.querySelector('video.film').currentTime - 1.5) < 0.2")
    page.screenshot(path=RESULTS / "film-choices.png")
    page.set_viewport_size({"width": 360, "height": 740})
    page.screenshot(path=RESULTS / "film-choices-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.reload()
    page.get_by_role("button", name="Play the film").click()
    expect(sound.locator("option:checked")).to_have_text("中文")
    expect(subtitles).not_to_have_value("-1")
    subtitles.select_option("Off")
    page.wait_for_function(
        "() => [...document.querySelector('video.film').textTracks].every((track) => track.mode !== 'showing')"
    )
