"""Files: upload, list, get, content, delete."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterable
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from reconciler.sandbox import files
from reconciler.sandbox.app import make_app
from reconciler.sandbox.files import CHUNK_BYTES
from reconciler.sandbox.store import Store

from .support import CHAT, START, Api, Clock, jsonl, problem, requests

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def test_an_upload_is_described_and_comes_back_byte_for_byte(api: Api) -> None:
    content = jsonl(*requests(2))
    uploaded = api.upload(content, "questions.jsonl").json()

    assert uploaded == {
        "id": "00000000-0000-4000-8000-000000000001",
        "object": "file",
        "bytes": len(content),
        "created_at": int(START),
        "filename": "questions.jsonl",
        "purpose": "batch",
        "sample_type": "batch_request",
        "source": "upload",
        "num_lines": 2,
        "mimetype": "application/jsonl",
        "signature": hashlib.sha256(content).hexdigest()[:16],
        "expires_at": None,
        "visibility": "workspace",
    }
    assert api.client.get(f"/v1/files/{uploaded['id']}").json() == {**uploaded, "deleted": False}
    assert api.content(uploaded["id"]) == content


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_file_of_any_size_comes_back(api: Api, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    assert api.content(api.uploaded(content)) == content


def test_lines_that_lie_across_pieces_are_read_whole(api: Api, clock: Clock) -> None:
    line = {"custom_id": "long", "body": {**CHAT, "text": "x" * (2 * CHUNK_BYTES)}}
    job = api.created(input_files=[api.uploaded(jsonl(*requests(3), line, *requests(3)))])
    clock.advance(60)

    assert [answer["custom_id"] for answer in api.lines(api.job(job)["output_file"])] == [
        *"210",
        "long",
        *"210",
    ]


def test_equal_bytes_twice_are_two_files(api: Api) -> None:
    assert api.uploaded(b"{}") != api.uploaded(b"{}")


def test_an_upload_without_a_purpose_is_for_fine_tuning(api: Api) -> None:
    uploaded = api.client.post("/v1/files", files={"file": ("a.txt", b"text", "text/plain")}).json()

    assert (uploaded["purpose"], uploaded["sample_type"]) == ("fine-tune", "instruct")
    assert (uploaded["mimetype"], uploaded["num_lines"]) == ("text/plain", None)


def test_a_file_name_may_hold_any_letters(api: Api) -> None:
    assert api.upload(b"{}", "fragen-größe-日本.jsonl").json()["filename"] == "fragen-größe-日本.jsonl"


def test_an_upload_expires_at_its_time(api: Api, clock: Clock) -> None:
    uploaded = api.upload(jsonl(*requests(1)), expiry=2, visibility="user").json()

    assert (uploaded["expires_at"], uploaded["visibility"]) == (int(START) + 7200, "user")
    clock.advance(7199)
    assert api.files() == [uploaded["id"]]
    clock.advance(1)
    assert api.files() == []
    assert api.client.get(f"/v1/files/{uploaded['id']}").status_code == 404
    assert api.create(input_files=[uploaded["id"]]).status_code == 400


@pytest.mark.parametrize(("name", "value"), [("purpose", "music"), ("expiry", "0"), ("visibility", "all")])
def test_a_wrong_field_of_a_form_is_named(api: Api, name: str, value: str) -> None:
    assert problem(api.upload(b"{}", **{name: value}))[0] == ["body", name]
    assert api.files() == []


def test_a_form_without_a_file_is_refused(api: Api) -> None:
    response = api.client.post("/v1/files", data={"purpose": "batch"})

    assert problem(response) == (["body"], "file is missing")


def test_a_file_above_the_limit_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)

    assert api.upload(b"x" * 10).status_code == 200
    assert api.upload(b"x" * 11).status_code == 413
    assert api.upload(b"x" * (2 << 20)).status_code == 413


def multipart(app: WSGIApplication, body: io.BufferedIOBase, length: int) -> tuple[str, Any]:
    """Upload a body that a client could not: one that breaks off, or that is made while it is read."""
    environ = create_environ("/v1/files", method="POST", headers={"Authorization": "Bearer a-key"})
    environ["CONTENT_TYPE"] = "multipart/form-data; boundary=cut"
    environ["CONTENT_LENGTH"] = str(length)
    environ["wsgi.input"] = body
    answer, status, _ = run_wsgi_app(app, environ)
    return status, json.loads(b"".join(answer))


HEAD = (
    b'--cut\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="large.jsonl"\r\n\r\n'
)
TAIL = b"\r\n--cut--\r\n"


def test_an_upload_that_breaks_off_leaves_nothing(store: Store, clock: Clock, api: Api) -> None:
    broken = io.BytesIO(HEAD + b"{}\n" * 1000)

    status, body = multipart(make_app(store, now=clock), broken, 1_000_000)

    assert (status, body) == ("400 BAD REQUEST", {"detail": "Bad Request"})
    assert api.files() == []


def test_a_form_that_is_not_closed_holds_no_file(store: Store, clock: Clock) -> None:
    status, body = multipart(make_app(store, now=clock), io.BytesIO(HEAD + b"{}"), len(HEAD) + 2)

    assert status.startswith("422")
    assert body["detail"][0]["msg"] == "file is missing"


class MadeWhileRead(io.RawIOBase):
    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts = iter(parts)
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - collections.abc.Buffer, from Python 3.12 on
        self.rest = self.rest or next(self.parts, b"")
        given, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def test_large_files_are_never_held_in_memory_whole(store: Store, clock: Clock) -> None:
    app = make_app(store, now=clock)
    line = jsonl({"custom_id": "a", "body": {"text": "x" * 30_000}})
    count = 48_000_000 // len(line)
    body = io.BufferedReader(MadeWhileRead(chain([HEAD], repeat(line, count), [TAIL])))

    tracemalloc.start()
    try:
        _, uploaded = multipart(app, body, len(HEAD) + len(line) * count + len(TAIL))
        environ = create_environ(
            f"/v1/files/{uploaded['id']}/content", headers={"Authorization": "Bearer a-key"}
        )
        answer, _, _ = run_wsgi_app(app, environ)
        size = sum(map(len, answer))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert uploaded["num_lines"] == count
    assert size == uploaded["bytes"] == count * len(line)
    assert peak < 12_000_000


def test_lists_are_newest_first_in_pages(api: Api, clock: Clock) -> None:
    names = []
    for _ in range(5):
        names.append(api.uploaded(b"{}"))
        clock.advance(1)

    pages = [api.client.get("/v1/files", params={"page": n, "page_size": 2}).json() for n in range(4)]

    assert [file["id"] for answer in pages for file in answer["data"]] == names[::-1]
    assert [answer["total"] for answer in pages] == [5] * 4
    assert pages[3]["data"] == []


def test_every_filter_narrows(api: Api, clock: Clock) -> None:
    batch = api.uploaded(jsonl(*requests(1), {"custom_id": "x!fail", "body": {}}), "Questions.jsonl")
    other = api.uploaded(b"text", "notes.txt", purpose="ocr")
    job = api.created(input_files=[batch])
    clock.advance(60)
    ended = api.job(job)
    output, errors = ended["output_file"], ended["error_file"]

    assert api.files({"sample_type": "batch_request"}) == [batch]
    assert sorted(api.files((("sample_type", "batch_result"), ("sample_type", "batch_error")))) == sorted(
        [output, errors]
    )
    assert sorted(api.files({"source": "mistral"})) == sorted([output, errors])
    assert api.files({"source": "upload"}) == [other, batch]
    assert api.files({"search": "question"}) == [batch]
    assert api.files({"search": "%"}) == []
    assert api.files({"purpose": "ocr"}) == [other]
    assert sorted(api.files({"purpose": "batch"})) == sorted([batch, output, errors])
    assert api.files({"mimetypes": "text/plain"}) == [other]
    assert len(api.files({"mimetypes": "application/jsonl"})) == 3


def test_the_total_can_be_left_out(api: Api) -> None:
    assert api.client.get("/v1/files", params={"include_total": "false"}).json()["total"] is None


@pytest.mark.parametrize("name", ["sample_type", "source", "purpose", "include_total"])
def test_a_wrong_filter_is_named(api: Api, name: str) -> None:
    assert problem(api.client.get("/v1/files", params={name: "x"}))[0][:2] == ["query", name]


def test_a_deleted_file_is_gone(api: Api) -> None:
    file = api.uploaded(b"{}")

    assert api.client.delete(f"/v1/files/{file}").json() == {"id": file, "object": "file", "deleted": True}
    assert api.files() == []
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert api.client.request(method, f"/v1/files/{file}{path}").status_code == 404
    assert api.create(input_files=[file]).status_code == 400


def test_bytes_are_dropped_with_the_last_that_needs_them(api: Api, store: Store) -> None:
    def stored() -> int:
        with store.read() as db:
            return int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])

    file = api.uploaded(jsonl(*requests(3)))
    job = api.created(input_files=[file])
    api.client.delete(f"/v1/files/{file}")
    assert stored() == 1
    api.client.delete(f"/v1/batch/jobs/{job}")
    assert stored() == 0
