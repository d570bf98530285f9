from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from reconciler import __version__
from reconciler.api.client import Reader, Writer
from reconciler.api.errors import NotFoundError
from reconciler.api.values import RequestRecord
from reconciler.errors import ReconcilerError

from .stage import CREATE, FILE_ID, JOB_ID, SECRET, Clock, Script, file, job, writer


def ok(value: object) -> httpx.Response:
    return httpx.Response(200, json=value)


def test_a_page_of_jobs_is_asked_for_oldest_first() -> None:
    script = Script(ok({"data": [job()], "total": 1}))
    with writer(script) as client:
        page = client.list_jobs(page=3)
    (request,) = script.requests
    assert request.method == "GET"
    assert str(request.url) == "https://api.example/v1/batch/jobs?page=3&page_size=100&order_by=created"
    assert ([one.id for one in page.jobs], page.total) == ([JOB_ID], 1)


def test_size_and_order_reach_the_query() -> None:
    script = Script(ok({"total": 0}))
    with writer(script) as client:
        client.list_jobs(
            page=0,
            page_size=7,
            order_by="-created",
        )
    assert script.requests[0].url.params.multi_items() == [
        ("page", "0"),
        ("page_size", "7"),
        ("order_by", "-created"),
    ]


def test_a_create_is_one_post_with_the_whole_job() -> None:
    script = Script(ok(job(status="QUEUED")))
    with writer(script) as client:
        created = client.create_job(CREATE)
    (request,) = script.requests
    assert (request.method, request.url.path) == ("POST", "/v1/batch/jobs")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.content))
    assert json.loads(request.content)["input_files"] == [FILE_ID]
    assert created.id == JOB_ID


def test_requests_carry_the_key_and_the_tools_name() -> None:
    script = Script(ok(job()))
    with writer(script) as client:
        client.get_job(JOB_ID)
    headers = script.requests[0].headers
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["user-agent"] == f"mistral-batch-reconciler/{__version__}"


def test_a_gateways_path_stays_in_front() -> None:
    script = Script(ok(job()))
    with writer(script, base_url="https://gateway.example/mistral/") as client:
        client.get_job(JOB_ID)
    assert str(script.requests[0].url) == f"https://gateway.example/mistral/v1/batch/jobs/{JOB_ID}"


CALLS: list[tuple[Callable[[Writer], Any], str, str, object]] = [
    (lambda client: client.get_job(JOB_ID), "GET", f"/v1/batch/jobs/{JOB_ID}", job()),
    (lambda client: client.cancel_job(JOB_ID), "POST", f"/v1/batch/jobs/{JOB_ID}/cancel", job()),
    (lambda client: client.get_file(FILE_ID), "GET", f"/v1/files/{FILE_ID}", file()),
    (
        lambda client: client.delete_file(FILE_ID),
        "DELETE",
        f"/v1/files/{FILE_ID}",
        {"id": FILE_ID, "deleted": True},
    ),
    (lambda client: client.list_uploads(page=0), "GET", "/v1/files", {"data": [file()], "object": "list"}),
]


@pytest.mark.parametrize(("ask", "method", "path", "answer"), CALLS, ids=[path for _, _, path, _ in CALLS])
def test_each_call_has_its_method_and_path(
    ask: Callable[[Writer], Any], method: str, path: str, answer: object
) -> None:
    script = Script(ok(answer))
    with writer(script) as client:
        assert ask(client)
    (request,) = script.requests
    assert (request.method, request.url.path) == (method, path)
    assert method != "POST" or request.headers["content-length"] == "0"


def test_only_uploaded_batch_inputs_are_asked_for() -> None:
    script = Script(ok({"data": [], "object": "list"}))
    with writer(script) as client:
        client.list_uploads(page=1)
        client.list_uploads(page=0, page_size=5)
    assert [request.url.query for request in script.requests] == [
        b"page=1&page_size=100&purpose=batch&sample_type=batch_request&source=upload",
        b"page=0&page_size=5&purpose=batch&sample_type=batch_request&source=upload",
    ]


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a?b", "a#b", "../files/x", "a b", "a\nb", "%2e%2e", "é"]
)
def test_what_is_no_id_never_becomes_a_path(bad: str) -> None:
    with writer(lambda _: pytest.fail("sent")) as client:
        for ask in (
            client.get_job,
            client.cancel_job,
            client.get_file,
            client.delete_file,
        ):
            with pytest.raises(ReconcilerError, match="is not an id"):
                ask(bad)
        with pytest.raises(ReconcilerError, match="is not an id"):
            client.file_content(bad)


def test_reads_and_deletes_are_repeated_and_nothing_else_is() -> None:
    """A cancel is repeated too, but only by a caller that has read the job again."""
    for ask, method, path, answer in CALLS:
        script = Script(httpx.Response(503), ok(answer))
        with writer(script) as client:
            if method == "POST":
                with pytest.raises(ReconcilerError):
                    ask(client)
            else:
                ask(client)
        assert len(script.requests) == (1 if method == "POST" else 2), path


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_create_is_never_repeated(status: int) -> None:
    script = Script(httpx.Response(status))
    with writer(script) as client, pytest.raises(ReconcilerError):
        client.create_job(CREATE)
    assert len(script.requests) == 1


def test_a_reader_cannot_write() -> None:
    writes = {"create_job", "cancel_job", "upload_file", "delete_file"}
    assert not writes.intersection(dir(Reader))
    assert writes.issubset(dir(Writer))


def test_a_file_comes_in_pieces() -> None:
    script = Script(httpx.Response(502), httpx.Response(200, content=iter([b"one\n", b"", b"two\n"])))
    with writer(script) as client, client.file_content(FILE_ID) as content:
        assert b"".join(content.pieces) == b"one\ntwo\n"
    assert script.requests[-1].url.path == f"/v1/files/{FILE_ID}/content"


def test_a_file_need_not_be_read_to_its_end() -> None:
    closed: list[bool] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x"

        def close(self) -> None:
            closed.append(True)

    with writer(Script(httpx.Response(200, stream=Endless()))) as client:
        with client.file_content(FILE_ID) as content:
            assert next(content.pieces) == b"x"
        assert closed == [True]


def test_an_absent_file_is_reported_on_opening() -> None:
    with (
        writer(Script(httpx.Response(404, json={"detail": "No such file"}))) as client,
        pytest.raises(NotFoundError, match="No such file"),
        client.file_content(FILE_ID),
    ):
        pytest.fail("opened")


def test_the_observer_hears_of_every_attempt() -> None:
    received: list[RequestRecord] = []
    clock = Clock()

    def slow(_: httpx.Request) -> httpx.Response:
        clock.now += 0.25
        return ok({"total": 0})

    script = Script(httpx.Response(503), httpx.ReadTimeout("slow"), slow)
    with writer(script, on_request=received.append, clock=clock) as client:
        client.list_jobs(page=0)
    assert received == [
        RequestRecord(
            method="GET", path="/v1/batch/jobs", status=status, elapsed_ms=ms, attempt=attempt, error=error
        )
        for attempt, status, ms, error in [
            (1, 503, 0, "OutcomeUnknownError"),
            (2, None, 0, "OutcomeUnknownError"),
            (3, 200, 250, ""),
        ]
    ]


def test_a_failing_observer_does_not_lose_a_job_that_was_created() -> None:
    def full(_: RequestRecord) -> None:
        raise OSError(28, "No space left on device")

    with writer(Script(ok(job())), on_request=full) as client:
        assert client.create_job(CREATE).id == JOB_ID


def test_a_client_prints_as_its_address() -> None:
    with writer(Script(ok({}))) as client:
        assert re.fullmatch(r"Writer\(https://api\.example/?\)", repr(client))


def test_the_client_leaves_the_command_line_of_httpx_alone() -> None:
    """It would import rich, which is installed here, on every start."""
    import subprocess
    import sys

    code = "import sys, reconciler.api.client; print('httpx' in sys.modules, 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"


def test_a_history_without_the_api_loads_no_http_client() -> None:
    import subprocess
    import sys

    code = (
        "import sys, reconciler.cli.session.read_history, reconciler.cli.commands.history; "
        "print('httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("light", "heavy"),
    [("errors, retry, key", "httpx msgspec ssl"), ("values", "httpx ssl")],
)
def test_the_light_modules_stay_light(light: str, heavy: str) -> None:
    """Commands that only need the classes of errors or the values must not pay for HTTP."""
    import subprocess
    import sys

    code = f"import sys; from reconciler.api import {light}; print(set('{heavy}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
