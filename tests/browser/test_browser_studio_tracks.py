"""The track list of a release as a sheet: walked, pasted into, filled, undone, put in order, saved; also by a phone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app.catalog import service as catalog
from app.catalog.models import Release
from app.core.db import db, transaction
from tests.browser.shop import RESULTS, Shop, faults
from tests.browser.test_browser_studio import sign_in_as_editor

TITLES = ("Ebb", "Fathom", "Gale", "Haze")
AT = """([title, row]) => document.querySelectorAll('.sheet [data-column="title"] input')[row].value === title"""
_numbers = itertools.count(1)


@pytest.fixture
def release(live_shop: Shop) -> str:
    """A draft of four tracks, two discs of two; its id. There are no masters: this is about words."""
    with live_shop.app.app_context(), transaction():
        made = catalog.create_release(
            title=f"Soundings {next(_numbers)}", artist=catalog.ensure_artist("Mara Voss", "玛拉·沃斯")
        )
        for number, title in enumerate(TITLES):
            catalog.add_track(made, title=title, disc=1 + number // 2, position=1 + number % 2, duration_ms=61_000)
        return made.id


@pytest.fixture
def saved(live_shop: Shop, release: str) -> Callable[[], list[tuple[object, ...]]]:
    """What the database says of the tracks, in their order."""

    def read() -> list[tuple[object, ...]]:
        with live_shop.app.app_context():
            found = db.session.get_one(Release, release)
            return [
                (t.disc, t.position, t.title, t.title_zh, t.artist.name if t.artist else None, t.isrc)
                for t in found.tracks
            ]

    return read


@pytest.fixture
def sheet(page: Page, live_shop: Shop, release: str) -> Page:
    """The edit page, open, with its script at work."""
    sign_in_as_editor(page, live_shop)
    page.goto(f"/studio/releases/{release}")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    return page


def cell(page: Page, column: str, row: int) -> Locator:
    return page.get_by_label(f"{column}, row {row}", exact=True)


def column(page: Page, name: str) -> list[str]:
    return [cell(page, name, row).input_value() for row in range(1, len(TITLES) + 1)]


def paste(page: Page, text: str) -> None:
    """Paste as Ctrl+V does, with the text that a spreadsheet puts on the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+v")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()


def test_cells_are_walked_by_keys(sheet: Page) -> None:
    cell(sheet, "Title", 1).focus()
    sheet.keyboard.press("Enter")
    expect(cell(sheet, "Title", 2)).to_be_focused()
    sheet.keyboard.press("ArrowDown")
    expect(cell(sheet, "Title", 3)).to_be_focused()
    sheet.keyboard.press("Shift+Enter")
    expect(cell(sheet, "Title", 2)).to_be_focused()
    sheet.keyboard.press("ArrowRight")  # all of the text is selected: on to the next column
    expect(cell(sheet, "Chinese title", 2)).to_be_focused()
    sheet.keyboard.type("雾")
    sheet.keyboard.press("ArrowLeft")  # inside a text an arrow moves the cursor
    expect(cell(sheet, "Chinese title", 2)).to_be_focused()
    sheet.keyboard.press("ArrowLeft")
    expect(cell(sheet, "Title", 2)).to_be_focused()
    sheet.keyboard.press("ArrowUp")
    sheet.keyboard.press("ArrowUp")  # nothing is above the first
    expect(cell(sheet, "Title", 1)).to_be_focused()
    sheet.keyboard.type("Ebbing")
    sheet.keyboard.press("Escape")
    expect(cell(sheet, "Title", 1)).to_have_value("Ebb")


def test_a_block_from_a_spreadsheet_is_pasted_undone_and_saved(
    sheet: Page, saved: Callable[[], list[tuple[object, ...]]]
) -> None:
    cell(sheet, "Title", 2).focus()
    paste(sheet, 'Undertow\t回流\tThe Ferrymen\tgb-aye-68-00011\r\n"Sandbar ""live"""\t沙洲\t\tGBAYE6800012\r\n')
    assert column(sheet, "Title") == ["Ebb", "Undertow", 'Sandbar "live"', "Haze"]
    expect(sheet.get_by_text("Cells filled: 8", exact=True)).to_be_visible()
    expect(sheet.get_by_text("Not saved yet")).to_be_visible()
    sheet.keyboard.press("Control+z")
    assert column(sheet, "Title") == list(TITLES)
    expect(cell(sheet, "Title", 2)).to_be_focused()
    expect(sheet.get_by_text("Not saved yet")).to_be_hidden()

    cell(sheet, "Artist", 3).focus()
    paste(sheet, "The Ferrymen\tGBAYE6800013\nAda\tGBAYE6800014\nnobody\tnothing")
    expect(sheet.get_by_text("the rest was left out")).to_be_visible()
    cell(sheet, "Title", 1).select_text()
    paste(sheet, "Slack Water")  # a single text goes where the cursor is, as anywhere
    save(sheet)
    assert [row[2:] for row in saved()] == [
        ("Slack Water", None, None, None),
        ("Fathom", None, None, None),
        ("Gale", None, "The Ferrymen", "GBAYE6800013"),
        ("Haze", None, "Ada", "GBAYE6800014"),
    ]


def test_a_cell_is_copied_to_rows_below_or_chosen(sheet: Page, saved: Callable[[], list[tuple[object, ...]]]) -> None:
    sheet.get_by_role("button", name="Copy cell to all below").click()
    expect(sheet.get_by_text("Put the cursor into the cell")).to_be_visible()
    cell(sheet, "Artist", 2).fill("Ada")
    sheet.get_by_role("button", name="Copy cell to all below").click()
    assert column(sheet, "Artist") == ["", "Ada", "Ada", "Ada"]
    cell(sheet, "Artist", 1).fill("Bo")
    sheet.get_by_role("button", name="Copy cell to selected rows").click()
    expect(sheet.get_by_text("Select the rows first.")).to_be_visible()
    sheet.get_by_label("Select row 3").check()
    sheet.get_by_role("button", name="Copy cell to selected rows").click()
    assert column(sheet, "Artist") == ["Bo", "Ada", "Bo", "Ada"]

    undo = sheet.get_by_role("button", name="Undo")
    undo.click()
    assert column(sheet, "Artist") == ["Bo", "Ada", "Ada", "Ada"]
    undo.click()  # what was typed by hand is a step as well
    assert column(sheet, "Artist") == ["", "Ada", "Ada", "Ada"]
    undo.click()
    undo.click()
    assert column(sheet, "Artist") == [""] * 4
    expect(undo).to_be_disabled()
    expect(cell(sheet, "Artist", 1)).to_be_focused()  # not lost with the button that can no longer be pressed

    cell(sheet, "Title", 3).focus()
    sheet.get_by_label("Select every row").check()
    sheet.get_by_role("button", name="Copy cell to selected rows").click()
    assert column(sheet, "Title") == ["Gale"] * 4
    cell(sheet, "Disc", 1).focus()
    sheet.keyboard.press("Control+d")
    sheet.get_by_role("button", name="Number from 1").click()
    assert (column(sheet, "Disc"), column(sheet, "Number")) == (["1"] * 4, ["1", "2", "3", "4"])
    save(sheet)
    assert [row[:3] for row in saved()] == [(1, number, "Gale") for number in (1, 2, 3, 4)]


def test_rows_are_moved_by_key_button_and_hand(sheet: Page, saved: Callable[[], list[tuple[object, ...]]]) -> None:
    cell(sheet, "Title", 1).focus()
    sheet.keyboard.press("Alt+ArrowDown")
    assert column(sheet, "Title") == ["Fathom", "Ebb", "Gale", "Haze"]
    expect(cell(sheet, "Title", 2)).to_be_focused()
    expect(sheet.get_by_text("Ebb: disc 1, number 2")).to_be_visible()
    sheet.keyboard.press("Alt+ArrowDown")  # over the edge of its disc, to the first place of the next
    assert (column(sheet, "Title"), column(sheet, "Disc")) == (["Fathom", "Ebb", "Gale", "Haze"], ["1", "2", "2", "2"])
    assert column(sheet, "Number") == ["1", "1", "2", "3"]

    up = sheet.get_by_role("button", name="Move up: Haze")
    up.click()
    expect(up).to_be_focused()
    assert column(sheet, "Title") == ["Fathom", "Ebb", "Haze", "Gale"]

    handles = sheet.locator(".sheet tbody tr").locator(".sheet__handle")
    handles.nth(3).scroll_into_view_if_needed()
    places = [box for box in (handles.nth(row).bounding_box() for row in range(4)) if box]
    sheet.mouse.move(places[3]["x"] + 5, places[3]["y"] + 5)
    sheet.mouse.down()
    for row in (2, 1, 0):  # row by row: each gives way before the next is reached
        for _moment in range(100):  # a hand moves on until it sees the row move
            sheet.mouse.move(places[row]["x"] + 5, places[row]["y"] + 10, steps=6)
            sheet.mouse.move(places[row]["x"] + 5, places[row]["y"] - 4, steps=3)
            if sheet.evaluate(AT, ["Gale", row]):
                break
    sheet.mouse.up()
    assert column(sheet, "Title") == ["Gale", "Fathom", "Ebb", "Haze"]
    assert (column(sheet, "Disc"), column(sheet, "Number")) == (["1", "1", "2", "2"], ["1", "2", "1", "2"])

    sheet.get_by_role("button", name="Undo").click()
    assert column(sheet, "Title") == ["Fathom", "Ebb", "Haze", "Gale"]
    save(sheet)
    assert [row[:3] for row in saved()] == [(1, 1, "Fathom"), (2, 1, "Ebb"), (2, 2, "Haze"), (2, 3, "Gale")]
    assert column(sheet, "Title") == ["Fathom", "Ebb", "Haze", "Gale"]


def test_a_wrong_cell_keeps_everything_that_was_typed(
    sheet: Page, saved: Callable[[], list[tuple[object, ...]]]
) -> None:
    before = saved()
    cell(sheet, "Title", 4).focus()
    sheet.keyboard.press("Alt+ArrowUp")
    cell(sheet, "ISRC", 2).fill("soon")
    cell(sheet, "Artist", 1).fill("The Ferrymen")
    cell(sheet, "Price by itself", 3).fill("cheap")
    sheet.get_by_label("Description", exact=True).fill("Low tide.")
    sheet.get_by_role("button", name="Save").click()
    said = sheet.get_by_role("alert")
    expect(said).to_contain_text("Nothing was saved yet")
    expect(said).to_contain_text("ISRC, row 2: An ISRC is 12 characters")
    said.get_by_role("link", name="Price by itself, row 3").click()
    expect(cell(sheet, "Price by itself", 3)).to_be_focused()
    expect(cell(sheet, "Price by itself", 3)).to_have_accessible_description(re.compile("“cheap” is not an amount"))
    expect(sheet.get_by_text("Not saved yet", exact=True)).to_be_visible()
    assert column(sheet, "Title") == ["Ebb", "Fathom", "Haze", "Gale"]
    assert (column(sheet, "ISRC")[1], column(sheet, "Artist")[0]) == ("SOON", "The Ferrymen")
    expect(sheet.get_by_label("Description", exact=True)).to_have_value("Low tide.")
    assert saved() == before

    cell(sheet, "ISRC", 2).fill("GB-AYE-68-00011")
    cell(sheet, "Price by itself", 3).fill("1.20")
    save(sheet)
    assert [row[2] for row in saved()] == ["Ebb", "Fathom", "Haze", "Gale"]
    assert (saved()[0][4], saved()[1][5]) == ("The Ferrymen", "GBAYE6800011")


def test_leaving_with_something_unsaved_asks_first(sheet: Page, release: str) -> None:
    asked: list[str] = []
    answer = {"accept": False}

    def reply(dialog: object) -> None:
        asked.append(dialog.message)  # type: ignore[attr-defined]
        dialog.accept() if answer["accept"] else dialog.dismiss()  # type: ignore[attr-defined]

    sheet.on("dialog", reply)
    cell(sheet, "Title", 1).fill("Neap")
    sheet.locator("#main").get_by_role("link", name="Studio").click()
    sheet.wait_for_function("document.querySelector('h1').textContent.includes('Soundings')")
    assert asked == ["What you changed is not saved. Leave all the same?"]
    expect(cell(sheet, "Title", 1)).to_have_value("Neap")
    answer["accept"] = True
    sheet.locator("#main").get_by_role("link", name="Studio").click()
    expect(sheet.get_by_role("heading", name="Studio", level=1)).to_be_visible()
    sheet.goto(f"/studio/releases/{release}")
    expect(cell(sheet, "Title", 1)).to_have_value("Ebb")
    sheet.locator("#main").get_by_role("link", name="Studio").click()
    expect(sheet.get_by_role("heading", name="Studio", level=1)).to_be_visible()
    assert len(asked) == 2


def test_it_works_without_script(
    browser: Browser, page: Page, live_shop: Shop, release: str, saved: Callable[[], list[tuple[object, ...]]]
) -> None:
    sign_in_as_editor(page, live_shop)
    plain = _as(browser, live_shop, page, java_script_enabled=False)
    tab = plain.new_page()
    tab.goto(f"/studio/releases/{release}")
    expect(tab.get_by_role("button", name="Undo")).to_be_hidden()
    expect(tab.get_by_role("button", name="Move up: Ebb")).to_be_hidden()
    cell(tab, "Number", 1).fill("2")
    cell(tab, "Number", 2).fill("2")
    cell(tab, "Artist", 4).fill("Ada")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("alert")).to_contain_text("Number, row 1: Two tracks cannot have the same number.")
    expect(cell(tab, "Artist", 4)).to_have_value("Ada")
    cell(tab, "Number", 2).fill("1")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("Saved.")).to_be_visible()
    assert [(row[2], row[4]) for row in saved()] == [("Fathom", None), ("Ebb", None), ("Gale", None), ("Haze", "Ada")]
    plain.close()


def test_on_a_phone_a_row_is_a_card(browser: Browser, page: Page, live_shop: Shop, release: str) -> None:
    sign_in_as_editor(page, live_shop)
    for locale in ("en-GB", "zh-CN"):
        context = _as(browser, live_shop, page, locale=locale, viewport={"width": 360, "height": 780}, has_touch=True)
        tab = context.new_page()
        for path in ("/studio", "/studio/upload", f"/studio/releases/{release}"):
            tab.goto(path)
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        first = tab.locator(".sheet tbody tr").first
        boxes = [box for box in (each.bounding_box() for each in first.locator("input:visible").all()) if box]
        assert len(boxes) == 8
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 360 for box in boxes)
        assert len({round(box["y"]) for box in boxes}) > 4  # under each other, not in a line
        first.locator("[data-move=down]").tap()
        assert tab.locator(".sheet [data-column=title] input").nth(1).input_value() == "Ebb"
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_studio(
    browser: Browser, page: Page, live_shop: Shop, release: str, theme: str
) -> None:
    sign_in_as_editor(page, live_shop)
    RESULTS.mkdir(exist_ok=True)
    found = {}
    for locale, width in (("en-GB", 1280), ("zh-CN", 360)):
        context = _as(
            browser,
            live_shop,
            page,
            locale=locale,
            color_scheme=theme,
            viewport={"width": width, "height": 900},
            bypass_csp=True,
        )
        tab = context.new_page()
        pages = {
            "index": "/studio",
            "upload": "/studio/upload",
            "edit": f"/studio/releases/{release}",
            "film": f"/studio/releases/{live_shop.releases['Night Ferry']}",
            "wrong": f"/studio/releases/{release}",
        }
        for name, path in pages.items():
            tab.goto(path)
            if name == "wrong":
                tab.locator(".sheet [data-column=isrc] input").first.fill("soon")
                tab.locator(".savebar button").click()
                tab.get_by_role("alert").wait_for()
            if wrong := faults(tab):
                found[f"{name} {locale}"] = wrong
            tab.screenshot(path=RESULTS / f"studio-{name}-{theme}-{locale}-{width}.png", full_page=True)
        context.close()
    assert not found


def _as(browser: Browser, live_shop: Shop, page: Page, **options: object) -> BrowserContext:
    """Another window of the person who is signed in in this one."""
    merged = {
        "base_url": live_shop.base_url,
        "locale": "en-GB",
        "storage_state": page.context.storage_state(),
    } | options
    context = browser.new_context(**merged)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    return context
