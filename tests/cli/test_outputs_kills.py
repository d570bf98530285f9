"""`outputs pull`, killed before each of its changes, and ten at once: in a folder, in a stand-in for a store, in S3."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.outputs.object_store import ObjectStore
from tests.cli.stage import UNSTEADY, Sent, Stage
from tests.helpers.kills import Kill, KilledError, killing, mortal
from tests.helpers.thorough import thorough

SUMMARY = re.compile("[^/]+/summary.json")
"""The path of the summary of a name."""


@dataclass
class Place:
    """A place of results, and the file system that reads it."""

    fs: Any
    url: str

    def kill(self, kill: Kill) -> None:
        """Count the changes in it from now on."""

    def files(self) -> dict[str, bytes]:
        """Return the content of every file but hidden ones, by its path below the place."""
        if not self.fs.exists(self.url):
            return {}
        self.fs.invalidate_cache()
        root = self.fs._strip_protocol(self.url).rstrip("/")
        paths = [path for path in self.fs.find(root) if not path.rpartition("/")[2].startswith(".")]
        return {path.removeprefix(f"{root}/"): self.fs.cat_file(path) for path in paths}


class ObjectPlace(Place):
    """In an object store."""

    def kill(self, kill: Kill) -> None:
        import fsspec

        fsspec.register_implementation("s3", mortal(type(self.fs), kill), clobber=True)


@pytest.fixture(params=["folder", "bucket", pytest.param("s3", marks=pytest.mark.long)])
def place(request: pytest.FixtureRequest) -> Callable[[Stage, str, dict[str, bytes]], Place]:
    """Return what makes the place of results of a stage, with some files in it."""
    fsspec = pytest.importorskip("fsspec")
    if request.param == "folder":
        return lambda stage, _name, _files: Place(fsspec.filesystem("file"), str(stage.root / "outputs"))
    fs = request.getfixturevalue(request.param)

    def made(stage: Stage, name: str, files: dict[str, bytes]) -> Place:
        url = stage.environ["RECONCILER_RESULTS"] = f"s3://bucket/{name}"
        for path, data in files.items():
            fs.pipe_file(f"{url}/{path}", data)
        return ObjectPlace(fs, url)

    return made


def new_run(stage: Stage) -> None:
    """An earlier prompt is pulled; the new one, and another name with a failed request, have ended."""
    stage.spec("a", requests=3)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    stage.lines("specs/data/a.jsonl", 4, text="a better prompt")
    stage.spec("b")
    stage.write("specs/data/b.jsonl", UNSTEADY)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)


def copied(stage: Stage, root: Path) -> Stage:
    """Return a copy of a stage at another root."""
    shutil.copytree(stage.root, root)
    copy = Stage(root, stage.capsys)
    copy.clock, copy.environ, copy._ids = stage.clock, dict(stage.environ), stage._ids
    return copy


def check(files: dict[str, bytes], known: dict[str, set[bytes]], *, at_once: bool) -> None:
    """Hold results that a reader finds to be whole: those of before or those of after, and of jobs all or nothing."""
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        if name != "summary.json":
            continue
        summary = json.loads(data)
        for doc in summary.get("files", ()):
            content = files[f"{folder}/{doc['path']}"]
            assert (len(content), hashlib.sha256(content).hexdigest()) == (doc["bytes"], doc["sha256"])
        if "results" in summary:
            content = files[f"{folder}/{summary['results']['path']}"]
            assert content in known[folder]
            if at_once:
                assert hashlib.sha256(content).hexdigest() == summary["results"]["sha256"]


def shown(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the results of each name."""
    summaries = {path.split("/")[0]: data for path, data in files.items() if SUMMARY.fullmatch(path)}
    return {name: files[f"{name}/{json.loads(data)['results']['path']}"] for name, data in summaries.items()}


@pytest.mark.parametrize("stride", [11, thorough(1)])
def test_a_kill_before_any_change_of_a_pull_leaves_the_old_or_the_new_results_and_the_next_pull_is_complete(
    stride: int,
    place: Callable[[Stage, str, dict[str, bytes]], Place],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = Stage(tmp_path / "base", capsys)
    there = place(base, "base", {})
    new_run(base)
    old = there.files()
    done = copied(base, tmp_path / "done")
    after = place(done, "done", old)
    assert done.run("outputs", "pull").code == 0
    new = after.files()
    known = {name: {content} for name, content in shown(new).items()}
    known["a"].add(shown(old)["a"])
    assert {name: len(contents) for name, contents in known.items()} == {"a": 2, "b": 1}
    kills = 0
    for step in range(0, 1000, stride):
        stage = copied(base, tmp_path / str(step))
        here = place(stage, str(step), old)
        kill = Kill(step)
        here.kill(kill)
        with killing(kill, stage.root / "outputs", stage.root / ".reconciler/pulling"):
            try:
                stage.run("outputs", "pull")
            except KilledError:
                kills += 1
        here.kill(Kill(10**9))
        check(here.files(), known, at_once=isinstance(here, ObjectPlace))
        assert stage.run("outputs", "export", "a", "--format", "jsonl", "-o", "a.jsonl").code == 0
        assert stage.run("outputs", "pull").code == 0
        found = here.files()
        check(found, known, at_once=True)
        assert shown(found) == shown(new)
        left = {path for path in found.keys() - new.keys() if "/claim-" not in path}
        assert new.keys() <= found.keys()
        assert left <= old.keys(), "at most the earlier results, which the next join deletes"
        if not kill.happened:
            break
    assert 20 <= kills * stride < 999


@pytest.mark.thorough
def test_ten_runners_at_once_fetch_each_result_once(
    place: Callable[[Stage, str, dict[str, bytes]], Place],
    served: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ten fresh clones, each a thread with an environment of its own, as ten hosts with one place of results."""
    first = Stage(tmp_path / "first", capsys)
    first.environ = {"MISTRAL_API_KEY": "key", "MISTRAL_BASE_URL": served, "RECONCILER_LOG_LEVEL": "info"}
    first.write("reconciler.yaml", "project: shop\nlimits: {settle_seconds: 0}\n")
    for number in range(6):
        first.spec(f"job-{number}", requests=3)
    assert first.run("apply", "--yes", "--wait").code == 0
    there = place(first, "shared", {})
    clones = [copied(first, tmp_path / f"clone-{number}") for number in range(10)]
    for clone in clones:
        shutil.rmtree(clone.root / ".reconciler")
        clone.environ.setdefault("RECONCILER_RESULTS", str(first.root / "outputs"))
    sent: list[list[Sent]] = [[] for _ in clones]

    def pull(number: int) -> int:
        env = replace(
            clones[number].world(sent[number]),
            run_id=f"run-{number}",
            name=f"host-{number}",
            now=time.time,
            monotonic=time.monotonic,
            sleep=lambda _: time.sleep(0.01),
            uuid=lambda: f"run-{number}",
        )
        return run(["outputs", "pull"], env)

    with ThreadPoolExecutor(len(clones)) as pool:
        assert list(pool.map(pull, range(len(clones)))) == [0] * len(clones)
    fetched = Counter(it.path for each in sent for it in each if it.path.endswith("/content"))
    assert set(fetched.values()) == {1}
    assert len(fetched) == 6
    files = there.files()
    results = shown(files)
    check(files, {name: {content} for name, content in results.items()}, at_once=True)
    assert sorted(results) == [f"job-{number}" for number in range(6)]


@pytest.mark.long
@pytest.mark.usefixtures("s3")
def test_a_small_object_is_read_with_one_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = ObjectStore("s3://bucket/small", staging=tmp_path)
    store.replace("there", b"content")
    with caplog.at_level("INFO", "werkzeug"):
        caplog.clear()
        assert store.read_all(["there", "absent"]) == [b"content", None]
        assert store.read("there") == b"content"
    sent = [record.getMessage() for record in caplog.records if record.name == "werkzeug"]
    assert len(sent) == 3, sent
