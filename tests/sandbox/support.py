"""Shared by the sandbox's tests: a clock that tests move, predictable ids, and a client that checks every answer."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from reconciler.sandbox.server import Server

SCHEMAS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("openapi.yaml").read_text("utf-8"))
START = 1_800_000_000.0
Query: TypeAlias = dict[str, str] | tuple[tuple[str, str], ...] | None

NOBODY = "00000000-0000-4000-8000-ffffffffffff"

_ID = "[0-9a-f-]{36}"
_ANSWERS = (
    ("GET", "/v1/batch/jobs", "ListBatchJobsResponse"),
    ("POST", "/v1/batch/jobs", "BatchJob"),
    ("GET", f"/v1/batch/jobs/{_ID}", "BatchJob"),
    ("POST", f"/v1/batch/jobs/{_ID}/cancel", "BatchJob"),
    ("DELETE", f"/v1/batch/jobs/{_ID}", "DeleteBatchJobResponse"),
    ("GET", "/v1/files", "ListFilesResponse"),
    ("POST", "/v1/files", "CreateFileResponse"),
    ("GET", f"/v1/files/{_ID}", "GetFileResponse"),
    ("DELETE", f"/v1/files/{_ID}", "DeleteFileResponse"),
)


def validator(schema: str) -> Draft202012Validator:
    """Return what holds a value to one of the API's schemas."""
    reference = {"$ref": f"#/components/schemas/{schema}", **SCHEMAS}
    return Draft202012Validator(reference, format_checker=FormatChecker(["uuid"]))


_VALIDATORS = {schema: validator(schema) for _, _, schema in _ANSWERS}


class Clock:
    """A wall clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Ids:
    """UUIDs in a row: the first ends in 1, the second in 2."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return str(uuid.UUID(int=self.count, version=4))


class Conforming(httpx.BaseTransport):
    """Passes requests on and holds every answer to the API's description."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        response.read()
        check(request.method, request.url.path, response)
        return response

    def close(self) -> None:
        self.inner.close()


def check(method: str, path: str, response: httpx.Response) -> None:
    """Fail unless the answer is one that the API's description knows."""
    if response.headers["content-type"].startswith("text/html"):  # from the gateway in front of the API
        assert (method, path, response.status_code) == ("POST", "/v1/batch/jobs", 400)
    elif response.status_code >= 400:
        check_error(response.json())
    for known_method, pattern, schema in _ANSWERS:
        if response.status_code < 400 and method == known_method and re.fullmatch(pattern, path):
            assert response.status_code == 200
            assert response.headers["content-type"] == "application/json"
            _VALIDATORS[schema].validate(response.json())


def check_error(body: dict[str, Any]) -> None:
    """Fail unless it is one of the real API's shapes of an error."""
    if "detail" not in body:
        assert body.keys() == {"object", "message", "type", "param", "code"}
        assert body["object"] == "error"
    elif not isinstance(body["detail"], str):
        for problem in body["detail"]:
            assert problem.keys() == {"type", "loc", "msg", "input"}


def problem(response: httpx.Response) -> tuple[list[str | int], str]:
    """Return the place and the message of the problem of a 422."""
    assert response.status_code == 422, response.text
    (found,) = response.json()["detail"]
    return found["loc"], found["msg"]


def jsonl(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
"""The body of a chat request."""


def requests(count: int, **more: object) -> list[dict[str, Any]]:
    return [{"custom_id": str(number), "body": {**CHAT, **more}} for number in range(count)]


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Serve in the background, and lend the URL."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()


class Api:
    """The calls, as short as the tests want them."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def create(self, count: int = 1, **fields: object) -> httpx.Response:
        body = {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest", **fields}
        if "input_files" not in fields and "requests" not in fields:
            body["requests"] = requests(count)
        return self.client.post("/v1/batch/jobs", json=body)

    def created(self, count: int = 1, **fields: object) -> str:
        response = self.create(count, **fields)
        assert response.status_code == 200, response.text
        identifier: str = response.json()["id"]
        return identifier

    def job(self, identifier: str, **query: str) -> dict[str, Any]:
        response = self.client.get(f"/v1/batch/jobs/{identifier}", params=query)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def cancel(self, identifier: str) -> dict[str, Any]:
        response = self.client.post(f"/v1/batch/jobs/{identifier}/cancel")
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def listed(self, query: Query = None) -> list[str]:
        response = self.client.get("/v1/batch/jobs", params=query)
        assert response.status_code == 200, response.text
        return [job["id"] for job in response.json().get("data", [])]

    def upload(self, content: bytes, name: str = "input.jsonl", **form: object) -> httpx.Response:
        return self.client.post(
            "/v1/files", files={"file": (name, content)}, data={"purpose": "batch", **form}
        )

    def uploaded(self, content: bytes, name: str = "input.jsonl", **form: object) -> str:
        response = self.upload(content, name, **form)
        assert response.status_code == 200, response.text
        identifier: str = response.json()["id"]
        return identifier

    def files(self, query: Query = None) -> list[str]:
        response = self.client.get("/v1/files", params=query)
        assert response.status_code == 200, response.text
        return [file["id"] for file in response.json()["data"]]

    def content(self, identifier: str) -> bytes:
        response = self.client.get(f"/v1/files/{identifier}/content")
        assert response.status_code == 200, response.text
        return response.content

    def lines(self, identifier: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content(identifier).splitlines()]
