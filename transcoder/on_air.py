"""A stream on air: which segments are there so far, and the playlists that say so, rewritten as more come in."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from media_store import keys
from media_store.interface import MediaStore
from transcoder import boxes, ladder, package, playlist, sound, storing
from transcoder import stream as streams
from transcoder.contract import ChunkReport, MadeRendition, Stretch, TranscodeJob
from transcoder.desk import Desk


class OnAir:
    """The stream of one film, from its first segment to its last: of its pictures the `rungs`, largest first.

    Where people may be watching a stream under this address already, nothing of it changes before the end. Called from
    several threads.
    """

    def __init__(self, job: TranscodeJob, store: MediaStore, desk: Desk, rungs: Sequence[ladder.FilmRung]) -> None:
        self._job, self._store, self._desk = job, store, desk
        self._rungs = tuple(rungs)
        self._lock = threading.Lock()
        self._stretches: dict[str, dict[int, Stretch]] = {}
        self._sounds: dict[str, ladder.AudioRung] = {}
        self._texts: list[streams.Text] = []
        self._inits: dict[str, boxes.Init] = {}
        self._written: dict[str, str] = {}
        self._told = False

    def follow(self, rungs: Sequence[ladder.FilmRung]) -> None:
        """Have these rungs from now on; one that is on air already is among them."""
        with self._lock:
            self._rungs = tuple(rungs)

    def sound(self, rung: ladder.AudioRung, sealed: package.Sealed) -> None:
        """Take some more segments of a sound; what begins where something shorter did replaces it."""
        with self._lock:
            self._sounds[rung.name] = rung
            self._inits[rung.name] = sealed.init
            known = self._stretches.setdefault(rung.name, {})
            before = known.get(sealed.stretch.first)
            # The opening's one segment may come in after the whole sound that begins with it.
            if before is None or len(before.seconds) < len(sealed.stretch.seconds):
                known[sealed.stretch.first] = sealed.stretch
            self._write()

    def subtitles(self, texts: Sequence[streams.Text]) -> None:
        """Take the film's subtitles, all of them, stored already."""
        with self._lock:
            self._texts = list(texts)
            self._write()

    def take(self, reports: Sequence[ChunkReport], *, final: bool = False) -> None:
        """Take finished chunks; those known already change nothing."""
        with self._lock:
            before = sum(len(each) for each in self._stretches.values())
            for report in reports:
                for stretch in report.stretches:
                    self._stretches.setdefault(stretch.name, {})[stretch.first] = stretch
            if not final and sum(len(each) for each in self._stretches.values()) > before:
                self._write()

    def stretch(self, name: str) -> Stretch:
        """A finished picture rung, whole."""
        return package.joined(list(self._stretches[name].values()))

    def finish(self) -> streams.Playlists:
        """The playlists of the finished stream, stored in place of those on air."""
        with self._lock:
            playlists = self._compose(ended=True)
            assert playlists is not None, "a film has pictures"
            self._put(playlists.texts)
            return playlists

    def _write(self) -> None:
        if self._job.in_force:
            return
        playlists = self._compose(ended=False)
        if playlists is None:
            return
        changed = {name: text for name, text in playlists.texts.items() if self._written.get(name) != text}
        if changed:
            self._put(changed)
        self._written |= changed
        if not self._told:
            self._told = True
            self._desk.on_air(rendition(self._job, playlists, on_air=True))

    def _put(self, texts: Mapping[str, str]) -> None:
        # An attempt that slept while another finished must not put a shorter stream in place of the whole one.
        self._desk.hold()
        storing.put_playlists(self._store, self._job.stream_address, texts)

    def _compose(self, *, ended: bool) -> streams.Playlists | None:
        probe = self._job.probe
        rate = ladder.frame_rate(probe)
        pictures = []
        for rung in self._rungs:
            stretch = self._contiguous(rung.name, ended)
            if stretch is not None:
                sounds = rung.audio if probe.audio is not None else None
                pictures.append(streams.Rendered(stretch, self._init(rung.name), sounds, most=rung.max_kbps * 1000))
        groups = {rung.group for rung in self._sounds.values()}
        pictures = [each for each in pictures if each.sound is None or each.sound in groups]
        if not pictures:
            return None
        heard = []
        for each in sorted(self._sounds.values(), key=lambda each: (each.group, each.track)):
            stretch = self._contiguous(each.name, ended)
            if stretch is not None:
                beside = sound.media(each)
                heard.append(streams.Rendered(stretch, self._init(each.name), media=beside, most=each.kbps * 1000))
        small = f"{self._rungs[-1].name}{package.IFRAMES}"
        jumps = self._contiguous(small, ended) if ended else None
        return streams.compose(
            [*pictures, *heard],
            segment_seconds=ladder.segment_seconds(probe),
            frame_rate=rate[0] / rate[1],
            iframes=streams.Rendered(jumps, self._init(small)) if jumps else None,
            idr_seconds=ladder.gop_frames(rate) * rate[1] / rate[0],
            texts=self._texts,
            ended=ended,
        )

    def _contiguous(self, name: str, ended: bool) -> Stretch | None:
        """The rung's segments from the first on, as far as none is missing; when all has `ended`, none may be."""
        stretches = sorted(self._stretches.get(name, {}).values(), key=lambda each: each.first)
        if ended:
            return package.joined(stretches) if stretches else None
        unbroken: list[Stretch] = []
        following = playlist.FIRST_SEQUENCE
        for each in stretches:
            if each.first != following:
                break
            unbroken.append(each)
            following += len(each.seconds)
        return package.joined(unbroken) if unbroken else None

    def _init(self, name: str) -> boxes.Init:
        if name not in self._inits:
            key = keys.stream_member(keys.stream_prefix(self._job.stream_address), f"{name}/{package.INIT}")
            self._inits[name] = boxes.read_init(self._store.get_bytes(key))
        return self._inits[name]


def rendition(job: TranscodeJob, playlists: streams.Playlists, **facts: object) -> MadeRendition:
    """The stream as the shop's rows keep it."""
    told = {
        "chapters": [asdict(chapter) for chapter in job.probe.chapters],
        "texts": [asdict(text.media) for text in playlists.subtitles],
        "variants": playlists.facts(),
        "codecs": sorted({codec for variant in playlists.variants for codec in variant.codecs}),
    }
    prefix = keys.stream_prefix(job.stream_address)
    return MadeRendition("stream", "stream", prefix, streams.PLAYLIST_TYPE, "m3u8", playlists.size, told | facts)
