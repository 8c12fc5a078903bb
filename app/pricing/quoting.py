"""From what is wanted to what is paid: `quote`, a function of its arguments and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from flask_babel import gettext as _

from app.core.money import MOST_MINOR, Money, step
from app.pricing import tax as taxes
from app.pricing.contract import (
    Buyer,
    Credit,
    Holding,
    Line,
    Quote,
    RateTotal,
    Reduction,
    Refusal,
    TaxBasis,
    TaxRate,
    TaxRules,
    Treatment,
    Unpriceable,
    Wanted,
)
from app.pricing.rounding import apportion, half_up

# What somebody can give for one thing whatever its least, in minor units: 1,000 euros, 100,000 yen, 100 dinars.
_GENEROUS = 100_000


def quote(wanted: Sequence[Wanted], buyer: Buyer, coupon: Reduction | None = None, *, tax: TaxRules) -> Quote:
    """Price everything in one currency; raise Unpriceable where that can't be done.

    In this order: the list price or the amount the buyer named; less what they paid for tracks of an album ("complete
    the album"), never below nothing or an open price's least; less the coupon, split over its lines by the largest
    remainder; and tax, half up, on each line. A coupon takes nothing off an amount that the buyer named. A coupon that
    doesn't fit leaves the quote as it is without it and says why in `refusal`.
    """
    currency = _one_currency(wanted)
    basis = taxes.settle(buyer, tax)
    listed = {each.key: _listed(each) for each in wanted}
    credits = _credits(wanted, listed, buyer.holdings)
    left = {key: listed[key] - sum(credit.amount.minor for credit in credits[key]) for key in listed}
    discounts, refusal = _discounts(wanted, left, coupon, currency)
    lines = tuple(_line(each, listed[each.key], credits[each.key], discounts[each.key], basis, tax) for each in wanted)

    def total(field: str) -> Money:
        return Money(sum(getattr(line, field).minor for line in lines), currency)

    return Quote(
        currency=currency,
        inclusive=tax.inclusive,
        lines=lines,
        list_price=total("list_price"),
        credit=total("credit"),
        discount=total("discount"),
        relief=total("relief"),
        net=total("net"),
        tax=total("tax"),
        gross=total("gross"),
        rates=_by_rate(lines, currency),
        basis=basis,
        coupon=coupon.code if coupon is not None and refusal is None else None,
        refusal=refusal,
    )


def most_named(least: Money) -> Money:
    """The most a buyer can give for something with an open price: far above its least, far below a slip of the key."""
    return Money(min(MOST_MINOR, max(_GENEROUS, 100 * least.minor)), least.currency)


def check_named(named: Money | None, least: Money) -> Money:
    """The amount a buyer gives for something with an open price; the least where they name none.

    Raises Unpriceable, naming the bounds, where it is outside of them or in another currency.
    """
    if named is None:
        return least
    most = most_named(least)
    if named.currency != least.currency or not least.minor <= named.minor <= most.minor:
        raise Unpriceable(
            _(
                "Name an amount from %(least)s to %(most)s %(currency)s.",
                least=least.decimal,
                most=most.decimal,
                currency=least.currency,
            )
        )
    if named.minor % step(named.currency):
        raise Unpriceable(_("%(currency)s is paid with two decimals. Write it like 9.90.", currency=named.currency))
    return named


def _one_currency(wanted: Sequence[Wanted]) -> str:
    if not wanted:
        raise Unpriceable(_("There is nothing to buy."))
    if len({each.key for each in wanted}) < len(wanted):
        raise ValueError("two lines with one key")
    currencies = {each.price.currency for each in wanted}
    if len(currencies) > 1:
        raise Unpriceable(_("Not everything is sold in one currency. Buy it in two orders."))
    return currencies.pop()


def _listed(each: Wanted) -> int:
    if each.open_price:
        return check_named(each.named, each.price).minor
    if each.named is not None:
        raise Unpriceable(_("This has a price: there is no amount to name."))
    return each.price.minor


def _credits(
    wanted: Sequence[Wanted], listed: Mapping[str, int], holdings: Sequence[Holding]
) -> dict[str, tuple[Credit, ...]]:
    """What earlier purchases take off, each purchase once; in the order of the keys, whatever that of `wanted`."""
    credits: dict[str, tuple[Credit, ...]] = {each.key: () for each in wanted}
    unspent = sorted(holdings, key=lambda holding: holding.key)
    for each in sorted(wanted, key=lambda each: each.key):
        room = listed[each.key] - (each.price.minor if each.open_price else 0)
        for holding in list(unspent):
            if holding.track_id not in each.completes or holding.paid.currency != each.price.currency:
                continue
            unspent.remove(holding)
            amount = min(room, holding.worth)
            amount -= amount % step(each.price.currency)
            if amount:
                room -= amount
                credit = Credit(holding.key, holding.track_id, Money(amount, each.price.currency))
                credits[each.key] = (*credits[each.key], credit)
    return credits


def _discounts(
    wanted: Sequence[Wanted], left: Mapping[str, int], coupon: Reduction | None, currency: str
) -> tuple[dict[str, int], Refusal | None]:
    nothing = {each.key: 0 for each in wanted}
    if coupon is None:
        return nothing, None
    terms = next((terms for terms in coupon.currencies if terms.currency == currency), None)
    if coupon.currencies and terms is None:
        return nothing, Refusal.CURRENCY
    if terms is not None and terms.least is not None and sum(left.values()) < terms.least:
        return nothing, Refusal.BELOW_LEAST
    eligible = {each.key: left[each.key] for each in wanted if _is_eligible(each, coupon)}
    base = sum(eligible.values())
    if coupon.percent is not None:
        off = half_up(base * Fraction(coupon.percent) / 100 / step(currency)) * step(currency)
    else:
        off = terms.off or 0 if terms is not None else 0
    off = min(off, base)
    off -= off % step(currency)
    if off == 0:
        return nothing, Refusal.NOTHING_ELIGIBLE
    unit = step(currency)
    shares = apportion(off // unit, {key: amount // unit for key, amount in eligible.items()})
    return nothing | {key: share * unit for key, share in shares.items()}, None


def _is_eligible(each: Wanted, coupon: Reduction) -> bool:
    if each.open_price:
        return False
    if not coupon.release_ids and not coupon.label_ids:
        return True
    # All of a bundle must be meant.
    return bool(each.releases) and all(
        release_id in coupon.release_ids or label_id in coupon.label_ids for release_id, label_id in each.releases
    )


def _line(
    each: Wanted, listed: int, credits: tuple[Credit, ...], discount: int, basis: TaxBasis, rules: TaxRules
) -> Line:
    currency = each.price.currency
    credit = sum(credit.amount.minor for credit in credits)
    asked = listed - credit - discount
    rate = None
    if basis.taxed_in is not None:
        rate = rules.table.rate_for(basis.taxed_in, rules.on, each.category)
    net, tax, relief = _split(asked, rate, basis.treatment, currency, inclusive=rules.inclusive)
    return Line(
        key=each.key,
        offer_id=each.offer_id,
        list_price=Money(listed, currency),
        credit=Money(credit, currency),
        discount=Money(discount, currency),
        relief=Money(relief, currency),
        net=Money(net, currency),
        tax=Money(tax, currency),
        gross=Money(net + tax, currency),
        rate=rate if basis.treatment is Treatment.TAXED else None,
        credits=credits,
    )


def _split(
    asked: int, rate: TaxRate | None, treatment: Treatment, currency: str, *, inclusive: bool
) -> tuple[int, int, int]:
    """Net, tax and relief of what is asked."""
    if rate is None or treatment is Treatment.NOT_COLLECTED:
        return asked, 0, 0
    if treatment is Treatment.REVERSE_CHARGE:
        # The buyer pays the tax at home: a price that holds it is lower by as much.
        relief = taxes.inside(asked, rate, step(currency)) if inclusive else 0
        return asked - relief, 0, relief
    if inclusive:
        tax = taxes.inside(asked, rate)
        return asked - tax, tax, 0
    return asked, taxes.on_top(asked, rate, step(currency)), 0


def _by_rate(lines: Sequence[Line], currency: str) -> tuple[RateTotal, ...]:
    groups: dict[TaxRate | None, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.rate, []).append(line)

    def total(rate: TaxRate | None, field: str) -> Money:
        return Money(sum(getattr(line, field).minor for line in groups[rate]), currency)

    order = sorted(groups, key=lambda rate: (rate.country, rate.percent, rate.name) if rate else ("", 0, ""))
    return tuple(RateTotal(rate, total(rate, "net"), total(rate, "tax"), total(rate, "gross")) for rate in order)
