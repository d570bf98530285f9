"""Failures of real connections, on this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from reconciler.api.client import Writer
from reconciler.api.errors import (
    ApiError,
    MalformedAnswerError,
    OutcomeUnknownError,
    RejectedError,
    UnreachableError,
)
from reconciler.api.transport import https_transport

from .server import Behaviour, Server, answers, free_port, sends, then_resets
from .stage import CREATE, FILE_ID, JOB_ID, ONE_ATTEMPT, SECRET, job, writer

JOB = httpx.Response(200, json=job()).content
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(JOB)}\r\n\r\n".encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def client_of(url: str, *, timeout_seconds: float = 5.0, once: bool = True) -> Iterator[Writer]:
    policy = ONE_ATTEMPT if once else None
    transport = https_transport(url)
    with writer(transport, base_url=url, policy=policy, timeout_seconds=timeout_seconds) as client:
        yield client


def created(behaviour: Behaviour, *, timeout_seconds: float = 5.0) -> ApiError:
    """Return the error that a create ends in."""
    with (
        Server(behaviour) as server,
        client_of(server.url, timeout_seconds=timeout_seconds) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.create_job(CREATE)
    assert len(server.heads) == 1
    return caught.value


def test_a_refused_connection_never_sent_anything() -> None:
    with client_of(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(UnreachableError) as caught:
        client.create_job(CREATE)
    assert "connection refused" in str(caught.value)


def test_a_host_without_an_address_never_sent_anything() -> None:
    with client_of("https://nowhere.invalid") as client, pytest.raises(UnreachableError) as caught:
        client.create_job(CREATE)
    assert "the host name cannot be resolved" in str(caught.value)


def test_a_server_that_speaks_no_tls_never_got_the_key() -> None:
    received = b""

    def serve(listener: socket.socket) -> None:
        nonlocal received
        connection, _ = listener.accept()
        with connection:
            received = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with client_of(url) as client, pytest.raises(UnreachableError, match="no TLS connection"):
            client.create_job(CREATE)
        thread.join()
    assert received
    assert SECRET.encode() not in received


@pytest.mark.parametrize(
    "behaviour",
    [
        sends(b""),
        then_resets(b""),
        sends(HEAD + JOB[:40]),
        then_resets(HEAD + JOB[:40]),
        sends(CHUNKED + b"5\r\n" + JOB[:5] + b"\r\n"),
        sends(CHUNKED + b"zz\r\n"),
        sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde"),
        answers("200 OK", JOB[:-1]),
        answers("502 Bad Gateway", b"<html><title>502 Bad Gateway</title></html>", "Content-Type: text/html"),
    ],
    ids=[
        "closed",
        "reset",
        "cut",
        "cut and reset",
        "cut between chunks",
        "bad chunk",
        "another protocol",
        "bad gzip",
        "half of the JSON",
        "HTML 502",
    ],
)
def test_a_create_without_a_whole_answer_may_have_happened(behaviour: Behaviour) -> None:
    assert isinstance(created(behaviour), OutcomeUnknownError)


def test_a_server_that_stalls_is_given_up_and_may_have_done_it() -> None:
    released = threading.Event()
    began = time.monotonic()

    def stall(_: socket.socket) -> None:
        released.wait(10)

    with Server(stall) as server:
        with (
            client_of(server.url, timeout_seconds=0.2) as client,
            pytest.raises(OutcomeUnknownError) as caught,
        ):
            client.create_job(CREATE)
        released.set()
    assert "no answer in time" in str(caught.value)
    assert time.monotonic() - began < 5


def test_a_read_survives_a_bad_moment() -> None:
    with (
        Server(
            then_resets(b""), sends(HEAD + JOB[:9]), answers("503 Busy", b""), answers("200 OK", JOB)
        ) as server,
        client_of(server.url, once=False) as client,
    ):
        assert client.get_job(JOB_ID).id == JOB_ID
    assert len(server.heads) == 4


def test_a_redirect_to_another_host_does_not_carry_the_key() -> None:
    with Server(answers("200 OK", JOB)) as other:
        for status in ("301 Moved Permanently", "307 Temporary Redirect"):
            location = f"Location: {other.url}/v1/batch/jobs"
            error = created(answers(status, b"", location))
            assert isinstance(error, OutcomeUnknownError)
            assert "redirect to 127.0.0.1" in str(error)
    assert other.heads == []


def test_the_key_travels_in_one_header_and_nowhere_else() -> None:
    with Server(answers("200 OK", JOB)) as server, client_of(server.url) as client:
        client.create_job(CREATE)
    (head,) = server.heads
    assert [line for line in head.split(b"\r\n") if SECRET.encode() in line] == [
        f"Authorization: Bearer {SECRET}".encode()
    ]


def test_a_refusal_is_read_before_a_hang_up() -> None:
    error = created(then_closes(answers("422 Unprocessable Entity", b'{"detail":"no"}')))
    assert type(error) is RejectedError


def then_closes(behaviour: Behaviour) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        behaviour(connection)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def test_a_download_that_stops_short_is_noticed() -> None:
    cut = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    with (
        Server(cut) as server,
        client_of(server.url) as client,
        client.file_content(FILE_ID) as content,
        pytest.raises(OutcomeUnknownError),
    ):
        list(content.pieces)


def test_many_threads_share_one_client() -> None:
    failures: list[BaseException] = []

    def ask(client: Writer) -> None:
        try:
            for _ in range(5):
                client.get_job(JOB_ID)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must fail the test
            failures.append(error)

    with Server(answers("200 OK", JOB)) as server, client_of(server.url) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(server.heads) == 40


@pytest.mark.parametrize("ask", [Writer.get_job, Writer.cancel_job])
def test_a_malformed_answer_is_refused_in_our_words(ask: Callable[[Writer, str], object]) -> None:
    with (
        Server(answers("200 OK", b'{"id": "x"}')) as server,
        client_of(server.url) as client,
        pytest.raises(MalformedAnswerError, match="input_files"),
    ):
        ask(client, JOB_ID)
