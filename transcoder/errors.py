"""Why a file was refused or a job failed, in words for the person who sent the file."""

from __future__ import annotations


class TranscoderError(Exception):
    """`str(error)` is the reason; `retryable` says whether another attempt could end differently.

    `kind` is one word for what sort of failure it is: the shop has a sentence for each in every language.
    """

    retryable = False
    kind = "broken"


class NotMedia(TranscoderError):
    """The file is not something the shop takes: no media, truncated, or not what its name says.

    `message` is the English sentence with `%(name)s` places and `facts` fills them, so that the shop, which
    knows the reader's language, can translate the sentence; text among the facts may be translatable too.
    """

    def __init__(self, message: str, **facts: str | int) -> None:
        self.message = message
        self.facts = facts
        super().__init__(message % facts if facts else message)


class EncodeFailed(TranscoderError):
    """FFmpeg gave up. The reason carries its last words."""

    retryable = True
    kind = "encode"


class NotStarted(EncodeFailed):
    """A child could not be started at all: the machine's fault, never the master's."""

    kind = "broken"


class TimedOut(TranscoderError):
    """The job took longer than any master of its length should."""

    retryable = True
    kind = "slow"


class ChunkTaken(TranscoderError):
    """Another worker has this chunk now: what is being made of it here is dropped, and nothing else changes."""


class DiskFull(TranscoderError):
    """The worker's disk cannot hold what the job makes; the reason says how much is missing where."""

    retryable = True
    kind = "disk"


class MasterChanged(TranscoderError):
    """The stored master is not the file the job was made for: its SHA-256 differs."""

    kind = "damaged"


def N_(text: str) -> str:
    """Mark a sentence for translation where it is written; whoever shows it translates it."""
    return text
