"""What is remembered of input files between runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import Problem
from reconciler.settings import Limits
from reconciler.specs.inputs import reader as inputs
from reconciler.specs.inputs.cache import NAME, InputCache
from reconciler.specs.inputs.reader import Checked, InputReader

GOOD = b'{"custom_id":"1","body":{"n":1}}\n'
OTHER = b'{"custom_id":"2","body":{"n":2}}\n'


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were really read."""
    seen: list[str] = []
    real = inputs.check

    def check(file: Path, path: str, limits: Limits, **further: Any) -> Checked:  # noqa: ANN401
        seen.append(path)
        return real(file, path, limits, **further)

    monkeypatch.setattr(inputs, "check", check)
    return seen


def rested(folder: Path, name: str, data: bytes) -> Path:
    """Write a file, and let the cache take it for one that has been at rest."""
    path = folder / name
    path.write_bytes(data)
    return path


def wait_a_tick(folder: Path) -> None:
    """Wait until the file system's clock has moved on."""
    probe = folder / "probe"
    probe.write_bytes(b"")
    before = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns <= before:
        probe.write_bytes(b"")


def run(folder: Path, *paths: str, limits: Limits | None = None) -> list[Checked]:
    """Read files as one run does."""
    cache = InputCache(folder / "state", worth=1, racy_ns=0)
    reader = InputReader(folder, limits or Limits(), cache)
    found = [reader.read(path) for path in paths]
    assert reader.shared_ids(paths) == []
    reader.save()
    return found


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", GOOD)
    wait_a_tick(tmp_path)
    (first,), (second,) = run(tmp_path, "a"), run(tmp_path, "a")
    assert reads == ["a"]
    assert (second.file, second.facts) == (first.file, first.facts)


def test_a_file_that_is_not_read_again_has_the_same_warnings(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", b'{"custom_id":"1","body":{"messages":"hi"}}\n')
    wait_a_tick(tmp_path)

    def warned() -> list[Problem]:
        cache = InputCache(tmp_path / "state", worth=1, racy_ns=0)
        reader = InputReader(tmp_path, Limits(), cache)
        found = reader.plain_mistakes("a", "/v1/chat/completions")
        reader.save()
        return found

    assert [it.message for it in warned()] == ["`body.messages` is text, not a list"]
    assert warned() == warned()
    assert reads == ["a"]


def test_files_of_one_job_are_not_read_again_to_compare_their_ids(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", GOOD), rested(tmp_path, "b", OTHER)
    wait_a_tick(tmp_path)
    run(tmp_path, "a", "b"), run(tmp_path, "a", "b")
    assert reads == ["a", "b"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(OTHER),
        lambda path: path.write_bytes(GOOD + OTHER),
        lambda path: (path.unlink(), path.write_bytes(OTHER)),
        lambda path: (path.with_name("new").write_bytes(OTHER), path.with_name("new").replace(path)),
    ],
    ids=["same size", "other size", "written anew", "replaced"],
)
@pytest.mark.parametrize("restored", [False, True], ids=["", "with its old time"])
def test_a_changed_file_is_read_again(
    tmp_path: Path, reads: list[str], change: Callable[[Path], object], *, restored: bool
) -> None:
    path = rested(tmp_path, "a", GOOD)
    wait_a_tick(tmp_path)
    run(tmp_path, "a")
    before = path.stat()
    change(path)
    if restored:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (found,) = run(tmp_path, "a")
    assert found.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reads == ["a", "a"]


def test_a_file_that_is_younger_than_two_seconds_is_not_remembered(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", GOOD)
    for _ in range(2):
        reader = InputReader(tmp_path, Limits(), InputCache(tmp_path / "state", worth=1))
        reader.read("a")
        reader.save()
    assert reads == ["a", "a"]


def test_a_file_with_problems_is_not_remembered(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", b"[]\n")
    wait_a_tick(tmp_path)
    assert run(tmp_path, "a")[0].problems == run(tmp_path, "a")[0].problems != ()
    assert reads == ["a", "a"]


def test_a_lower_limit_is_kept_by_a_file_that_is_remembered(tmp_path: Path) -> None:
    rested(tmp_path, "a", GOOD)
    wait_a_tick(tmp_path)
    run(tmp_path, "a")
    (found,) = run(tmp_path, "a", limits=Limits(line_bytes=5))
    assert "too long" in found.problems[0].message


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"\x00" * 99, None], ids=["empty", "other", "zeros", "flipped"]
)
def test_a_damaged_cache_is_no_cache(tmp_path: Path, reads: list[str], damage: bytes | None) -> None:
    rested(tmp_path, "a", GOOD)
    wait_a_tick(tmp_path)
    run(tmp_path, "a")
    cache = tmp_path / "state" / NAME
    data = cache.read_bytes()
    cache.write_bytes(data.replace(b'"requests"', b'"REQUESTS"')[:-3] + b"9]}" if damage is None else damage)
    run(tmp_path, "a")
    assert reads == ["a", "a"]


def test_a_cache_that_cannot_be_written_is_no_problem(tmp_path: Path, reads: list[str]) -> None:
    rested(tmp_path, "a", GOOD)
    (tmp_path / "state").write_bytes(b"a file stands in the way")
    run(tmp_path, "a"), run(tmp_path, "a")
    assert reads == ["a", "a"]


def test_a_pointer_has_the_requests_of_a_content_that_was_once_here(tmp_path: Path) -> None:
    rested(tmp_path, "a", GOOD + OTHER)
    wait_a_tick(tmp_path)
    (known,) = run(tmp_path, "a")
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{known.file.sha256}\nsize {known.file.size}\n"
    rested(tmp_path, "b", text.encode())
    (found,) = run(tmp_path, "b")
    assert (found.file.requests, found.file.pointer, found.file.sha256) == (2, True, known.file.sha256)


STEPS = st.lists(st.sampled_from(["one", "two", "restore", "read", "tick", "replace"]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_no_change_is_ever_missed(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    folder = tmp_path_factory.mktemp("cache")
    path = rested(folder, "a", GOOD)
    first = path.stat()
    for step in [*steps, "read"]:
        match step:
            case "one" | "two":
                path.write_bytes(GOOD if step == "one" else OTHER)
            case "restore":
                os.utime(path, ns=(first.st_atime_ns, first.st_mtime_ns))
            case "replace":
                (folder / "b").write_bytes(OTHER)
                (folder / "b").replace(path)
            case "tick":
                wait_a_tick(folder)
            case _:
                (found,) = run(folder, "a")
                assert found.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
