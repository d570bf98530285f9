from __future__ import annotations

import hashlib
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from reconciler.api.client import UPLOAD_TIMEOUT_SECONDS
from reconciler.api.errors import OutcomeUnknownError
from reconciler.api.transport import https_transport
from reconciler.errors import ReconcilerError

from .server import Server, answers
from .stage import FILE_ID, Script, file, writer

LINES = b'{"custom_id":"0","body":{}}\n' * 3


def stored() -> httpx.Response:
    return httpx.Response(200, json=file(bytes=len(LINES)))


def test_an_upload_is_a_form_with_the_file_and_its_purpose() -> None:
    script = Script(stored())
    with writer(script) as client:
        upload = client.upload_file(filename='we"ird é.jsonl', content=io.BytesIO(LINES), size=len(LINES))
    (request,) = script.requests
    assert (request.method, request.url.path) == ("POST", "/v1/files")
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.headers["content-length"] == str(len(request.content))
    assert "transfer-encoding" not in request.headers
    assert b'name="purpose"\r\n\r\nbatch\r\n' in request.content
    assert (
        'name="file"; filename="we%22ird é.jsonl"\r\nContent-Type: application/jsonl'.encode()
        in request.content
    )
    assert LINES in request.content
    assert (upload.file.id, upload.sha256) == (FILE_ID, hashlib.sha256(LINES).hexdigest())


def test_expiry_and_visibility_are_sent_when_given() -> None:
    script = Script(stored())
    with writer(script) as client:
        client.upload_file(filename="a", content=io.BytesIO(b"x"), size=1, expiry_hours=48, visibility="user")
        client.upload_file(filename="a", content=io.BytesIO(b"x"), size=1)
    full, plain = (request.content for request in script.requests)
    assert b'name="expiry"\r\n\r\n48\r\n' in full
    assert b'name="visibility"\r\n\r\nuser\r\n' in full
    assert b"expiry" not in plain
    assert b"visibility" not in plain


def test_an_upload_has_more_time_than_a_read() -> None:
    script = Script(stored())
    with writer(script) as client:
        client.upload_file(filename="a", content=io.BytesIO(b"x"), size=1)
    assert script.requests[0].extensions["timeout"]["write"] == UPLOAD_TIMEOUT_SECONDS


def test_an_upload_is_never_repeated() -> None:
    script = Script(httpx.Response(503))
    with writer(script) as client, pytest.raises(OutcomeUnknownError):
        client.upload_file(filename="a", content=io.BytesIO(LINES), size=len(LINES))
    assert len(script.requests) == 1


def test_a_file_that_grows_meanwhile_is_sent_as_long_as_announced() -> None:
    script = Script(stored())
    with writer(script) as client:
        upload = client.upload_file(filename="a", content=io.BytesIO(LINES + b"more"), size=len(LINES))
    assert b"more" not in script.requests[0].content
    assert upload.sha256 == hashlib.sha256(LINES).hexdigest()


def test_a_file_that_shrinks_meanwhile_ends_the_upload() -> None:
    with (
        Server(answers("200 OK", b"{}")) as server,
        writer(https_transport(server.url), base_url=server.url) as client,
        pytest.raises(ReconcilerError, match=r"q\.jsonl: became 10 bytes shorter") as caught,
    ):
        client.upload_file(filename="q.jsonl", content=io.BytesIO(LINES), size=len(LINES) + 10)
    assert caught.value.hint


def test_a_disk_that_fails_is_reported_with_the_file() -> None:
    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with (
        writer(Script(stored())) as client,
        pytest.raises(ReconcilerError, match=r"q\.jsonl: cannot be read: Input/output error"),
    ):
        client.upload_file(filename="q.jsonl", content=Failing(), size=5)


@pytest.fixture
def sparse(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "sparse.jsonl").open("w+b") as opened:
        opened.truncate(64 * 2**20)
        yield opened


def test_a_large_file_goes_out_in_little_memory(sparse: BinaryIO) -> None:
    size = 64 * 2**20
    body = httpx.Response(200, json=file(bytes=size)).content
    with (
        Server(answers("200 OK", body)) as server,
        writer(https_transport(server.url), base_url=server.url) as client,
    ):
        tracemalloc.start()
        try:
            upload = client.upload_file(filename="sparse.jsonl", content=sparse, size=size)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    announced = next(
        line for line in server.heads[0].split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    assert int(announced.split(b":")[1]) == server.body_bytes[0]
    assert size < server.body_bytes[0] < size + 1000
    assert peak < 2 * 2**20
    assert upload.sha256 == hashlib.sha256(bytes(size)).hexdigest()


def test_an_early_refusal_of_a_large_file_is_read(sparse: BinaryIO) -> None:
    """A server may answer before it has read everything, and hang up."""

    class Impatient(Server):
        def _read_request(self, connection: object) -> bool:
            self.heads.append(b"")
            return bool(connection.recv(65536))  # type: ignore[attr-defined]

    with (
        Impatient(answers("413 Payload Too Large", b'{"message":"too large"}')) as server,
        writer(https_transport(server.url), base_url=server.url) as client,
        pytest.raises(ReconcilerError) as caught,
    ):
        client.upload_file(filename="sparse.jsonl", content=sparse, size=64 * 2**20)
    assert caught.value.hint  # a refusal where the kernel lets it through, else a broken connection
