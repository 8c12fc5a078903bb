"""VAT numbers: read with their check digits, and asked of a register."""

from __future__ import annotations

from typing import Any, Protocol

from flask_babel import gettext as _
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.no import mva as no_mva

from app.core.errors import WavecrateError
from app.pricing.contract import VatAnswer, VatNumber
from app.pricing.rates import EU, vat_country

_ELSEWHERE: dict[str, Any] = {"GB": gb_vat, "NO": no_mva, "CH": ch_vat}


class BadVatNumber(WavecrateError):
    """The text is no VAT number of that country."""


class Register(Protocol):
    """A register of VAT numbers, like the Commission's VIES. Asked outside of any transaction."""

    def ask(self, number: VatNumber) -> VatAnswer:
        """What it says of the number; a register that can't be reached answers UNKNOWN and raises nothing."""
        ...


def read(text: str, country: str | None) -> VatNumber:
    """The number, by the rules of the buyer's country: its form and check digits; raise BadVatNumber if they're wrong.

    The country's prefix may be left out.
    """
    place = vat_country(country)
    typed = "".join(text.split()).upper()
    if place is None or (place not in EU and place not in _ELSEWHERE):
        raise BadVatNumber(_("VAT numbers of that country are not used here. Leave the field empty."))
    try:
        if place in EU:
            prefix = "EL" if place == "GR" else place
            # stdnum knows Greece by GR too, and numbers under EU, IM and XI, which no buyer here has.
            number = eu_vat.validate(typed if typed.startswith(prefix) else prefix + typed.removeprefix("GR"))
        else:
            number = _ELSEWHERE[place].validate(typed)
            number = number if number.startswith(place) else place + number
    except ValidationError:
        raise BadVatNumber(
            _(
                "“%(text)s” is no VAT number of %(country)s. Check its digits, or leave it empty.",
                text=text,
                country=place,
            )
        ) from None
    return VatNumber(number, place)
