"""The list of 10,000 jobs at 50 ms an answer: this tool, the official SDK's loop, and its async form.

python benchmarks/listing.py
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import measure
import workspace
from measure import Row
from mistralai.client import Mistral

from reconciler.api.client import Reader
from reconciler.api.key import ApiKey
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.transport import https_transport
from reconciler.environment import side_by_side
from reconciler.settings import Limits
from reconciler.workspace import listing

JOBS = 10_000
DELAY = 0.05
AT_ONCE = 16
SIZE = 100
TIMES = 3
POLICY = RetryPolicy(deadline_seconds=60)
DICE = random.Random(1)  # noqa: S311 - nothing is retried


class World:
    """As much of the world as reading a list needs."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    map_concurrently = staticmethod(side_by_side)
    stop = threading.Event()

    @staticmethod
    def log(event: str, **facts: object) -> None:
        """Say nothing."""

    @staticmethod
    def span(_: str) -> contextlib.nullcontext[None]:
        """Trace nothing."""
        return contextlib.nullcontext()


class Run:
    """As much of a run."""

    env = World
    limits = Limits(reads_in_flight=AT_ONCE)

    def __init__(self, api: Reader) -> None:
        self.api = api


def ours(url: str) -> float:
    """Read the list as a plan does."""
    began = time.perf_counter()
    reader = Reader(
        base_url=url,
        key=ApiKey("k"),
        transport=https_transport(url, connections=AT_ONCE),
        timeout_seconds=30,
        retry=Retrier(POLICY, rng=DICE, now=time.time, monotonic=time.monotonic, sleep=time.sleep),
        on_request=lambda _: None,
    )
    found = listing.whole(Run(reader)).jobs  # type: ignore[type-var]
    reader.close()
    assert len(found) == JOBS  # noqa: S101
    return time.perf_counter() - began


def loop(url: str) -> float:
    """Read the list with the SDK, page after page."""
    began = time.perf_counter()
    with Mistral(api_key="k", server_url=url) as client:
        pages = [
            client.batch.jobs.list(page=page, page_size=SIZE, order_by="created")
            for page in range(JOBS // SIZE)
        ]
    assert sum(len(page.data or []) for page in pages) == JOBS  # noqa: S101
    return time.perf_counter() - began


def concurrent(url: str) -> float:
    """Read the list with the SDK's async form, as many pages at a time as we."""

    async def read() -> int:
        turn = asyncio.Semaphore(AT_ONCE)
        async with Mistral(api_key="k", server_url=url) as client:

            async def page(number: int) -> int:
                async with turn:
                    got = await client.batch.jobs.list_async(page=number, page_size=SIZE, order_by="created")
                    return len(got.data or [])

            first = await page(0)
            return first + sum(await asyncio.gather(*map(page, range(1, JOBS // SIZE))))

    began = time.perf_counter()
    assert asyncio.run(read()) == JOBS  # noqa: S101
    return time.perf_counter() - began


def rows() -> list[Row]:
    """Measure, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        root = workspace.project(Path(folder, "p"), 1)
        spec = workspace.declared(root)[0]
        jobs = [workspace.row(spec, number + 1) for number in range(JOBS)]
        with workspace.serving(jobs, Path(folder), delay=DELAY) as url:
            ours(url)
            us, they, they_async = measure.in_turn(
                TIMES, lambda: ours(url), lambda: loop(url), lambda: concurrent(url)
            )
    ideal = (1 + math.ceil((JOBS // SIZE - 1) / AT_ONCE)) * DELAY
    return [
        Row("list / the wait alone", 1.15, us / ideal, f"{us:.2f} s / {ideal:.2f} s"),
        Row("list / the SDK's loop", 0.1, us / they, f"{us:.2f} s / {they:.2f} s"),
        Row("list / the SDK's async form", 1 / 1.3, us / they_async, f"{us:.2f} s / {they_async:.2f} s"),
    ]


if __name__ == "__main__":
    sys.exit(measure.report(rows()))
