"""Who carries webhooks from the gateway to the shop, and what becomes of them on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from support.money.points import Course, Plan

from app.payments.sandbox.outbox import sign

if TYPE_CHECKING:
    from support.money.world import World

_MOST = 200
_LEASE_SECONDS = 60.0


class Fate(StrEnum):
    """What becomes of an event on its way."""

    ARRIVES = "arrives"
    TWICE = "duplicated"
    NEVER = "dropped"
    LATE = "delayed"


@dataclass(frozen=True)
class Parcel:
    """An event as it was handed over to be carried."""

    delivery: int
    type: str
    body: str


@dataclass
class Carrier:
    """Takes what is due from the outbox. `held` is what is still on its way, with the moment it arrives."""

    world: World
    held: list[tuple[float, Parcel]]
    befell: Counter[str]

    def due(self) -> list[Parcel]:
        """What the gateway offers now, and what was late and has come by now."""
        bank, now = self.world.bank, self.world.time.at
        bank.catch_up()
        come = [parcel for at, parcel in self.held if at <= now]
        self.held = [(at, parcel) for at, parcel in self.held if at > now]
        return come + [Parcel(each.number, each.type, each.body) for each in bank.outbox.claim(_LEASE_SECONDS, _MOST)]

    def carry(self, parcel: Parcel, plan: Plan | None = None) -> Course:
        """Bring one to the shop; what it doesn't take comes again, as the gateway's schedule has it."""
        body = parcel.body.encode()
        secret = self.world.sandbox.config["WEBHOOK_SECRET"]
        # Signed for each attempt, as the gateway does, by the machine's clock, as the shop checks it.
        header = sign(body, secret, self.world.wall())
        course, answer = self.world.ask("/webhooks/stripe", body, {"Stripe-Signature": header}, plan)
        outbox = self.world.bank.outbox
        if answer is not None and 200 <= answer < 300:
            outbox.delivered(parcel.delivery)
        else:
            outbox.failed(parcel.delivery)
        return course

    def round(
        self,
        fate: Callable[[Parcel], Fate] = lambda _parcel: Fate.ARRIVES,
        plan: Callable[[], Plan | None] = lambda: None,
        shuffle: Callable[[list[Parcel]], None] = lambda _parcels: None,
        late: Callable[[], float] = lambda: 20.0,
    ) -> Sequence[Course]:
        """Carry all that is due, in the order `shuffle` leaves it in, each as `fate` has it."""
        parcels = self.due()
        before = list(parcels)
        shuffle(parcels)
        self.befell["reordered"] += sum(one is not other for one, other in zip(before, parcels, strict=True))
        courses = []
        for parcel in parcels:
            what = fate(parcel)
            if what is not Fate.ARRIVES:
                self.befell[what] += 1
            if what is Fate.NEVER:
                self.world.bank.outbox.delivered(parcel.delivery)
            elif what is Fate.LATE:
                self.world.bank.outbox.delivered(parcel.delivery)  # the gateway thinks so
                self.held.append((self.world.time.at + late(), parcel))
            else:
                courses.append(self.carry(parcel, plan()))
                if what is Fate.TWICE:
                    self.held.append((self.world.time.at + late(), parcel))
        return courses
