"""Shared by the tests of the client: answers as the API gives them, a clock that tests move, a client on a stub."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from reconciler.api.client import Writer
from reconciler.api.key import ApiKey
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.values import CreateJob, RequestRecord

SECRET = "sk-Zq7xN0tAReAlKeY42"  # noqa: S105 - made up; the tests check that it never appears in output
BASE_URL = "https://api.example"

WALL = 1_790_000_000.0
"""What the wall clock shows when the monotonic one shows 0."""

JOB_ID = "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f"
FILE_ID = "e85980c9-409e-4a46-9304-36588f6292b0"

CREATE = CreateJob(endpoint="/v1/chat/completions", model="mistral-small-latest", input_files=(FILE_ID,))

ONE_ATTEMPT = RetryPolicy(max_attempts=1)


def job(**changes: object) -> dict[str, Any]:
    """Return a BatchJob as JSON would hold it, with every required field."""
    return {
        "id": JOB_ID,
        "object": "batch",
        "input_files": [FILE_ID],
        "metadata": None,
        "endpoint": "/v1/chat/completions",
        "model": "mistral-small-latest",
        "errors": [],
        "status": "QUEUED",
        "created_at": 1759500189,
        "total_requests": 0,
        "completed_requests": 0,
        "succeeded_requests": 0,
        "failed_requests": 0,
    } | changes


def file(**changes: object) -> dict[str, Any]:
    """Return a file's description as in the examples of the API's own description."""
    return {
        "id": FILE_ID,
        "object": "file",
        "bytes": None,
        "created_at": 1759500189,
        "filename": "example.file.jsonl",
        "purpose": "batch",
        "sample_type": "batch_request",
        "source": "upload",
        "num_lines": 2,
        "mimetype": "application/jsonl",
        "signature": None,
    } | changes


@dataclass
class Clock:
    """A clock that advances only in `sleep`."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def retrier(policy: RetryPolicy | None = None, clock: Clock | None = None) -> Retrier:
    clock = clock or Clock()
    return Retrier(
        policy or RetryPolicy(),
        rng=random.Random(7),
        now=lambda: WALL + clock.now,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
    )


def writer(
    transport: httpx.BaseTransport | Callable[[httpx.Request], httpx.Response],
    *,
    base_url: str = BASE_URL,
    policy: RetryPolicy | None = None,
    clock: Clock | None = None,
    timeout_seconds: float = 5.0,
    on_request: Callable[[RequestRecord], None] | None = None,
) -> Writer:
    """Return a client over a transport, or over a function from request to response."""
    return Writer(
        base_url=base_url,
        key=ApiKey(SECRET),
        transport=transport if isinstance(transport, httpx.BaseTransport) else httpx.MockTransport(transport),
        timeout_seconds=timeout_seconds,
        retry=retrier(policy, clock),
        on_request=on_request,
    )


class Script:
    """A transport's handler that plays answers in order, the last one for ever, and remembers the requests."""

    def __init__(
        self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
    ) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


class Broken(httpx.SyncByteStream):
    """A body that sends some bytes and then fails."""

    def __init__(self, start: bytes, error: Exception) -> None:
        self._start = start
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self._start
        raise self._error
