"""Fetching a content: in pieces, in bounded memory, and only if it is the one that is declared."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.model import InputFile
from reconciler.outputs.fetch import copy_of, fetch, is_here
from tests.helpers.bucket import install

PIECE = b"0123456789abcdef" * 4096
COUNT = 512


class Large(io.RawIOBase):
    """A content of 32 MiB that is nowhere whole."""

    def __init__(self) -> None:
        self.left = COUNT

    def read(self, _: int = -1) -> bytes:
        self.left -= 1
        return PIECE if self.left >= 0 else b""


def declared(data: bytes, size: int = 0) -> InputFile:
    """A content at a URI."""
    uri = "s3://lake/a.jsonl"
    return InputFile(path=uri, uri=uri, sha256=hashlib.sha256(data).hexdigest(), size=size, pointer=True)


@pytest.fixture
def store() -> Any:  # noqa: ANN401 - fsspec has no types
    """An empty store at s3://."""
    pytest.importorskip("fsspec")
    return install()


def test_a_large_content_takes_the_memory_of_a_piece(tmp_path: Path, store: Any) -> None:  # noqa: ANN401
    store.reading["/lake/a.jsonl"] = Large
    env, digest = Environment(environ={}, cwd=tmp_path), hashlib.sha256()
    for _ in range(COUNT):
        digest.update(PIECE)
    uri = "s3://lake/a.jsonl"
    it = InputFile(path=uri, uri=uri, sha256=digest.hexdigest(), size=COUNT * len(PIECE), pointer=True)
    tracemalloc.start()
    try:
        fetch(env, it, tmp_path / "copies", seconds=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    assert copy_of(it, tmp_path / "copies").stat().st_size == COUNT * len(PIECE)


@pytest.mark.parametrize("data", [b"abd", b"ab", b"abcd", b""])
def test_another_content_leaves_nothing(tmp_path: Path, store: Any, data: bytes) -> None:  # noqa: ANN401
    store.pipe_file("s3://lake/a.jsonl", data)
    for size in (0, 3):
        with pytest.raises(ReconcilerError, match="another content"):
            fetch(
                Environment(environ={}, cwd=tmp_path), declared(b"abc", size), tmp_path / "copies", seconds=60
            )
    assert not list((tmp_path / "copies").iterdir())


def test_a_run_that_is_stopped_leaves_nothing(tmp_path: Path, store: Any) -> None:  # noqa: ANN401
    store.pipe_file("s3://lake/a.jsonl", b"abc")
    env = Environment(environ={}, cwd=tmp_path)
    env.stop.set()
    with pytest.raises(ReconcilerError, match="stopped"):
        fetch(env, declared(b"abc"), tmp_path / "copies", seconds=60)
    assert not list((tmp_path / "copies").iterdir())


def test_a_content_that_is_here_is_not_read_again(tmp_path: Path, store: Any) -> None:  # noqa: ANN401
    store.pipe_file("s3://lake/a.jsonl", b"abc")
    env, it = Environment(environ={}, cwd=tmp_path), declared(b"abc")
    assert not is_here(it, tmp_path)
    for _ in range(2):
        fetch(env, it, tmp_path, seconds=60)
    assert is_here(it, tmp_path)
    assert store.opened == ["/lake/a.jsonl"]
    assert copy_of(it, tmp_path).stat().st_mode & 0o077 == 0


@pytest.mark.long
def test_a_content_in_s3_is_fetched_and_each_refusal_has_its_words(tmp_path: Path, s3: Any) -> None:  # noqa: ANN401
    env, data = Environment(environ={}, cwd=tmp_path), PIECE * 100
    s3.pipe_file("bucket/night/a.jsonl", data)
    uri, sha256 = "s3://bucket/night/a.jsonl", hashlib.sha256(data).hexdigest()
    it = InputFile(path=uri, uri=uri, sha256=sha256, size=len(data), pointer=True)
    fetch(env, it, tmp_path, seconds=60)
    assert is_here(it, tmp_path)
    for change, words in (
        ({"uri": "s3://bucket/none"}, "it does not exist"),
        ({"uri": "s3://nowhere/a.jsonl"}, "it does not exist"),
        ({"sha256": "0" * 64}, f"sha256 {sha256}, instead of"),
        ({"size": 9}, "more than 9 bytes"),
    ):
        with pytest.raises(ReconcilerError, match=words):
            fetch(env, replace(it, **change), tmp_path / "other", seconds=60)
