"""What the sandbox's buyers hold in their hands: test cards and accounts, the numbers Stripe's own documentation gives.

https://docs.stripe.com/testing. A number says how its payment goes, and in its digits 7 to 9 where the card is from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

TEST_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
TEST_IBAN = "DE89 3704 0044 0532 0130 00"
FAILING_IBAN = "DE62 3704 0044 0532 0130 01"

_DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline", "Your card was declined."),
    "4000000000009995": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "4000000000009987": ("card_declined", "lost_card", "Your card was declined."),
    "4000000000000069": ("expired_card", None, "Your card has expired."),
    "4000000000000127": ("incorrect_cvc", None, "Your card's security code is incorrect."),
    "4000000000000119": ("processing_error", None, "An error occurred while processing your card."),
}
_DISPUTED = {"4000000000000259": "fraudulent", "4000000000002685": "product_not_received"}
_REFUNDS = {"4000000000007726": "pending", "4000000000005126": "failing"}
# ISO 3166-1 numeric, as Stripe's cards carry it.
_COUNTRIES = {
    "036": "AU", "040": "AT", "056": "BE", "076": "BR", "124": "CA", "156": "CN", "208": "DK", "246": "FI",
    "250": "FR", "276": "DE", "344": "HK", "356": "IN", "372": "IE", "380": "IT", "392": "JP", "458": "MY",
    "484": "MX", "528": "NL", "554": "NZ", "578": "NO", "616": "PL", "620": "PT", "702": "SG", "724": "ES",
    "752": "SE", "756": "CH", "826": "GB", "840": "US",
}  # fmt: skip


@dataclass(frozen=True)
class Means:
    """What a buyer pays with, and how that goes."""

    method: str
    details: dict[str, Any]  # a charge's payment_method_details
    decline: dict[str, Any] | None = None  # a charge's error: it is refused on the page
    fails_later: bool = False  # a delayed method's: it is refused days after
    dispute: str | None = None  # disputed as soon as it is paid, for this reason
    refunds: str = "succeeded"  # what becomes of its refunds: succeeded, pending (first) or failing (in the end)

    @property
    def country(self) -> str | None:
        """Where the card or account is from, if it says so."""
        found: str | None = self.details[self.method].get("country")
        return found


class BadNumber(Exception):
    """No such card or account can exist."""


def wallet(method: str, email: str | None) -> Means:
    """Alipay, WeChat Pay or PayPal."""
    inner: dict[str, Any] = {"transaction_id": None}
    if method == "paypal":
        inner |= {"country": None, "payer_email": email, "payer_id": None, "payer_name": None}
    return Means(method, {"type": method, method: inner})


def card(number: str) -> Means:
    """The card of a number; raise BadNumber where the check digit says it is none."""
    bare = re.sub(r"[\s-]", "", number)
    if not re.fullmatch(r"\d{12,19}", bare) or not _luhn(bare):
        raise BadNumber(number)
    country = _COUNTRIES.get(bare[6:9], "US") if bare.startswith("400000") else "US"
    brand = {"3": "amex", "5": "mastercard", "6": "discover"}.get(bare[0], "visa")
    shown = {
        "brand": brand,
        "country": country,
        "exp_month": 12,
        "exp_year": 2034,
        "funding": "credit",
        "last4": bare[-4:],
        "network": brand,
        "wallet": None,
    }
    code = _DECLINES.get(bare)
    return Means(
        "card",
        {"type": "card", "card": shown},
        decline=error(*code) if code else None,
        dispute=_DISPUTED.get(bare),
        refunds=_REFUNDS.get(bare, "succeeded"),
    )


def account(iban: str) -> Means:
    """The bank account of an IBAN; raise BadNumber where its check digits are wrong (ISO 13616)."""
    bare = re.sub(r"\s", "", iban).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", bare):
        raise BadNumber(iban)
    if int("".join(str(int(each, 36)) for each in bare[4:] + bare[:4])) % 97 != 1:
        raise BadNumber(iban)
    shown = {"bank_code": bare[4:12], "branch_code": None, "country": bare[:2], "last4": bare[-4:], "mandate": None}
    return Means(
        "sepa_debit",
        {"type": "sepa_debit", "sepa_debit": shown},
        fails_later=bare == FAILING_IBAN.replace(" ", ""),
        refunds="pending",
    )


def presented(
    method: str, *, number: str = "", iban: str = "", email: str | None = None, declined: bool = False
) -> Means:
    """What a buyer presents to pay with one of the methods; raise BadNumber where a card or account can't exist.

    `declined`: the buyer's bank or wallet says no, whatever the number; then none is needed.
    """
    if declined:
        given = {"card": card(TEST_CARD), "sepa_debit": account(TEST_IBAN)}.get(method) or wallet(method, email)
        return replace(given, decline=refused(method))
    if method == "card":
        return card(number)
    return account(iban) if method == "sepa_debit" else wallet(method, email)


def error(code: str, decline_code: str | None, message: str) -> dict[str, Any]:
    """A declined charge's error."""
    return {"type": "card_error", "code": code, "decline_code": decline_code, "message": message}


def refused(method: str) -> dict[str, Any]:
    """The error of a payment the buyer's bank or wallet refused."""
    if method == "card":
        return error("card_declined", "generic_decline", "Your card was declined.")
    return error("payment_intent_payment_attempt_failed", None, "The payment attempt failed.")


def _luhn(number: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
