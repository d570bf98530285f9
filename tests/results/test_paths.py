"""Names for folders, and the folder as a store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError
from reconciler.model import RunKey
from reconciler.results.paths import run_of, safe_name
from reconciler.results.store import FolderStore, ResultStore, store_at


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("tickets-fr", "tickets-fr"),
        ("4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f", "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f"),
        ("v1.2", "v1.2"),
        ("con", "~con~"),
        ("nul.txt", "~nul.txt~"),
        ("LPT1", "~LPT1~"),
        ("console", "console"),
        ("ends.", "~ends.~"),
    ],
)
def test_a_word_is_a_folder_on_every_system(word: str, name: str) -> None:
    assert safe_name(word) == name


@pytest.mark.parametrize(
    "word", ["", "..", ".hidden", "a/b", "a\\b", "a:b", "é", "a" * 101, "~con~", "\ud800"]
)
def test_what_cannot_be_a_folder_becomes_its_digest(word: str) -> None:
    assert safe_name(word).startswith("~")
    assert len(safe_name(word)) == 33
    assert safe_name(word) != safe_name(word + "x")


def test_each_run_key_has_a_name_of_its_own() -> None:
    keys = [RunKey("v1:00", ""), RunKey("v1:00", "2"), RunKey("v1:01", "")]
    assert len({run_of(key) for key in keys}) == 3
    assert run_of(keys[0]) == "3d03d08822d8"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "to")
    pytest.importorskip("fsspec")
    return store_at(f"memory://places/{tmp_path.name}", start=tmp_path, staging=tmp_path / "staging")


def test_a_store_keeps_small_files(store: ResultStore) -> None:
    assert store.read("a/b") is None
    assert store.create("a/b", b"1")
    assert not store.create("a/b", b"2")
    assert store.read("a/b") == b"1"
    store.replace("a/b", b"3")
    assert store.read("a/b") == b"3"
    assert store.names("a") == ("b",)
    store.remove("a/b")
    store.remove("a/b")
    assert store.read("a/b") is None
    assert store.names("nowhere") == ()


def test_a_store_publishes_what_was_made_and_knows_what_is_finished(store: ResultStore) -> None:
    folders = ["name/run/one", "name/run/two"]
    assert store.finished(folders) == frozenset()
    made = store.staging_dir(folders[0])
    (made / "output.jsonl").write_bytes(b"whole")
    store.publish(folders[0], ["output.jsonl"])
    store.replace(f"{folders[0]}/{result_summary.NAME}", b"{}")
    store.clear(folders[0])
    assert store.read(f"{folders[0]}/output.jsonl") == b"whole"
    assert store.finished(folders) == {folders[0]}
    assert store.path(folders[0]).endswith("/name/run/one")


def test_files_that_are_replaced_obey_the_mask(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("masks are a thing of POSIX")
    FolderStore(tmp_path).replace("a", b"1")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_unknown_scheme_is_refused_with_a_hint(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(ReconcilerError, match="cannot be opened") as refused:
        store_at("carrier-pigeon://loft", start=tmp_path, staging=tmp_path)
    assert "s3fs" in refused.value.hint


def test_a_url_of_files_is_a_folder(tmp_path: Path) -> None:
    store = store_at(f"file://{tmp_path}/to", start=Path("elsewhere"), staging=tmp_path)
    store.replace("a", b"1")
    assert (tmp_path / "to/a").read_bytes() == b"1"
