"""Work that runs in parallel: the tool lists the workspace while it reads the specs."""

from __future__ import annotations

import threading
from dataclasses import replace

import httpx
import pytest

from reconciler.environment import Environment, in_background
from tests.cli.stage import Stage


def test_what_was_begun_is_there_when_it_is_asked_for() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go_on.wait(10)
        return threading.current_thread().name

    found = in_background(work)
    assert begun.wait(10)
    go_on.set()
    assert found() != threading.current_thread().name


def test_what_went_wrong_is_raised_when_it_is_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 // 0)()


class Silent(httpx.BaseTransport):
    """Never answers, until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.over.wait(10)
        raise httpx.ReadTimeout("nothing came", request=request)


def test_mistakes_are_reported_without_waiting_for_the_list(stage: Stage) -> None:
    stage.write("specs/a.yaml", "name: [")
    silent = Silent()

    def world(plain: Environment) -> Environment:
        return replace(plain, run_in_background=in_background, wrap_transport=lambda _: silent)

    result = stage.run("plan", env=world)
    still_silent = not silent.over.is_set()
    silent.over.set()
    assert still_silent
    assert result.code == 1
    assert "specs/a.yaml:" in result.err


class Hanging(Silent):
    """Fails what it has not answered when it is closed, and lets the caller report that."""

    caller: threading.Thread | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.caller = threading.current_thread()
        return super().handle_request(request)

    def close(self) -> None:
        self.over.set()
        if self.caller:
            self.caller.join(10)


def test_a_list_that_a_mistake_makes_useless_is_no_failed_request(stage: Stage) -> None:
    stage.spec("a")

    def world(plain: Environment) -> Environment:
        return replace(plain, run_in_background=in_background, wrap_transport=lambda _: Hanging())

    result = stage.run("plan", "specs/no-such.yaml", "--log-level", "debug", env=world)
    assert result.code != 0
    assert "no-such.yaml" in result.err
    assert "request.failed" not in result.err


def test_a_plan_is_the_same_whether_the_list_was_read_beside_or_after(stage: Stage) -> None:
    stage.spec("a")
    stage.run("apply", "--yes")
    stage.spec("b")
    beside = stage.run("plan", env=lambda env: replace(env, run_in_background=in_background))
    assert beside.out == stage.run("plan").out


def test_an_error_of_the_list_in_the_background_is_reported(stage: Stage) -> None:
    stage.spec("a")
    silent = Silent()
    silent.over.set()

    def world(plain: Environment) -> Environment:
        return replace(plain, run_in_background=in_background, wrap_transport=lambda _: silent)

    result = stage.run("plan", env=world)
    assert result.code == 1
    assert "GET /v1/batch/jobs" in result.err
