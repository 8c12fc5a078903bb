"""What the worker does with letters: send each, and forget what old ones said."""

from __future__ import annotations

from procrastinate import JobContext, RetryStrategy

from app.core import queue
from app.core.db import transaction
from app.letters import post, service

MOST_TRIES = 90
# Soon at first; a mail server may be away for a long weekend: the ninetieth try comes after some three days.
RETRIES = RetryStrategy(max_attempts=MOST_TRIES, wait=10, linear_wait=60)


@queue.task(name=service.SEND, queue=queue.LETTERS, retry=RETRIES, pass_context=True)
def send(context: JobContext, letter_id: str) -> None:
    """Send a letter; again and again while the mail server is out of order, and once where it refuses the letter."""
    with queue.queue_context():
        post.deliver(letter_id, last=context.job.attempts >= MOST_TRIES)


@queue.periodic(cron="29 4 * * *")
@queue.task(name="letters.forget_old", queue=queue.DEFAULT, queueing_lock="letters.forget_old")
def forget_old(timestamp: int = 0) -> None:
    """Every night: forget what letters older than LETTER_KEEP_DAYS said, and to whom."""
    with queue.queue_context(), transaction():
        service.forget_old()
