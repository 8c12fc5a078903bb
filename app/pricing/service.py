"""From the shop's rows and settings to the values a quote is made of, and the evidence that is kept of it."""

from __future__ import annotations

from datetime import date

from sqlalchemy.dialects.postgresql import insert

from app.catalog.models import Offer, OfferKind
from app.core import clock
from app.core.db import db
from app.core.money import Money
from app.pricing.contract import Agreement, EvidenceKind, TaxBasis, TaxRules, TaxTable, Wanted
from app.pricing.models import TaxEvidence
from app.pricing.rates import BuiltInRates, countries, vat_country
from app.pricing.told import told_rates
from app.settings import Settings

BUILT_IN = BuiltInRates()


def wanted_of(
    offer: Offer, *, currency: str | None = None, named: Money | None = None, gift: bool = False, key: str | None = None
) -> Wanted:
    """An offer as it is to be priced in that currency, where it has a price in it; else in its own.

    `named` is what the buyer gives where the price is open. A gift, like a rental, completes nobody's album. `key`
    names the line; the offer's id, if none is given.
    """
    completes = offer.kind != OfferKind.RENTAL and offer.track_id is None and not gift
    return Wanted(
        key=key or offer.id,
        offer_id=offer.id,
        price=offer.price_in(currency),
        open_price=offer.open_price,
        named=named,
        category=offer.subject_release.kind,
        releases=frozenset((release.id, release.label_id) for release in offer.releases),
        completes=frozenset(track.id for release in offer.releases for track in release.tracks)
        if completes
        else frozenset(),
    )


def common_currency(offers: list[Offer], preferred: str | None) -> str | None:
    """The one currency that all of these can be bought in, the preferred one first; None where there is none."""
    if not offers:
        return preferred
    paid = [offer for offer in offers if offer.price_minor != 0]
    if not paid:
        return preferred or offers[0].currency
    shared = set.intersection(*(offer.currencies for offer in paid))
    if preferred in shared:
        return preferred
    return next((offer.currency for offer in paid if offer.currency in shared), min(shared, default=None))


def tax_rules(settings: Settings, *, on: date | None = None, table: TaxTable | None = None) -> TaxRules:
    """How the shop taxes on that day (today), by the table that TAX_SOURCE names unless one is given."""
    chosen = told_rates() if settings.tax_source == "stripe" else BUILT_IN
    return TaxRules(
        table=table or chosen,
        on=on or clock.now().date(),
        inclusive=settings.tax_prices == "inclusive",
        home=settings.tax_home or None,
        collects_in=countries(settings.tax_countries),
        confirmed_only=settings.vat_number_check == "confirmed",
    )


def keep_evidence(order_id: str, basis: TaxBasis) -> None:
    """Keep with an order why it is taxed as it is; what is kept already stays."""
    pieces = dict(basis.evidence)
    number, answer = basis.vat_number, basis.vat_answer
    keeping = insert(TaxEvidence).values(
        order_id=order_id,
        created_at=clock.now(),
        country=basis.country,
        taxed_in=basis.taxed_in.country if basis.taxed_in else None,
        treatment=basis.treatment,
        agreement=basis.agreement,
        billing_country=pieces.get(EvidenceKind.BILLING),
        ip_country=pieces.get(EvidenceKind.IP),
        card_country=pieces.get(EvidenceKind.CARD),
        vat_number=number.number if number else None,
        vat_verdict=answer.verdict if number else None,
        vat_source=answer.source[:60] if number else None,
        vat_reference=(answer.reference or "")[:60] or None,
        vat_name=(answer.name or "")[:300] or None,
        vat_asked_at=answer.asked_at,
    )
    db.session.execute(keeping.on_conflict_do_nothing(index_elements=[TaxEvidence.order_id]))


def add_card_country(order_id: str, country: str | None) -> TaxEvidence | None:
    """The payment told the card's country: one more piece of evidence, which may settle what didn't agree.

    What was taxed stays as it was paid. Where the pieces now agree on another country than the order was taxed for,
    the evidence says `conflict`, for a person to look at.
    """
    kept = db.session.get(TaxEvidence, order_id, with_for_update=True, populate_existing=True)
    piece = vat_country(country)
    if kept is None or piece is None or kept.card_country is not None:
        return kept
    kept.card_country = piece
    others = [other for other in (kept.billing_country, kept.ip_country) if other is not None]
    if kept.country == piece and piece in others:
        kept.agreement = Agreement.AGREED
    elif kept.agreement != Agreement.AGREED:
        kept.agreement = Agreement.CONFLICT if others else Agreement.SINGLE
    db.session.flush()
    return kept
