"""Editors put releases forward, see why, and read what trials found out: on every screen, and felt by a guest."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert, select

from app.catalog.models import Release
from app.core import clock
from app.core.db import db, transaction
from app.shelves import experiments, standing
from app.shelves.experiments import Metric, TrialWish, Variant
from app.shelves.models import Exposure, Trial
from app.shelves.shelf import Because, Pick, Shelf, ShelfName, Source, Tie
from app.shelves.ways import Question
from tests.browser.shop import RESULTS, Shop, faults, sign_in_staff


@pytest.fixture(scope="module")
def trial(live_shop: Shop) -> str:
    """The address of a trial under way, of which there is something to tell; and a release's standing was counted."""
    with live_shop.app.app_context():
        copper, lights = (db.session.get(Release, live_shop.releases[one]) for one in ("Copper", "Harbour Lights"))
        assert copper is not None
        assert lights is not None
        with transaction():
            made = experiments.create(
                TrialWish(
                    "popular-first",
                    "People follow more cards of “For you” than of what is popular, because it knows their taste.",
                    Question.FIRST,
                    [Variant("for-you", 50), Variant("popular", 50)],
                    Metric.CLICKS,
                    28,
                )
            )
            experiments.start(made)
        crowd(made, copper)
        shelf = Shelf(ShelfName.FOR_YOU, (Pick(copper, 1.0, Source.MODEL, (Because(lights, Tie.OWN),)),))
        lot = iter([[shelf]] * 31)
        drawn, standing.drawn = standing.drawn, lambda: [str(number) for number in range(40)]
        try:
            with transaction():
                standing.take(lambda _account_id: next(lot, []))
        finally:
            standing.drawn = drawn
        address = f"/admin/shelves/trials/{made.id}"
        db.session.remove()
    return address


def crowd(made: Trial, release: Release) -> None:
    rng = np.random.default_rng(3)
    found = []
    for number in range(1200):
        way = experiments.variant_of(made, unit := f"unit {number}")
        row = {"shelf": way, "release_id": release.id, "unit": unit, "at": clock.now(), "trial_id": made.id}
        row["variant"] = way
        found.append(row | {"what": "shown"})
        found += [row | {"what": "followed"}] * int(rng.poisson(0.6 if way == "for-you" else 0.4))
    db.session.execute(insert(Exposure), found)
    db.session.commit()


def pin(page: Page, shop: Shop, title: str, shelf: str, place: str) -> None:
    page.goto("/admin/shelves")
    page.get_by_label("Address of the release’s page").fill(shop.base_url + shop.release_url(title))
    page.keyboard.press("Enter")
    form = page.get_by_role("form", name="Pin it")
    form.get_by_label("Shelf").select_option(label=shelf)
    form.get_by_label("Place").select_option(place)
    form.get_by_role("button", name="Pin", exact=True).press("Enter")


def test_what_editors_pin_a_guest_sees_and_follows(browser: Browser, live_shop: Shop) -> None:
    staff = sign_in_staff(browser, live_shop)
    page = staff.pages[0]
    pin(page, live_shop, "Copper", "Popular now", "1")
    expect(page.get_by_text("Pinned.")).to_be_visible()
    pin(page, live_shop, "Copper", "Popular now", "1")
    expect(page.get_by_text("It is pinned there in those days already.")).to_be_visible()
    guest = browser.new_context(base_url=live_shop.base_url).new_page()
    guest.goto("/search?q=zzzz")
    card = guest.locator("section.shelf li").first
    expect(card).to_contain_text("Our editors put it here")
    card.locator(".sleeve__link").click()
    guest.wait_for_url("**/releases/*?from=popular")
    expect(guest.get_by_role("heading", name="Copper", level=1)).to_be_visible()
    with live_shop.app.app_context():
        of_copper = Exposure.release_id == live_shop.releases["Copper"]
        kept = select(Exposure.what, Exposure.source, Exposure.unit).where(of_copper, Exposure.shelf == "popular")
        told = [tuple(row) for row in db.session.execute(kept.where(Exposure.trial_id.is_(None)).order_by(Exposure.id))]
        db.session.remove()
    assert ("shown", "editor", None) in told
    assert told[-1] == ("followed", None, None)
    page.goto("/admin/shelves")
    page.get_by_role("button", name="Take off: Copper, Popular now").press("Enter")
    expect(page.get_by_text("The pin is off.")).to_be_visible()
    guest.goto("/search?q=zzzz")
    expect(guest.get_by_text("Our editors put it here")).to_have_count(0)
    guest.context.close()
    staff.close()


def test_the_pages_on_every_screen(browser: Browser, live_shop: Shop, trial: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    pages = {
        "index": "/admin/shelves",
        "release": f"/admin/shelves/releases/{live_shop.releases['Copper']}",
        "trials": "/admin/shelves/trials",
        "new-trial": "/admin/shelves/trials/new",
        "trial": trial,
    }
    found = {}
    for theme, width in (("light", 1280), ("dark", 360)):
        context = sign_in_staff(
            browser, live_shop, color_scheme=theme, viewport={"width": width, "height": 860}, bypass_csp=True
        )
        page = context.pages[0]
        if theme == "light":
            pin(page, live_shop, "Copper", "For you", "2")
            expect(page.get_by_text("Pinned.")).to_be_visible()
            form = page.get_by_role("form", name="Boost it")
            form.get_by_role("button", name="Boost", exact=True).press("Enter")
            expect(page.get_by_text("Boosted.")).to_be_visible()
        for name, address in pages.items():
            page.goto(address)
            if name == "new-trial":
                page.locator("#main").get_by_role("button", name="Write it down").click()
                expect(page.get_by_role("alert")).to_be_visible()
            if wrong := faults(page):
                found[f"{name}-{theme}"] = wrong
            page.screenshot(path=RESULTS / f"shelf-editors-{name}-{theme}-{width}.png", full_page=True)
        context.close()
    assert not found
