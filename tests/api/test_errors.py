"""Every way a request can fail, and whether it may have happened."""

from __future__ import annotations

import socket
import ssl
import traceback

import httpcore
import httpx
import pytest

from reconciler.api import classify
from reconciler.api.errors import (
    ApiError,
    AuthError,
    BillingError,
    MalformedAnswerError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
)
from reconciler.api.transport import ProxyFailedError

from .stage import CREATE, FILE_ID, JOB_ID, ONE_ATTEMPT, Broken, Clock, Script, job, writer


def refused(answer: httpx.Response | Exception) -> ApiError:
    """Return the error that a create ends in; it must have been sent once."""
    script = Script(answer)
    with writer(script) as client, pytest.raises(ApiError) as caught:
        client.create_job(CREATE)
    assert len(script.requests) == 1
    assert caught.value.hint, "every error has a next step"
    assert caught.value.request == "POST /v1/batch/jobs"
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "next_step"),
    [
        (400, RejectedError, "fix the value it names"),
        (401, AuthError, "MISTRAL_API_KEY"),
        (402, BillingError, "spending limit"),
        (403, RejectedError, "lacks the permission"),
        (404, NotFoundError, "workspace"),
        (410, NotFoundError, "was deleted"),
        (407, RejectedError, "HTTPS_PROXY"),
        (409, RejectedError, "reconciler status"),
        (413, RejectedError, "split"),
        (418, RejectedError, "fix the value it names"),
        (422, RejectedError, "fix the value it names"),
        (429, RateLimitedError, "wait"),
        (408, OutcomeUnknownError, "reads the workspace"),
        (500, OutcomeUnknownError, "reads the workspace"),
        (501, OutcomeUnknownError, "reads the workspace"),
        (502, OutcomeUnknownError, "reads the workspace"),
        (503, OutcomeUnknownError, "reads the workspace"),
        (504, OutcomeUnknownError, "reads the workspace"),
        (524, OutcomeUnknownError, "reads the workspace"),
        (304, OutcomeUnknownError, "base URL"),
    ],
)
def test_each_status_has_its_class_and_its_next_step(
    status: int, kind: type[ApiError], next_step: str
) -> None:
    error = refused(httpx.Response(status, json={"message": "because"}))
    assert type(error) is kind
    assert error.status == status
    assert next_step in error.hint
    assert str(error) == f"POST /v1/batch/jobs: {status}: because"


def page(status: int) -> httpx.Response:
    return httpx.Response(status, html="<html><head><title>400 Bad Request</title></head></html>")


def message(status: int) -> httpx.Response:
    return httpx.Response(status, json={"message": "no"})


@pytest.mark.parametrize(
    ("answer", "next_step"),
    [
        (page(400), "web page"),
        (page(413), "web page"),
        (message(400), "fix the value it names"),
        (message(413), "split the input into several files"),
    ],
)
def test_a_refusal_says_what_to_do_next_whoever_it_comes_from(answer: httpx.Response, next_step: str) -> None:
    with writer(Script(answer)) as client, pytest.raises(RejectedError) as caught:
        client.create_job(CREATE)
    assert next_step in caught.value.hint


def test_a_host_without_batch_jobs_is_suspected_if_a_list_is_not_found() -> None:
    script = Script(httpx.Response(404, json={"detail": "Not Found"}))
    with writer(script) as client:
        for ask in (lambda: client.list_jobs(page=0), lambda: client.list_uploads(page=0)):
            with pytest.raises(NotFoundError) as caught:
                ask()
            assert "regional hosts" in caught.value.hint
        with pytest.raises(NotFoundError) as caught:
            client.get_job(JOB_ID)
        assert "regional hosts" not in caught.value.hint


@pytest.mark.parametrize(
    "detail",
    [
        "page_size must be at most 50",
        [{"loc": ["query", "page_size"], "msg": "Input should be less than 51"}],
    ],
)
def test_a_page_size_that_is_refused_is_not_the_users_mistake(detail: object) -> None:
    script = Script(httpx.Response(422, json={"detail": detail}))
    with writer(script) as client, pytest.raises(RejectedError) as caught:
        client.list_jobs(page=0)
    assert "look for a newer version of this tool" in caught.value.hint


def test_the_message_of_the_api_says_why_a_workspace_may_not_create_jobs() -> None:
    message = "You have reached your monthly spending limit. See https://admin.example/limits"
    error = refused(httpx.Response(402, json={"message": message}))
    assert str(error) == f"POST /v1/batch/jobs: 402: {message}"
    for cause in ("not enabled", "credit", "spending limit", "pay-as-you-go", "invoice"):
        assert cause in error.hint


def test_a_mistake_in_a_request_is_one_readable_sentence() -> None:
    detail = [{"type": "missing", "loc": ["body", "endpoint"], "msg": "Field required", "input": "a prompt"}]
    error = refused(httpx.Response(422, json={"detail": detail}))
    assert str(error) == "POST /v1/batch/jobs: 422: body.endpoint: Field required"


def test_a_long_message_is_cut() -> None:
    error = refused(httpx.Response(400, json={"message": "x" * 5000}))
    assert len(str(error)) < 350


def test_a_message_without_an_end_is_not_read_to_its_end() -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> object:  # type: ignore[override]
            while True:
                yield b"x" * 65536

    assert str(refused(httpx.Response(400, stream=Endless()))).endswith("xxx…")


def test_a_message_that_breaks_off_leaves_the_status() -> None:
    stream = Broken(b'{"message":"half', httpx.ReadError("reset"))
    error = refused(httpx.Response(422, stream=stream))
    assert type(error) is RejectedError
    assert "422: Unprocessable" in str(error)


def test_a_web_page_is_reported_as_one_whatever_its_status() -> None:
    page = "<html><head><title>Access denied</title></head></html>"
    for status, kind in ((403, RejectedError), (502, OutcomeUnknownError), (429, RateLimitedError)):
        error = refused(httpx.Response(status, html=page))
        assert type(error) is kind
        assert f'{status}: an HTML page, "Access denied"' in str(error)
        assert "proxy" in error.hint


def test_a_proxys_404_does_not_say_that_a_job_is_gone() -> None:
    with (
        writer(Script(httpx.Response(404, html="<html>not here</html>"))) as client,
        pytest.raises(RejectedError) as caught,
    ):
        client.get_job(JOB_ID)
    assert not isinstance(caught.value, NotFoundError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, None),
        (
            {"Date": "Sat, 21 Nov 2026 08:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 08:00:42 GMT"},
            42.0,
        ),
        (
            {"Date": "Sat, 21 Nov 2026 08:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 07:00:00 GMT"},
            0.0,
        ),
        ({"Retry-After": "Sat, 21 Nov 2026 08:00:42 GMT"}, None),
        ({"Date": "Sat, 21 Nov 2026 08:00:00", "Retry-After": "Sat, 21 Nov 2026 08:00:42 GMT"}, None),
        ({"Date": "Sat, 21 Nov 2026 08:00:00 GMT", "Retry-After": "Sat, 99 Nov 2026 99:00:42 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert refused(httpx.Response(429, headers=headers)).retry_after == seconds


def test_the_wait_that_the_api_asks_for_is_in_the_next_step() -> None:
    assert "wait 1,801 s" in refused(httpx.Response(429, headers={"Retry-After": "1800.5"})).hint


def test_a_read_waits_as_long_as_the_api_asks() -> None:
    clock = Clock()
    script = Script(
        httpx.Response(429, headers={"Retry-After": "30"}),
        httpx.Response(503, headers={"Retry-After": "20"}),
        httpx.Response(200, json=job()),
    )
    with writer(script, clock=clock) as client:
        client.get_job(JOB_ID)
    assert [int(wait) for wait in clock.slept] == [30, 20]


def chained(outer: httpx.TransportError, *causes: Exception) -> httpx.TransportError:
    error: Exception = outer
    for cause in causes:
        error.__cause__ = cause
        error = cause
    return outer


def through_a_proxy(failure: httpx.TransportError) -> ProxyFailedError:
    return ProxyFailedError(failure, proxy="proxy.example:3128", source="HTTPS_PROXY")


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
CERTIFICATE.verify_message = "self-signed certificate in certificate chain"


@pytest.mark.parametrize(
    ("failure", "reported", "transient"),
    [
        (httpx.ConnectTimeout("timed out"), "no connection in time", True),
        (httpx.PoolTimeout("pool"), "no connection became free", True),
        (httpx.ConnectError("[Errno 101] Network is unreachable"), "Network is unreachable", True),
        (
            chained(
                httpx.ConnectError("x"), httpcore.ConnectError("x"), ConnectionRefusedError(111, "refused")
            ),
            "connection refused",
            True,
        ),
        (
            chained(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            "the host name cannot be resolved: Name or service not known",
            False,
        ),
        (
            chained(httpx.ConnectError("x"), socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
            "the host name cannot be resolved: Temporary failure",
            True,
        ),
        (chained(httpx.ConnectError("x"), CERTIFICATE), "not trusted: self-signed", False),
        (chained(httpx.ConnectError("x"), ssl.SSLError(1, "odd")), "no TLS connection", False),
        (
            through_a_proxy(httpx.ProxyError("407 Proxy Authentication Required")),
            "the proxy proxy.example:3128 in HTTPS_PROXY refuses the connection: 407 Proxy Authentication Required",
            False,
        ),
        (
            through_a_proxy(httpx.ConnectTimeout("x")),
            "the proxy proxy.example:3128 in HTTPS_PROXY cannot be reached: no connection in time",
            True,
        ),
        (
            through_a_proxy(chained(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "Unknown"))),
            "the proxy proxy.example:3128 in HTTPS_PROXY cannot be reached: the host name cannot be resolved: Unknown",
            False,
        ),
        (
            through_a_proxy(chained(httpx.ConnectError("x"), OSError(113, "No route"))),
            "the proxy proxy.example:3128 in HTTPS_PROXY cannot be reached: no connection: [Errno 113] No route",
            True,
        ),
        (
            through_a_proxy(chained(httpx.ConnectError("x"), CERTIFICATE)),
            "the server's certificate is not trusted: self-signed",
            False,
        ),
    ],
)
def test_what_fails_before_sending_certainly_did_nothing(
    failure: httpx.TransportError, reported: str, transient: object
) -> None:
    error = refused(failure)
    assert type(error) is UnreachableError
    assert reported in str(error)
    assert error.transient is transient


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.CloseError("odd"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.LocalProtocolError("Too little data for declared Content-Length"),
        httpx.DecodingError("bad gzip"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_what_fails_after_sending_may_have_happened(failure: httpx.RequestError) -> None:
    error = refused(failure)
    assert type(error) is OutcomeUnknownError
    assert error.transient


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"id":', b"<html>Sign in</html>", b"\xff", b'{"data":[],"total":0}']
)
def test_a_create_whose_answer_cannot_be_read_may_have_happened(body: bytes) -> None:
    error = refused(httpx.Response(200, content=body))
    assert isinstance(error, MalformedAnswerError)
    assert isinstance(error, OutcomeUnknownError)


def test_a_create_whose_answer_breaks_off_may_have_happened() -> None:
    stream = Broken(b'{"id":', httpx.RemoteProtocolError("peer closed connection"))
    assert type(refused(httpx.Response(200, stream=stream))) is OutcomeUnknownError


def test_an_answer_that_only_drips_is_given_up() -> None:
    clock = Clock()

    def drip() -> object:
        while True:
            clock.now += 1
            yield b" "

    with (
        writer(Script(httpx.Response(200, content=drip())), clock=clock, policy=ONE_ATTEMPT) as client,  # type: ignore[arg-type]
        pytest.raises(OutcomeUnknownError, match="incomplete after 5 s"),
    ):
        client.list_jobs(page=0)


def test_an_answer_without_an_end_is_given_up() -> None:
    def endless() -> object:
        while True:
            yield b" " * 2**20

    with (
        writer(Script(httpx.Response(200, content=endless()))) as client,  # type: ignore[arg-type]
        pytest.raises(MalformedAnswerError, match="longer than 67,108,864 bytes") as caught,
    ):
        client.list_jobs(page=0)
    kept = [
        it for frame, _ in traceback.walk_tb(caught.value.__traceback__) for it in frame.f_locals.values()
    ]
    assert max(len(it) for it in kept if isinstance(it, bytes | bytearray)) <= 2**20, (
        "its error keeps a piece"
    )


def test_a_redirect_is_reported_with_its_host_and_not_followed() -> None:
    for status in (301, 302, 303, 307, 308):
        error = refused(httpx.Response(status, headers={"Location": "https://evil.example/steal?me=1"}))
        assert type(error) is OutcomeUnknownError
        assert f"{status}: a redirect to evil.example, not followed" in str(error)
        assert "steal" not in str(error)
        assert not error.transient


@pytest.mark.parametrize(
    "location", ["http://[", "https://:bad", "\\\\evil", "javascript:alert(1)", "/elsewhere"]
)
def test_a_strange_redirect_is_unknown_too(location: str) -> None:
    assert isinstance(refused(httpx.Response(302, headers={"Location": location})), OutcomeUnknownError)


def test_a_download_that_breaks_off_is_our_error() -> None:
    stream = Broken(b"one line\n", httpx.ReadError("reset"))
    with (
        writer(Script(httpx.Response(200, stream=stream))) as client,
        client.file_content(FILE_ID) as content,
    ):
        assert next(content.pieces) == b"one line\n"
        with pytest.raises(
            OutcomeUnknownError, match=f"GET /v1/files/{FILE_ID}/content: the connection broke"
        ):
            next(content.pieces)


def test_an_error_of_another_request_inside_a_download_keeps_its_name() -> None:
    script = Script(httpx.Response(200, content=b"x"), httpx.Response(404, json={"detail": "gone"}))
    with (
        writer(script) as client,
        pytest.raises(NotFoundError, match=f"GET /v1/batch/jobs/{JOB_ID}: 404"),
        client.file_content(FILE_ID),
    ):
        client.get_job(JOB_ID)


def test_a_bug_in_an_application_in_this_process_is_not_hidden() -> None:
    with writer(Script(ZeroDivisionError("bug"))) as client, pytest.raises(ZeroDivisionError):
        client.list_jobs(page=0)


def test_a_gateway_that_requires_a_client_certificate_is_asked_once_and_the_variable_is_named() -> None:
    words = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)"
    error = classify.error_from_exception(httpx.ReadError(words))
    assert (str(error), error.transient) == ("the server requires a client certificate", False)
    assert "RECONCILER_CLIENT_CERT" in error.hint
