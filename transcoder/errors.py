"""Why a file was refused or a job failed, in words for the person who sent the file."""

from __future__ import annotations


class TranscoderError(Exception):
    """`str(error)` is the reason; `retryable` says whether another attempt could end differently."""

    retryable = False


class NotMedia(TranscoderError):
    """The file is not something the shop takes: no media, truncated, or not what its name says."""


class EncodeFailed(TranscoderError):
    """FFmpeg gave up. The reason carries its last words."""

    retryable = True


class TimedOut(TranscoderError):
    """The job took longer than any master of its length should."""

    retryable = True
