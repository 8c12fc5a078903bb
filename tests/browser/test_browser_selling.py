"""The pages on which things are sold, wished for and told of: anybody can use them, on any screen, in any light."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import Browser
from support.letter_samples import CONTEXTS

from app.accounts import service as accounts
from app.catalog import offers
from app.catalog import queries as catalog
from app.core.db import transaction
from app.core.money import Money
from app.letters import service as letters
from app.pricing import coupons
from app.pricing.contract import CurrencyTerms
from app.pricing.coupons import CouponWish, Customer
from app.wishlist import service as wishes
from tests.browser.shop import RESULTS, SCREENS, Shop, faults, sign_in_staff


@pytest.fixture
def pages(live_shop: Shop) -> dict[str, str]:
    """Addresses by name, with something on each page."""
    with live_shop.app.app_context(), transaction():
        found = [catalog.release(live_shop.releases[name]) for name in ("Harbour Lights", "Night Ferry", "Copper")]
        releases = [release for release in found if release is not None]
        bundle = next(iter(catalog.bundles()), None) or offers.make_bundle(
            "The Ferry and the Harbour, in One", releases[:2], Money(1490, "EUR"), title_zh="渡船与港口合集"
        )
        summer = coupons.create(
            CouponWish("Summer", percent=Decimal(25), label_ids=[releases[0].label_id or ""], max_uses=100)
        )
        coupons.make_codes(summer, 3)
        ten = coupons.create(CouponWish("Ten off", terms=[CurrencyTerms("EUR", 1000, 3000)], first_order_only=True))
        code = coupons.add_code(ten, f"WELCOME{ten.id}")
        coupons.reserve(ten.id, code.code, Customer(email=f"{ten.id}@example.org"), Money(1000, "EUR"))
        letter = letters.enqueue(
            "register", "somebody.with.a.long.name@example.org", "en", CONTEXTS["register"], key=f"trial:{ten.id}"
        )
        made = {
            "wishlist": "/wishlist",
            "coupons": "/admin/coupons",
            "coupon-new": "/admin/coupons/new",
            "coupon": f"/admin/coupons/{summer.id}",
            "coupon-amount": f"/admin/coupons/{ten.id}",
            "offers": f"/studio/releases/{releases[0].id}/offers",
            "bundles": "/studio/bundles",
            "bundle": f"/bundles/{bundle.id}",
            "outbox": "/outbox",
            "letter": f"/outbox/{letter.id}",
            "release": f"/releases/{releases[0].id}",
        }
    return made


@pytest.mark.parametrize(("theme", "locale", "width"), SCREENS)
def test_pages_of_selling_can_be_used_by_anybody(
    browser: Browser, live_shop: Shop, pages: dict[str, str], theme: str, locale: str, width: int
) -> None:
    size = {"width": width, "height": 860}
    context = sign_in_staff(browser, live_shop, locale=locale, color_scheme=theme, viewport=size, bypass_csp=True)
    with live_shop.app.app_context(), transaction():
        pia = accounts.by_email("people@example.org")
        assert pia is not None
        for title in ("Harbour Lights", "Copper"):
            release = catalog.release(live_shop.releases[title])
            assert release is not None
            wishes.add(pia.id, release)
    page, found = context.pages[0], {}
    RESULTS.mkdir(exist_ok=True)
    for name, address in pages.items():
        page.goto(address)
        if wrong := faults(page):
            found[name] = wrong
        assert len(page.screenshot(path=RESULTS / f"sell-{name}-{theme}-{locale}-{width}.png", full_page=True)) > 5_000
    context.close()
    assert not found
