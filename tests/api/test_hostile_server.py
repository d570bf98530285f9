"""A server that never ends an answer, or whose answer is larger than it looks."""

from __future__ import annotations

import ast
import gzip
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import reconciler.api
from reconciler.api import bodies
from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, MalformedAnswerError, OutcomeUnknownError, RejectedError
from reconciler.api.key import ApiKey
from reconciler.api.retry import Retrier
from reconciler.api.transport import https_transport

from .server import Behaviour, Server
from .stage import CREATE, FILE_ID, JOB_ID, ONE_ATTEMPT, SECRET, Script, job, writer

IN_TIME = re.compile("no answer in time|the answer was incomplete after")
"""In a read, or after one."""
SECONDS = 0.2
"""The deadline of an exchange."""
SLACK = 2.0
"""Seconds for a machine that is busy."""
OK = b"HTTP/1.1 200 OK\r\n"
JOB = httpx.Response(200, json=job()).content


def drips(first: bytes, piece: bytes, *, pause: float = 0.05) -> Behaviour:
    """Send `first`, and then `piece` again and again until the client goes away."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return behave


@contextmanager
def client_of(url: str) -> Iterator[Writer]:
    retry = Retrier(
        ONE_ATTEMPT, rng=random.Random(7), now=time.time, monotonic=time.monotonic, sleep=time.sleep
    )
    transport = https_transport(url)
    with Writer(
        base_url=url, key=ApiKey(SECRET), transport=transport, timeout_seconds=SECONDS, retry=retry
    ) as client:
        yield client


ENDLESS: dict[str, Behaviour] = {
    "100 Continue without a pause": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50, pause=0),
    "100 Continue now and then": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": drips(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "a header line now and then": drips(OK, b"X-A: b\r\n"),
    "a byte of a header now and then": drips(OK + b"X-A: ", b"x"),
    "a byte of the body now and then": drips(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "a chunk now and then": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a trailer now and then": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
}


def timed(do: Callable[[], object], *, seconds: float = SECONDS) -> ApiError:
    """Return the error of a call, which must come at the deadline."""
    began = time.monotonic()
    with pytest.raises(ApiError) as caught:
        do()
    assert time.monotonic() - began < seconds + SLACK
    return caught.value


@pytest.mark.parametrize("behaviour", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_ends_at_the_deadline(behaviour: Behaviour) -> None:
    with Server(behaviour) as server, client_of(server.url) as client:
        error = timed(lambda: client.create_job(CREATE))
    assert isinstance(error, OutcomeUnknownError)
    assert IN_TIME.search(str(error))


def test_a_refusal_without_end_ends_at_the_deadline() -> None:
    behaviour = drips(b"HTTP/1.1 422 No\r\nContent-Length: 100000\r\n\r\n", b" ")
    with Server(behaviour) as server, client_of(server.url) as client:
        assert isinstance(timed(lambda: client.create_job(CREATE)), RejectedError)


def test_a_proxy_that_never_opens_the_tunnel_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(drips(OK, b"X-A: b\r\n")) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        with client_of("https://api.example") as client:
            timed(lambda: client.get_job(JOB_ID))


def test_a_server_that_never_reads_a_request_ends_at_the_deadline() -> None:
    large = replace(CREATE, metadata={"note": " " * 20_000_000})
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        client_of(f"http://127.0.0.1:{listener.getsockname()[1]}") as client,
    ):
        assert "could not be sent in time" in str(timed(lambda: client.create_job(large)))


def download(client: Writer) -> int:
    with client.file_content(FILE_ID) as answer:
        return sum(map(len, answer.pieces))


def test_a_download_that_trickles_ends_at_the_deadline() -> None:
    behaviour = drips(OK + b"Content-Length: 100000\r\n\r\n", b" ")
    with Server(behaviour) as server, client_of(server.url) as client:
        assert IN_TIME.search(str(timed(lambda: download(client))))


def test_a_download_that_moves_may_take_longer_than_the_deadline() -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(OK + b"Content-Length: 800000\r\n\r\n")
        for _ in range(8):
            connection.sendall(b" " * 100_000)
            time.sleep(SECONDS / 4)

    with Server(behave) as server, client_of(server.url) as client:
        began = time.monotonic()
        assert download(client) == 800_000
        assert time.monotonic() - began > SECONDS


def compressed(data: bytes, encoding: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(
        200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(data)
    )


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "gzip,identity", "br", "deflate", "zstd", "x-gzip", "GZIP, br"]
)
def test_a_second_layer_or_another_compression_is_refused_before_it_is_decoded(encoding: str) -> None:
    bomb = gzip.compress(gzip.compress(b" " * 100_000 + JOB))
    with writer(compressed(bomb, encoding)) as client:
        with pytest.raises(MalformedAnswerError, match="content encoding"):
            client.create_job(CREATE)
        with (
            pytest.raises(MalformedAnswerError, match="content encoding"),
            client.file_content(FILE_ID) as it,
        ):
            list(it.pieces)


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "identity", ""])
def test_one_layer_of_gzip_or_none_is_read(encoding: str) -> None:
    data = gzip.compress(JOB) if "zip" in encoding.lower() else JOB
    with writer(compressed(data, encoding)) as client:
        assert client.get_job(JOB_ID).id == JOB_ID


def test_one_layer_makes_pieces_of_bounded_size() -> None:
    received = gzip.compress(b" " * 100_000_000)

    def in_parts() -> Iterator[bytes]:
        yield from (received[at : at + 1000] for at in range(0, len(received), 1000))

    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=in_parts())
    sizes = [len(piece) for piece in bodies.pieces(answer)]
    assert sum(sizes) == 100_000_000
    assert max(sizes) < 1100 * 1000


@pytest.mark.parametrize("data", [b"abcde", gzip.compress(JOB)[:-30], zlib.compress(JOB)])
def test_a_damaged_layer_leaves_the_outcome_unknown(data: bytes) -> None:
    with writer(compressed(data, "gzip")) as client, pytest.raises(OutcomeUnknownError):
        client.create_job(CREATE)


def test_no_compression_is_asked_for() -> None:
    script = Script(httpx.Response(200, json=job()))
    with writer(script) as client:
        client.get_job(JOB_ID)
    assert script.requests[0].headers["accept-encoding"] == "identity"


def test_bodies_and_sockets_are_used_in_one_place_only() -> None:
    """Another way to a body would have no bound, and another transport no deadline."""
    used: dict[str, set[str]] = {}
    for path in Path(reconciler.api.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                used.setdefault(node.attr, set()).add(path.name)
    assert used["iter_bytes"] == {"bodies.py"}
    # The webhook reads no body. Who fetches a content counts its bytes and its time: tests/outputs/test_fetch.py.
    assert used["stream"] == {"webhook.py", "https_file.py"}
    assert used["iter_raw"] == {"https_file.py"}
    assert used["HTTPTransport"] == {"transport.py", "network.py"}
    assert used["Client"] == {"http.py", "webhook.py", "https_file.py"}
    assert used.keys().isdisjoint({"iter_text", "iter_lines", "aread"})
