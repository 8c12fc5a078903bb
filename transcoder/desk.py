"""The desk: what the transcoder asks of whoever gave it a job.

The shop's own desk keeps a film's chunks as rows that any worker may take from; `LocalDesk` keeps them in memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from transcoder.contract import Chunk, ChunkReport, MadeRendition
from transcoder.errors import ChunkTaken

log = logging.getLogger("wavecrate.transcoder")

_BEAT_SECONDS = 1.0


class Desk(Protocol):
    """Where one attempt at a job reports and finds its chunks. Called from several threads."""

    def progress(self, stage: str, fraction: float) -> None:
        """Take note of the stage and the fraction (0 to 1) of the whole job; raise to end the attempt."""

    def hold(self) -> None:
        """Raise where the job is another attempt's by now: asked before what people may be watching is changed."""

    def on_air(self, stream: MadeRendition) -> None:
        """Take note that the stream can be watched from its beginning while the rest is made."""

    def share(self, chunks: Sequence[Chunk]) -> None:
        """Offer chunks to every worker. Those an earlier attempt shared and finished stay finished."""

    def take(self) -> Chunk | None:
        """A chunk that nobody works on, now the caller's; None where there is none at the moment."""

    def beat(self, number: int) -> None:
        """Say that the chunk is still worked on. Raises ChunkTaken once it is another's."""

    def done(self, report: ChunkReport) -> None:
        """Take a finished chunk."""

    def failed(self, number: int, reason: str) -> None:
        """Put a chunk back for another try; `reason` is for whoever tells why it was tried often enough."""

    def reports(self) -> list[ChunkReport]:
        """Every chunk of the job that is finished, whoever made it."""


@contextmanager
def beating(desk: Desk, number: int) -> Iterator[Callable[[], None]]:
    """Beat for a chunk as long as this lasts, whatever is being done for it: a download, an encode, an upload.

    Yields what raises ChunkTaken once another worker has the chunk. A beat that could not be told is tried again.
    """
    over, taken = threading.Event(), threading.Event()

    def beat() -> None:
        while not over.wait(_BEAT_SECONDS):
            try:
                desk.beat(number)
            except ChunkTaken:
                taken.set()
                return
            except Exception:
                log.exception("could not tell that chunk %s is worked on", number)

    def check() -> None:
        if taken.is_set():
            raise ChunkTaken(f"Another worker has chunk {number} now.")

    thread = threading.Thread(target=beat, name=f"beat-{number}", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        over.set()
        thread.join()


class LocalDesk:
    """A desk for one worker by itself."""

    def __init__(
        self,
        on_progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
        on_air: Callable[[MadeRendition], None] = lambda _stream: None,
    ) -> None:
        self.progress = on_progress
        self.on_air = on_air
        self._lock = threading.Lock()
        self._waiting: list[Chunk] = []
        self._reports: list[ChunkReport] = []

    def hold(self) -> None:
        """There is no other."""

    def share(self, chunks: Sequence[Chunk]) -> None:
        """Keep them in order."""
        with self._lock:
            self._waiting = list(chunks)

    def take(self) -> Chunk | None:
        """The first of those left."""
        with self._lock:
            return self._waiting.pop(0) if self._waiting else None

    def beat(self, number: int) -> None:
        """Nobody asks."""

    def done(self, report: ChunkReport) -> None:
        """Keep it."""
        with self._lock:
            self._reports.append(report)

    def failed(self, number: int, reason: str) -> None:
        """Nobody else could try: the failure that is being raised stands."""

    def reports(self) -> list[ChunkReport]:
        """Those done."""
        with self._lock:
            return list(self._reports)
