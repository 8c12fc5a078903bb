"""The table in the documentation is the one in the code."""

from __future__ import annotations

from app.discovery.models import EventKind
from app.discovery.signal import HALF_LIFE_DAYS, SIGNALS
from app.settings import ROOT


def _documented() -> dict[str, list[str]]:
    text = (ROOT / "docs" / "recommender.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_kind_has_its_signal_and_its_row() -> None:
    documented = _documented()
    assert list(documented) == list(SIGNALS) == list(EventKind)
    for kind, signal in SIGNALS.items():
        weight, half_life, once, consent, what = documented[kind]
        assert (float(weight), int(half_life)) == (signal.weight, signal.half_life_days), kind
        assert once == ("newest stands" if signal.replaces else str(signal.once_minutes or "–")), kind
        assert consent == ("yes" if signal.watched else "no"), kind
        assert what
    assert f"half-life of {HALF_LIFE_DAYS} days" in (ROOT / "docs" / "recommender.md").read_text()


def test_a_purchase_fades_slowest_and_what_is_looked_at_soonest() -> None:
    lives = {kind: signal.half_life_days for kind, signal in SIGNALS.items() if kind != EventKind.REFUND}
    assert max(lives, key=lambda kind: lives[kind]) is EventKind.PURCHASE
    assert min(lives, key=lambda kind: lives[kind]) is EventKind.VIEW
    assert {kind for kind, signal in SIGNALS.items() if signal.weight < 0} == {EventKind.SKIP, EventKind.DISMISS}
