"""A tiny server on a raw socket, for answers that an HTTP library cannot send."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeAlias

Behaviour: TypeAlias = Callable[[socket.socket], None]
"""What happens on a connection once the request has been read. The connection is closed afterwards."""


class Server:
    """Accepts connections on 127.0.0.1 and plays one behaviour each, the last one for ever.

    Attributes:
        heads: the head of each request.
        body_bytes: the length of each request's body.
    """

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self.heads: list[bytes] = []
        self.body_bytes: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with socket.create_connection(("127.0.0.1", self.port)):  # wakes accept()
            pass
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            connection, _ = self._listener.accept()
            with connection, suppress(OSError):  # the client may go away first, as some tests want it to
                if self._read_request(connection):
                    last = len(self._behaviours) == 1
                    behaviour = self._behaviours[0] if last else self._behaviours.pop(0)
                    behaviour(connection)

    def _read_request(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        self.heads.append(head)
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ),
            0,
        )
        received, buffer = len(rest), bytearray(65536)
        while received < length:
            count = connection.recv_into(buffer)
            if not count:
                break
            received += count
        self.body_bytes.append(received)
        return True


def sends(data: bytes) -> Behaviour:
    """Answer with these bytes, whatever they mean."""
    return lambda connection: connection.sendall(data)


def answers(status: str, body: bytes, *headers: str) -> Behaviour:
    """Answer as a well-behaved server would."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return sends("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def then_resets(data: bytes) -> Behaviour:
    """Send these bytes, then break the connection off so that the client sees a reset."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(data)
        at_once = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)

    return behave


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
