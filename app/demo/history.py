"""Who has been here before: three logins to try the shop with, and made-up listeners with tastes of their own.

The listeners look, preview, buy and play over the last ninety days, each after one of four tastes, so that what is
popular, what is for you and what fans also bought have something to go by. None of them can sign in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.accounts import service as accounts
from app.accounts.models import Account, Role
from app.catalog import rights
from app.catalog import service as catalog
from app.catalog.models import Artist, Release, Track
from app.core import clock
from app.core.db import db
from app.core.store import settings
from app.demo.catalogue import RELEASES
from app.demo.dsp import seeded
from app.discovery import choices, tastes
from app.discovery import service as discovery
from app.discovery.models import EventKind
from app.licenses import service as licenses
from app.media import queries as media
from app.playback import service as playback

LOGINS: tuple[tuple[str, str, str], ...] = (
    (Role.CUSTOMER.value, "listener@wavecrate.example", "all-ears-2025"),
    (Role.EDITOR.value, "editor@wavecrate.example", "red-pencil-2025"),
    (Role.ADMIN.value, "admin@wavecrate.example", "all-the-keys-2025"),
)
_NAMES = {"customer": "Robin Marlow", "editor": "Sam Okoye", "admin": "Lou Brandt"}

LISTENERS = 72
DAYS = 90

# How much a taste is drawn to each release (by its key), 0 to 1; anything else it meets only by chance.
TASTES: dict[str, dict[str, float]] = {
    "still": {"weather": 1.0, "doors": 0.9, "waited": 0.8, "mains": 0.75, "river": 0.6, "tide": 0.5},
    "night": {"load": 1.0, "orbit": 0.9, "crosswalk": 0.9, "save": 0.75, "fold": 0.5},
    "warm": {"cats": 1.0, "orders": 0.9, "ceiling": 0.9, "weather": 0.3, "crosswalk": 0.25},
    "lantern": {"river": 1.0, "tide": 0.85, "fold": 0.75, "orbit": 0.65, "doors": 0.45, "weather": 0.3},
}
_BY_CHANCE = 0.05
_SHARES = (0.28, 0.28, 0.27, 0.17)  # of the listeners, by taste

_FIRST = (
    "Aino Bastien Carla Dai Edda Farid Greta Hana Ivo Jonas Keiko Lena Mateo Nadia Oskar Petra Quentin Rosa "
    "Sanna Tomas Uma Vera Wen Ximena Yara Zoltan"
)
_LAST = "Adler Bergqvist Castell Dunmore Ekholm Fontaine Garrow Hollis Iversen Juhl Kerrigan Lindqvist"
_CHINESE = "林小满 陈一帆 周念 吴听雨 许星河 何晚舟 郑知秋 沈青禾 梁默 宋北辰 苏见山 罗予安 谢临风 叶知微"


@dataclass(frozen=True, slots=True)
class Listener:
    """Someone who does not exist."""

    email: str
    name: str
    locale: str
    taste: str


def ensure_logins() -> list[tuple[str, str, str]]:
    """The demo's three accounts as (role, e-mail, password), made or put right; the editor has every label there is.

    The caller commits.
    """
    for role, email, password in LOGINS:
        account = accounts.ensure_account(email, password, _NAMES[role], role=Role(role))
        if role == Role.EDITOR:
            for name in sorted({spec.label for spec in RELEASES}):
                rights.give_label(account, catalog.ensure_label(name))
    return list(LOGINS)


def listeners() -> list[Listener]:
    """The made-up listeners, always the same."""
    rng, made = seeded("listeners"), []
    tastes, first, last, chinese_names = list(TASTES), _FIRST.split(), _LAST.split(), _CHINESE.split()
    for number in range(LISTENERS):
        chinese = number % 5 == 4
        if chinese:
            name = chinese_names[number // 5 % len(chinese_names)]
        else:
            name = f"{first[number % len(first)]} {last[int(rng.integers(len(last)))]}"
        taste = tastes[int(rng.choice(len(tastes), p=_SHARES))]
        email = f"listener{number + 1:03d}@people.wavecrate.example"
        made.append(Listener(email, name, "zh_Hans" if chinese else "en", taste))
    return made


def write_history() -> int:
    """Write the listeners' plays and purchases, and some of the demo listener's; train the recommender on them.

    Answers how many events were written: none, and nothing trained, the second time. The caller commits.
    """
    releases = _releases()
    if not releases:
        return 0
    now, written = clock.now(), 0
    for number, listener in enumerate(listeners()):
        if accounts.by_email(listener.email) is None:
            account = accounts.register(listener.email, None, listener.name, locale=listener.locale)
            written += _Life(account, number, now).live(releases, TASTES[listener.taste])
    login = accounts.by_email(LOGINS[0][1])
    if login is not None:
        written += _demo_listener(login, releases, now)
    if written:
        db.session.flush()
        discovery.train()
    return written


class _Life:
    """What one listener did, from first visit to last, drawn from a seed of their own."""

    def __init__(self, account: Account, number: int, now: datetime) -> None:
        self.account, self.number, self.now = account, number, now
        self.rng = seeded("life", number)
        self.began = float(self.rng.uniform(8, DAYS))
        self.written = 0

    def live(self, releases: dict[str, Release], taste: dict[str, float]) -> int:
        """Meet the releases one after the other; answer how many events that made."""
        keenness = float(self.rng.uniform(0.6, 1.25))
        for key in self.rng.permutation(sorted(releases)):
            pull = taste.get(key, _BY_CHANCE) * keenness
            if self.rng.random() < min(0.9, 0.25 + pull):
                self._meet(releases[str(key)], pull, cheap=str(key) == "crosswalk")
        return self.written

    def _meet(self, release: Release, pull: float, *, cheap: bool) -> None:
        # What was met in the first days is as likely as what was met yesterday; the shop grows, so lean to lately.
        days_ago = self.began * float(self.rng.beta(1.0, 1.35))
        for _ in range(1 + int(self.rng.random() < pull)):
            self._note(EventKind.VIEW, release, days_ago)
        if self.rng.random() < 0.25 + 0.65 * pull:
            track = release.tracks[int(self.rng.integers(len(release.tracks)))]
            self._note(EventKind.PREVIEW, release, days_ago - 0.002, track)
        wanted = self.rng.random() < min(0.85, 0.62 * pull + (0.15 if cheap and pull > 0.2 else 0.0))
        if wanted or self.rng.random() < 0.12 * pull:
            self._note(EventKind.CART, release, days_ago - 0.004)
        if not wanted:
            return
        key = f"demo:{self.number}:{release.id}"
        if licenses.grant(self.account.id, release_id=release.id, grant_key=key):
            self._note(EventKind.PURCHASE, release, days_ago - 0.006)
        if self.rng.random() < 0.35:
            self._note(EventKind.DOWNLOAD, release, days_ago - 0.01, release.tracks[0])
        favourite = int(self.rng.integers(len(release.tracks)))
        for _ in range(int(self.rng.poisson(2 + 5 * pull))):
            often = self.rng.random() < 0.4
            track = release.tracks[favourite if often else int(self.rng.integers(len(release.tracks)))]
            share = float(self.rng.choice([1.0, 1.0, 1.0, 0.9, 0.5, self.rng.uniform(0.1, 0.9)]))
            self._note(EventKind.PLAY, release, days_ago * float(self.rng.random()), track, share)

    def _note(
        self, kind: EventKind, release: Release, days_ago: float, track: Track | None = None, value: float = 1.0
    ) -> None:
        at = self.now - timedelta(days=max(days_ago, 0.01))
        discovery.record(self.account.id, release.id, kind, track_id=track.id if track else None, value=value, at=at)
        self.written += 1


def _demo_listener(account: Account, releases: dict[str, Release], now: datetime) -> int:
    """Two releases in the library, one of them half heard, and an eye on a third."""
    if tastes.of(account.id).listening is None:
        choices.set_listening(account.id, True)
    owned = [releases[key] for key in ("cats", "weather") if key in releases]
    written = 0
    for number, release in enumerate(owned):
        if not licenses.grant(account.id, release_id=release.id, grant_key=f"demo:login:{number}"):
            continue
        bought = now - timedelta(days=9 - 5 * number)
        discovery.record(account.id, release.id, EventKind.VIEW, at=bought - timedelta(minutes=6))
        discovery.record(account.id, release.id, EventKind.PURCHASE, at=bought)
        for k, track in enumerate(release.tracks):
            for again in range(2 if k == 0 else 1):
                at = bought + timedelta(hours=2 + 20 * again, minutes=k)
                discovery.record(account.id, release.id, EventKind.PLAY, track_id=track.id, at=at)
        written += 3 + len(release.tracks)
        _leave_off(account, release.tracks[-1])
    if written and "orders" in releases:
        discovery.record(account.id, releases["orders"].id, EventKind.PREVIEW, at=now - timedelta(days=1))
        written += 1
    return written


def _leave_off(account: Account, track: Track) -> None:
    """Stop in the middle of a track, as its next play will remember; only where it can be played."""
    if media.stream_of(track.id) is None:
        return
    secret = settings().signing_secret.get_secret_value()
    play = playback.begin(account.id, track.id, secret=secret, seconds=settings().play_session_seconds)
    playback.progress(play.session.id, account.id, position_ms=(track.duration_ms or 0) * 2 // 5)


def _releases() -> dict[str, Release]:
    """The demo's releases that are in the shop, by their key in the catalogue."""
    found: Sequence[Release] = db.session.scalars(
        select(Release).join(Release.artist).where(Artist.name.in_([spec.artist for spec in RELEASES]))
    ).all()
    by_name = {(release.artist.name, release.title): release for release in found if release.tracks}
    return {spec.key: by_name[name] for spec in RELEASES if (name := (spec.artist, spec.title)) in by_name}
