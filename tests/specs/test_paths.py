from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from reconciler.specs.inputs.paths import NoInputError, PathResolver, uploaded_id

FILES = (
    "specs/a.jsonl",
    "specs/b.jsonl",
    "specs/B2.jsonl",
    "specs/c.json",
    "specs/.hidden.jsonl",
    "specs/data/d.jsonl",
    "specs/data/deep/e.jsonl",
    "specs/data/deep/deeper/f.jsonl",
    "specs/.cache/g.jsonl",
    "common/h.jsonl",
    "i.jsonl",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in FILES:
        place = tmp_path / "project" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (tmp_path / "outside.jsonl").touch()
    (tmp_path / "project/specs/empty").mkdir()
    return tmp_path / "project"


def found(root: Path, entry: str) -> list[str]:
    paths = PathResolver(str(root)).named(entry, folder=str(root / "specs"))
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]


@pytest.mark.parametrize(
    ("entry", "paths"),
    [
        ("a.jsonl", ["specs/a.jsonl"]),
        ("./data/../a.jsonl", ["specs/a.jsonl"]),
        ("../i.jsonl", ["i.jsonl"]),
        ("../common/h.jsonl", ["common/h.jsonl"]),
        (".hidden.jsonl", ["specs/.hidden.jsonl"]),
        ("*.jsonl", ["specs/B2.jsonl", "specs/a.jsonl", "specs/b.jsonl"]),
        ("?.jsonl", ["specs/a.jsonl", "specs/b.jsonl"]),
        ("[b-z].jsonl", ["specs/b.jsonl"]),
        ("[!a].jsonl", ["specs/b.jsonl"]),
        (".*.jsonl", ["specs/.hidden.jsonl"]),
        ("data/*/*.jsonl", ["specs/data/deep/e.jsonl"]),
        ("data/**/f.jsonl", ["specs/data/deep/deeper/f.jsonl"]),
        (
            "data/**/*.jsonl",
            ["specs/data/d.jsonl", "specs/data/deep/deeper/f.jsonl", "specs/data/deep/e.jsonl"],
        ),
        ("data/**", ["specs/data/d.jsonl", "specs/data/deep/deeper/f.jsonl", "specs/data/deep/e.jsonl"]),
        ("**/**/d.jsonl", ["specs/data/d.jsonl"]),
        ("**/g.jsonl", None),
        ("../**/h.jsonl", ["common/h.jsonl"]),
        ("../*/h.jsonl", ["common/h.jsonl"]),
        ("*/../a.jsonl", None),
    ],
)
def test_what_an_entry_names(root: Path, entry: str, paths: list[str] | None) -> None:
    if paths is None:
        with pytest.raises(NoInputError, match="matches no file"):
            found(root, entry)
    else:
        assert found(root, entry) == paths


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ("A.jsonl", "no such file", "did you mean `a.jsonl`?"),
        ("data/dd.jsonl", "no such file", "did you mean `d.jsonl`?"),
        ("data/entirely-else", "no such file", "in its folder: d.jsonl, deep"),
        ("date/d.jsonl", "no such file", "its folder does not exist either"),
        ("empty/x", "no such file", "its folder is empty; if it is a git submodule"),
        ("empty/data/x", "no such file", "the folder empty is empty; if it is a git submodule"),
        ("empty/*", "matches no file", "its folder is empty"),
        ("date/*.jsonl", "matches no file", "its folder does not exist"),
        ("data/*.json", "matches no file", "in its folder: d.jsonl, deep"),
        ("data", "a folder", "name its files: `data/*.jsonl`"),
        ("data/", "a folder", "name its files: `data/*.jsonl`"),
        (".", "a folder", ""),
        ("a.jsonl/x", "cannot be read: Not a directory", "make it readable"),
        ("../../outside.jsonl", "leads out of the project", ""),
        ("[" * 60_000, "a name of more than 255 characters", "shorten it"),
        (f"**/{'?' * 256}/*.jsonl", "a name of more than 255 characters", "shorten it"),
        ("../../nowhere/x.jsonl", "leads out of the project", ""),
        ("../../*.jsonl", "leads out of the project", ""),
        ("/etc/passwd", "an absolute path is not allowed", "write it relative to this file"),
        ("~/a.jsonl", "an absolute path is not allowed", "write it relative to this file"),
        (
            "C:/a.jsonl",
            "not a portable path",
            "write it relative to this file, with forward slashes",
        ),
        (
            "data\\d.jsonl",
            "not a portable path",
            "write it relative to this file, with forward slashes",
        ),
        ("https://example.org/a.jsonl", "a URL is not an input", ""),
        ("s3://bucket/a.jsonl", "a URL is not an input", ""),
        ("a\x00.jsonl", "a path with invisible characters", "rename the file"),
    ],
)
def test_what_names_no_input(root: Path, entry: str, message: str, hint: str) -> None:
    with pytest.raises(NoInputError) as caught:
        found(root, entry)
    assert str(caught.value) == message
    assert hint in caught.value.hint


def test_links_are_followed_and_stay_inside(root: Path) -> None:
    specs = root / "specs"
    (specs / "in.jsonl").symlink_to(root / "i.jsonl")
    (specs / "out.jsonl").symlink_to(root.parent / "outside.jsonl")
    (specs / "nowhere.jsonl").symlink_to(specs / "missing.jsonl")
    (specs / "loop.jsonl").symlink_to(specs / "loop.jsonl")
    (specs / "linked").symlink_to(root / "common")
    (specs / "away").symlink_to(root.parent)
    assert found(root, "in.jsonl") == ["i.jsonl"]
    assert found(root, "linked/h.jsonl") == ["common/h.jsonl"]
    assert found(root, "linked/*") == ["common/h.jsonl"]
    for entry in ("out.jsonl", "out*", "away/outside.jsonl", "away/*.jsonl"):
        with pytest.raises(NoInputError, match="leads out of the project"):
            found(root, entry)
    with pytest.raises(NoInputError, match="no such file"):
        found(root, "nowhere.jsonl")
    with pytest.raises(NoInputError, match="cannot be read"):
        found(root, "loop.jsonl")


def test_two_names_of_one_file_are_one_file(root: Path) -> None:
    (root / "specs/again.jsonl").symlink_to(root / "specs/a.jsonl")
    assert found(root, "a*.jsonl") == ["specs/a.jsonl"]


def test_two_stars_do_not_follow_links(root: Path) -> None:
    (root / "specs/data/loop").symlink_to(root / "specs/data")
    assert found(root, "data/**/d.jsonl") == ["specs/data/d.jsonl"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_refused_and_not_opened(root: Path) -> None:
    os.mkfifo(root / "specs/pipe.jsonl")
    for entry in ("pipe.jsonl", "p*.jsonl"):
        with pytest.raises(NoInputError, match="not a regular file") as refused:
            found(root, entry)
        assert refused.value.hint == "put a regular file in its place"


def test_the_id_of_an_uploaded_file_is_not_taken_for_a_path() -> None:
    assert uploaded_id("497F6ECA-6276-4993-bfeb-53cbbbba6f09") == "497f6eca-6276-4993-bfeb-53cbbbba6f09"
    assert uploaded_id("497f6eca-6276-4993-bfeb-53cbbbba6f09.jsonl") is None
    assert uploaded_id("497f6eca62764993bfeb53cbbbba6f09") is None


def test_many_stars_take_no_longer_than_a_few(tmp_path: Path) -> None:
    """Forty folders deep, ten times `**/*/`: by trying every way through them it would take years."""
    deep = tmp_path.joinpath(*(f"d{at}" for at in range(40)))
    deep.mkdir(parents=True)
    (deep / "x.jsonl").touch()
    entry = "**/*/" * 10 + "x.jsonl"
    assert PathResolver(str(tmp_path)).named(entry, folder=str(tmp_path)) == [str(deep / "x.jsonl")]
    with pytest.raises(NoInputError):
        PathResolver(str(tmp_path)).named(entry.replace("x.", "y."), folder=str(tmp_path))


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        ("specs/data/d.jsonl", "data/d.jsonl"),
        ("common/h.jsonl", "../common/h.jsonl"),
        ("specs/*.jsonl", "*.jsonl"),
    ],
)
def test_a_path_from_the_root_says_how_the_spec_names_it(root: Path, entry: str, right: str) -> None:
    with pytest.raises(NoInputError) as refused:
        found(root, entry)
    assert refused.value.hint == f"paths are relative to the spec file: write `{right}`"


def test_a_file_whose_name_reads_like_a_glob_can_be_named(root: Path) -> None:
    (root / "specs/x[1].jsonl").touch()
    assert found(root, "x[1].jsonl") == found(root, "x[[]1].jsonl") == ["specs/x[1].jsonl"]
    (root / "specs/x1.jsonl").touch()
    with pytest.raises(NoInputError, match="both the name of a file and a glob") as refused:
        found(root, "x[1].jsonl")
    assert "`x[[]1].jsonl`" in refused.value.hint
    assert found(root, "x[[]1].jsonl") == ["specs/x[1].jsonl"]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system treats both forms as one name")
@pytest.mark.parametrize("entry", ["caf\u00e9.jsonl", "caf?.jsonl", "d/caf\u00e9.jsonl"])
def test_a_name_in_another_unicode_form_is_named_as_that(root: Path, entry: str) -> None:
    (root / "specs/d").mkdir()
    for folder in ("specs", "specs/d"):
        (root / folder / "cafe\u0301.jsonl").touch()
    with pytest.raises(NoInputError) as refused:
        found(root, entry)
    assert "another Unicode form" in refused.value.hint
