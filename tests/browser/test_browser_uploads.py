"""Masters in parts from a real browser to a real store: pauses, closed tabs, no network, dead servers, bad bytes."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, Request, Route, expect
from support.ground import Engines

from tests.browser.shop import Shop
from tests.browser.test_browser_studio import SLOW, sign_in_as_editor
from tests.media_samples import make_audio

MIB = 1024**2
PART = re.compile(r"partNumber=(\d+)")
CHOOSE = "Choose masters, or drop them here"


def noise(path: Path, mebibytes: float, seed: int) -> Path:
    """Bytes that are no media: the shop refuses them once it has them all, so nothing is transcoded."""
    path.write_bytes(random.Random(seed).randbytes(int(mebibytes * MIB)))
    return path


def row(page: Page, name: str) -> Locator:
    return page.locator(".upload", has_text=name)


def refused(page: Page, name: str) -> None:
    """It arrived whole, was compared part by part, and is no media."""
    expect(row(page, name).get_by_text("Refused", exact=True)).to_be_visible(timeout=SLOW)
    expect(row(page, name)).not_to_contain_text("damaged")


class Parts:
    """Which parts a page sends; one of them can be held on its way."""

    def __init__(self, page: Page) -> None:
        self.sent: list[int] = []
        self.page = page
        self.held: list[Route] = []
        page.on("requestfinished", self._note)

    def _note(self, request: Request) -> None:
        found = PART.search(request.url)
        if found and request.method == "PUT":
            self.sent.append(int(found[1]))

    def hold(self, number: int) -> None:
        self.page.route(re.compile(rf"partNumber={number}\b"), lambda route: self.held.append(route))

    def wait_until_held(self) -> None:
        for _moment in range(600):
            if self.held:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("the part was never sent")

    def let_go(self) -> None:
        held, self.held = self.held, []
        for route in held:
            with suppress(Error):  # the page gave it up meanwhile
                route.continue_()
        self.page.unroute_all()


@pytest.fixture
def studio(page: Page, live_shop: Shop) -> Page:
    """The upload page, open."""
    sign_in_as_editor(page, live_shop)
    page.goto("/studio/upload")
    return page


@pytest.fixture
def parts(studio: Page) -> Parts:
    return Parts(studio)


def test_a_master_in_parts_becomes_a_release(studio: Page, parts: Parts, tmp_path: Path) -> None:
    song = make_audio(tmp_path / "Long Way 远路.wav", seconds=65, rate=44100)
    assert song.stat().st_size > 10 * MIB
    studio.get_by_label(CHOOSE).set_input_files([song])
    expect(row(studio, song.name).get_by_text("Ready", exact=True)).to_be_visible(timeout=2 * SLOW)
    assert parts.sent == [1, 2, 3]
    row(studio, song.name).get_by_role("link").click()
    expect(studio.get_by_role("heading", name="Long Way 远路", level=1)).to_be_visible()


def test_two_at_once_and_one_of_them_waits_for_its_person(studio: Page, parts: Parts, tmp_path: Path) -> None:
    first, second = noise(tmp_path / "first.wav", 21, 1), noise(tmp_path / "second.wav", 11, 2)
    parts.hold(4)  # only the first has so many
    studio.get_by_label(CHOOSE).set_input_files([first, second])
    refused(studio, second.name)
    parts.wait_until_held()
    shown = row(studio, first.name)
    expect(shown.get_by_text("Sending", exact=True)).to_be_visible()
    expect(shown).to_contain_text("of 22 MB")
    shown.get_by_role("button", name="Pause: first.wav").click()
    expect(shown.get_by_text("Paused", exact=True)).to_be_visible()
    expect(shown.get_by_role("button", name="Go on: first.wav")).to_be_focused()
    parts.let_go()
    studio.wait_for_timeout(500)
    before = list(parts.sent)
    shown.get_by_role("button", name="Go on: first.wav").click()
    refused(studio, first.name)
    assert not {1, 2, 3} & set(parts.sent[len(before) :])  # what was there was not sent again


def test_a_closed_tab_is_gone_on_with_by_choosing_the_file_again(
    studio: Page, parts: Parts, context: BrowserContext, tmp_path: Path
) -> None:
    path = noise(tmp_path / "night train.wav", 21, 3)
    parts.hold(3)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    asked: list[str] = []
    studio.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    studio.close(run_before_unload=True)
    studio.wait_for_event("close")
    assert asked == ["beforeunload"]  # leaving warns

    later = context.new_page()
    later.goto("/studio")
    later.get_by_role("link", name="Go on with it").click()
    waiting = row(later, path.name)
    expect(waiting).to_contain_text("Choose the file again")
    expect(waiting).to_contain_text("10.5 MB of 22.0 MB")
    again = Parts(later)
    with later.expect_file_chooser() as chosen:
        waiting.get_by_role("button", name="Choose the file: night train.wav").click()
    chosen.value.set_files([path])
    refused(later, path.name)
    assert again.sent in ([3, 4, 5], [4, 5])  # Chromium may let go of what is held on its way as the tab closes
    expect(row(later, path.name)).to_have_count(1)


def test_another_file_under_the_same_name_is_sent_whole(
    studio: Page, parts: Parts, context: BrowserContext, tmp_path: Path
) -> None:
    path = noise(tmp_path / "twin.wav", 11, 4)
    parts.hold(2)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    stamp = path.stat().st_mtime_ns
    studio.goto("about:blank")

    body = bytearray(path.read_bytes())
    body[2 * MIB] ^= 1  # as long, as old, and it begins alike
    path.write_bytes(body)
    os.utime(path, ns=(stamp, stamp))
    later = context.new_page()
    later.goto("/studio/upload")
    again = Parts(later)
    later.get_by_label(CHOOSE).set_input_files([path])
    refused(later, path.name)
    assert again.sent == [1, 2, 3]


def test_only_the_file_that_was_meant_goes_on_replacing_a_master(
    studio: Page, parts: Parts, live_shop: Shop, context: BrowserContext, tmp_path: Path
) -> None:
    path = noise(tmp_path / "01.wav", 11, 10)
    studio.goto(f"/studio/releases/{live_shop.releases['Harbour Lights']}")
    studio.goto(studio.get_by_role("link", name="Replace the master: Low Water").get_attribute("href") or "")
    parts.hold(2)
    studio.get_by_label("Choose the new master, or drop it here").set_input_files([path])
    parts.wait_until_held()
    studio.goto("about:blank")

    later = context.new_page()
    later.goto("/studio/upload")
    waiting = later.locator(".upload", has_text="Choose the file again")
    expect(waiting).to_contain_text("A new master of “Low Water”")
    (tmp_path / "other").mkdir()
    later.get_by_label(CHOOSE).set_input_files([noise(tmp_path / "other" / path.name, 11, 11)])  # as long, another song
    expect(row(later, path.name).get_by_text("Refused", exact=True)).to_have_count(1, timeout=SLOW)
    expect(waiting).to_contain_text("A new master of “Low Water”")
    expect(row(later, path.name)).to_have_count(2)
    again = Parts(later)
    later.get_by_label(CHOOSE).set_input_files([path])
    expect(row(later, path.name).get_by_text("A new master of “Low Water”")).to_have_count(1)
    expect(row(later, path.name).get_by_text("Refused", exact=True)).to_have_count(2, timeout=SLOW)
    assert again.sent == [2, 3]


def test_without_a_network_it_waits_and_goes_on_by_itself(
    studio: Page, parts: Parts, context: BrowserContext, tmp_path: Path
) -> None:
    path = noise(tmp_path / "tunnel.wav", 16, 5)
    parts.hold(2)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    context.set_offline(True)
    for route in parts.held:
        route.abort("internetdisconnected")
    parts.held.clear()
    expect(row(studio, path.name)).to_contain_text("No connection. It goes on by itself.")
    studio.unroute_all()
    context.set_offline(False)
    refused(studio, path.name)
    assert sorted(parts.sent) == [1, 2, 3, 4]


def test_servers_may_die_on_the_way(
    studio: Page, parts: Parts, live_shop: Shop, engines: Engines, tmp_path: Path
) -> None:
    path = noise(tmp_path / "stubborn.wav", 16, 6)
    parts.hold(2)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    live_shop.restart_web()
    engines.s3.stop()
    parts.let_go()
    expect(row(studio, path.name)).to_contain_text("No connection. It goes on by itself.")
    engines.s3.start()
    refused(studio, path.name)
    assert sorted(set(parts.sent)) == [1, 2, 3, 4]
    assert parts.sent.count(1) == 1


def test_a_part_damaged_on_the_way_is_named_and_sent_again(studio: Page, parts: Parts, tmp_path: Path) -> None:
    path = noise(tmp_path / "crackle.wav", 11, 7)
    damaged: list[Route] = []

    def damage(route: Route) -> None:
        if damaged:
            route.continue_()
            return
        damaged.append(route)
        body = path.read_bytes()[5 * MIB : 10 * MIB]
        route.continue_(post_data=body[:-1] + bytes([body[-1] ^ 1]))

    studio.route(re.compile(r"partNumber=2\b"), damage)
    said: list[str] = []
    studio.expose_function("heard", lambda text: said.append(text))
    studio.evaluate(
        "() => new MutationObserver(() => heard(document.getElementById('upload-said').textContent))"
        ".observe(document.getElementById('upload-said'), {childList: true})"
    )
    studio.get_by_label(CHOOSE).set_input_files([path])
    refused(studio, path.name)
    assert damaged
    assert any("Part 2 was damaged on the way and is sent again." in text for text in said)
    assert parts.sent.count(1) == 1


def test_cancelling_takes_it_back(studio: Page, parts: Parts, tmp_path: Path) -> None:
    path = noise(tmp_path / "never mind.wav", 11, 8)
    parts.hold(2)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    row(studio, path.name).get_by_role("button", name="Cancel: never mind.wav").click()
    expect(row(studio, path.name)).to_contain_text("Cancelled")
    studio.wait_for_load_state("networkidle")
    studio.goto("/studio/upload")
    expect(row(studio, path.name)).to_have_count(0)


def test_it_goes_on_while_other_pages_are_read(studio: Page, parts: Parts, tmp_path: Path) -> None:
    path = noise(tmp_path / "patient.wav", 11, 9)
    parts.hold(2)
    studio.get_by_label(CHOOSE).set_input_files([path])
    parts.wait_until_held()
    studio.locator("#main").get_by_role("link", name="Studio").click()
    expect(studio.get_by_role("heading", name="Studio", level=1)).to_be_visible()
    studio.locator("#main").get_by_role("link", name="Upload masters").first.click()
    expect(row(studio, path.name)).to_have_count(1)
    expect(row(studio, path.name).get_by_role("button", name="Pause: patient.wav")).to_be_visible()
    parts.let_go()
    refused(studio, path.name)


def test_what_is_not_taken_is_said_at_once(studio: Page, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear shop")
    (tmp_path / "empty.wav").touch()
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(50 * 1024**3 + 1)  # sparse: it takes no room
    studio.get_by_label(CHOOSE).set_input_files([tmp_path / "letter.txt", tmp_path / "empty.wav", large])
    expect(row(studio, "letter.txt")).to_contain_text("The shop takes WAV")
    expect(row(studio, "empty.wav")).to_contain_text("The file is empty.")
    expect(row(studio, "large.wav")).to_contain_text("larger than 50 GB")


@pytest.fixture(autouse=True)
def _no_rest(live_shop: Shop) -> Iterator[None]:
    """No transfer of one test is shown to the next."""
    yield
    from app.core.db import db
    from app.studio.models import Upload, UploadPart

    with live_shop.app.app_context():
        db.session.query(UploadPart).delete()
        db.session.query(Upload).delete()
        db.session.commit()
        db.session.remove()
