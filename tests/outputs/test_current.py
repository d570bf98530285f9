"""The results of a name: made from the results of its jobs, whole at every moment, and made again after a kill."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cost.shipped import shipped
from reconciler.documents.reports import pretty
from reconciler.documents.result_summary import NAME, ResultSummary, WorkSummary, decode
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.model import RunKey
from reconciler.outputs import summary
from reconciler.outputs.current import WorkResults
from reconciler.outputs.digest import read
from reconciler.outputs.leases import Lease, LeaseManager
from reconciler.outputs.store import FolderStore, ResultStore
from reconciler.requests import answered, asked
from reconciler.requests.checks import Checker, Patterns
from tests.helpers.make import SUCCEEDED, owned, spec
from tests.requests.make import answer, error, text

RUNS = itertools.count(1)
BODIES = {"valid": "{}", "invalid": "no", "truncated": "{"}


class KilledError(BaseException):
    """The process ends here."""


class Mortal:
    """A store in front of another one, whose process is killed before its n-th change, or after it."""

    def __init__(self, store: ResultStore, left: int, *, before: bool) -> None:
        self._store = store
        self._left = left
        self._before = before

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        method = getattr(self._store, name)
        if name not in ("create", "replace", "remove", "publish", "publish_results", "tidy", "clear"):
            return method

        def mortal(*args: Any) -> Any:  # noqa: ANN401 - as the method
            self._left -= 1
            if self._left == 0 and self._before:
                raise KilledError
            result = method(*args)
            if self._left == 0:
                raise KilledError
            return result

        return mortal


@pytest.fixture(params=["folder", "bucket"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], ResultStore]:
    if request.param == "folder":
        return lambda number: FolderStore(tmp_path / f"outputs-{number}")
    pytest.importorskip("fsspec")
    from reconciler.outputs.object_store import ObjectStore
    from tests.helpers.bucket import install

    install()
    return lambda number: ObjectStore(f"s3://bucket/{number}", staging=tmp_path / f"staging-{number}")


@pytest.fixture
def store(made: Callable[[int], ResultStore]) -> ResultStore:
    return made(0)


def job(
    store: ResultStore,
    folder: Path,
    name: str,
    *,
    output: str = "",
    errors: str = "",
    **more: Any,  # noqa: ANN401 - fields of a job
) -> RunKey:
    """Publish the results of a job that was asked for a, b and c as JSON; return its work."""
    model = more.pop("model", "m")
    it = owned(spec("tickets", model=model), name, SUCCEEDED, **more)
    place = store.staging_dir(f"tickets/jobs/{name}")
    inputs = folder / f"{name}.in"
    wanted = {"response_format": {"type": "json_object"}}
    inputs.write_text("".join(json.dumps({"custom_id": each, "body": wanted}) + "\n" for each in "abc"))
    for file, content in (("output.jsonl", output), ("errors.jsonl", errors)):
        (place / file).write_text(content)
    found = asked.read_inputs([inputs], model=model, longest=9999, heartbeat=lambda: None)
    files = {file: place / file for file in answered.FILES}
    with Patterns() as patterns:
        checker = Checker([], patterns)
        came = answered.read_answers(
            files, found, checker, ordered=True, longest=9999, heartbeat=lambda: None
        )
    digests = {file: read(path, lambda: None).result() for file, path in files.items()}
    head = {"ordered": True, "files": {file: it.sha256 for file, it in digests.items()}}
    found.write(place / asked.NAME, head)
    came.write(place / answered.NAME, head)
    indexes = {file: read(place / file, lambda: None).result() for file in (asked.NAME, answered.NAME)}
    document = summary.summary(it, digests | indexes, "local", (found, came), shipped(), now=0)
    store.publish(f"tickets/jobs/{name}", [file.path for file in document.files])
    store.replace(f"tickets/jobs/{name}/{NAME}", pretty(document))
    return it.tags.run_key


def chat(custom_id: str, content: str, body: str = "") -> str:
    finish = "length" if content == "{" else "stop"
    choice = {"message": {"content": content}, "finish_reason": finish}
    return answer(custom_id, response={"status_code": 200, "body": {"id": body, "choices": [choice]}})


def join(store: ResultStore, wanted: RunKey | None = None) -> WorkSummary:
    """Join as a pull does: only if something has changed, under a lease."""
    results = WorkResults(store=store, wanted={"tickets": [wanted]} if wanted else {}, newest={})
    folders = sorted(store.jobs().values())
    before = results.summary("tickets")
    if before is not None and results.is_newest(before, folders):
        return before
    pid = next(RUNS)
    env = Environment(
        environ={}, cwd=Path(), run_id=str(pid), name="h", pid=pid, is_process_alive=lambda _: False
    )
    lease = LeaseManager(store=store, env=env).acquire("tickets", again=True)
    assert isinstance(lease, Lease)
    made = results.join("tickets", folders, lease, now=0)
    lease.release()
    return made


def lines(store: ResultStore) -> list[dict[str, Any]]:
    """Return the results that a reader of the summary finds, and compare their digest."""
    found = json.loads(store.read(f"tickets/{NAME}") or b"{}")
    data = store.read(f"tickets/{found['results']['path']}")
    assert data is not None
    assert hashlib.sha256(data).hexdigest() == found["results"]["sha256"]
    return [json.loads(line) for line in data.splitlines()]


def test_the_newest_work_that_has_answers_is_shown(store: ResultStore, tmp_path: Path) -> None:
    old = job(store, tmp_path, "j1", output=text([chat("a", "{}")]), created_at=1)
    assert join(store).jobs == ("j1",)
    new = job(store, tmp_path, "j2", errors=text([error("a")]), created_at=2, model="m2")
    assert join(store, new).jobs == ("j1",)
    assert not join(store, new).current
    job(store, tmp_path, "j3", output=text([chat("b", "{}")]), created_at=3, model="m2")
    made = join(store, new)
    assert (made.jobs, made.current, made.work) == (("j2", "j3"), True, new.work)
    assert [(row["custom_id"], row["ok"], row["job"]) for row in lines(store)] == [
        ("a", False, "j2"),
        ("b", True, "j3"),
        ("c", False, None),
    ]
    assert (made.requests.ok, made.requests.failures, made.requests.first_missing) == (
        1,
        {"error": 1},
        ("c",),
    )
    job(store, tmp_path, "j4", output="", created_at=4, model="m3")
    assert join(store, old).jobs == ("j1",), "a spec that goes back has its results back"


def test_each_request_has_its_best_answer_then_the_oldest(store: ResultStore, tmp_path: Path) -> None:
    parts = [
        ("j1", {"a": "invalid", "b": "truncated"}, "c"),
        ("j2", {"a": "truncated", "b": "valid"}, "c"),
        ("j3", {"a": "truncated", "b": "valid", "c": "invalid"}, ""),
    ]
    for at, (name, contents, failed) in enumerate(parts):
        output = text(chat(it, BODIES[kind], name) for it, kind in contents.items())
        job(store, tmp_path, name, output=output, errors=text(map(error, failed)), created_at=at)
    made = join(store)
    assert [(row["check"], row["job"]) for row in lines(store)] == [
        ("truncated", "j2"),
        ("valid", "j2"),
        ("invalid", "j3"),
    ]
    assert (made.checks.truncated, made.checks.invalid, made.checks.first_invalid) == (1, 1, ("c",))


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_at_any_change_leaves_whole_results_and_the_next_join_is_complete(
    made: Callable[[int], ResultStore], tmp_path: Path, *, before: bool
) -> None:
    kills = 0
    for step in range(1, 20):
        store = made(step)
        job(store, tmp_path, "j1", output=text([chat("a", "{}")]), created_at=1)
        join(store)
        job(store, tmp_path, "j2", output=text([chat("b", "{}")]), created_at=2)
        mortal: Any = Mortal(store, step, before=before)
        try:
            join(mortal)
        except KilledError:
            kills += 1
        after(store)
        join(store)
        assert [row["ok"] for row in lines(store)] == [True, True, False]
    assert 4 <= kills < 19


def after(store: ResultStore) -> None:
    """Look at the results after a kill: a whole file, and on an object store the one that the summary describes."""
    found = json.loads(store.read(f"tickets/{NAME}") or b"{}")
    data = store.read(f"tickets/{found['results']['path']}") or b""
    rows = [json.loads(line) for line in data.splitlines()]
    assert [row["custom_id"] for row in rows] == ["a", "b", "c"]
    if not isinstance(store, FolderStore):
        assert hashlib.sha256(data).hexdigest() == found["results"]["sha256"]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    answered.NAME: lambda data: data[:-1],
    asked.NAME: lambda data: b"x" + data[1:],
    "output.jsonl": lambda data: data + b"\n",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_results_of_a_job_are_not_joined_but_pulled_again(tmp_path: Path, name: str) -> None:
    store = FolderStore(tmp_path / "outputs")
    job(store, tmp_path, "j1", output=text([chat("a", "{}")]))
    path = tmp_path / "outputs/tickets/jobs/j1" / name
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    with pytest.raises(ReconcilerError, match="are damaged") as refused:
        join(store)
    assert refused.value.hint == "run again: the next pull repairs them"
    assert store.jobs() == {}


def test_the_summary_of_a_job_is_none_of_a_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "outputs")
    job(store, tmp_path, "j1", output=text([chat("a", "{}")]))
    data = store.read(f"tickets/jobs/j1/{NAME}")
    assert decode(data, ResultSummary) is not None
    assert decode(data, WorkSummary) is None
