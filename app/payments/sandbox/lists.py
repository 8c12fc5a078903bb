"""Lists by page, newest first, and ids expanded into what they stand for (https://docs.stripe.com/api/pagination)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from app.payments.sandbox import sessions
from app.payments.sandbox.bank import refuse
from app.payments.sandbox.params import BadParameter, Reader
from app.payments.sandbox.state import State

Body = dict[str, Any]

_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_DEEPEST = 4


def objects_of(connection: sqlite3.Connection, kind: str, url: str, reader: Reader, filters: tuple[str, ...]) -> Body:
    """A page of the objects of a kind; `filters` are the fields that a request may name a value of."""
    where, values = ["kind = ?"], [kind]
    for name in filters:
        wanted = reader.text(name)
        if wanted is not None:
            # A payment has a column of its own: lists by payment are what the shop asks for.
            where.append("payment = ?" if name == "payment_intent" else f"json_extract(body, '$.{name}') = ?")
            values.append(wanted)
    return _page(connection, "object", where, values, url, reader)


def events(connection: sqlite3.Connection, reader: Reader) -> Body:
    """A page of the events."""
    where: list[str] = []
    values: list[Any] = []
    kind, kinds, delivered = reader.text("type"), reader.words("types"), reader.boolean("delivery_success")
    if kind is not None and kinds is not None:
        raise BadParameter("You may only specify one of these parameters: type, types.", param="types")
    if kind is not None:
        where.append("type GLOB ?")
        values.append(kind)
    if kinds is not None:
        where.append(f"type IN ({', '.join('?' * len(kinds))})")
        values += kinds
    if delivered is not None:
        pending = "EXISTS (SELECT 1 FROM delivery d WHERE d.event = event.id AND NOT d.done)"
        where.append(f"NOT {pending}" if delivered else pending)
    return _page(connection, "event", where, values, "/v1/events", reader)


def _page(
    connection: sqlite3.Connection, table: str, where: list[str], values: list[Any], url: str, reader: Reader
) -> Body:
    limit = reader.integer("limit", least=1, most=100, default=10)
    after, before = reader.text("starting_after"), reader.text("ending_before")
    for name, bound in reader.interval("created").items():
        where.append(f"created {_BOUNDS[name]} ?")
        values.append(bound)
    reader.end()
    if after is not None and before is not None:
        raise BadParameter("You may only specify one of these parameters: starting_after, ending_before.")
    cursor = after or before
    if cursor is not None:
        row = connection.execute(f"SELECT number FROM {table} WHERE id = ?", (cursor,)).fetchone()  # noqa: S608
        if row is None:
            name = "starting_after" if after else "ending_before"
            raise BadParameter(f"No such object: '{cursor}'", param=name, code="resource_missing")
        where.append("number < ?" if after else "number > ?")
        values.append(row[0])
    condition, order = " AND ".join(where) or "1", "ASC" if before else "DESC"
    rows = connection.execute(
        f"SELECT body FROM {table} WHERE {condition} ORDER BY number {order} LIMIT ?",  # noqa: S608  names are our own
        [*values, limit + 1],
    ).fetchall()
    found = [json.loads(row[0]) for row in rows[:limit]]
    if before:
        found.reverse()
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": found}


def expand(connection: sqlite3.Connection, body: Body, paths: list[str]) -> None:
    """Put objects where a body holds their ids; raise BadParameter for a path that leads to none."""
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEEPEST:
            raise BadParameter(f"You cannot expand more than {_DEEPEST} levels of a property.", param="expand")
        _expand(connection, body, parts, path)


def _expand(connection: sqlite3.Connection, body: Body, parts: list[str], path: str) -> None:
    name, rest = parts[0], parts[1:]
    if name == "data" and body.get("object") == "list":
        for each in body["data"]:
            _expand(connection, each, rest, path)
        return
    if name == "line_items" and body.get("object") == "checkout.session":
        body[name] = sessions.line_items(body, State.private(connection, body["id"])["lines"])
    elif name == "refunds" and body.get("object") == "charge":
        data = list(reversed(State.of_payment(connection, body["payment_intent"], "refund")))
        url = f"/v1/charges/{body['id']}/refunds"
        body[name] = {"object": "list", "url": url, "has_more": False, "data": data}
    elif name not in body:
        raise BadParameter(f"This property cannot be expanded ({path}).", param="expand")
    elif isinstance(body[name], str):
        body[name] = State.any(connection, body[name]) or body[name]
    if rest and isinstance(body[name], dict):
        _expand(connection, body[name], rest, path)


def event(connection: sqlite3.Connection, event_id: str) -> Body:
    """One event; raise Refused where there is none."""
    row = connection.execute("SELECT body FROM event WHERE id = ?", (event_id,)).fetchone()
    if row is None:
        raise refuse(f"No such event: '{event_id}'", code="resource_missing", param="id", status=404)
    found: Body = json.loads(row[0])
    return found
