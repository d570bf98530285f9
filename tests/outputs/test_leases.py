"""Claims: one runner at a time uses a folder, and the next runner takes over the folder of one that is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.documents import result_summary
from reconciler.environment import Environment
from reconciler.outputs.leases import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Holder,
    Lease,
    LeaseLostError,
    LeaseManager,
)
from reconciler.outputs.store import FolderStore, ResultStore

HERE = "name/run/job"


@dataclass
class Site:
    """A destination, a clock, and the processes of one host that run."""

    store: ResultStore
    now: float = 1_790_000_000.0
    running: set[int] = field(default_factory=set)

    def manager(self, run_id: str, *, host: str = "here", pid: int = 1) -> LeaseManager:
        env = Environment(
            environ={},
            cwd=Path(),
            run_id=run_id,
            name=host,
            pid=pid,
            is_process_alive=lambda pid: pid in self.running,
            now=lambda: self.now,
            monotonic=lambda: self.now,
            sleep=self.sleep,
        )
        return LeaseManager(store=self.store, env=env)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(params=["folder", "memory"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "folder":
        return Site(FolderStore(tmp_path))
    pytest.importorskip("fsspec")
    from reconciler.outputs.object_store import ObjectStore

    return Site(ObjectStore(f"memory://claims/{tmp_path.name}", staging=tmp_path))


def claimed(lease_manager: LeaseManager) -> Lease:
    claim = lease_manager.acquire(HERE)
    assert isinstance(claim, Lease)
    return claim


def test_who_comes_second_learns_who_was_first(site: Site) -> None:
    claimed(site.manager("first", host="there"))
    held = site.manager("second").acquire(HERE)
    assert isinstance(held, Holder)
    assert (held.run_id, held.host) == ("first", "there")


def test_what_was_given_up_is_free(site: Site) -> None:
    claimed(site.manager("first", host="there")).release()
    claimed(site.manager("second"))
    assert site.store.names(HERE) == ("claim-1",)


class Interrupted(FolderStore):
    """A folder in which other runners act before the first call of a method with a path."""

    def __init__(self, root: Path, acts: dict[tuple[str, str], Callable[[], object]]) -> None:
        super().__init__(root)
        self._acts = acts

    def read(self, path: str) -> bytes | None:
        self._acts.pop(("read", path), int)()
        return super().read(path)

    def create(self, path: str, data: bytes) -> bool:
        self._acts.pop(("create", path), int)()
        return super().create(path, data)


def test_a_claim_that_is_released_while_it_is_read_is_not_taken_over(tmp_path: Path) -> None:
    here = Site(FolderStore(tmp_path))
    first = claimed(here.manager("first", host="there"))
    acts: dict[tuple[str, str], Callable[[], object]] = {
        ("read", f"{HERE}/claim-1"): first.release,
        ("create", f"{HERE}/claim-2"): lambda: claimed(here.manager("second", host="elsewhere")),
    }
    third = Site(Interrupted(tmp_path, acts)).manager("third").acquire(HERE)
    assert isinstance(third, Holder)
    assert third.run_id == "second"
    assert here.store.names(HERE) == ("claim-1",)


def test_a_dead_claim_that_others_take_over_and_release_meanwhile_is_not_taken_over_again(
    tmp_path: Path,
) -> None:
    here = Site(FolderStore(tmp_path))
    claimed(here.manager("dead", pid=41))
    here.now += LEASE_SECONDS + 1

    def act() -> None:
        claimed(here.manager("second", host="elsewhere", pid=42)).release()
        claimed(here.manager("third", host="elsewhere"))

    late = Site(Interrupted(tmp_path, {("create", f"{HERE}/claim-2"): act}), now=here.now)
    fourth = late.manager("fourth").acquire(HERE)
    assert isinstance(fourth, Holder)
    assert fourth.run_id == "third"
    assert here.store.names(HERE) == ("claim-1",)


def test_what_is_finished_is_not_claimed(site: Site) -> None:
    site.store.replace(f"{HERE}/{result_summary.NAME}", b"{}")
    assert site.manager("second").acquire(HERE) is None
    assert site.store.names(HERE) == (result_summary.NAME,)


def test_a_holder_on_another_host_is_believed_until_its_time_is_over(site: Site) -> None:
    claimed(site.manager("first", host="there"))
    site.now += LEASE_SECONDS - 1
    assert isinstance(site.manager("second").acquire(HERE), Holder)
    site.now += 2
    claimed(site.manager("second")).release()
    assert site.store.names(HERE) == ()


def test_a_holder_that_works_renews_its_claim(site: Site) -> None:
    claim = claimed(site.manager("first", host="there"))
    for _ in range(20):
        site.now += RENEW_SECONDS
        claim.beat()
    assert isinstance(site.manager("second").acquire(HERE), Holder)


def test_a_process_of_this_host_that_does_not_run_any_more_holds_nothing(site: Site) -> None:
    claimed(site.manager("first", pid=41))
    site.running = {41}
    assert isinstance(site.manager("second", pid=42).acquire(HERE), Holder)
    site.running = set()
    claimed(site.manager("second", pid=42))


def test_an_earlier_process_with_our_own_number_is_gone(site: Site) -> None:
    claimed(site.manager("first", pid=41))
    site.running = {41}
    claimed(site.manager("second", pid=41))


def test_who_was_taken_for_gone_finds_out(site: Site) -> None:
    slow = claimed(site.manager("slow", host="there"))
    slow.check()
    site.now += LEASE_SECONDS + 1
    claimed(site.manager("quick"))
    with pytest.raises(LeaseLostError) as lost:
        slow.check()
    assert lost.value.to.run_id == "quick"
    slow.release()
    assert site.store.names(HERE) == ("claim-2",)


def test_a_claim_that_cannot_be_understood_holds_nothing_for_long(site: Site) -> None:
    site.store.create(f"{HERE}/claim-1", b"")
    began = site.now
    claimed(site.manager("second"))
    assert site.now > began


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    site = Site(FolderStore(tmp_path), running=set(range(100)))
    start = threading.Barrier(8)

    def claim(number: int) -> Lease | Holder | None:
        start.wait()
        return site.manager(f"run-{number}", pid=number).acquire(HERE)

    for round_ in range(10):
        with ThreadPoolExecutor(8) as pool:
            found = [each for each in pool.map(claim, range(8)) if isinstance(each, Lease)]
        assert len(found) == 1, round_
        found[0].release()


def test_of_many_who_take_over_at_once_one_gets_it(tmp_path: Path) -> None:
    for round_ in range(10):
        site = Site(FolderStore(tmp_path / str(round_)), running=set(range(100)))
        claimed(site.manager("dead", pid=1000))
        start = threading.Barrier(8)

        def claim(number: int, site: Site = site, start: threading.Barrier = start) -> object:
            start.wait()
            return site.manager(f"run-{number}", pid=number).acquire(HERE)

        with ThreadPoolExecutor(8) as pool:
            found = [each for each in pool.map(claim, range(8)) if isinstance(each, Lease)]
        assert len(found) == 1
