from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store

from .support import Api, Clock, Conforming, Ids


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "sandbox" / "state.db") as store:
        yield store


@pytest.fixture
def client_for(store: Store, clock: Clock) -> Iterator[Callable[..., httpx.Client]]:
    """Make clients of one sandbox: each with its key, its speed and its leniency."""
    clients: list[httpx.Client] = []
    ids = Ids()

    def make(key: str = "a-key", speed: float = 1.0, *, lenient: bool = False) -> httpx.Client:
        app = make_app(store, now=clock, speed=speed, ids=ids, lenient=lenient)
        transport = Conforming(httpx.WSGITransport(app))
        headers = {"Authorization": f"Bearer {key}"}
        clients.append(httpx.Client(transport=transport, base_url="http://sandbox", headers=headers))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def api(client_for: Callable[..., httpx.Client]) -> Api:
    return Api(client_for())
