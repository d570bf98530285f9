"""Keys, unknown calls, and the answer to an internal error."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from reconciler.sandbox import BUILT_IN_KEY
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store

from .support import Api, Clock, jsonl, requests


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dTpw", "a-key"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/batch/jobs"), ("POST", "/v1/files")])
def test_without_a_key_nothing_is_answered(api: Api, header: str | None, method: str, path: str) -> None:
    del api.client.headers["Authorization"]
    response = api.client.request(method, path, headers={} if header is None else {"Authorization": header})

    assert response.status_code == 401
    assert response.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize("key", [BUILT_IN_KEY, "a=b,c", "x" * 1000])
def test_any_key_is_a_workspace(api: Api, key: str) -> None:
    assert api.client.get("/v1/files", headers={"Authorization": f"bearer {key}"}).status_code == 200


def test_no_key_is_ever_stored(api: Api, store: Store) -> None:
    api.client.headers["Authorization"] = "Bearer very-secret-key"
    api.created(input_files=[api.uploaded(jsonl(*requests(1)))])

    written = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"input.jsonl" in written
    assert b"very-secret-key" not in written


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/v1/songs", 404, "Not Found"),
        ("GET", "/", 404, "Not Found"),
        ("GET", "/v1/batch/jobs/42", 404, "Not Found"),
        ("GET", "/v1/files/42/content", 404, "Not Found"),
        ("PATCH", "/v1/batch/jobs", 405, "Method Not Allowed"),
    ],
)
def test_what_is_no_call_is_reported_so(api: Api, method: str, path: str, status: int, detail: str) -> None:
    response = api.client.request(method, path)

    assert (response.status_code, response.json()) == (status, {"detail": detail})


def test_a_bug_leaves_the_application_as_it_is(store: Store) -> None:
    def broken_clock() -> float:
        raise ZeroDivisionError

    transport = httpx.WSGITransport(make_app(store, now=broken_clock))
    with (
        httpx.Client(transport=transport, base_url="http://sandbox") as client,
        pytest.raises(ZeroDivisionError),
    ):
        client.get("/v1/batch/jobs", headers={"Authorization": "Bearer a-key"})


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_is_above_zero(store: Store, clock: Clock, speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be above zero"):
        make_app(store, now=clock, speed=speed)


def test_reading_writes_nothing(api: Api, store: Store, clock: Clock) -> None:
    job = api.created(input_files=[api.uploaded(jsonl(*requests(3)))])

    def changes() -> tuple[str, ...]:
        with sqlite3.connect(store.path) as db:
            dump = tuple(db.iterdump())
        db.close()
        return dump

    before = changes()
    for _ in range(3):
        clock.advance(0.6)
        api.listed()
        api.listed({"status": "RUNNING"})
        api.job(job, inline="true")
        api.files()
    clock.advance(60)
    api.content(api.job(job)["output_file"])

    assert changes() == before


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, reconciler.sandbox;"
        "print([m for m in ('werkzeug', 'sqlite3', 'msgspec', 'httpx') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)

    assert done.stdout == "[]\n"
