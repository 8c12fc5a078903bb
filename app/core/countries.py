"""Countries: the codes of ISO 3166-1 alpha-2, and what the reader calls them."""

from __future__ import annotations

from babel import Locale
from flask_babel import get_locale

# What ISO 3166-1 reserves or CLDR uses for something else than a country.
_NO_COUNTRY = frozenset({"EU", "EZ", "UN", "ZZ", "XA", "XB", "QO", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})


def is_country(code: str) -> bool:
    """Whether it is an ISO 3166-1 alpha-2 code of a country or territory."""
    return len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY and code in Locale("en").territories


def called(code: str) -> str:
    """A country by its name in the reader's language; its code where it has none."""
    return str(_words().territories.get(code, code))


def by_name() -> list[tuple[str, str]]:
    """Every country, code and name in the reader's language, in the order of the names."""
    known = ((code, str(name)) for code, name in _words().territories.items() if is_country(code))
    return sorted(known, key=lambda each: each[1])


def _words() -> Locale:
    return Locale.parse(str(get_locale() or "en"))
