"""A process that dies right after the API has accepted a create: its answer is lost, and nothing more is written."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from reconciler.environment import Environment
from tests.cli.stage import Stage
from tests.helpers.kills import KilledError


class _Dies(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if (request.method, request.url.path) == ("POST", "/v1/batch/jobs"):
            response.read()
            raise KilledError
        return response

    def close(self) -> None:
        self._inner.close()


def apply_dies(stage: Stage) -> None:
    """Run an apply that dies once its first create has taken effect."""

    def dying(env: Environment) -> Environment:
        return replace(env, wrap_transport=lambda inner: _Dies(env.wrap_transport(inner)))

    with pytest.raises(KilledError):
        stage.run("apply", "--yes", env=dying)
