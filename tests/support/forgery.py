"""Webhooks that the gateway did not send, and ones it sent before; made by the seed, so that a run can be had again.

Who makes the forged ones is given more than anybody has: every event's body, those the shop has not been told of too,
every signature that was ever on its way, and (to be spoilt afterwards) signatures of the shop's own secret.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Posted:
    """One request to the webhook's address; headers as a WSGI server would hand them over."""

    kind: str
    body: bytes
    environ: dict[str, str]


Made = tuple[bytes, str | None] | tuple[bytes, str | None, dict[str, str]]
_FORGED: dict[str, Callable[[Forger], Made]] = {}
_GENUINE: dict[str, Callable[[Forger], Made]] = {}
STRANGER = "about a payment that is not the shop's"
_LATE_SECONDS = 60  # how slow the shop may be to look at a request, on a busy machine


@dataclass
class Forger:
    """Makes requests. `told` are bodies of events the shop has taken, `untold` of events it was not told of, and
    `strangers` of events about payments that are none of its own."""

    secret: str
    told: list[bytes]
    untold: list[bytes]
    strangers: list[bytes]
    seed: int = 0
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.number = 0

    def forged(self, kind: str) -> Posted:
        """A request of that kind, one of `forged_kinds()`, that must be refused."""
        return self._posted(kind, _FORGED[kind](self))

    def genuine(self, kind: str) -> Posted:
        """A request of that kind, one of `genuine_kinds()`, that the gateway may well send and that must do nothing."""
        return self._posted(kind, _GENUINE[kind](self))

    def _posted(self, kind: str, made: Made) -> Posted:
        body, header, *more = made
        environ = {"CONTENT_TYPE": "application/json; charset=utf-8"} | (more[0] if more else {})
        if header is not None:
            environ["HTTP_STRIPE_SIGNATURE"] = header
        return Posted(kind, body, environ)

    @property
    def now(self) -> int:
        return int(self.clock())

    def any_body(self) -> bytes:
        return self.random.choice(self.told + 3 * self.untold)

    def hexadecimal(self, digits: int = 64) -> str:
        return "".join(self.random.choice("0123456789abcdef") for _ in range(digits))

    def mac(self, body: bytes, at: int, secret: str | None = None) -> str:
        key = (self.secret if secret is None else secret).encode()
        return hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()

    def signed(self, body: bytes, at: int | None = None, secret: str | None = None) -> str:
        at = self.now if at is None else at
        return f"t={at},v1={self.mac(body, at, secret)}"

    def fresh(self, body: bytes, **changes: Any) -> bytes:
        """The event under an id that was never used, with changes."""
        self.number += 1
        return json.dumps(json.loads(body) | {"id": f"evt_{self.seed}x{self.number}"} | changes).encode()


def forged_kinds() -> tuple[str, ...]:
    """Every kind that must be refused."""
    return tuple(_FORGED)


def genuine_kinds() -> tuple[str, ...]:
    """Every kind that must be acknowledged and change nothing."""
    return tuple(_GENUINE)


def _kind(name: str, among: dict[str, Callable[[Forger], Made]]) -> Callable[[Callable[[Forger], Made]], None]:
    def add(made: Callable[[Forger], Made]) -> None:
        among[name] = made

    return add


@_kind("no signature", _FORGED)
def _no_signature(by: Forger) -> Made:
    at = by.now
    said = [None, "", " ", ",", "=", "t=", "v1=", "t=,v1=", f"t={at}", f"t={at},", f"t={at},v1", f"t={at},v1=", "null"]
    said += [f"v1={by.hexadecimal()}", by.hexadecimal(), f"Bearer {by.hexadecimal()}", f"t={at};v1={by.hexadecimal()}"]
    return by.any_body(), by.random.choice(said)


@_kind("a made-up signature", _FORGED)
def _made_up(by: Forger) -> Made:
    digits = by.random.choice((64, 64, 64, 63, 65, 1, 0, 128))
    return by.any_body(), f"t={by.now - by.random.randrange(0, 200)},v1={by.hexadecimal(digits)}"


@_kind("another secret", _FORGED)
def _another_secret(by: Forger) -> Made:
    body, secret = by.any_body(), by.secret
    others = ["", " ", "None", "whsec_", "whsec_test_secret", "sk_test_sandbox", f"whsec_{by.hexadecimal(32)}"]
    others += [secret[:-1], secret + " ", secret + "\n", secret.upper(), secret.removeprefix("whsec_"), secret[::-1]]
    return body, by.signed(body, secret=by.random.choice([other for other in others if other != secret]))


@_kind("a body changed after it was signed", _FORGED)
def _changed_body(by: Forger) -> Made:
    body = by.any_body()
    header, at = by.signed(body), by.random.randrange(len(body))
    changed = by.random.choice(
        (
            body[:at] + bytes([body[at] ^ 1 << by.random.randrange(8)]) + body[at + 1 :],
            body[:at],
            body[:at] + body[at + 1 :],
            body + by.random.choice((b" ", b"\n", b"\0", b"{}", body)),
            by.random.choice((b"\xef\xbb\xbf", b" ", b"[", body)) + body,
            body[:-1] + b', "amount_total": 1}',
            by.any_body() + b" ",
            b"",
        )
    )
    return changed, header


@_kind("one event's signature under another event", _FORGED)
def _swapped(by: Forger) -> Made:
    signed = by.random.choice(by.told)
    return by.random.choice([body for body in by.told + by.untold if body != signed]), by.signed(signed)


@_kind("a changed time", _FORGED)
def _changed_time(by: Forger) -> Made:
    body, at = by.any_body(), by.now
    moved = at + by.random.choice((-1, 1)) * by.random.randrange(1, TOLERANCE_SECONDS - 10)
    return body, f"t={moved},v1={by.mac(body, at)}"


@_kind("too old", _FORGED)
def _old(by: Forger) -> Made:
    body = by.any_body()
    ago = by.random.choice((TOLERANCE_SECONDS + 1, by.random.randrange(301, 3600), by.random.randrange(3600, 10**9)))
    return body, by.signed(body, by.now - ago)


@_kind("from the future", _FORGED)
def _future(by: Forger) -> Made:
    # When the shop looks at it, it lies less far ahead than when it was made.
    body = by.any_body()
    ahead = by.random.choice(
        (TOLERANCE_SECONDS + _LATE_SECONDS, by.random.randrange(360, 3600), by.random.randrange(3600, 10**12))
    )
    return body, by.signed(body, by.now + ahead)


@_kind("another scheme", _FORGED)
def _another_scheme(by: Forger) -> Made:
    body, at = by.any_body(), by.now
    scheme = by.random.choice(
        ("v0", "v2", "V1", "v10", "v", "1", "xv1", "v1 ", " v1", "v1a", "sha256", "hmac", "s", "")
    )
    return body, f"t={at},{scheme}={by.mac(body, at)}"


@_kind("several signatures, none of them good", _FORGED)
def _several(by: Forger) -> Made:
    body, at = by.any_body(), by.now
    parts = [f"v1={by.hexadecimal()}" for _ in range(by.random.randrange(1, 5))]
    parts += [f"v0={by.mac(body, at)}", f"v1={by.mac(body, at, 'whsec_the_one_before')}", f"v1={by.mac(body, at - 1)}"]
    by.random.shuffle(parts)
    return body, ",".join([f"t={at}", *parts])


@_kind("something put into the header", _FORGED)
def _injected(by: Forger) -> Made:
    body, at = by.any_body(), by.now
    good, odd = by.mac(body, at), by.random.choice(("\r\n", "\n", "\r", "\0", "\t", "\x7f", "\u00ff", ";", "|", " , "))
    return body, by.random.choice(
        (
            f"t={at}{odd}v1={good}",
            f"t={at},v1={by.hexadecimal()}{odd}Stripe-Signature: t={at},v2={good}",
            f"{odd}t={at},v1={by.hexadecimal()}",
            f"t={at},v1={good[:32]}{odd}{good[32:]}",
            f"t={at},v1={good}{odd}x",
            f"t={at}," + ",".join(f"v1={by.hexadecimal()}" for _ in range(200)),
            f"t={at},v1=" + "0" * 20_000,
        )
    )


@_kind("parts twice or cut off", _FORGED)
def _broken(by: Forger) -> Made:
    body, now = by.any_body(), by.now
    old = now - by.random.randrange(400, 4000)
    was, good = by.mac(body, old), by.mac(body, now)
    return (
        body,
        by.random.choice(
            (
                f"t={now},t={old},v1={was}",
                f"t={old},t={now},v1={was}",
                f"t={old},v1={was},t={now}",
                f"v1={was},t={now},t={old}",
                f"t={now},v1={was},v1={was}",
                f"t={old},v1={was},t={now},v1={good}",  # two headers, as a server joins them
                f"t={now},v1={good[: by.random.randrange(64)]}",
                f"t={now},v1={good}0",
                f"t={now},v1={good.upper()}" if good.upper() != good else None,
                f"t={now},v1=0x{good}",
                f"t={now}.0,v1={good}",
                f"t={now}x,v1={good}",
                f"t=-{now},v1={good}",
                f"t={now:#x},v1={good}",
                f"t=1e9,v1={good}",
                f"t=nan,v1={good}",
                f"t={now}{now},v1={good}",
                f"T={now},v1={good}",
                f"v1={good}",
            )
        ),
    )


@_kind("the same in other bytes", _FORGED)
def _reencoded(by: Forger) -> Made:
    body = by.any_body()
    event, text = json.loads(body), body.decode()
    other, environ = by.random.choice(
        (
            (json.dumps(event, indent=1).encode(), {}),
            (json.dumps(event, separators=(",", ":")).encode() + b"\n", {}),
            (json.dumps(dict(reversed(event.items()))).encode(), {}),
            (text.replace("evt_", "\\u0065vt_").encode(), {}),
            (text.encode("utf-16"), {"CONTENT_TYPE": "application/json; charset=utf-16"}),
            (text.encode("utf-8-sig"), {}),
            (gzip.compress(body, mtime=0), {"HTTP_CONTENT_ENCODING": "gzip"}),
            (f"payload={quote_plus(text)}".encode(), {"CONTENT_TYPE": "application/x-www-form-urlencoded"}),
            (b"[" + body + b"]", {}),
        )
    )
    return other, by.signed(body), environ


@_kind("a used id with another body", _FORGED)
def _used_id(by: Forger) -> Made:
    known, told = json.loads(by.random.choice(by.untold)), by.random.choice(by.told)
    body = json.dumps(known | {"id": json.loads(told)["id"]}).encode()
    return body, by.random.choice((by.signed(told), by.signed(body, secret="whsec_the_one_before")))


@_kind("another account or mode", _FORGED)
def _another_account(by: Forger) -> Made:
    account = f"acct_{by.hexadecimal(16)}"
    body = by.fresh(by.any_body(), account=account, livemode=by.random.random() < 0.5)
    return body, by.signed(body, secret=f"whsec_{account}")


@_kind("replayed as it was", _GENUINE)
def _replayed(by: Forger) -> Made:
    body = by.random.choice(by.told)
    return body, by.signed(body, by.now - by.random.randrange(0, TOLERANCE_SECONDS - _LATE_SECONDS))


@_kind("sent again, signed anew", _GENUINE)
def _again(by: Forger) -> Made:
    body, at = by.random.choice(by.told), by.now
    before = by.mac(body, at, "whsec_the_one_before")
    return body, by.random.choice((by.signed(body), f"t={at},v1={before},v1={by.mac(body, at)}"))


@_kind(STRANGER, _GENUINE)
def _stranger(by: Forger) -> Made:
    body = by.fresh(by.random.choice(by.strangers), livemode=by.random.random() < 0.5)
    return body, by.signed(body)
