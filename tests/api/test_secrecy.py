"""For any answer of the server, the client raises its own errors, and none of them contains the key."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError
from reconciler.api.http import MAX_ERROR_BYTES
from reconciler.api.transport import https_transport
from reconciler.api.values import RequestRecord
from reconciler.text.sanitize import clean

from .server import Behaviour, Server, answers, sends, then_resets
from .stage import CREATE, FILE_ID, JOB_ID, ONE_ATTEMPT, SECRET, Broken, Script, file, job, writer

WORDS = st.sampled_from([SECRET, f"Bearer {SECRET}", f"\x00{SECRET[:5]}\u200b{SECRET[5:]}"]) | st.text(
    max_size=30
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["detail", "message", "msg", "loc", "error", "data", "id"]) | WORDS, inner
        )
    ),
    max_leaves=15,
)
BODIES = st.binary(max_size=200) | JSON.map(
    lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
)
STATUSES = st.sampled_from([200, 201, 204, 301, 307, 400, 401, 404, 418, 422, 429, 500, 502, 503, 599])
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "Location", "Date", "Content-Encoding", "Set-Cookie"]),
    st.sampled_from(["text/html", "gzip", f"https://{SECRET}.example/{SECRET}", "7", "a=b; Expires=x"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
    | st.sampled_from(["javascript:x", "http://[::1", "//\\evil", "https://a:99999999/"]),
)


def everything_about(error: BaseException) -> str:
    """Return every text that a log could make of an error, with the variables of all frames but a test's own."""
    reported: list[object] = []
    shown: BaseException | None = error
    while shown:
        reported += [str(shown), repr(shown), shown.args, vars(shown)]
        for frame, _ in traceback.walk_tb(shown.__traceback__):
            if "tests" not in Path(frame.f_code.co_filename).parts:
                reported.append(frame.f_locals)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return repr(reported)


@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_any_answer_becomes_a_value_or_our_error_without_the_key(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    received: list[RequestRecord] = []
    with writer(answer, policy=ONE_ATTEMPT, on_request=received.append) as client:
        asks: list[Callable[[], object]] = [
            lambda: client.list_jobs(page=0),
            lambda: client.create_job(CREATE),
            lambda: client.delete_file(FILE_ID),
        ]
        for ask in asks:
            try:
                ask()
            except ApiError as error:
                shown = everything_about(error) if status >= 300 else f"{error} {error!r} {vars(error)}"
                assert SECRET not in shown
                assert clean(str(error)) == str(error)  # noqa: PT017 - an answer may be right as well
    assert SECRET not in repr(received)


FAILURES: list[Callable[[], httpx.Response | Exception]] = [
    lambda: httpx.Response(401, json={"message": f"Invalid key {SECRET}"}),
    lambda: httpx.Response(401, json={"message": "x" * 280 + SECRET}),
    lambda: httpx.Response(502, html=f"<title>{SECRET}</title>"),
    lambda: httpx.Response(500, stream=Broken(SECRET.encode(), httpx.ReadError(SECRET))),
    lambda: httpx.Response(200, json=job(status=None)),
    lambda: httpx.Response(302, headers={"Location": f"https://{SECRET}.example"}),
    lambda: httpx.Response(302, headers={"Location": f"https://{SECRET.lower()}.example"}),
    lambda: httpx.Response(422, json={"detail": [{"loc": ["body", "x" * 55 + SECRET], "msg": "no"}]}),
    lambda: httpx.Response(500, content=b" " * (MAX_ERROR_BYTES - 10) + SECRET.encode()),
    lambda: httpx.Response(500, stream=Broken(b"no: " + SECRET[:-1].encode(), httpx.ReadError("x"))),
    lambda: httpx.ReadTimeout(SECRET),
    lambda: httpx.ConnectError(SECRET),
    lambda: httpx.RemoteProtocolError(f"illegal header Bearer {SECRET}"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=range(len(FAILURES)))
def test_no_error_shows_the_key_even_when_it_is_repeated_to_us(
    failure: Callable[[], httpx.Response | Exception],
) -> None:
    asks: list[Callable[[Writer], object]] = [
        lambda client: client.get_job(JOB_ID),
        lambda client: client.create_job(CREATE),
    ]
    for ask in asks:
        with writer(Script(failure()), policy=ONE_ATTEMPT) as client, pytest.raises(ApiError) as caught:
            ask(client)
        assert SECRET not in everything_about(caught.value)
        assert SECRET[:8].lower() not in str(caught.value).lower(), "not even the beginning of it"


def test_a_job_or_a_file_that_repeats_the_key_does_not_hold_it() -> None:
    words = dict.fromkeys(("status", "model", "endpoint", "agent_id"), f"Bearer {SECRET}")
    odd = job(metadata={SECRET: SECRET.upper()}, errors=[{"message": SECRET.lower()}], **words)
    page = {"object": "list", "total": 1, "data": [odd]}
    with writer(Script(httpx.Response(200, json=odd))) as client:
        held = [client.get_job(JOB_ID), client.create_job(CREATE)]
    with writer(Script(httpx.Response(200, json=page))) as client:
        held.append(client.list_jobs(page=0))  # type: ignore[arg-type]
    with writer(Script(httpx.Response(200, json=file(filename=SECRET)))) as client:
        held.append(client.get_file(FILE_ID))  # type: ignore[arg-type]
    for value in held:
        assert "Key(…)" in repr(value)
        assert SECRET.lower() not in repr(value).lower()


@pytest.mark.parametrize(
    "behaviour",
    [
        then_resets(b""),
        sends(b"HTTP/1.1 200 OK\r\n\r\n{"),
        sends(b"junk"),
        answers("500 Oops", SECRET.encode()),
    ],
    ids=["reset", "half", "junk", "echo"],
)
def test_a_log_with_the_variables_of_every_frame_does_not_hold_the_key(
    behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Server(behaviour) as server:
        with (
            writer(https_transport(server.url), base_url=server.url, policy=ONE_ATTEMPT) as client,
            pytest.raises(ApiError) as caught,
        ):
            client.create_job(CREATE)
        assert SECRET.encode() in server.heads[0], "or this test tests nothing"
    assert SECRET not in everything_about(caught.value)
    assert "send_request_headers" in caplog.text, "the HTTP stack's own log was on"
    assert SECRET not in caplog.text


def test_a_key_given_as_an_id_by_mistake_stays_out_of_errors_and_records() -> None:
    received: list[RequestRecord] = []
    with (
        writer(Script(httpx.Response(404)), on_request=received.append) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.get_job(SECRET)
    assert SECRET not in f"{caught.value} {received}"


@given(
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nLocation: "]),
    st.binary(max_size=120),
)
def test_any_bytes_on_the_wire_become_our_error(start: bytes, data: bytes) -> None:
    with (
        Server(sends(start + data)) as server,
        writer(https_transport(server.url), base_url=server.url, policy=ONE_ATTEMPT) as client,
        pytest.raises(ApiError),
    ):
        client.list_jobs(page=0)
