"""The verdict: is there money behind each license, is each sale's license there, once, and do the books say what is.

It compares `truth` (the gateway's own file) with `books` (the shop's tables). It knows the rules of the trade, and none
of the code that is to keep them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from support.money.books import Books, Row
from support.money.truth import Truth


class Wrong(StrEnum):
    """What can be wrong."""

    LOST = "lost"  # the money was kept and the license isn't there
    DOUBLED = "doubled"  # paid twice and kept, or licensed twice for one sale
    UNPAID = "unpaid"  # a license stands and no money stands behind it
    LEDGER = "ledger"  # the books say something else than the gateway
    COUPON = "coupon"
    STUCK = "stuck"  # something waits that nothing will end
    CLAIM = "claim"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    wrong: Wrong
    about: str
    says: str
    minor: int = 0  # of a difference, in minor units

    def __str__(self) -> str:
        return f"{self.wrong}: {self.about}: {self.says}"


@dataclass
class Verdict:
    """What was found, and what there was to look at."""

    findings: list[Finding] = field(default_factory=list)
    orders: int = 0
    paid: int = 0
    payments: int = 0
    licenses: int = 0
    late_coupons: int = 0
    with_a_person: int = 0  # bought twice, and the refund came back: the shop has told its staff, and can't do more

    def count(self, wrong: Wrong) -> int:
        """How often that."""
        return sum(each.wrong is wrong for each in self.findings)

    @property
    def ledger_difference(self) -> int:
        """Between the books and the gateway, in minor units, whatever the currency and the direction."""
        return sum(each.minor for each in self.findings if each.wrong is Wrong.LEDGER)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.findings) or "nothing is wrong"


def judge(books: Books, truth: Truth, *, at_rest: bool = False) -> Verdict:
    """Compare. `at_rest`: no page is open and no delayed payment under way any more, so nothing may wait."""
    verdict = Verdict(
        orders=len(books.orders),
        payments=sum(1 for each in truth.payments.values() if each.captured),
        licenses=len(books.licenses),
    )
    owed = {key for lines in books.lines.values() for line in lines for key in line["grants"]}
    findings = verdict.findings
    for key in books.licenses.keys() - owed:
        findings.append(Finding(Wrong.UNPAID, f"license {key}", "it belongs to nothing that was sold"))
    for order in books.orders.values():
        verdict.paid += order["paid_at"] is not None
        findings.extend(_order(order, books, truth))
        findings.extend(_waiting(order, books, truth, at_rest))
    findings.extend(_strangers(books, truth))
    for finding, order in _twice(books):
        if "refund_refused" in books.cases[order["id"]]:
            verdict.with_a_person += 1
        else:
            findings.append(finding)
    findings.extend(_ledger(books, truth))
    findings.extend(_coupons(books))
    verdict.late_coupons = sum(use["state"] == "late" for use in books.coupon_uses)
    return verdict


def _order(order: Row, books: Books, truth: Truth) -> Iterator[Finding]:
    payments, total, name = truth.of_order(order["id"]), order["total_minor"], f"order {order['number']}"
    kept = sum(each.kept for each in payments)
    in_books = {line["id"]: sum(books.by_line.get(line["id"], {}).values()) for line in books.lines[order["id"]]}
    if kept > total and not {"mismatch", "refund_refused"} & books.cases[order["id"]]:
        yield Finding(Wrong.DOUBLED, name, f"{kept} kept for a total of {total}", kept - total)
    untouched = total > 0 and any(
        each.captured == total and not each.refunded and not each.questioned for each in payments
    )
    asked = [each for each in books.refunds[order["id"]] if each["state"] != "failed"]
    for line in books.lines[order["id"]]:
        held = [books.licenses.get(key) for key in line["grants"]]
        standing = sum(each is not None and each["revoked_at"] is None for each in held)
        price, money = line["price_minor"], in_books[line["id"]]
        given_back = sum(each["lines"].get(line["id"], 0) for each in asked)
        if price == 0:
            owed = order["paid_at"] is not None and (total == 0 or untouched)
            if owed and standing < len(held):
                yield Finding(Wrong.LOST, name, f"line {line['id']} is free and its license isn't there")
            if standing and order["paid_at"] is None:
                yield Finding(Wrong.UNPAID, name, f"line {line['id']} of an order that was not concluded")
            continue
        if standing and kept <= 0:
            yield Finding(Wrong.UNPAID, name, f"line {line['id']} stands; the gateway keeps {kept}")
        elif standing and money <= 0:
            yield Finding(Wrong.UNPAID, name, f"line {line['id']} stands; its money is {money}")
        elif standing and given_back >= price:
            yield Finding(Wrong.UNPAID, name, f"line {line['id']} stands; all of it is given back")
        if standing < len(held):
            if untouched and not asked:
                yield Finding(Wrong.LOST, name, f"line {line['id']} is paid: {standing} of {len(held)} stand")
            elif money > 0 and given_back < price and kept > 0:
                yield Finding(Wrong.LOST, name, f"line {line['id']} has {money} behind it: {standing} stand")
        yield from _owners(order, line, books)
    keyed = [each for each in asked if any(each["id"] in payment.by_key for payment in payments)]
    if payments and not any(each.questioned or each.by_hand for each in payments) and len(payments) == 1:
        for line in books.lines[order["id"]]:
            left = line["price_minor"] - sum(each["lines"].get(line["id"], 0) for each in keyed)
            if left != in_books[line["id"]] and payments[0].captured == total:
                off = abs(left - in_books[line["id"]])
                yield Finding(Wrong.LEDGER, name, f"line {line['id']}: {in_books[line['id']]} and not {left}", off)


def _owners(order: Row, line: Row, books: Books) -> Iterator[Finding]:
    """Whose the licenses are: the buyer's, or nobody's until they are claimed, and then the claimant's."""
    is_gift, owner = line["gift_to"] is not None, order["account_id"]
    if is_gift or owner is None:
        claims = [each for each in books.claims[order["id"]] if each["line_id"] == (line["id"] if is_gift else None)]
        if order["paid_at"] is not None and len(claims) != 1:
            yield Finding(Wrong.CLAIM, f"order {order['number']}", f"line {line['id']}: {len(claims)} claims")
            return
        owner = claims[0]["claimed_by"] if claims else None
    for key, (release, track) in line["grants"].items():
        held = books.licenses.get(key)
        if held is None:
            continue
        if held["account_id"] != owner:
            yield Finding(Wrong.CLAIM, f"license {key}", f"it is {held['account_id']}'s and not {owner}'s")
        if (held["release_id"], held["track_id"]) != (release, track):
            yield Finding(Wrong.LOST, f"license {key}", "it is for something else than was sold")
        if (held["rental_days"] is not None) != (line["kind"] == "rental"):
            yield Finding(Wrong.UNPAID, f"license {key}", "it lasts for another time than was sold")


def _waiting(order: Row, books: Books, truth: Truth, at_rest: bool) -> Iterator[Finding]:
    name = f"order {order['number']}"
    pages = [each for each in truth.pages.values() if each.order_id == order["id"]]
    if order["state"] == "pending":
        if at_rest:
            yield Finding(Wrong.STUCK, name, "pending, and nothing is open any more")
        elif any(each.paid for each in pages):
            yield Finding(Wrong.STUCK, name, "paid, and pending")
        elif pages and not any(each.is_open or each.id in truth.underway for each in pages):
            yield Finding(Wrong.STUCK, name, "its pages are closed, and it is pending")
    for each in books.refunds[order["id"]]:
        if each["state"] == "asked":
            yield Finding(Wrong.STUCK, name, f"refund {each['id']} is asked for, and nothing comes of it")
        by_key = sum(payment.by_key.get(each["id"], 0) for payment in truth.payments.values())
        if each["state"] == "failed" and by_key:
            yield Finding(Wrong.LEDGER, name, f"refund {each['id']} failed, and the gateway made it", by_key)
        if each["state"] == "done" and not by_key:
            yield Finding(
                Wrong.LEDGER, name, f"refund {each['id']} is done, and the gateway made none", each["amount_minor"]
            )


def _strangers(books: Books, truth: Truth) -> Iterator[Finding]:
    """Money for an order that isn't there."""
    for each in truth.payments.values():
        if each.kept and each.order_id not in books.orders:
            yield Finding(Wrong.LOST, f"payment {each.id}", f"{each.kept} kept for no order there is")


def _twice(books: Books) -> Iterator[tuple[Finding, Row]]:
    """One buyer, one thing, bought for good: paid for once.

    What was bought later gives something that nothing before it gave. What a guest's claim brought to an account counts
    as nobody's, for the shop learnt only then whose it is.
    """
    held: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
    for order in sorted(books.orders.values(), key=lambda each: (each["paid_at"] is None, each["paid_at"])):
        if order["paid_at"] is None or any(
            each["kind"] == "guest" and each["claimed_by"] for each in books.claims[order["id"]]
        ):
            continue
        buyer = order["account_id"] or order["email"].lower()
        for line in books.lines[order["id"]]:
            money = sum(books.by_line.get(line["id"], {}).values())
            if line["kind"] == "rental" or line["gift_to"] is not None or not line["price_minor"] or money <= 0:
                continue
            gives = set(line["grants"].values())
            covered = {each for each in gives if each in held[buyer] or (line["on_release"], None) in held[buyer]}
            if covered == gives:
                says = f"{buyer} had paid for line {line['id']} before"
                yield Finding(Wrong.DOUBLED, f"order {order['number']}", says), order
            held[buyer] |= gives


def _ledger(books: Books, truth: Truth) -> Iterator[Finding]:
    for key in books.unbalanced:
        yield Finding(Wrong.LEDGER, f"entry {key}", "it does not balance", 1)
    for payment_id in truth.payments.keys() | books.by_payment.keys():
        real, told = truth.payments.get(payment_id), books.by_payment.get(payment_id, {})
        for side in ("captured", "refunded", "disputed", "fee"):
            is_so = getattr(real, side) if real is not None else 0
            if off := abs(told.get(side, 0) - is_so):
                says = f"{side} {is_so} at the gateway, {told.get(side, 0)} in the books"
                yield Finding(Wrong.LEDGER, f"payment {payment_id}", says, off)
    for order in books.orders.values():
        waiting = books.by_order.get(order["id"], {})
        known = {"mismatch", "refund_refused"} & books.cases[order["id"]]
        for account in ("buyers", "unapplied"):
            if waiting.get(account) and not known:
                says = f"{waiting[account]} left on {account}"
                yield Finding(Wrong.LEDGER, f"order {order['number']}", says, abs(waiting[account]))
        yield from _gifts(order, books)


def _gifts(order: Row, books: Books) -> Iterator[Finding]:
    """What a gift brought is earned when it is claimed, and not before."""
    claimed = {each["line_id"] for each in books.claims[order["id"]] if each["claimed_at"] is not None}
    for line in books.lines[order["id"]]:
        on_gifts = books.by_line.get(line["id"], {}).get("gifts", 0)
        if on_gifts and (line["id"] in claimed or line["gift_to"] is None):
            yield Finding(Wrong.LEDGER, f"line {line['id']}", f"{on_gifts} left on gifts", abs(on_gifts))
        if on_gifts < 0:
            yield Finding(Wrong.LEDGER, f"line {line['id']}", f"gifts are owed {on_gifts}", -on_gifts)


def _coupons(books: Books) -> Iterator[Finding]:
    taken: dict[str, int] = defaultdict(int)
    in_force: Counter[str] = Counter()
    for use in books.coupon_uses:
        order = books.orders.get(use["order_id"])
        in_force[use["coupon_id"]] += use["state"] in ("reserved", "taken")
        if order is None:
            yield Finding(Wrong.COUPON, use["code"], f"used by order {use['order_id']}, which isn't there")
            continue
        name = f"order {order['number']}"
        concluded = order["paid_at"] is not None
        if use["state"] == "taken":
            taken[use["code_id"]] += use["single_use"]
        if concluded and use["state"] not in ("taken", "late"):
            yield Finding(Wrong.COUPON, name, f"paid, and its coupon is {use['state']}")
        if order["state"] == "cancelled" and use["state"] != "released":
            yield Finding(Wrong.COUPON, name, f"given up, and its coupon is {use['state']}")
        if order["state"] == "pending" and use["state"] != "reserved":
            yield Finding(Wrong.COUPON, name, f"pending, and its coupon is {use['state']}")
    for code, times in taken.items():
        if times > 1:
            yield Finding(Wrong.COUPON, code, f"good for one order, taken for {times}")
    for coupon in books.coupons:
        if coupon["uses"] != in_force[coupon["id"]]:
            says = f"{coupon['uses']} uses counted, {in_force[coupon['id']]} in force"
            yield Finding(Wrong.COUPON, f"coupon {coupon['id']}", says)
        if coupon["max_uses"] is not None and in_force[coupon["id"]] > coupon["max_uses"]:
            yield Finding(Wrong.COUPON, f"coupon {coupon['id']}", "used more often than it may be")
