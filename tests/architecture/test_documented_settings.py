"""Every setting stands in docs/operations.md, and nothing else does."""

from __future__ import annotations

import re

from app.settings import ROOT, Settings


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    page = (ROOT / "docs" / "operations.md").read_text().split("## Settings")[1].split("## Backup")[0]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)}
    known = {name.upper() for name in Settings.model_fields} | {"WAVECRATE_VAR"}
    assert documented == known
