"""The shop as a whole, killed and contradicted at every place there is, and compared with what its gateway holds.

`support.money` has the world, its people and the oracle; `bench/money.py` lives through the same at length.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from support.ground import Engines
from support.money import books, gateway
from support.money.carrier import Fate
from support.money.people import MEANS, Buyer, Page, People, Wish
from support.money.points import Course, Plan
from support.money.storm import Storm
from support.money.together import Part, together
from support.money.world import Ground, World

from app.orders import settlement

pytestmark = pytest.mark.timeout(1200)  # half a minute at most, each, where nothing else runs

_GROUNDS: list[Ground] = []  # Hypothesis makes its machines itself: they find the ground here


@pytest.fixture(scope="module")
def ground(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A filled shop to clone."""
    made = Ground.lay(engines.postgres, Path(tmp_path_factory.mktemp("gateways")), engines.template)
    _GROUNDS.append(made)
    yield made
    _GROUNDS.remove(made)


@pytest.fixture
def world(ground: Ground) -> Iterator[World]:
    """A shop of the test's own."""
    with ground.world() as made:
        yield made


@pytest.fixture
def stands(world: World) -> Callable[[str], bool]:
    """Whether what an order of one line sold can be used."""

    def ask(order_id: str) -> bool:
        told = books.read(world.database)
        return all(told.licenses[key]["revoked_at"] is None for key in told.lines[order_id][0]["grants"])

    return ask


Attempt = Callable[[Plan | None], Course]
Story = Callable[[People, int], Attempt]
"""What goes before, for the n-th time in one shop, and then the action that is to be killed."""


def _somebody(people: People, number: int) -> Buyer:
    return people.buyers[1 + number % (len(people.buyers) - 1)]


def _page(people: People, number: int, offers: list[str] | None = None, **more: str) -> Page:
    """An order of somebody's own; nobody here buys a thing twice."""
    everything = offers or people.world.stock.tracks
    offer = everything[number // (len(people.buyers) - 1) % len(everything)]
    page = people.buy(_somebody(people, number), [Wish(offer, **more)])[1]
    assert page is not None
    return page


def _paid(people: People, number: int, means: str = "card", **more: str) -> Page:
    page = _page(people, number, **more)
    assert people.pay(page, means)
    people.world.carrier.round()
    return page


def _news(people: People) -> Attempt:
    """Carry the first piece of news there is; what comes behind it is carried when the shop comes to rest."""
    carrier, at = people.world.carrier, people.world.time.at
    parcel, *others = carrier.due()
    people.world.bank.outbox.delivered(*(each.delivery for each in others))
    carrier.held += [(at + 1, each) for each in others]
    return lambda plan: carrier.carry(parcel, plan)


def buy(people: People, number: int) -> Attempt:
    """With a code for one order: it is held for an order that nobody pays, and then free again."""
    code, wish = people.world.stock.single_use[number], Wish(people.world.stock.releases[number // 20])
    return lambda plan: people.buy(_somebody(people, number), [wish], code, plan)[0]


def buy_for_nothing(people: People, number: int) -> Attempt:
    return lambda plan: people.buy(people.guest(number), [Wish(people.world.stock.free[0])], None, plan)[0]


def buy_anew(people: People, number: int) -> Attempt:
    """The page of before is still open, and is closed first."""
    _page(people, number)
    stock = people.world.stock
    return lambda plan: people.buy(_somebody(people, number), [Wish(stock.bundles[0])], None, plan)[0]


def hear_of_a_payment(people: People, number: int) -> Attempt:
    people.pay(_page(people, number))
    return _news(people)


def hear_of_a_gift(people: People, number: int) -> Attempt:
    people.pay(_page(people, number, people.world.stock.bundles, gift_to=f"friend{number}@example.net"))
    return _news(people)


def hear_of_a_second_payment(people: People, number: int) -> Attempt:
    """Two pages for one thing, both paid, and the first has been heard of."""
    buyer, wish = _somebody(people, number), Wish(people.world.stock.tracks[number // 20])
    buying = people.buying(buyer, [wish])
    turns = itertools.count()
    answers = together(people.world, [Part("buy", buying), Part("buy", buying)], lambda waiting: next(turns) % waiting)
    pages = [people.told(buyer, result) for _course, result in answers]
    assert sum(page is not None and people.pay(page) for page in pages) == 2
    people.come_back(people.orders[-2])
    return lambda plan: people.come_back(people.orders[-1], plan)


def come_back(people: People, number: int) -> Attempt:
    page = _page(people, number)
    people.pay(page)
    return lambda plan: people.come_back(page.order_id, plan)


def give_up(people: People, number: int) -> Attempt:
    page = _page(people, number)
    return lambda plan: people.cancel(page.order_id, plan)


def ask_for_the_money(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    return lambda plan: people.give_back(page.order_id, plan)


def give_half_back(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    people.refund(page.order_id, 0.5)
    return lambda plan: people.work(lambda: plan)[0]


def give_back(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    people.refund(page.order_id)
    return lambda plan: people.work(lambda: plan)[0]


def give_back_what_is_disputed(people: People, number: int) -> Attempt:
    """The gateway refuses."""
    page = _paid(people, number)
    people.dispute(_payment(people, page), 20)
    people.refund(page.order_id, 0.2)
    return lambda plan: people.work(lambda: plan)[0]


def hear_of_a_refund_that_comes_back(people: People, number: int) -> Attempt:
    page = _paid(people, number, "card whose refunds come back")
    people.refund(page.order_id)
    people.work()
    people.world.carrier.round()
    people.world.time.advance(30)
    return _news(people)


def hear_of_a_refund_by_hand(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    people.refund_by_hand(_payment(people, page), 40, number)
    return _news(people)


def hear_of_a_dispute(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    people.dispute(_payment(people, page))
    return _news(people)


def hear_of_a_dispute_that_is_won(people: People, number: int) -> Attempt:
    page = _paid(people, number)
    people.dispute(_payment(people, page))
    people.world.carrier.round()
    (dispute,) = (each for each in _open_disputes(people) if each)
    people.world.controls.close_dispute(dispute, "won")
    return _news(people)


def claim_a_gift(people: People, number: int) -> Attempt:
    tracks = people.world.stock.tracks
    people.pay(_page(people, number, [tracks[number % len(tracks)]], gift_to=f"friend{number}@example.net"))
    people.world.carrier.round()
    (claim,), account = people.waiting_claims()[-1:], people.world.stock.accounts[0][0]
    return lambda plan: people.claim(claim, account, plan)


def sweep(people: People, number: int) -> Attempt:
    """Everything is left to it: a payment nobody told of, a refund nobody carried out, an order nobody paid."""
    people.refund(_paid(people, number).order_id, 0.5)
    people.pay(_page(people, number, people.world.stock.tracks[6:]))
    people.world.carrier.round(fate=lambda _parcel: Fate.NEVER)
    people.world.time.advance(700)
    return lambda plan: people.sweep(plan)


def _payment(people: People, page: Page) -> str:
    found = people.world.truth().pages[page.checkout_id].payment_id
    assert found is not None
    return found


def _open_disputes(people: People) -> list[str]:
    sql = "SELECT id FROM object WHERE kind = 'dispute' AND json_extract(body, '$.status') = 'needs_response'"
    with people.world.bank.state.transaction(write=False) as connection:
        return [row[0] for row in connection.execute(sql)]


STORIES: tuple[Story, ...] = (
    buy, buy_for_nothing, buy_anew, hear_of_a_payment, hear_of_a_gift, hear_of_a_second_payment, come_back, give_up,
    ask_for_the_money, give_half_back, give_back, give_back_what_is_disputed, hear_of_a_refund_that_comes_back,
    hear_of_a_refund_by_hand, hear_of_a_dispute, hear_of_a_dispute_that_is_won, claim_a_gift, sweep,
)  # fmt: skip


# What every run tells; the others with `--every-story`, for minutes more (docs/money-proof.md).
SHORT = (buy, hear_of_a_payment, hear_of_a_second_payment, give_back, hear_of_a_dispute_that_is_won, claim_a_gift)
FAILING, FAILING_SHORT = (buy_anew, come_back, give_back), (come_back,)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which stories are told."""
    if "story" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-story")
        failing = "kind" in metafunc.fixturenames
        told = (FAILING if every else FAILING_SHORT) if failing else (STORIES if every else SHORT)
        metafunc.parametrize("story", told, ids=lambda each: each.__name__)


def test_killed_at_each_commit_and_gateway_call_in_turn(world: World, story: Story) -> None:
    people = People(world)
    course = story(people, 0)(None)
    points = len(course.points)
    assert points > 0
    people.rest()
    died = []
    for at in range(1, points + 1):
        died.append(story(people, at)(Plan(kill_at=at)).died_at)
        people.rest()
        verdict = world.judge()
        assert verdict.clean, f"killed {died[-1]}:\n{verdict}"
    assert [each.partition(":")[0] for each in died if each] == [each.partition(":")[0] for each in course.points]
    assert Storm(world, random.Random(0)).calm().at_last.clean


@pytest.mark.parametrize("kind", gateway.KINDS)
def test_each_gateway_call_fails_in_turn(world: World, story: Story, kind: str) -> None:
    people = People(world)
    calls = story(people, 0)(None).calls
    assert calls > 0
    for number in range(1, calls + 1):
        struck = story(people, number)(Plan(gateway={number: kind})).struck
        assert struck == [kind]
        people.rest()
        verdict = world.judge()
        assert verdict.clean, f"{kind} at call {number}:\n{verdict}"
    assert Storm(world, random.Random(0)).calm().at_last.clean


def _two_pages(people: People) -> list[Page]:
    """Two tabs order one thing at once, so that neither closes the other's page."""
    buying, turns = people.buying(people.buyers[1], [Wish(people.world.stock.releases[0])]), itertools.count()
    answers = together(people.world, [Part("buy", buying), Part("buy", buying)], lambda waiting: next(turns) % waiting)
    pages = [people.told(people.buyers[1], answer) for _course, answer in answers]
    return [page for page in pages if page is not None]


def test_what_was_bought_anew_while_it_was_disputed_goes_back_when_the_dispute_is_won(
    world: World, stands: Callable[[str], bool]
) -> None:
    people = People(world)
    first, second = _paid(people, 0), None
    people.dispute(_payment(people, first))
    world.carrier.round()
    second = _paid(people, 0)
    assert (stands(first.order_id), stands(second.order_id)) == (False, True)
    world.controls.close_dispute(_open_disputes(people)[0], "won")
    people.rest()
    people.rest()
    assert (stands(first.order_id), stands(second.order_id)) == (False, True)
    assert [each.kept for each in world.truth().of_order(first.order_id)] == [0]
    assert world.judge().clean


def test_a_second_payment_that_is_disputed_in_part_before_the_shop_heard_of_it_is_left_to_a_person(
    world: World,
) -> None:
    people = People(world)
    first, second = _two_pages(people)
    for page in (first, second):
        people.pay(page)
    people.come_back(first.order_id)
    people.dispute(_payment(people, second), 100)
    people.rest()
    people.rest()
    verdict = world.judge()
    assert verdict.clean, str(verdict)
    assert verdict.with_a_person == 1


def test_a_page_nobody_was_shown_is_given_up_with_its_order(world: World) -> None:
    people = People(world)
    points = people.buy(people.buyers[1], [Wish(world.stock.releases[0])])[0].points
    opened = 1 + next(at for at, name in enumerate(points) if name == "after a call: post checkout/sessions")
    people.buy(people.buyers[2], [Wish(world.stock.releases[0])], plan=Plan(kill_at=opened))
    world.time.advance(settlement.PAGE_OPEN.total_seconds() + 60)
    world.carrier.round()
    verdict = world.judge(at_rest=True)
    assert verdict.clean, str(verdict)
    assert (verdict.orders, verdict.paid) == (2, 0)


plans = st.one_of(
    st.none(),
    st.builds(Plan, kill_at=st.integers(1, 14)),
    st.builds(Plan, gateway=st.dictionaries(st.integers(1, 4), st.sampled_from(gateway.KINDS), min_size=1, max_size=2)),
)
fates = st.sampled_from([Fate.ARRIVES, Fate.ARRIVES, *Fate])


class Shop(RuleBasedStateMachine):
    """Anybody does anything next. When it is over, nobody has lost anything."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = self._stack.enter_context(_GROUNDS[0].world())
        self.people, self.hands = People(self.world), 0

    def teardown(self) -> None:
        """Let it come to rest, and judge."""
        try:
            storm = Storm(self.world, random.Random(0))
            end = storm.calm()
            assert end.verdict.clean, str(end.verdict)
            assert end.at_last.clean, str(end.at_last)
        finally:
            self._stack.close()

    def _buyer(self, who: int) -> Buyer:
        return self.people.guest(who) if who > 2 else self.people.buyers[who]

    def _paid(self) -> list[str]:
        return [each.id for each in self.world.truth().payments.values() if each.captured]

    @rule(
        who=st.integers(0, 4), what=st.lists(st.integers(0, 99), min_size=1, max_size=3), gift=st.booleans(), plan=plans
    )
    def buy(self, who: int, what: list[int], gift: bool, plan: Plan | None) -> None:
        stock = self.world.stock
        wishes = [Wish(stock.everything[each % len(stock.everything)]) for each in what]
        if gift:
            wishes.append(Wish(stock.bundles[0], gift_to="friend@example.net"))
        self.people.buy(self._buyer(who), wishes, None, plan)

    @rule(code=st.integers(0, 1), choices=st.lists(st.integers(0, 1), min_size=8, max_size=8), one=plans, other=plans)
    def two_people_one_coupon(self, code: int, choices: list[int], one: Plan | None, other: Plan | None) -> None:
        stock = self.world.stock
        buyers, coupon, wish = self.people.buyers[:2], stock.single_use[code], Wish(stock.releases[-1])
        parts = [
            Part("buy", self.people.buying(each, [wish], coupon), plan)
            for each, plan in zip(buyers, (one, other), strict=True)
        ]
        turns = iter(choices * 20)
        for buyer, (_course, result) in zip(
            buyers, together(self.world, parts, lambda n: next(turns) % n), strict=True
        ):
            self.people.told(buyer, result)

    @precondition(lambda self: self.people.pages)
    @rule(which=st.integers(0, 20), means=st.sampled_from(sorted(MEANS)), declined=st.booleans())
    def pay(self, which: int, means: str, declined: bool) -> None:
        self.people.pay(self.people.pages[which % len(self.people.pages)], means, declined=declined)

    @precondition(lambda self: self.people.orders)
    @rule(
        which=st.integers(0, 20),
        what=st.sampled_from(["come back", "cancel", "refund", "half", "give back"]),
        plan=plans,
    )
    def of_an_order(self, which: int, what: str, plan: Plan | None) -> None:
        order, people = self.people.orders[which % len(self.people.orders)], self.people
        {
            "come back": lambda: people.come_back(order, plan),
            "cancel": lambda: people.cancel(order, plan),
            "refund": lambda: people.refund(order, 1.0, plan),
            "half": lambda: people.refund(order, 0.5, plan),
            "give back": lambda: people.give_back(order, plan),
        }[what]()

    @rule(who=st.integers(0, 3), plan=plans)
    def claim(self, who: int, plan: Plan | None) -> None:
        for claim in self.people.waiting_claims()[:1]:
            self.people.claim(claim, self.world.stock.accounts[who][0], plan)

    @rule(which=st.integers(0, 9), part=st.booleans())
    def dispute(self, which: int, part: bool) -> None:
        with self.world.bank.state.transaction(write=False) as connection:
            sql = "SELECT payment FROM object WHERE kind = 'charge' AND json_extract(body, '$.disputed') = 0"
            left = " AND json_extract(body, '$.amount_captured') > json_extract(body, '$.amount_refunded')"
            rows = connection.execute(sql + left + " ORDER BY number").fetchall()
        if rows:
            self.people.dispute(rows[which % len(rows)][0], 30 if part else None)

    @rule(outcome=st.sampled_from(["won", "lost"]))
    def decide(self, outcome: str) -> None:
        for dispute in _open_disputes(self.people)[:1]:
            self.world.controls.close_dispute(dispute, outcome)

    @rule(which=st.integers(0, 9))
    def refund_by_hand(self, which: int) -> None:
        whole = [each for each in self.world.truth().payments.values() if each.kept > 60 and not each.questioned]
        if whole:
            self.hands += 1
            self.people.refund_by_hand(whole[which % len(whole)].id, 50, self.hands)

    @rule(several=st.lists(fates, min_size=6, max_size=6), turned=st.booleans(), plan=plans)
    def carry(self, several: list[Fate], turned: bool, plan: Plan | None) -> None:
        fate, first = iter(several * 40), iter([plan])
        self.world.carrier.round(
            lambda _parcel: next(fate),
            lambda: next(first, None),
            lambda parcels: parcels.reverse() if turned else None,
        )

    @rule(plan=plans)
    def work(self, plan: Plan | None) -> None:
        self.people.work(lambda: plan)

    @rule(plan=plans)
    def sweep(self, plan: Plan | None) -> None:
        self.people.sweep(plan)

    @rule(seconds=st.sampled_from([1.0, 25.0, 700.0, 8_000.0, 200_000.0]))
    def wait(self, seconds: float) -> None:
        self.world.time.advance(seconds)


@pytest.mark.usefixtures("ground")
class TestShop(Shop.TestCase):  # type: ignore[name-defined, misc]
    """Short: the long form is bench/money.py."""

    settings = settings(
        max_examples=8,
        stateful_step_count=12,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_a_short_storm(ground: Ground) -> None:
    with ground.world(seed=3) as world:
        storm = Storm(world, random.Random(3))
        storm.rage(60)
        end = storm.calm()
    assert end.seconds is not None, str(end.verdict)
    assert end.at_last.clean, str(end.at_last)
    assert {each.partition(" ")[0] for each in world.befell} >= {"killed"}
