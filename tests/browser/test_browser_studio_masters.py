"""Masters in the studio: listened to, tried again, replaced under a listener's ears without a mixture."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import APIRequestContext, Page, expect
from sqlalchemy import select

from app.catalog.models import Release
from app.core.db import db, transaction
from app.core.money import Money
from app.media import queries as media
from app.media import service as media_service
from app.media.models import JobState, TranscodeJob
from app.studio import importer
from media_store import keys
from tests.browser.shop import Shop, buy, sign_up
from tests.browser.test_browser_main_path import plays_on
from tests.browser.test_browser_studio import SLOW, sign_in_as_editor
from tests.media_samples import make_audio
from transcoder.contract import TagSet

FOLDER = re.compile(r"/streams/([0-9a-f]{64})/")
LENGTH = re.compile(r"#EXTINF:([\d.]+)")


def test_an_editor_listens_to_a_track_and_goes_on_working(page: Page, live_shop: Shop) -> None:
    sign_in_as_editor(page, live_shop)
    page.goto(f"/studio/releases/{live_shop.releases['Harbour Lights']}")
    masters = page.get_by_role("region", name="Masters")
    listen = masters.get_by_role("button", name="Listen to Low Water")
    listen.click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    expect(listen).to_have_attribute("aria-pressed", "true")
    plays_on(page)
    page.get_by_label("Title, row 1", exact=True).focus()
    page.keyboard.type(" m ")  # the player's keys are letters here
    assert not page.evaluate("document.querySelector('.player__audio').muted")
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.keyboard.press("Escape")
    page.locator("#player").get_by_role("button", name="Next track").click()
    expect(masters.get_by_role("button", name="Listen to Bell Buoy")).to_have_attribute("aria-pressed", "true")
    plays_on(page)


def test_a_film_is_watched_in_the_studio(page: Page, live_shop: Shop) -> None:
    sign_in_as_editor(page, live_shop)
    page.goto(f"/studio/releases/{live_shop.releases['Night Ferry']}")
    expect(page.locator("video.film")).to_be_hidden()
    page.get_by_role("button", name="Watch Night Ferry").click()
    expect(page.locator("video.film")).to_be_visible()
    plays_on(page, "video.film")
    assert page.evaluate("document.querySelector('video.film').videoWidth") > 0


@pytest.fixture
def broken(live_shop: Shop, tmp_path: Path) -> Release:
    """A release of one track whose transcoding failed."""
    tags = TagSet(title="Shoal", artist="Mara Voss", album="Shoal", track=1)
    make_audio(tmp_path / "in" / "shoal.flac", 2, frequency=517, tags=tags)
    with live_shop.app.app_context():
        importer.import_paths([tmp_path / "in"], price=Money(990, "EUR"), publish=False, on_progress=lambda *_: None)
        found = db.session.scalars(select(Release).where(Release.title == "Shoal")).one()
        job = media.job_of(found.tracks[0].id)
        assert job is not None
        job_id = job.id
    _until(live_shop, found.tracks[0].id, JobState.DONE)
    with live_shop.app.app_context(), transaction():
        # A worker's report as of a master that it could not make anything of.
        db.session.get_one(TranscodeJob, job_id).state = JobState.RUNNING
        db.session.flush()
        attempt = db.session.get_one(TranscodeJob, job_id).attempt
        assert not media_service.fail(job_id, attempt, "Output #0 has no packets", kind="encode")
    return found


def test_a_failure_says_why_and_is_tried_again_where_it_stands(page: Page, live_shop: Shop, broken: Release) -> None:
    sign_in_as_editor(page, live_shop)
    page.goto(f"/studio/releases/{broken.id}")
    page.get_by_role("link", name="See why").click()
    masters = page.get_by_role("region", name="Masters")
    expect(masters).to_contain_text("The encoder could not work with this master.")
    masters.get_by_text("Details").click()
    expect(masters.get_by_text("Output #0 has no packets")).to_be_visible()
    page.get_by_label("Title, row 1", exact=True).fill("Shoals")
    masters.get_by_role("button", name="Try again: Shoal").click()
    expect(masters).not_to_contain_text("The encoder could not")
    expect(masters.get_by_role("link", name="Replace the master: Shoal")).to_be_focused()
    expect(page.get_by_label("Title, row 1", exact=True)).to_have_value("Shoals")  # the page was not loaded anew
    expect(masters.get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Every track can be heard.")).to_be_visible(timeout=SLOW)


@dataclass(frozen=True)
class Heard:
    """One play as the shop answered it: which stream, how long it says it is, how long each rung really is."""

    stream: str
    says_ms: int
    lengths: tuple[float, ...]


def play(request: APIRequestContext, track_id: str, token: str) -> tuple[Heard, list[str]]:
    """Begin a play and read all of its playlists; also return the addresses of every segment."""
    answer = request.post(f"/play/{track_id}", headers={"X-CSRFToken": token})
    assert answer.ok
    said = answer.json()
    top = said["playlist"]
    text = request.get(top).text()
    rungs = [urljoin(top, line) for line in text.splitlines() if line.endswith("index.m3u8")]
    lengths, segments = set(), []
    for rung in rungs:
        playlist = request.get(rung)
        assert playlist.ok
        lengths.add(round(sum(map(float, LENGTH.findall(playlist.text()))), 1))
        segments += [urljoin(rung, line) for line in playlist.text().splitlines() if line and not line.startswith("#")]
    folders = {found[1] for found in map(FOLDER.search, [top, *rungs, *segments]) if found}
    assert len(folders) == 1
    return Heard(folders.pop(), said["duration_ms"], tuple(lengths)), segments


def test_a_bought_track_gets_a_new_master_and_nobody_hears_a_mixture(
    page: Page, live_shop: Shop, tmp_path: Path
) -> None:
    tags = TagSet(title="Undertow", artist="Mara Voss", album="Undertow", track=1)
    make_audio(tmp_path / "in" / "1.flac", 12, frequency=301, tags=tags)
    with live_shop.app.app_context():
        importer.import_paths([tmp_path / "in"], price=Money(990, "EUR"), publish=True, on_progress=lambda *_: None)
        release = db.session.scalars(select(Release).where(Release.title == "Undertow")).one()
        release_id, track_id = release.id, release.tracks[0].id
    _until(live_shop, track_id, JobState.DONE)

    # The buyer listens …
    sign_up(page, live_shop)
    buy(page, f"/releases/{release_id}")
    page.goto(f"/releases/{release_id}")
    page.get_by_role("button", name="Play Undertow").click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")
    page.locator("#player").get_by_role("button", name="Pause").click()  # or it would be over before the new one came
    token = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    old, old_segments = play(page.request, track_id, token)
    assert (old.says_ms, old.lengths) == (12_000, (12.0,))

    # … while an editor sends a better master.
    assert page.context.browser
    desk = page.context.browser.new_context(base_url=live_shop.base_url, locale="en-GB")
    studio = desk.new_page()
    sign_in_as_editor(studio, live_shop)
    studio.goto(f"/studio/releases/{release_id}")
    studio.get_by_role("link", name="Replace the master: Undertow").click()
    expect(studio.get_by_role("heading", name="A new master of “Undertow”")).to_be_visible()
    better = make_audio(tmp_path / "Undertow, remastered.wav", 18, rate=48000, frequency=302)
    studio.get_by_label("Choose the new master, or drop it here").set_input_files([better])

    heard = {old}
    row = studio.locator(".upload", has_text=better.name)
    for _moment in range(900):
        heard.add(play(page.request, track_id, token)[0])
        if len(heard) > 1:
            break
        studio.wait_for_timeout(100)
    new, segments = play(page.request, track_id, token)
    heard.add(new)
    assert heard == {old, new}  # one whole, then the other whole
    assert (new.says_ms, new.lengths) == (18_000, (18.0,))
    for address in [*segments, *old_segments, *_keys(segments), *_keys(old_segments)]:
        assert page.request.get(address).ok, address  # nothing of the new is missing, and the old plays to its end
    expect(row.get_by_text("Ready", exact=True)).to_be_visible(timeout=SLOW)
    desk.close()

    page.get_by_label("Position in the track").fill("9")
    page.locator("#player").get_by_role("button", name="Play", exact=True).click()
    plays_on(page)  # still the old one, which this play began with
    page.goto(f"/releases/{release_id}")
    page.get_by_role("button", name="Play Undertow").click()
    plays_on(page)
    expect(page.locator('#player [data-time="all"]')).to_have_text("0:18")
    assert _streams_asked_for(page) == {new.stream}
    with live_shop.app.app_context():
        stream = media.stream_of(track_id)
        assert stream is not None
        assert stream.key == keys.stream_prefix(new.stream)
        assert {made.master_id for made in media.downloads_of(track_id).values()} == {stream.master_id}


def _keys(segments: list[str]) -> set[str]:
    return {urljoin(segment, "../key/0.key") for segment in segments}


def _streams_asked_for(page: Page) -> set[str]:
    names = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    return {found[1] for found in map(FOLDER.search, names) if found}


def _until(live_shop: Shop, track_id: str, state: JobState) -> None:
    """Wait until the real worker has brought the track's job to that state."""
    for _moment in range(900):
        with live_shop.app.app_context():
            job = media.job_of(track_id)
            if job is not None and job.state == state:
                return
        time.sleep(0.1)
    raise AssertionError(f"the job of {track_id} did not come to {state}")
