"""The network between one run and the workspace: decides the fate of each request and of its answer.

A request is delivered at a virtual time of its own, whether or not its sender still lives. Failures are httpx's own
exceptions, raised after as long as they would take.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

import httpx

from tests.simulation import intents, lies
from tests.simulation.faults import CallKind, Fates, Fault
from tests.simulation.history import History, RunRecord
from tests.simulation.listing import Listings
from tests.simulation.process import START, Process
from tests.simulation.server import JOBS, JSON, Answer
from tests.simulation.workspace import Sent, Workspace

HTML: Final = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head></html>"
ERRORS: Final = (500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Delays:
    """How slow things may be, in virtual seconds."""

    timeout: float
    """After which the client gives up."""
    late: float
    """For how long after that a request may still arrive."""
    slow: float
    """Share of requests that take time at all."""


class Wire(httpx.BaseTransport):
    """The transport of one run.

    Args:
        process: who sends.
        workspace: who answers.
        record: what the run is.
        fates: decide what goes wrong.
        dice: decide how.
        delays: how slow things are.
    """

    def __init__(
        self,
        process: Process,
        workspace: Workspace,
        record: RunRecord,
        *,
        fates: Fates,
        dice: random.Random,
        delays: Delays,
    ) -> None:
        self._process = process
        self.workspace = workspace
        self._record = record
        self._fates = fates
        self._dice = dice
        self._delays = delays
        self._baton = process.baton
        self.listings = Listings(workspace.history, process, record)

    @property
    def _history(self) -> History:
        return self.workspace.history

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        if request.url.path == "/v1/models":  # it decides nothing
            return httpx.Response(404, request=request)
        knowing = copy(self._record)  # what it knows now: later rounds know more, and this may arrive late
        sent = Sent(
            request.method,
            request.url.path,
            request.url.query.decode(),
            request.read(),
            content_type=request.headers.get("Content-Type", JSON),
            by=knowing,
        )
        what = f"{sent.method} {sent.path.removeprefix(JOBS)}{'?' if sent.query else ''}{sent.query}"
        self._process.step(what)
        self._history.counts["requests"] += 1
        intents.on_sent(self._history, sent, self._record)
        self.listings.on_sent(sent)
        if self._process.dies_creating and sent.is_create:
            self._history.faults["killed while a create was on its way"] += 1
            if self._dice.random() < 0.9:
                self._later(sent, after=self._dice.choice((0.0, self._delays.timeout)))
            self._process.die("a create is on its way")
        if self._process.dies_cancelling and sent.is_cancel:
            self._history.faults["killed before a cancel left"] += 1
            self._process.die("a cancel is about to leave")
        fault = self._fates.fault(_kind(sent))
        self._history.trace(self._baton.now, self._process.name, f"-> {what}{f' [{fault}]' if fault else ''}")
        if fault is None:
            answer = self._exchange(sent)
            self.listings.on_answer(sent, answer)
            self.workspace.on_answer(sent, answer)
            return _response(answer, request)
        self._history.faults[fault] += 1
        self._record.disturbed = True
        return self._fail(fault, sent, request)

    def _exchange(self, sent: Sent, *, after: float = 0.0) -> Answer:
        """Deliver a request and wait for its answer; it arrives even if its sender dies on the way."""
        dice = self._dice
        there, back = (
            (dice.random() * 3 ** dice.randrange(3) / 2, dice.random())
            if dice.random() < self._delays.slow
            else (0.0, 0.0)
        )
        there = min(there, self._delays.timeout / 2)
        answers: list[Answer] = []
        self._baton.at(self._baton.now + there, lambda: answers.append(self.workspace.take(sent)))
        self._process.wait(max(there + back, after))
        self._process.step("has an answer")
        return answers[0]

    def _later(self, sent: Sent, *, after: float) -> None:
        when = self._baton.now + after + self._dice.random() * self._delays.late
        self._baton.at(when, lambda: self.workspace.take(sent))

    def _fail(self, fault: Fault, sent: Sent, request: httpx.Request) -> httpx.Response:
        timeout = self._delays.timeout
        match fault:
            case Fault.REFUSED:
                raise httpx.ConnectError("connection refused", request=request)
            case Fault.NO_CONNECTION:
                self._process.wait(timeout)
                raise httpx.ConnectTimeout("timed out", request=request)
            case Fault.NEVER | Fault.LATE:
                if fault is Fault.LATE:
                    self._later(sent, after=timeout)
                self._process.wait(timeout)
                raise httpx.ReadTimeout("timed out", request=request)
            case Fault.TIMEOUT_AFTER:
                self._exchange(sent, after=timeout)
                raise httpx.ReadTimeout("timed out", request=request)
            case Fault.RESET_BEFORE:
                raise httpx.WriteError("connection reset by peer", request=request)
            case Fault.RESET_AFTER:
                self._exchange(sent)
                raise httpx.ReadError("connection reset by peer", request=request)
            case Fault.DISCONNECTED:
                self._exchange(sent)
                raise httpx.RemoteProtocolError("server disconnected", request=request)
            case _:
                return self._answer(fault, sent, request)

    def _answer(self, fault: Fault, sent: Sent, request: httpx.Request) -> httpx.Response:
        """Answer, with something wrong about it."""
        status, wait = (
            self._dice.choice(ERRORS),
            self._dice.choice((None, Fault.BUSY_DATE, Fault.BUSY_SECONDS)),
        )
        match fault:
            case Fault.BUSY | Fault.BUSY_SECONDS | Fault.BUSY_DATE:
                response = self._plain(429, request, wait=fault)
            case Fault.ERROR_BEFORE:
                response = self._plain(status, request, wait=wait)
            case Fault.PAGE_BEFORE:
                response = self._plain(status, request, body=HTML)
            case Fault.ERROR_LATE:
                self._later(sent, after=0.0)
                response = self._plain(504, request)
            case Fault.ERROR_AFTER:
                self._exchange(sent)
                response = self._plain(status, request)
            case Fault.TWICE:
                self._later(sent, after=0.0)
                response = _response(self._exchange(sent), request)
            case Fault.PAGE_AFTER:
                self._exchange(sent)
                response = self._plain(200, request, body=HTML)
            case _:
                sent.shift = int(fault is Fault.SHIFTED)
                response = self._damaged(fault, sent, self._exchange(sent), request)
        return response

    def _damaged(self, fault: Fault, sent: Sent, answer: Answer, request: httpx.Request) -> httpx.Response:
        """Damage an answer on its way, or make it say something else."""
        body = answer.body
        match fault:
            case Fault.TRUNCATED:
                content = body[: self._dice.randrange(len(body))]
                return httpx.Response(answer.status, content=content, request=request)
            case Fault.MID_BODY:
                return httpx.Response(answer.status, stream=_Broken(body, request), request=request)
            case Fault.DRIP:
                drip = _Drip(body, lambda: self._process.wait(self._delays.timeout))
                return httpx.Response(answer.status, stream=drip, request=request)
            case _:
                reported = lies.tell(fault, sent, answer, dice=self._dice, record=self._record)
                self.listings.on_answer(sent, reported, fault)
                return _response(reported, request)

    def _plain(
        self,
        status: int,
        request: httpx.Request,
        *,
        body: bytes = b'{"detail":"no"}',
        wait: Fault | None = None,
    ) -> httpx.Response:
        headers: dict[str, str] = {}
        seconds = self._dice.choice((0, 1, 5, 30))
        if wait is Fault.BUSY_SECONDS:
            headers = {"Retry-After": str(seconds)}
        elif wait is Fault.BUSY_DATE:
            now = START + self._baton.now
            headers = {
                "Retry-After": formatdate(now + seconds, usegmt=True),
                "Date": formatdate(now, usegmt=True),
            }
        return httpx.Response(status, headers=headers, content=body, request=request)


class _Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, body: bytes, request: httpx.Request) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.ReadError("connection reset by peer", request=self._request)


class _Drip(httpx.SyncByteStream):
    """A body that comes in pieces, each just in time."""

    def __init__(self, body: bytes, wait: Callable[[], None]) -> None:
        self._body = body
        self._wait = wait

    def __iter__(self) -> Iterator[bytes]:
        third = len(self._body) // 3 + 1
        for start in range(0, len(self._body), third):
            self._wait()
            yield self._body[start : start + third]


def _kind(sent: Sent) -> CallKind:
    if sent.is_of_files:
        return "find uploads" if sent.method == "GET" else "upload"
    if sent.method == "GET":
        return "list" if sent.is_list else "get"
    return "cancel" if sent.is_cancel else "create"


def _response(answer: Answer, request: httpx.Request) -> httpx.Response:
    return httpx.Response(answer.status, headers=list(answer.headers), content=answer.body, request=request)
