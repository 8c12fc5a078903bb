"""`script/demo --check` walks through the same shop as a browser does, so that it can't lag behind the pages."""

from __future__ import annotations

import pytest

from app.demo import check
from tests.browser.shop import Shop


def test_the_check_of_the_demo_goes_through_to_its_end(live_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    done = check.run(live_shop.base_url, live_shop.app)

    said = capsys.readouterr().out
    assert done, said
    assert said.count("✓") == len(check.STEPS)
