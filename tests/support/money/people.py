"""What people do: buyers, who they give to, staff, and buyers' banks. Each is one action.

The shop is entered where its own pages and tasks enter it. What somebody was not told (the address of a payment page
that opened as the process died) they don't act upon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import croniter
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from support.money.points import Course, Plan
from support.money.timepiece import BEGINS
from support.money.world import World

from app.accounts.models import Account
from app.cart.models import Cart, CartItem
from app.core import ids, queue
from app.core.db import db, transaction
from app.core.errors import NotFound
from app.core.money import Money
from app.licenses import service as licenses
from app.orders import claims, refunds, settlement, tasks
from app.orders.locks import locked
from app.orders.models import Order, RefundOrigin

_PAGES = settlement.Pages(success="http://shop/orders/{order}/return", cancel="http://shop/cart")


def sweep_every() -> float:
    """Seconds between two sweeps, as the worker is told."""
    cron = next(
        each.cron
        for (name, _id), each in queue.queue.periodic_registry.periodic_tasks.items()
        if name == "orders.sweep"
    )
    times = croniter.croniter(cron, BEGINS)
    first = float(times.get_next(float))
    return float(times.get_next(float)) - first


@dataclass
class Buyer:
    """Somebody with an account, or a guest. `orders` are those whose page this browser has seen."""

    account_id: str | None
    email: str
    orders: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """One thing to put into the cart."""

    offer_id: str
    named_minor: int | None = None
    gift_to: str | None = None
    gift_on: date | None = None


@dataclass(frozen=True)
class Page:
    """A payment page that its buyer was sent to."""

    order_id: str
    checkout_id: str


# What there is to pay with: how it is called, and what the sandbox is told.
MEANS: dict[str, dict[str, str]] = {
    "card": {},
    "card from DE": {"number": "4000002760000016"},
    "card whose refunds are slow": {"number": "4000000000007726"},
    "card whose refunds come back": {"number": "4000000000005126"},
    "card that is disputed": {"number": "4000000000000259"},
    "alipay": {"method": "alipay"},
    "paypal": {"method": "paypal"},
    "sepa": {"method": "sepa_debit"},
    "sepa that fails": {"method": "sepa_debit", "iban": "DE62370400440532013001"},
}


class People:
    """The actions, in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pages: list[Page] = []
        self.orders: list[str] = []
        self.buyers = [Buyer(account_id, email) for account_id, email in world.stock.accounts]

    def guest(self, number: int) -> Buyer:
        """One of the guests."""
        return Buyer(None, f"guest{number}@example.net")

    def buy(
        self, buyer: Buyer, wishes: Sequence[Wish], coupon: str | None = None, plan: Plan | None = None
    ) -> tuple[Course, Page | None]:
        """Fill the cart and go to the payment page; None where there is nothing to pay, or no answer."""
        course, told = self.world.act("buy", self.buying(buyer, wishes, coupon), plan)
        return course, self.told(buyer, told)

    def buying(
        self, buyer: Buyer, wishes: Sequence[Wish], coupon: str | None = None
    ) -> Callable[[], tuple[str, str | None]]:
        """The same, to be done together with something else; `told` takes its result."""

        def work() -> tuple[str, str | None]:
            with transaction():
                cart = _cart_of(buyer)
                cart.coupon_code = coupon
                for wish in wishes:
                    _put_in(cart, wish)
            account = db.session.get(Account, buyer.account_id) if buyer.account_id else None
            order, url = settlement.start_checkout(
                cart, account=account, email=buyer.email, pages=_PAGES, locale="en", opened=buyer.orders
            )
            return order.id, url.rpartition("/")[2] if url else None

        return work

    def told(self, buyer: Buyer, answer: tuple[str, str | None] | None) -> Page | None:
        """What a buyer learnt of their order."""
        if answer is None:
            return None
        order_id, checkout_id = answer
        self.orders.append(order_id)
        buyer.orders.append(order_id)
        if checkout_id is None:
            return None
        page = Page(order_id, checkout_id)
        self.pages.append(page)
        return page

    def pay(self, page: Page, means: str = "card", *, declined: bool = False) -> bool:
        """Pay an open page; False where it is closed, was declined, or doesn't take that."""
        with self.world.bank.state.transaction(write=False) as connection:
            session = self.world.bank.find(connection, "checkout.session", page.checkout_id)
        how = dict(MEANS[means])
        method = how.pop("method", "card")
        if session["status"] != "open" or method not in session["payment_method_types"]:
            return False
        said = self.world.controls.pay(
            page.checkout_id, method, declined=declined, expect=402 if declined else 200, **how
        )
        return bool(said["status"] == "complete")

    def come_back(self, order_id: str, plan: Plan | None = None) -> Course:
        """The page that the buyer is led back to asks how the order stands."""
        return self.world.act("come back", lambda: settlement.settle(order_id), plan)[0]

    def cancel(self, order_id: str, plan: Plan | None = None) -> Course:
        """Give an order up."""
        return self.world.act("cancel", lambda: settlement.cancel(order_id), plan)[0]

    def refund(self, order_id: str, share: float = 1.0, plan: Plan | None = None) -> Course:
        """Staff give that share of what can be given back."""
        return self.world.act("refund by staff", self.refunding(order_id, share), plan)[0]

    def refunding(self, order_id: str, share: float) -> Callable[[], None]:
        """The same, to be done together with something else."""

        def work() -> None:
            with transaction():
                order = _present(locked(order_id))
                amount = max(1, round(share * sum(refunds.refundable(order).values())))
                lines = refunds.spread(order, Money(amount, order.currency))
                refunds.ask(
                    order, lines, reason="asked for", origin=RefundOrigin.STAFF, asked_by=self.world.stock.staff
                )

        return work

    def give_back(self, order_id: str, plan: Plan | None = None) -> Course:
        """The buyer gives back what the shop's rule lets them."""
        return self.world.act("refund by the buyer", self.giving_back(order_id), plan)[0]

    def giving_back(self, order_id: str) -> Callable[[], None]:
        """The same, to be done together with something else."""

        def work() -> None:
            with transaction():
                order = _present(locked(order_id))
                lines = refunds.by_customer(order)
                refunds.ask(order, lines, reason="", origin=RefundOrigin.CUSTOMER, asked_by=order.account_id)

        return work

    def claim(self, claim_id: str, account_id: str, plan: Plan | None = None) -> Course:
        """Take what waits for an owner."""
        return self.world.act("claim", self.claiming(claim_id, account_id), plan)[0]

    def claiming(self, claim_id: str, account_id: str) -> Callable[[], None]:
        """The same, to be done together with something else."""

        def work() -> None:
            with transaction():
                claims.claim(claim_id, db.session.get_one(Account, account_id))

        return work

    def waiting_claims(self) -> list[str]:
        """What nobody has claimed yet."""
        with self.world.app.app_context():
            found = db.session.execute(text("SELECT id FROM claim WHERE claimed_at IS NULL ORDER BY created_at, id"))
            return [row.id for row in found]

    def play(self, account_id: str, plan: Plan | None = None) -> Course:
        """Play something one has, which starts a rental's clock."""

        def work() -> None:
            with transaction():
                track = db.session.execute(
                    text(
                        "SELECT t.id FROM license l JOIN track t ON t.release_id = l.release_id OR t.id = l.track_id"
                        " WHERE l.account_id = :account ORDER BY l.rental_days NULLS LAST, t.id LIMIT 1"
                    ),
                    {"account": account_id},
                ).scalar()
                if track is not None:
                    licenses.begin_play(account_id, track)

        return self.world.act("play", work, plan)[0]

    def dispute(self, payment_id: str, amount: int | None = None) -> None:
        """A buyer's bank takes money back."""
        self.world.controls.dispute(payment_id, **({"amount": amount} if amount else {}))

    def refund_by_hand(self, payment_id: str, amount: int | None, number: int) -> None:
        """Somebody gives money back in the gateway's own dashboard, past the shop."""
        client = self.world.app.extensions["stripe"]
        params = {"payment_intent": payment_id} | ({"amount": amount} if amount else {})
        client.v1.refunds.create(params, {"idempotency_key": f"by-hand-{number}"})

    def work(self, plan: Callable[[], Plan | None] = lambda: None, *, most: int = 50) -> list[Course]:
        """The worker takes its jobs: refunds that were asked for. One that it dies over, or can't do, comes again."""
        with self.world.app.app_context():
            jobs = db.session.execute(
                text(
                    "SELECT id, args->>'refund_id' AS refund_id FROM procrastinate_jobs"
                    " WHERE task_name = :task AND status = 'todo' ORDER BY id LIMIT :most"
                ),
                {"task": refunds.CARRY_OUT, "most": most},
            ).all()
        courses = []
        for job in jobs:
            course, done = self.world.act("carry out", lambda job=job: settlement.carry_out(job.refund_id), plan())
            courses.append(course)
            if done is not None:
                with self.world.app.app_context(), transaction():
                    db.session.execute(
                        text("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = :id"), {"id": job.id}
                    )
        return courses

    def sweep(self, plan: Plan | None = None) -> Course:
        """What the worker does every minute."""
        return self.world.act("sweep", self.sweeping, plan)[0]

    def rest(self) -> None:
        """A while without faults: news, the sweep, the worker, and what comes of that."""
        self.world.time.advance(30)
        self.world.carrier.round()
        self.sweep()
        self.work()
        self.world.carrier.round()

    @staticmethod
    def sweeping() -> None:
        """The same, to be done together with something else."""
        tasks.sweep()


def _present(order: Order | None) -> Order:
    if order is None:
        raise NotFound("There is no such order.")
    return order


def _cart_of(buyer: Buyer) -> Cart:
    mine = Cart.account_id == buyer.account_id if buyer.account_id else Cart.email == buyer.email
    cart = db.session.scalar(select(Cart).where(mine))
    if cart is not None:
        return cart
    made = ids.new_id()
    values = {"id": made, "account_id": buyer.account_id, "email": buyer.email, "country": "DE"}
    db.session.execute(insert(Cart).values(values).on_conflict_do_nothing())
    found = db.session.scalar(select(Cart).where(mine))
    assert found is not None
    return found


def _put_in(cart: Cart, wish: Wish) -> None:
    db.session.execute(
        insert(CartItem)
        .values(
            id=ids.new_id(),
            cart_id=cart.id,
            offer_id=wish.offer_id,
            named_minor=wish.named_minor,
            named_currency="EUR" if wish.named_minor is not None else None,
            gift_to=wish.gift_to,
            gift_on=wish.gift_on,
            gift_from="a friend" if wish.gift_to else None,
        )
        .on_conflict_do_nothing()
    )
    db.session.refresh(cart, ["items"])
