"""The sandbox on a port."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from queue import SimpleQueue

import httpx
import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store

from .support import Api, Clock, jsonl, requests, running


@contextmanager
def client_of(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer a-key"}
    with running(server) as url, httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client


def test_a_free_port_is_found_and_reported(store: Store, clock: Clock) -> None:
    server = Server(make_app(store, now=clock), "127.0.0.1", 0)
    with client_of(server) as client:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert client.get("/v1/batch/jobs").json() == {"object": "list", "total": 0}


def test_files_and_results_pass_through_http(store: Store, clock: Clock) -> None:
    with client_of(Server(make_app(store, now=clock), "127.0.0.1", 0)) as client:
        api = Api(client)
        content = jsonl(*requests(5_000, text="x" * 300))
        file = api.uploaded(content)
        job = api.created(input_files=[file])
        clock.advance(3600)

        assert api.content(file) == content
        assert len(api.lines(api.job(job)["output_file"])) == 5_000


def test_a_bug_becomes_a_500_and_is_logged(store: Store) -> None:
    def broken_clock() -> float:
        raise ZeroDivisionError("the clock is broken")

    reported: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logger, handler = logging.getLogger("werkzeug"), QueueHandler(reported)
    logger.addHandler(handler)
    try:
        with client_of(Server(make_app(store, now=broken_clock), "127.0.0.1", 0)) as client:
            assert client.get("/v1/batch/jobs").status_code == 500
            assert "the clock is broken" in reported.get(timeout=30).getMessage()  # which follows the answer
    finally:
        logger.removeHandler(handler)


def test_requests_are_not_logged(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "werkzeug")
    with client_of(Server(make_app(store, now=clock), "127.0.0.1", 0)) as client:
        client.get("/v1/batch/jobs")
        client.get("/v1/songs")

    assert [record for record in caplog.records if record.name == "werkzeug"] == []
    assert capsys.readouterr() == ("", "")


def test_a_taken_port_is_an_error_that_can_be_reported(store: Store, clock: Clock) -> None:
    app = make_app(store, now=clock)
    with Server(app, "127.0.0.1", 0) as server, pytest.raises(OSError, match=r".+"):
        Server(app, "127.0.0.1", server.port)


def test_a_server_that_never_ran_can_be_shut_down(store: Store, clock: Clock) -> None:
    server = Server(make_app(store, now=clock), "127.0.0.1", 0)
    server.shutdown()
    server.shutdown()
    server.serve_forever()


def test_an_ipv6_address_is_served(store: Store, clock: Clock) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with client_of(Server(make_app(store, now=clock), "::1", 0)) as client:
        assert client.get("/v1/batch/jobs").status_code == 200
