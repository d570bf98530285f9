"""Changed answers: of the API inside of the process, of a real socket, and of GitHub."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any, Final

import httpx

from tests.api.server import Behaviour
from tests.fuzz import mutate
from tests.fuzz.mutate import SECRET
from tests.fuzz.state import Clock, files_of

_FAILURES: Final = (
    *(httpx.ReadError, httpx.ReadTimeout, httpx.ConnectError, httpx.ConnectTimeout, httpx.WriteError),
    *(httpx.RemoteProtocolError, httpx.PoolTimeout, httpx.ProxyError, httpx.CloseError, httpx.DecodingError),
)
_STATUSES: Final = (
    *(100, 199, *range(200, 209), 226, 299, *range(300, 309), 399, *range(400, 432), 451, 499),
    *(*range(500, 512), 520, 599, 600, 999),
)
_HEADERS: Final = tuple(
    (line.partition(":")[0].strip(), it.strip())
    for line in f"""
        Content-Encoding: gzip | br | gzip, gzip | x | identity | | \xff
        Content-Type: text/html | application/json; charset=utf-16 | | {"x" * 3000} | application/json;;;
        Retry-After: 0 | 1 | -1 | 1e9 | NaN | 99999999999 | Thu, 01 Jan 1970 00:00:00 GMT | soon | 1.5 | \u0663 | inf
        Date: | now | Thu, 01 Jan 1970 00:00:00 GMT | Fri, 31 Dec 9999 23:59:59 GMT | Mon, 99 Foo 0000 | {"1" * 400}
        Content-Range: bytes 0-1/2 | bytes 5-1/0 | bytes */* | bytes 0-9/{"9" * 20} | x | bytes -1-2/3
        Content-Length: 0 | -1 | 99999999 | x | 1, 2 | {"9" * 50}
        Location: / | http://evil.example/ | // | http://[ | javascript:1 | http://127.0.0.1:9/\x7f | http://:99999/
        Location: /?{SECRET}
        Authorization: Bearer {SECRET}
    """.strip().splitlines()
    for it in line.partition(":")[2].split("|")
)
"""Headers that a server may send, with values that mean something or nothing."""


@dataclass
class _Stream(httpx.SyncByteStream):
    """A body in pieces, which takes its time and may break off."""

    pieces: list[bytes]
    clock: Clock
    pause: float
    error: Exception | None

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.clock.sleep(self.pause)
            yield piece
        if self.error:
            raise self.error


@dataclass
class Changer:
    """Changes the answers of one command or of several, in the order of the requests.

    Args:
        answers: the number of a request, -1 for all, and the seed of the change.
        target: the paths of the requests that count.
        clock: the clock of the case.
    """

    answers: Mapping[int, int]
    target: str
    clock: Clock
    _count: int = field(default=0, init=False)

    def __call__(self, request: httpx.Request, answer: Callable[[], httpx.Response]) -> httpx.Response:
        """Return an answer, changed or not."""
        if not re.search(self.target, request.url.path):
            return answer()
        seed = self.answers.get(self._count, self.answers.get(-1))
        self._count += 1
        return answer() if seed is None else self._changed(random.Random(seed), request, answer)

    def _changed(
        self, rng: random.Random, request: httpx.Request, answer: Callable[[], httpx.Response]
    ) -> httpx.Response:
        failure = rng.choice(_FAILURES)("it failed", request=request)
        pick = rng.random()
        if pick < 0.04:
            raise failure
        given = answer()
        if pick < 0.08:
            given.read()
            raise failure
        status, headers, body = given.status_code, dict(given.headers), given.read()
        headers.pop("content-length", None)
        if pick < 0.25:
            status = rng.choice(_STATUSES)
        if rng.random() < 0.2:
            name, given_value = rng.choice(_HEADERS)
            headers[name] = given_value
        if rng.random() < 0.8:
            body = changed_body(rng, body)
        if rng.random() < 0.1:
            body, headers["Content-Encoding"] = compressed(rng, body), "gzip"
        size = rng.choice((len(body) + 1, 1 + len(body) // 3, 7)) if len(body) < 5000 else len(body) + 1
        return httpx.Response(
            status,
            headers=[(name.encode(), it.encode("latin-1", "replace")) for name, it in headers.items()],
            stream=_Stream(
                [body[at : at + size] for at in range(0, len(body), size)],
                self.clock,
                rng.choice((0, 0, 0, 0, 1, 40, 1e4)),
                failure if rng.random() < 0.05 else None,
            ),
            request=request,
        )


def changed_body(rng: random.Random, body: bytes) -> bytes:
    """Return a changed body: JSON, JSON lines or bytes."""
    pick = rng.random()
    if pick < 0.65 and body:
        rows = body.split(b"\n")
        at = rng.randrange(len(rows))
        try:
            rows[at] = mutate.to_json(
                rng, mutate.tree(rng, json.loads(rows[at]), times=rng.choice((1, 1, 2, 6)))
            )
            return b"\n".join(rows)
        except (ValueError, RecursionError):
            pass
    if pick < 0.85:
        return mutate.data(rng, body, times=rng.choice((1, 1, 2, 5)))
    if pick < 0.9:
        return rng.choice(odd_bodies())
    return mutate.to_json(rng, mutate.value(rng))


@cache
def odd_bodies() -> tuple[bytes, ...]:
    """Return bodies that are no mutation of any other."""
    return (
        *(
            b"",
            b"null",
            b"{}",
            b"[]",
            b"<html><title>\xff\x1b[2J&#x1b;[31m</title>",
            b"<!DOCTYPE html><title>" * 900,
        ),
        *(
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b" " * 1_000_000,
            b"\xff" * 1000,
            f'{{"detail": "{SECRET}"}}'.encode(),
        ),
        *(
            b'{"message": "' + b"a" * 100_000 + b'"}',
            f"Bearer {SECRET}".encode(),
            b'{"total": 1e400, "data": []}',
        ),
        b'{"detail": ' + b'[{"loc": ["body"], "msg": "\\u001b[31m"}],' * 300 + b"}",
    )


def compressed(rng: random.Random, body: bytes) -> bytes:
    """Return a body as gzip: whole, damaged, a bomb or something else."""
    whole = gzip.compress(body, mtime=0)
    return rng.choice((whole, whole[:-5], mutate.data(rng, whole, times=1), body, whole + whole, _bomb()))


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(b" " * 1_000_000) for _ in range(100)), packer.flush()])


def raw_answer(rng: random.Random) -> Behaviour:
    """Return what a server sends on a connection: an answer of HTTP with something wrong in its head or chunks."""
    body = rng.choice((b'{"total": 0, "data": []}', b'{"total": 1, "data": [{}]}', b"", b"{" * 500))
    head = [
        f"HTTP/1.1 {rng.choice(_STATUSES)} {mutate.text(rng)}" if rng.random() < 0.3 else "HTTP/1.1 200 OK"
    ]
    if rng.random() < 0.5:
        sizes = [
            f"{len(body):x}",
            "0" * 30 + f"{len(body):x}",
            "-1",
            "zz",
            "ffffffffffffffff",
            f"{len(body):x};{'x' * 90_000}",
        ]
        chunk = rng.choice(sizes).encode()
        head.append("Transfer-Encoding: chunked")
        body = (
            chunk
            + b"\r\n"
            + body
            + rng.choice((b"\r\n0\r\n\r\n", b"\r\n", b"", b"\r\n0\r\n" + b"X: y\r\n" * 3000))
        )
    else:
        head.append(f"Content-Length: {rng.choice((len(body), len(body), len(body) + 5, 0))}")
    head += [": ".join(rng.choice(_HEADERS)) for _ in range(rng.choice((0, 1, 3)))]
    data = "\r\n".join([*head, "", ""]).encode("utf-8", "surrogatepass") + body
    if rng.random() < 0.5:
        data = mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    data = b"HTTP/1.1 100 Continue\r\n\r\n" * rng.choice((0, 0, 0, 1, 2000)) + data
    size, pause = rng.choice((len(data) + 1, 1 + len(data) // 3)), rng.choice((0, 0, 0.01))

    def behave(connection: socket) -> None:
        for at in range(0, len(data), size):
            connection.sendall(data[at : at + size])
            time.sleep(pause)

    return behave


class Hub:
    """GitHub on this machine: answers with what a case says.

    Attributes:
        seeds: the number of a request, -1 for all, and the seed of the change to its answer.
    """

    def __init__(self) -> None:
        hub = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = hub.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # the client may go away
                    self.wfile.write(body)

            do_POST = do_PATCH = do_GET  # noqa: N815 - http.server looks for these names

            def log_message(self, *_: object) -> None:
                pass

        self.seeds: Mapping[int, int] = {}
        self.count = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        seed = self.seeds.get(self.count, self.seeds.get(-1))
        self.count += 1
        rng = random.Random(seed)
        if path.endswith("/zip"):
            kept = files_of("applied")["plan.json" if "/1/" in path else "observed.json"]
            body = _zipped(
                "plan.json", kept if seed is None or rng.random() < 0.5 else changed_body(rng, kept)
            )
        else:
            body = json.dumps(_github(path)).encode()
        if seed is None:
            return 200, body
        return rng.choice((200, 200, 200, *_STATUSES[1:])), changed_body(rng, body)


@cache
def hub() -> Hub:
    """Return the server of this process."""
    return Hub()


def _zipped(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return written.getvalue()


PULL: Final[Mapping[str, Any]] = {
    "number": 7,
    "head": {"ref": "topic", "sha": "a" * 40, "repo": {"full_name": "acme/shop"}},
    "merged_at": "2026-11-22T12:00:00Z",
    "merge_commit_sha": "b" * 40,
}


def _github(path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what GitHub answers to a request for JSON."""
    if path.endswith("/pulls"):
        return [PULL]
    if "/artifacts" in path:
        run = {"head_sha": "a" * 40, "head_branch": "main", "repository_id": 1, "head_repository_id": 1}
        name = re.sub(".*name=([^&]*).*", r"\1", path)
        return {
            "artifacts": [
                {"id": 1 + ("observed" in name), "name": name, "expired": False, "workflow_run": run}
            ]
        }
    return [{"id": 5, "user": {"type": "Bot"}, "body": "<!-- reconciler -->\nold"}]
