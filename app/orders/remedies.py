"""What each case means and what can be done about it, in words for whoever has to decide."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _

from app.core.money import Money
from app.orders.models import Case, CaseKind


@dataclass(frozen=True, slots=True)
class Remedy:
    """`title` says what happened, `means` what the shop did about it so far, `steps` what is left to do."""

    title: str
    means: str
    steps: tuple[str, ...]


def of(case: Case) -> Remedy:
    """In the reader's language."""
    return {
        CaseKind.MISMATCH: _mismatch,
        CaseKind.REFUND_REFUSED: _refund,
        CaseKind.DISPUTE: _dispute,
        CaseKind.COUNTRY: _country,
        CaseKind.BOOKS: _books,
    }[CaseKind(case.kind)](case)


def title(kind: str) -> str:
    """What a case of that kind is called."""
    return {
        CaseKind.MISMATCH: _("A payment is not what was ordered"),
        CaseKind.REFUND_REFUSED: _("A refund was not made"),
        CaseKind.DISPUTE: _("A bank disputes a payment"),
        CaseKind.COUNTRY: _("The buyer’s country is not certain"),
        CaseKind.BOOKS: _("The books and the payment service differ"),
    }[CaseKind(kind)]


def facts(case: Case) -> list[tuple[str, str | list[str]]]:
    """What was found, each with its name: a text, or several."""
    names = {
        "expected": _("Expected"),
        "found": _("Found"),
        "amount": _("Amount"),
        "reason": _("Reason"),
        "due": _("To be answered by"),
        "error": _("Said by the payment service"),
        "billing": _("Country of the billing address"),
        "card": _("Country of the card"),
        "differences": _("Differences"),
    }
    told = dict(case.facts)
    if "minor" in told and "currency" in told:
        told = {"amount": f"{Money(told.pop('minor'), told['currency']).decimal} {told.pop('currency')}", **told}
    return [
        (names.get(name, name), [str(each) for each in value] if isinstance(value, list) else str(value))
        for name, value in sorted(told.items(), key=lambda each: (*names, each[0]).index(each[0]))
        if value
    ]


def _mismatch(case: Case) -> Remedy:
    return Remedy(
        title(case.kind),
        _(
            "Nothing was granted and an unpaid order was closed. The money waits on the account “unapplied” until it is"
            " given back."
        ),
        (
            _("Find the payment at the payment service by its number, and who paid it."),
            _("Give the money back with the button on this page; the buyer can then order again."),
            _("If it is not this shop’s payment at all, the account has another user: see that each has its own."),
            _("If amount or currency were changed on the way, somebody tries to pay less: keep the payment’s number."),
        ),
    )


def _refund(case: Case) -> Remedy:
    return Remedy(
        title(case.kind),
        _("What was to be given back is paid still, and its licenses stand again."),
        (
            _("Look at the payment at the payment service: it says why, and how much of it is left."),
            _("If the money came back from the buyer’s bank (a closed account), ask the buyer where to send it."),
            _("If there was not enough on the shop’s account there, top it up, and refund the order again."),
            _("If the buyer’s bank disputes the payment, leave it to the dispute: money would go out twice."),
        ),
    )


def _dispute(case: Case) -> Remedy:
    return Remedy(
        title(case.kind),
        _("The bank took the money and the licenses are shut. Won, they stand again; lost, they are gone for good."),
        (
            _("Answer at the payment service before its deadline: the receipt, the plays and downloads are evidence."),
            _("Don’t refund a disputed payment: the bank has the money already."),
            _("Close this case once it is decided; the books and the licenses follow by themselves."),
        ),
    )


def _country(case: Case) -> Remedy:
    return Remedy(
        title(case.kind),
        _("The sale stands, taxed by the country that the buyer named."),
        (
            _("Compare the country of the billing address with that of the card, below."),
            _("If the buyer named the wrong one, refund the order and have them buy again with the right address."),
            _("If theirs is right (somebody abroad), note what convinced you: it is the evidence for the tax office."),
        ),
    )


def _books(case: Case) -> Remedy:
    return Remedy(
        title(case.kind),
        _("The nightly comparison found what is listed below. Nothing was changed."),
        (
            _("Run “wavecrate ledger verify”: each difference is printed with what to do about it."),
            _("If nothing is left of it, it was under way that night: close this case with a word about that."),
        ),
    )
