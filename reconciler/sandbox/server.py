"""Serve the sandbox over HTTP, for other processes."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_WAITING_CONNECTIONS = 128
_POLL_SECONDS = 0.01


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do nothing: stderr is for errors."""


class Server(AbstractContextManager["Server"]):
    """A sandbox on a port; port 0 picks a free one. It listens at once. Call `serve_forever` and `shutdown`.

    Raises `OSError` if the address cannot be used.
    """

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bind here: werkzeug ends the process if the port is in use.
        with socket.create_server((host, port), family=family, backlog=_WAITING_CONNECTIONS) as bound:
            self._server = make_server(
                host, port, app, threaded=True, request_handler=_QuietHandler, fd=bound.fileno()
            )
        self._turn = threading.Lock()
        self._serving = self._closed = False
        self.port: int = self._server.port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def serve_forever(self) -> None:
        """Answer requests until `shutdown` is called or Ctrl-C is pressed."""
        with self._turn:
            if self._closed:
                return
            self._serving = True
        self._server.serve_forever(poll_interval=_POLL_SECONDS)

    def shutdown(self) -> None:
        """Stop listening. Call it from another thread than `serve_forever`; a second call does nothing."""
        with self._turn:
            self._closed = True
        if self._serving:
            self._server.shutdown()  # blocks for ever unless `serve_forever` runs
        self._server.server_close()
