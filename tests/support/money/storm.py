"""A long life at random: everybody does everything, and whatever can go wrong does, until so many faults have struck.

Then it is calm, and the shop is given a minute by its own clock to come to rest.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from support.money import gateway
from support.money.carrier import Fate, Parcel
from support.money.oracle import Verdict
from support.money.people import MEANS, Buyer, Page, People, Wish, sweep_every
from support.money.points import Course, Plan
from support.money.together import Part, together
from support.money.world import Ground, World

from app.orders import settlement

PATIENCE_SECONDS = 60.0  # what the shop has to come to rest
_LOOK_SECONDS = 10.0
_ATTEMPTS = 4
_FATES = (Fate.ARRIVES,) * 12 + (Fate.TWICE, Fate.NEVER, Fate.LATE)


@dataclass
class Rest:
    """How a life ended."""

    seconds: float | None  # from the last fault until nothing was wrong; None: it never came to that
    verdict: Verdict  # after the minute
    at_last: Verdict  # after every page was closed and every delayed payment over


class Storm:
    """One world's. `chance` draws everything, so that a seed tells the whole story."""

    def __init__(self, world: World, chance: random.Random, *, kill: float = 0.7, line: float = 0.3) -> None:
        self.world, self.chance, self.people = world, chance, People(world)
        self.kill, self.line = kill, line
        self.history: list[str] = []
        self._by_hand = 0
        self._swept_at, self._every = world.time.at, sweep_every()
        stock = world.stock
        self._shelves = [stock.releases, stock.tracks, stock.rentals, stock.bundles, stock.awaited, stock.open_price]
        self._deeds: list[tuple[int, Callable[[], None]]] = [
            (30, self._buy), (6, self._pay_later), (8, self._come_back), (4, self._cancel), (8, self._refund),
            (5, self._give_back), (6, self._claim), (2, self._play), (4, self._dispute), (4, self._decide),
            (4, self._by_dashboard), (9, self._at_once), (3, self._jump),
        ]  # fmt: skip

    @property
    def faults(self) -> int:
        """How many have struck."""
        return sum(self.world.befell.values())

    def rage(self, faults: int) -> None:
        """Go on until so many have."""
        while self.faults < faults:
            self.step()

    def step(self) -> None:
        """One deed, and what follows it: news is carried, the worker works, the clock goes on."""
        weights, deeds = zip(*self._deeds, strict=True)
        self.chance.choices(deeds, weights)[0]()
        if self.chance.random() < 0.7:
            self.world.carrier.round(self._fate, lambda: self._plan("POST /webhooks/stripe"), self._shuffle, self._late)
        if self.chance.random() < 0.5:
            self.people.work(lambda: self._plan("carry out"), most=3)
        self.world.time.advance(self.chance.uniform(0, 8))
        self._sweep_if_due(self._plan("sweep"))

    def calm(self) -> Rest:
        """No fault any more: how long until nothing is wrong, and is anything wrong when all is over?"""
        began, clean_at, judged_at = self.world.time.at, None, None
        verdict = self.world.judge()
        if verdict.clean:
            clean_at = 0.0
        while (passed := self.world.time.at - began) <= PATIENCE_SECONDS:
            self.world.carrier.round()
            self.people.work()
            swept = self._sweep_if_due(None)
            if swept or judged_at is None or passed >= judged_at + _LOOK_SECONDS:
                verdict, judged_at = self.world.judge(), passed
                clean_at = None if not verdict.clean else passed if clean_at is None else clean_at
            self.world.time.advance(2.0)
        verdict = self.world.judge()
        if not verdict.clean:
            clean_at = None
        return Rest(clean_at, verdict, self._to_the_end())

    def _to_the_end(self) -> Verdict:
        """Until every page has closed, every delayed payment is over, and the shop has had time to see it."""
        # The sweep asks about what waits for ten minutes, and again after ten more.
        for seconds in (60.0, settlement.PAGE_OPEN.total_seconds(), 60.0, 660.0, 60.0, 660.0, 60.0):
            self.world.time.advance(seconds)
            self.world.carrier.round()
            self.people.work()
            self.people.sweep()
        return self.world.judge(at_rest=True)

    def _plan(self, name: str) -> Plan | None:
        kill_at, line = None, {}
        if self.chance.random() < self.kill:
            kill_at = self.chance.randint(1, self.chance.choice(self.world.lengths.get(name) or (8,)))
        if self.chance.random() < self.line:
            line = {self.chance.randint(1, 3): self.chance.choice(gateway.KINDS)}
        return Plan(kill_at, line, hard=self.chance.random() < 0.1) if kill_at or line else None

    def _fate(self, _parcel: Parcel) -> Fate:
        return self.chance.choice(_FATES)

    def _late(self) -> float:
        return self.chance.uniform(1, 40)

    def _shuffle(self, parcels: list[Parcel]) -> None:
        if len(parcels) > 1 and self.chance.random() < 0.3:
            one = self.chance.randrange(len(parcels) - 1)
            parcels[one], parcels[one + 1] = parcels[one + 1], parcels[one]

    def _sweep_if_due(self, plan: Plan | None) -> bool:
        if self.world.time.at < self._swept_at + self._every:
            return False
        self._swept_at = self.world.time.at
        self._said("sweep", self.people.sweep(plan))
        return True

    def _said(self, what: str, *courses: Course) -> None:
        for course in courses:
            struck = f" [{', '.join(course.struck)}; died {course.died_at}]" if course.struck else ""
            self.history.append(f"{self.world.time.at:.1f} {what}{struck}")

    def _again(self, what: str, name: str, deed: Callable[[Plan | None], Course]) -> None:
        """Whoever saw it die tries again, a few times."""
        for _attempt in range(_ATTEMPTS):
            course = deed(self._plan(name))
            self._said(what, course)
            if course.died_at is None:
                return

    def _buyer(self) -> Buyer:
        if self.chance.random() < 0.2:
            return self.people.guest(self.chance.randrange(12))
        return self.chance.choice(self.people.buyers)

    def _wishes(self) -> list[Wish]:
        wishes, stock = [], self.world.stock
        for _number in range(self.chance.choice((1, 1, 1, 2, 2, 3))):
            shelf = stock.free if self.chance.random() < 0.06 else self.chance.choice(self._shelves)
            offer = self.chance.choice(shelf)
            named = self.chance.choice((None, 300, 777)) if shelf is stock.open_price else None
            friend = on = None
            if self.chance.random() < 0.15 and shelf not in (stock.free, stock.rentals):
                friend = f"friend{self.chance.randrange(6)}@example.net"
                if self.chance.random() < 0.3:
                    on = (self.world.time.moment() + timedelta(days=self.chance.randrange(1, 9))).date()
            wishes.append(Wish(offer, named, friend, on))
        return wishes

    def _coupon(self) -> str | None:
        if self.chance.random() < 0.75:
            return None
        stock = self.world.stock
        return self.chance.choice((self.chance.choice(stock.single_use[:8]), *stock.codes))

    def _buy(self) -> None:
        buyer, wishes, coupon = self._buyer(), self._wishes(), self._coupon()
        page = None
        for _attempt in range(_ATTEMPTS):
            course, page = self.people.buy(buyer, wishes, coupon, self._plan("buy"))
            self._said(f"buy {buyer.email} {len(wishes)} coupon {coupon} -> {page}", course)
            if course.died_at is None:
                break
        if page is not None and self.chance.random() < 0.8:
            self._pay(page)

    def _pay(self, page: Page) -> None:
        if self.chance.random() < 0.1:
            self.people.pay(page, declined=True)
        means = self.chance.choice(("card", "card", "card", *MEANS))
        if self.people.pay(page, means):
            self._said(f"paid {page} by {means}", Course())
            if self.chance.random() < 0.4:
                self._come_back(page.order_id)

    def _pay_later(self) -> None:
        if self.people.pages:
            self._pay(self.chance.choice(self.people.pages[-20:]))

    def _order(self) -> str | None:
        return self.chance.choice(self.people.orders[-60:]) if self.people.orders else None

    def _come_back(self, order: str | None = None) -> None:
        if order := order or self._order():
            self._again(f"come back {order}", "come back", lambda plan: self.people.come_back(order, plan))

    def _cancel(self) -> None:
        if order := self._order():
            self._again(f"cancel {order}", "cancel", lambda plan: self.people.cancel(order, plan))

    def _refund(self) -> None:
        if order := self._order():
            share = self.chance.choice((1.0, 1.0, 0.5, 0.1))
            name = "refund by staff"
            self._again(f"refund {share} of {order}", name, lambda plan: self.people.refund(order, share, plan))

    def _give_back(self) -> None:
        if order := self._order():
            name = "refund by the buyer"
            self._again(f"give back {order}", name, lambda plan: self.people.give_back(order, plan))

    def _claim(self) -> None:
        waiting = self.people.waiting_claims()
        if waiting:
            claim, (account, _email) = self.chance.choice(waiting), self.chance.choice(self.world.stock.accounts)
            self._again(f"claim {claim} by {account}", "claim", lambda plan: self.people.claim(claim, account, plan))

    def _play(self) -> None:
        account, _email = self.chance.choice(self.world.stock.accounts)
        self._again(f"play {account}", "play", lambda plan: self.people.play(account, plan))

    def _charges(self, *, disputed: bool) -> list[tuple[str, int]]:
        """Payments that took money, the newest: with what is left of them."""
        sql = (
            "SELECT json_extract(body, '$.payment_intent'), json_extract(body, '$.amount_captured')"
            " - json_extract(body, '$.amount_refunded') AS left FROM object WHERE kind = 'charge'"
            " AND json_extract(body, '$.status') = 'succeeded' AND json_extract(body, '$.disputed') = ?"
            " AND left > 0 ORDER BY number DESC LIMIT 40"
        )
        with self.world.bank.state.transaction(write=False) as connection:
            return list(connection.execute(sql, (int(disputed),)))

    def _part_of(self, left: int) -> int | None:
        return self.chance.choice((None, None, max(1, left // 3)))

    def _dispute(self) -> None:
        if charges := self._charges(disputed=False):
            payment, left = self.chance.choice(charges)
            self.people.dispute(payment, self._part_of(left))
            self._said(f"dispute {payment}", Course())

    def _decide(self) -> None:
        sql = "SELECT id FROM object WHERE kind = 'dispute' AND json_extract(body, '$.status') = 'needs_response'"
        with self.world.bank.state.transaction(write=False) as connection:
            open_ones = [row[0] for row in connection.execute(sql + " ORDER BY number")]
        if open_ones:
            which, outcome = self.chance.choice(open_ones), self.chance.choice(("won", "lost"))
            self.world.controls.close_dispute(which, outcome)
            self._said(f"{which} {outcome}", Course())

    def _by_dashboard(self) -> None:
        if charges := self._charges(disputed=False):
            payment, left = self.chance.choice(charges)
            self._by_hand += 1
            self.people.refund_by_hand(payment, self._part_of(left), self._by_hand)
            self._said(f"refunded by hand {payment}", Course())

    def _jump(self) -> None:
        seconds = self.chance.choice((600.0, 3 * 3600.0, 26 * 3600.0, 9 * 86_400.0))
        self.world.time.advance(seconds)
        self.world.also["clock jumped"] += 1
        self._said(f"clock jumps {seconds}", Course())

    def _at_once(self) -> None:
        """Two at once."""
        self.chance.choice(
            (self._two_tabs, self._one_coupon, self._two_claims, self._back_and_news, self._two_wishes)
        )()

    def _together(self, *parts: Part) -> list[Any]:
        done = together(self.world, parts, self.chance.randrange)
        self.world.also["run at once"] += 1
        self._said("at once: " + " | ".join(part.name for part in parts), *(course for course, _result in done))
        return [result for _course, result in done]

    def _two_tabs(self) -> None:
        buyer, wishes = self._buyer(), self._wishes()
        buying = self.people.buying(buyer, wishes)
        results = self._together(Part("buy", buying, self._plan("buy")), Part("buy", buying, self._plan("buy")))
        for page in [self.people.told(buyer, result) for result in results]:
            if page is not None:
                self._pay(page)

    def _one_coupon(self) -> None:
        one, other = self.chance.sample(self.people.buyers, 2)
        code, wishes = self.chance.choice(self.world.stock.single_use[8:]), self._wishes()
        results = self._together(
            Part("buy", self.people.buying(one, wishes, code), self._plan("buy")),
            Part("buy", self.people.buying(other, wishes, code), self._plan("buy")),
        )
        for buyer, result in zip((one, other), results, strict=True):
            page = self.people.told(buyer, result)
            if page is not None:
                self._pay(page)

    def _two_claims(self) -> None:
        if waiting := self.people.waiting_claims():
            claim = self.chance.choice(waiting)
            accounts = self.chance.sample(self.world.stock.accounts, 2)
            self._together(
                *(Part("claim", self.people.claiming(claim, each), self._plan("claim")) for each, _email in accounts)
            )

    def _back_and_news(self) -> None:
        """The buyer comes back while the worker sweeps."""
        if order := self._order():
            self._together(
                Part("come back", lambda: settlement.settle(order), self._plan("come back")),
                Part("sweep", self.people.sweeping, self._plan("sweep")),
            )

    def _two_wishes(self) -> None:
        """Staff and buyer want the money back at once."""
        if order := self._order():
            self._together(
                Part("refund by staff", self.people.refunding(order, 0.5), self._plan("refund by staff")),
                Part("refund by the buyer", self.people.giving_back(order), self._plan("refund by the buyer")),
            )


@dataclass
class Life:
    """What became of one world, in figures that can be added up."""

    seed: int
    rest: Rest | None = None
    befell: Counter[str] = field(default_factory=Counter)
    also: Counter[str] = field(default_factory=Counter)
    mistake: str | None = None
    history: list[str] = field(default_factory=list)


def live(ground: Ground, seed: int, faults: int) -> Life:
    """One world from its beginning until it has come to rest; `mistake` is an exception that the shop did not mean."""
    life = Life(seed)
    with ground.world(seed=seed) as world:
        storm = Storm(world, random.Random(seed))
        try:
            storm.rage(faults)
            life.rest = storm.calm()
        except Exception:
            life.mistake = traceback.format_exc()
        life.befell, life.also, life.history = Counter(+world.befell), world.also, storm.history
    return life
