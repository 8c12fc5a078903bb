"""Let a real queue worker do what waits on a queue, in this process, until nothing does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module

from flask import Flask
from procrastinate import PsycopgConnector

from app.core import queue
from app.settings import Settings


def drain(app: Flask, settings: Settings, *modules: str, queue_name: str = queue.DEFAULT) -> None:
    """Run the waiting jobs whose tasks the modules define. A job that fails stays failed."""
    queue.bind(app)
    for module in modules:
        import_module(module)

    async def work() -> None:
        connector = PsycopgConnector(conninfo=settings.libpq_url, min_size=1, max_size=4)
        with queue.queue.replace_connector(connector) as runner:
            async with runner.open_async():
                await runner.run_worker_async(
                    queues=[queue_name], wait=False, install_signal_handlers=False, listen_notify=False
                )

    # In a thread of its own: where a browser test has run, Playwright's event loop still occupies this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(copy_context().run, asyncio.run, work()).result()
