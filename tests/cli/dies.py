"""A process that dies while a create is on its way: its answer is lost, and nothing more is written."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from reconciler.environment import Environment
from tests.cli.stage import Stage
from tests.helpers.kills import KilledError


class _Dies(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, *, arrives: bool) -> None:
        self._inner = inner
        self._arrives = arrives

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        is_create = (request.method, request.url.path) == ("POST", "/v1/batch/jobs")
        if is_create and not self._arrives:
            raise KilledError
        response = self._inner.handle_request(request)
        if is_create:
            response.read()
            raise KilledError
        return response

    def close(self) -> None:
        self._inner.close()


def apply_dies(stage: Stage, *, arrives: bool = True) -> None:
    """Run an apply that dies once its first create has taken effect, or before it arrives."""

    def dying(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: _Dies(env.wrap_transport(inner), arrives=arrives))

    with pytest.raises(KilledError):
        stage.run("apply", "--yes", env=dying)
