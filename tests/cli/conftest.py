"""Fixtures for scenarios."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store
from tests.cli.stage import Result, Stage
from tests.cli.team import Team

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A fresh project on an empty sandbox."""
    return Stage(tmp_path, capsys)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty sandbox over HTTP, in real time: its URL."""
    with Store(tmp_path_factory.mktemp("served") / "sandbox.db") as store:
        server = Server(make_app(store, now=time.time), "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def bucket() -> Any:  # noqa: ANN401 - fsspec has no types
    """An empty object store at s3://."""
    pytest.importorskip("fsspec")
    from tests.helpers.bucket import install

    return install()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare transcripts with `golden/<test>.txt`; BLESS=1 writes them instead: read the diff, then commit."""

    def check(*results: Result) -> None:
        path = GOLDEN / f"{request.node.name}.txt"
        text = "\n".join(result.transcript() for result in results)
        if os.environ.get("BLESS"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.read_text(encoding="utf-8") == text

    return check


@pytest.fixture
def clock() -> list[float]:
    return [1_790_000_000.0]


@pytest.fixture
def team(workspace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Team:
    """Clones that share a ledger in git."""
    return Team(tmp_path, capsys, workspace)


@pytest.fixture
def workspace(tmp_path: Path, clock: list[float]) -> Iterator[str]:
    """An empty sandbox over HTTP, whose time is that of the clock: its URL."""
    with Store(tmp_path / "workspace.db") as store:
        server = Server(make_app(store, now=lambda: clock[0]), "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()
