"""Names for folders, and the folder as a store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.documents import result_summary
from reconciler.errors import ReconcilerError, SpecError
from reconciler.outputs.paths import safe_name
from reconciler.outputs.place import place_of
from reconciler.outputs.store import FolderStore, ResultStore
from reconciler.specs.project import load_project


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


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "to")
    pytest.importorskip("fsspec")
    from reconciler.outputs.object_store import ObjectStore

    return ObjectStore(f"memory://places/{tmp_path.name}", staging=tmp_path / "staging")


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
    folders = ["name/jobs/one", "name/jobs/two"]
    assert store.jobs() == {}
    made = store.staging_dir(folders[0])
    (made / "output.jsonl").write_bytes(b"whole")
    store.publish(folders[0], ["output.jsonl"])
    store.replace(f"{folders[0]}/{result_summary.NAME}", b"{}")
    store.clear(folders[0])
    assert store.read(f"{folders[0]}/output.jsonl") == b"whole"
    assert store.fetch(f"{folders[0]}/output.jsonl", 5).read_bytes() == b"whole"
    assert store.jobs() == {"one": folders[0]}
    assert store.path(folders[0]).endswith("/name/jobs/one")
    assert store.names("") == ("name",)
    assert store.move(folders[0], "other/jobs/one")
    assert store.jobs() == {"one": "other/jobs/one"}
    assert store.read("other/jobs/one/output.jsonl") == b"whole"


def test_results_are_replaced_by_the_next_ones(store: ResultStore) -> None:
    kept = set()
    for text in (b"first", b"second"):
        place = store.staging_dir("name") / "made"
        place.write_bytes(text)
        name = store.publish_results("name", place, text.hex())
        store.tidy("name", name)
        assert store.read(f"name/{name}") == text
        kept = {it for it in store.names("name") if it.endswith(".jsonl")}
    assert len(kept) == 1
    store.tidy("name", "")
    assert not [it for it in store.names("name") if it.endswith(".jsonl")]


def test_files_that_are_replaced_obey_the_mask(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("masks are a thing of POSIX")
    FolderStore(tmp_path).replace("a", b"1")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("url", ["carrier-pigeon://loft", "https://example.org/x", "file:///etc", "://"])
def test_an_unknown_scheme_is_refused_with_a_hint(tmp_path: Path, url: str) -> None:
    (tmp_path / "reconciler.yaml").write_text("project: shop\n")
    with pytest.raises(ReconcilerError, match="is no place for results") as refused:
        place_of(load_project(None, start=tmp_path), {"RECONCILER_RESULTS": url})
    assert "s3://, gs://, az://" in refused.value.hint
    (tmp_path / "reconciler.yaml").write_text(f"project: shop\nresults: {url}\n")
    with pytest.raises(ReconcilerError):
        load_project(None, start=tmp_path)


@pytest.mark.parametrize("folder", ["../elsewhere", "/srv/results", "outputs/../.."])
def test_a_folder_in_git_is_below_the_project(tmp_path: Path, folder: str) -> None:
    (tmp_path / "reconciler.yaml").write_text(f"project: shop\nresults: {folder}\n")
    with pytest.raises(SpecError) as refused:
        load_project(None, start=tmp_path)
    assert [problem.message for problem in refused.value.problems] == ["results: leads out of the project"]
