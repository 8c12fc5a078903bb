"""Rates of VAT on music and film sent over the network, with the days they hold: facts, from public sources.

Sources, read on 2026-11-21:
- European Union: the European Commission's TEDB (https://taxation-customs.ec.europa.eu/tedb/vatRates.html), standard
  rates as published on 2026-09-29. What changed since 2024, by the members' own acts: Finland 25.5 % from 2024-09-01,
  Slovakia 23 % from 2025-01-01, Estonia 24 % from 2025-07-01, Romania 21 % from 2025-08-01. Recordings that are
  downloaded or streamed have the standard rate: the reduced rates that members may give books and newspapers leave
  out what "consists of video or music" (Directive 2006/112/EC, annex III, no. 6).
- United Kingdom: 20 % (VAT Notice 700, https://www.gov.uk/vat-rates).
- Switzerland: 8.1 % from 2024-01-01 (Federal Tax Administration, https://www.estv.admin.ch); Liechtenstein is one
  area with it.
- Norway: 25 % (Skatteetaten, VOEC scheme, https://www.skatteetaten.no).
- China: no row. A shop outside has no way to register and collect VAT from consumers there; one inside China issues
  fapiao by its own means and configures a table of its own.

A country without a row has no tax here. A change is a row more and an end for the row before, never an edit: an
invoice of last year is looked up again with last year's day. Territories outside their state's VAT area (the Canary
Islands, Åland, Büsingen, Livigno, …) are not told apart: addresses have no such piece of evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.pricing.contract import Place, TaxRate

_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU = frozenset(_MEMBERS.split())


@dataclass(frozen=True, slots=True)
class Period:
    """A country's rate from a day on, to a day that is not its own any more."""

    country: str
    percent: Decimal
    since: date = date(2024, 1, 1)
    until: date | None = None


def _steady(rows: str) -> tuple[Period, ...]:
    pairs = (row.split() for row in rows.split(","))
    return tuple(Period(country, Decimal(percent)) for country, percent in pairs)


PERIODS: tuple[Period, ...] = (
    *_steady(
        "AT 20, BE 21, BG 20, CY 19, CZ 21, DE 19, DK 25, ES 21, FR 20, GR 24, HR 25, HU 27, IE 23, IT 22, LT 21,"
        "LU 17, LV 21, MT 18, NL 21, PL 23, PT 23, SE 25, SI 22"
    ),
    Period("EE", Decimal("22"), until=date(2025, 7, 1)),
    Period("EE", Decimal("24"), since=date(2025, 7, 1)),
    Period("FI", Decimal("24"), until=date(2024, 9, 1)),
    Period("FI", Decimal("25.5"), since=date(2024, 9, 1)),
    Period("RO", Decimal("19"), until=date(2025, 8, 1)),
    Period("RO", Decimal("21"), since=date(2025, 8, 1)),
    Period("SK", Decimal("20"), until=date(2025, 1, 1)),
    Period("SK", Decimal("23"), since=date(2025, 1, 1)),
    *_steady("GB 20, CH 8.1, LI 8.1, NO 25"),
)

# What VAT treats as part of another country (Directive 2006/112/EC art. 7: Monaco, Isle of Man), and other ways to
# write two countries: VAT numbers and the Commission write EL and, of Northern Ireland's goods, XI.
_TREATED_AS = {"MC": "FR", "IM": "GB", "EL": "GR", "UK": "GB", "XI": "GB"}


def vat_country(code: str | None) -> str | None:
    """The country in capitals as VAT counts it; None where none is given."""
    text = (code or "").strip().upper()
    return _TREATED_AS.get(text, text) or None


def countries(text: str) -> frozenset[str]:
    """Countries from a setting like "EU,GB": EU stands for its members."""
    named = {part.strip().upper() for part in text.split(",") if part.strip()}
    return frozenset((named - {"EU"}) | (EU if "EU" in named else frozenset()))


@dataclass(frozen=True, slots=True)
class BuiltInRates:
    """The table above, as a TaxTable."""

    periods: tuple[Period, ...] = PERIODS

    def rate_for(self, place: Place, on: date, category: str) -> TaxRate | None:
        """The standard rate of that day, whatever the category; None for a country that isn't in the table."""
        for period in self.periods:
            if period.country == place.country and period.since <= on and (period.until is None or on < period.until):
                return TaxRate(period.country, period.percent)
        return None
