"""Faults on order: which requests meet one, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.faults import Faults, read
from reconciler.sandbox.server import serve
from reconciler.sandbox.store import Store

from .support import Clock, running

CREATE = "POST /v1/batch/jobs"
JOB = {"model": "m", "endpoint": "/v1/ocr", "requests": [{"custom_id": "a", "body": {}}]}


@contextmanager
def serving(store: Store, clock: Clock, *script: dict[str, object]) -> Iterator[httpx.Client]:
    app = Faults(make_app(store, now=clock), read(json.dumps(script).encode()), sleep=clock.advance)
    headers = {"Authorization": "Bearer a-key"}
    with (
        running(serve(app, "127.0.0.1", 0)) as url,
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
    ):
        yield client


def total(client: httpx.Client) -> int:
    found: int = client.get("/v1/batch/jobs").json()["total"]
    return found


def test_a_request_that_takes_effect_may_still_be_answered_with_an_error(store: Store, clock: Clock) -> None:
    with serving(store, clock, {"call": CREATE, "number": 2, "effect": True, "status": 502}) as client:
        assert [client.post("/v1/batch/jobs", json=JOB).status_code for _ in range(3)] == [200, 502, 200]
        assert total(client) == 3


def test_a_request_without_effect_is_answered_as_the_script_says(store: Store, clock: Clock) -> None:
    fault = {"call": CREATE, "status": 429, "headers": {"Retry-After": "7"}, "delay": 3}
    with serving(store, clock, fault) as client:
        before = clock()
        answer = client.post("/v1/batch/jobs", json=JOB)
        assert (answer.status_code, answer.headers["Retry-After"], clock() - before) == (429, "7", 3)
        assert total(client) == 0


@pytest.mark.parametrize("effect", [True, False])
def test_a_connection_may_be_closed_without_an_answer(store: Store, clock: Clock, effect: bool) -> None:
    with serving(store, clock, {"call": CREATE, "number": 1, "effect": effect}) as client:
        with pytest.raises(httpx.TransportError):
            client.post("/v1/batch/jobs", json=JOB)
        assert total(client) == effect


def test_the_first_fault_that_fits_is_met_and_each_counts_its_own_calls(store: Store, clock: Clock) -> None:
    script = ({"call": "GET *", "number": 2, "status": 500}, {"call": "*", "number": 3, "status": 503})
    with serving(store, clock, *script) as client:
        assert [client.get("/v1/batch/jobs").status_code for _ in range(4)] == [200, 500, 503, 200]


@pytest.mark.parametrize(
    "script",
    [b"", b"{}", b'[{"call": "*", "number": 0}]', b'[{"call": "*", "status": 200}]', b'[{"called": "*"}]'],
)
def test_what_is_no_script_is_refused(script: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(script)


def test_the_example_of_the_documentation_is_a_script() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    script = text.partition("## Faults on order")[2].partition("```json\n")[2].partition("```")[0]
    assert len(read(script.encode())) == 4
