"""Where a release is sold, as an editor types it."""

from __future__ import annotations

import re

from babel import Locale
from flask_babel import gettext as _

from app.catalog.territory import BadTerritory, Territory
from app.core import countries
from app.pricing.rates import EU

EVERYWHERE, ONLY, BARRED = "everywhere", "only", "barred"

_BETWEEN = re.compile(r"[,;\n\r，、；]+")
_ALSO = {"EU": EU, "UK": frozenset({"GB"})}


def rule_of(territory: Territory) -> str:
    """Which of the three it is."""
    return EVERYWHERE if territory.is_everywhere else BARRED if territory.barred else ONLY


def written(territory: Territory) -> str:
    """Its countries as they stand in the field."""
    return ", ".join(sorted(territory.countries))


def read(rule: str, text: str) -> Territory:
    """The territory of what was chosen and typed; raise BadTerritory, which says what to change.

    A country is its code or its name, in English or as the reader calls it, in either case; commas and lines divide
    them, and codes blanks, too. EU is its members.
    """
    named = _countries(text)
    if rule == EVERYWHERE and named:
        raise BadTerritory(_("Choose what these countries mean, or empty the field: now it would be sold everywhere."))
    if rule != EVERYWHERE and not named:
        raise BadTerritory(_("Name the countries, or choose that it is sold everywhere."))
    return Territory(named, barred=rule != ONLY)


def _countries(text: str) -> frozenset[str]:
    by_name = {name.casefold(): code for code, name in countries.by_name()}
    english = Locale("en").territories
    by_name |= {name.casefold(): code for code, name in english.items() if countries.is_country(code)}
    found: set[str] = set()
    unknown = []
    for part in filter(None, (" ".join(each.split()) for each in _BETWEEN.split(text))):
        if code := by_name.get(part.casefold()):
            found.add(code)
            continue
        for word in part.split(" "):
            code = word.upper()
            if code in _ALSO:
                found |= _ALSO[code]
            elif countries.is_country(code):
                found.add(code)
            else:
                unknown.append(part)
                break
    if unknown:
        raise BadTerritory(
            _(
                "No country is called so: %(names)s. Type its name, or its two letters as in ISO 3166-1, like DE or JP;"
                " commas between names.",
                names=", ".join(unknown)[:200],
            )
        )
    return frozenset(found)
