"""One baton for all threads: only its holder runs, and the dice choose the next holder. Time is virtual.

The code under test runs in threads of its own, as in production, but only one runs at a time. A thread hands on the
baton at each call of `pause` or `sleep`. Time passes only when all threads sleep, so a schedule takes no longer than
its computation, and the same dice give the same schedule.
"""

from __future__ import annotations

import contextvars
import functools
import heapq
import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Gate:
    """A thread that waits for the baton."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        self._lock.release()

    def wait(self) -> None:
        self._lock.acquire()


@dataclass
class _Team(Generic[T, R]):
    """Threads that share a list of work, and the thread that waits for them."""

    leader: _Gate
    todo: deque[tuple[int, T]]
    left: int
    done: dict[int, R] = field(default_factory=dict)
    failed: dict[int, BaseException] = field(default_factory=dict)


class Baton:
    """Made by the thread that holds it first.

    Args:
        dice: says who goes on.
    """

    def __init__(self, dice: random.Random) -> None:
        self.now = 0.0
        """Virtual seconds."""
        self.on_time: Callable[[], None] = lambda: None
        """Called whenever time has moved."""
        self._dice = dice
        self._count = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._holder = _Gate()
        self._ready = [self._holder]

    def pause(self) -> None:
        """Perhaps let another thread run."""
        if len(self._ready) > 1:
            self._pass_on()

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass; others go on meanwhile."""
        me = self._holder
        self._ready.remove(me)
        self.at(self.now + max(seconds, 0.0), lambda: self._ready.append(me))
        self._pass_on()

    def result_of(self, future: Future[T]) -> T:
        """Wait for what another thread computes; that one needs the baton meanwhile."""
        if not future.done():
            me = self._holder
            self._ready.remove(me)
            future.add_done_callback(lambda _: self._ready.append(me))
            self._pass_on()
        return future.result()

    def at(self, when: float, do: Callable[[], object]) -> None:
        """Have something happen at a virtual time, at once and without a pause."""
        heapq.heappush(self._timers, (when, next(self._count), do))

    def side_by_side(self, do: Callable[[T], R], items: Sequence[T], *, at_once: int) -> list[R]:
        """Run `do` over the items in up to `at_once` threads, as the machine's own spread does."""
        if len(items) <= 1 or at_once <= 1:
            return [do(item) for item in items]
        team = _Team[T, R](self._holder, deque(enumerate(items)), left=min(at_once, len(items)))
        self._ready.remove(team.leader)
        for _ in range(team.left):
            gate = _Gate()
            self._ready.append(gate)
            _borrow(contextvars.copy_context(), functools.partial(self._work, gate, team, do))
        self._pass_on()
        for number in range(len(items)):
            if number in team.failed:
                raise team.failed[number]
        return [team.done[number] for number in range(len(items))]

    def _work(self, gate: _Gate, team: _Team[T, R], do: Callable[[T], R]) -> None:
        gate.wait()
        while team.todo:
            number, item = team.todo.popleft()
            try:
                team.done[number] = do(item)
            except BaseException as error:  # noqa: BLE001 - raised again where the team is waited for
                team.failed[number] = error
        team.left -= 1
        if not team.left:
            self._ready.append(team.leader)
        self._ready.remove(gate)
        self._holder = self._next()
        self._holder.open()

    def _pass_on(self) -> None:
        me, chosen = self._holder, self._next()
        if chosen is not me:
            self._holder = chosen
            chosen.open()
            me.wait()

    def _next(self) -> _Gate:
        while not self._ready:
            when, _, do = heapq.heappop(self._timers)
            if when > self.now:
                self.now = when
                self.on_time()
            do()
            while self._timers and self._timers[0][0] <= self.now:
                heapq.heappop(self._timers)[2]()
        return self._ready[0] if len(self._ready) == 1 else self._dice.choice(self._ready)


class _Hand(threading.Thread):
    """A thread that is used again: thousands of schedules need a few hands."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def run(self) -> None:
        while True:
            self.calls.get()()
            _IDLE.append(self)


_IDLE: list[_Hand] = []


def _borrow(context: contextvars.Context, do: Callable[[], object]) -> None:
    try:
        hand = _IDLE.pop()
    except IndexError:
        hand = _Hand()
        hand.start()
    hand.calls.put(lambda: context.run(do))
