"""From rows to quotes: offers as they are wanted, the shop's tax settings, and the evidence that is kept."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import rows

from app.catalog import offers
from app.catalog.models import Offer
from app.core.db import db, transaction
from app.core.money import Money
from app.pricing import service, visitor
from app.pricing.contract import Buyer, Holding, Place, TaxRate, VatAnswer, VatNumber, Verdict
from app.pricing.models import TaxEvidence
from app.pricing.quoting import quote
from app.pricing.tax import settle
from app.settings import Settings


def priced(title: str, minor: int = 990, **others: int) -> Offer:
    with transaction():
        made = offers.set_price(release=rows.release(title, tracks=2), price=Money(minor, "EUR"))
        offers.set_price_list(made, [Money(amount, currency) for currency, amount in others.items()])
    return made


def german(settings: Settings, **changes: str) -> Settings:
    return settings.model_copy(update={"tax_home": "DE", "tax_countries": "EU,GB"} | changes)


def test_an_album_is_quoted_with_what_was_paid_for_its_tracks(app: Flask, settings: Settings) -> None:
    album = priced("Tides")
    release = album.subject_release
    buyer = Buyer("DE", "DE", holdings=(Holding("line1", release.tracks[0].id, Money(129, "EUR")),))
    rules = service.tax_rules(german(settings))
    (line,) = quote([service.wanted_of(album)], buyer, tax=rules).lines
    assert (line.key, line.credit.minor, line.gross.minor, line.tax.minor) == (album.id, 129, 861, 137)
    (line,) = quote([service.wanted_of(album, gift=True, key="gift")], buyer, tax=rules).lines
    assert (line.key, line.offer_id, line.credit.minor) == ("gift", album.id, 0)


def test_tracks_and_rentals_complete_no_album_and_bundles_do(app: Flask) -> None:
    album = priced("Tides")
    release, other = album.subject_release, rows.release("Harbour")
    with transaction():
        alone = offers.set_price(track=release.tracks[0], price=Money(129, "EUR"))
        lent = offers.set_rental(release, Money(390, "EUR"), 30)
        both = offers.make_bundle("Both", [release, other], Money(1500, "EUR"))
    assert not service.wanted_of(alone).completes
    assert not service.wanted_of(lent).completes
    wanted = service.wanted_of(both)
    assert wanted.completes == {track.id for each in (release, other) for track in each.tracks}
    assert wanted.releases == {(release.id, None), (other.id, None)}


def test_things_are_priced_in_a_currency_they_all_have(app: Flask) -> None:
    one, two = priced("One", USD=1090, JPY=1500), priced("Two", JPY=1600)
    with transaction():
        free = offers.set_price(release=rows.release("Free"), price=Money(0, "EUR"), free=True)
        dollars = offers.set_price(release=rows.release("Dollars"), price=Money(990, "USD"))
    assert service.common_currency([one, two], "JPY") == "JPY"
    assert service.common_currency([one, two], "USD") == "EUR"
    assert service.common_currency([one, two, free], "JPY") == "JPY"
    assert service.common_currency([free], "CHF") == "CHF"
    assert service.common_currency([one, dollars], None) == "USD"
    assert service.common_currency([two, dollars], "EUR") is None
    assert service.common_currency([], "EUR") == "EUR"
    assert service.wanted_of(one, currency="JPY").price == Money(1500, "JPY")
    assert service.wanted_of(free, currency="JPY").price == Money(0, "JPY")


def test_the_shop_taxes_as_its_settings_say(app: Flask, settings: Settings) -> None:
    wanted, buyer = [service.wanted_of(priced("Tides"))], Buyer("FR", "FR")
    assert quote(wanted, buyer, tax=service.tax_rules(settings)).tax.minor == 0
    assert quote(wanted, buyer, tax=service.tax_rules(german(settings))).gross.minor == 990
    on_top = service.tax_rules(german(settings, tax_prices="exclusive"))
    assert quote(wanted, buyer, tax=on_top).gross.minor == 990 + 198
    assert service.tax_rules(german(settings, vat_number_check="confirmed")).confirmed_only

    class Flat:
        def rate_for(self, place: Place, on: date, category: str) -> TaxRate | None:
            return TaxRate(place.country, Decimal(10), category)

    flat = quote(wanted, buyer, tax=service.tax_rules(german(settings), table=Flat()))
    assert flat.rates[0].rate == TaxRate("FR", Decimal(10), "audio")


@pytest.mark.parametrize(("field", "value"), [("tax_home", "Germany"), ("tax_countries", "EU;GB")])
def test_a_setting_that_names_no_country_is_refused(settings: Settings, field: str, value: str) -> None:
    with pytest.raises(ValueError, match="no country code"):
        Settings(**(settings.model_dump() | {field: value}))


def test_the_evidence_is_kept_once_with_the_number_and_the_answer(app: Flask, settings: Settings) -> None:
    rules = service.tax_rules(german(settings))
    answer = VatAnswer(Verdict.VALID, "VIES", "2026-11-21T12:00:00Z", "WAPIAAAAX1", "Chanson SARL")
    business = Buyer("FR", "FR", vat_number=VatNumber("FR40303265045", "FR"), vat_answer=answer)
    with transaction():
        service.keep_evidence("order1", settle(business, rules))
        service.keep_evidence("order1", settle(Buyer("US"), rules))
    kept = db.session.get(TaxEvidence, "order1")
    assert kept is not None
    assert (kept.country, kept.taxed_in, kept.treatment, kept.agreement) == ("FR", "FR", "reverse_charge", "agreed")
    assert (kept.billing_country, kept.ip_country, kept.card_country) == ("FR", "FR", None)
    assert (kept.vat_number, kept.vat_verdict, kept.vat_reference) == ("FR40303265045", "valid", "WAPIAAAAX1")
    assert (kept.vat_source, kept.vat_name, kept.vat_asked_at) == ("VIES", "Chanson SARL", "2026-11-21T12:00:00Z")


@pytest.mark.parametrize(
    ("billing", "ip", "card", "before", "after"),
    [
        ("FR", "DE", "FR", "conflict", "agreed"),
        ("FR", "DE", "DE", "conflict", "conflict"),  # they agree, but not on what was taxed
        ("FR", None, "FR", "single", "agreed"),
        ("FR", None, "IT", "single", "conflict"),
        ("FR", "FR", "IT", "agreed", "agreed"),
        (None, None, "IT", "none", "single"),
        ("FR", "DE", None, "conflict", "conflict"),
    ],
)
def test_the_card_settles_what_did_not_agree(
    app: Flask,
    settings: Settings,
    billing: str | None,
    ip: str | None,
    card: str | None,
    before: str,
    after: str,
) -> None:
    with transaction():
        service.keep_evidence("order1", settle(Buyer(billing, ip), service.tax_rules(german(settings))))
    kept = db.session.get(TaxEvidence, "order1")
    assert kept is not None
    assert kept.agreement == before
    with transaction():
        service.add_card_country("order1", card)
        service.add_card_country("order1", "US")  # the first card's word stays
    assert (kept.agreement, kept.card_country) == (after, card or "US")
    assert service.add_card_country("no such order", "FR") is None


def test_a_visitor_is_shown_their_own_currency_where_there_is_a_price_in_it(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = priced("Tides", USD=1090).subject_release
    page = f"/releases/{release.id}"
    assert "€9.90" in client.get(page).text
    for currency, shown in (("USD", "$10.90"), ("JPY", "€9.90"), (None, "€9.90")):
        monkeypatch.setattr(visitor, "currency", lambda chosen=currency: chosen)
        assert f'buy__price">{shown}<' in client.get(page).text
