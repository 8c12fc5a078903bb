"""What the shop says it has sold and holds: its tables, read by SQL of our own. Nothing of the shop's code is asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]


@dataclass
class Books:
    """All of it, at one moment."""

    orders: dict[str, Row]
    lines: dict[str, list[Row]]
    """By order, each with the `grants` it owes: key → (release, track)."""
    licenses: dict[str, Row]
    refunds: dict[str, list[Row]]
    claims: dict[str, list[Row]]
    coupon_uses: list[Row]
    coupons: list[Row]
    cases: dict[str | None, set[str]]
    by_payment: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of each payment: captured, refunded, disputed, fee, as the ledger has it at the gateway."""
    by_line: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of each line: what the accounts hold of its money, earnings positive."""
    by_order: dict[str, dict[str, int]] = field(default_factory=dict)
    unbalanced: list[str] = field(default_factory=list)


_LINES = """
SELECT l.id, l.order_id, l.price_minor, l.net_minor, l.tax_minor, l.gift_to, l.awaited,
       o.kind, o.release_id, o.track_id,
       (SELECT t.release_id FROM track t WHERE t.id = o.track_id) AS on_release,
       (SELECT array_agg(b.release_id ORDER BY b.position) FROM bundled_release b WHERE b.offer_id = o.id) AS members
FROM order_line l JOIN offer o ON o.id = l.offer_id ORDER BY l.position, l.id
"""
_MOVED = """
SELECT e.payment_id, e.kind, sum(p.minor)::bigint AS minor
FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id
WHERE p.account = 'gateway' AND e.payment_id IS NOT NULL GROUP BY 1, 2
"""
_BY_LINE = (
    "SELECT line_id, account, -sum(minor)::bigint AS minor FROM ledger_posting WHERE line_id IS NOT NULL GROUP BY 1, 2"
)
_BY_ORDER = """
SELECT e.order_id, p.account, -sum(p.minor)::bigint AS minor FROM ledger_entry e
JOIN ledger_posting p ON p.entry_id = e.id
WHERE e.order_id IS NOT NULL AND p.account IN ('buyers', 'unapplied') GROUP BY 1, 2
"""
_UNBALANCED = """
SELECT e.key FROM ledger_entry e LEFT JOIN ledger_posting p ON p.entry_id = e.id
GROUP BY e.id, e.key, p.currency HAVING coalesce(sum(p.minor), 1) <> 0
"""
_SIDES = {
    "payment": ("captured", 1),
    "refund": ("refunded", -1),
    "refund_failed": ("refunded", -1),
    "dispute": ("disputed", -1),
    "dispute_won": ("disputed", -1),
    "fee": ("fee", -1),
}


def read(url: str) -> Books:
    """The shop's database at this moment; `url` is libpq's."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(sql: str) -> list[Row]:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

        books = Books(
            orders={row["id"]: row for row in rows("SELECT * FROM customer_order ORDER BY number")},
            lines=_grouped(rows(_LINES), "order_id"),
            licenses={row["grant_key"]: row for row in rows("SELECT * FROM license")},
            refunds=_grouped(rows("SELECT * FROM order_refund ORDER BY created_at"), "order_id"),
            claims=_grouped(rows("SELECT * FROM claim"), "order_id"),
            coupon_uses=rows("SELECT u.*, c.code FROM coupon_use u JOIN coupon_code c ON c.id = u.code_id"),
            coupons=rows("SELECT id, uses, max_uses FROM coupon"),
            cases=defaultdict(set),
            unbalanced=[row["key"] for row in rows(_UNBALANCED)],
        )
        for row in rows("SELECT order_id, kind FROM payment_case"):
            books.cases[row["order_id"]].add(row["kind"])
        for row in rows(_MOVED):
            sides = books.by_payment.setdefault(row["payment_id"], dict.fromkeys(_KEPT, 0))
            side, sign = _SIDES.get(row["kind"], ("other", 1))
            sides[side] = sides.get(side, 0) + sign * row["minor"]
        for row in rows(_BY_LINE):
            books.by_line.setdefault(row["line_id"], {})[row["account"]] = row["minor"]
        for row in rows(_BY_ORDER):
            books.by_order.setdefault(row["order_id"], {})[row["account"]] = row["minor"]
    for lines in books.lines.values():
        for line in lines:
            line["grants"] = _grants(line)
    return books


_KEPT = ("captured", "refunded", "disputed", "fee")


def _grants(line: Row) -> dict[str, tuple[str | None, str | None]]:
    if line["kind"] == "bundle":
        return {f"{line['id']}:{release}": (release, None) for release in line["members"]}
    return {line["id"]: (line["release_id"], line["track_id"])}


def _grouped(rows: list[Row], by: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[by]].append(row)
    return found
