"""The state: one file, many threads, many processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.errors import ReconcilerError
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store

from .support import Api, Clock

WRITER = """
import sys, time
from pathlib import Path
from typing import Any
import httpx
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store

with Store(Path(sys.argv[1])) as store:
    app = make_app(store, now=time.time)
    headers = {"Authorization": "Bearer a-key"}
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://sandbox", headers=headers) as client:
        for _ in range(40):
            body = {"endpoint": "/v1/embeddings", "requests": [{"body": {}}]}
            job = client.post("/v1/batch/jobs", json=body).raise_for_status().json()["id"]
            client.get(f"/v1/batch/jobs/{job}").raise_for_status()
            client.post(f"/v1/batch/jobs/{job}/cancel").raise_for_status()
"""


@pytest.mark.thorough
def test_several_processes_share_one_file_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 3
    with Store(path) as store, store.read() as db:
        assert tuple(
            db.execute(
                "SELECT count(*), count(DISTINCT id), sum(job_status(1e12, job) = 'CANCELLED') FROM jobs"
            ).fetchone()
        ) == (
            120,
            120,
            120,
        )


class Busy(sqlite3.Connection):
    """Another process is switching to the write-ahead log: SQLite then fails at once, whatever the timeout is."""

    left = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as SQLite's
        if "journal_mode" in sql and self.left:
            self.left -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return super().execute(sql, *values)


def test_a_process_waits_while_another_one_switches_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Busy, "left", 2)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *names, **more: connect(*names, factory=Busy, **more))
    with Store(tmp_path / "state.db") as store, store.read() as db:
        assert tuple(db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


@pytest.mark.thorough
def test_many_threads_share_one_store(api: Api) -> None:
    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(lambda _: api.created(), range(160)))
        lists = list(pool.map(lambda _: api.listed({"page_size": "1000"}), range(16)))

    assert len(set(created)) == 160
    assert all(set(found) == set(created) for found in lists)


def test_of_many_cancels_the_first_one_counts(api: Api, clock: Clock) -> None:
    job = api.created(1000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.cancel(job), range(8)))

    assert all(answer == answers[0] for answer in answers)
    clock.advance(1)
    assert api.job(job)["status"] == "CANCELLED"


def test_the_folder_is_made_and_the_state_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "state.db"
    with Store(path) as store, store.write() as db:
        db.execute("INSERT INTO contents (id) VALUES (7)")

    with Store(path) as store, store.read() as db:
        assert db.execute("SELECT id FROM contents").fetchone()["id"] == 7


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    def break_off() -> None:
        with store.write() as db:
            db.execute("INSERT INTO contents (id) VALUES (7)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    with store.read() as db:
        assert db.execute("SELECT count(*) FROM contents").fetchone()[0] == 0


def test_a_store_in_memory_works_and_writes_no_file(tmp_path: Path, clock: Clock) -> None:
    with Store(tmp_path / ":memory:") as store:
        transport = httpx.WSGITransport(make_app(store, now=clock))
        headers = {"Authorization": "Bearer a-key"}
        with httpx.Client(transport=transport, base_url="http://sandbox", headers=headers) as client:
            job = Api(client).created()
            assert Api(client).listed() == [job]
    assert [*tmp_path.iterdir()] == []


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(ReconcilerError, match="schema 99"):
        Store(path)


@pytest.mark.parametrize("what", ["a text", "a folder"])
def test_a_path_that_holds_something_else_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state.db"
    if what == "a text":
        path.write_text("not a database, and longer than the header of a database\n" * 30, "utf-8")
    else:
        path.mkdir()

    with pytest.raises(ReconcilerError, match="not usable as a sandbox's state"):
        Store(path)


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()

    with pytest.raises(ReconcilerError, match="is closed"), store.read():
        pass


def test_closing_waits_for_a_transaction_of_another_thread(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool:
        with store.write() as db:
            closing = pool.submit(store.close)
            with pytest.raises(TimeoutError):
                closing.result(0.05)
            db.execute("INSERT INTO contents (id) VALUES (7)")
        closing.result(10)

    with Store(store.path) as again, again.read() as db:
        assert db.execute("SELECT id FROM contents").fetchone()["id"] == 7


def test_a_file_that_is_no_database_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, and long enough to be read as one" * 100)
    with pytest.raises(ReconcilerError, match="not usable as a sandbox's state") as refused:
        Store(tmp_path / "state.db")
    assert "sandbox reset" in refused.value.hint
