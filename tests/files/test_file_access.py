"""Files are opened in one place, which follows no link out, waits for nothing, and writes through no link."""

from __future__ import annotations

import ast
import os
import socket
import stat
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from reconciler import file_access
from reconciler.file_access import TooLargeError, UnsafeFileError
from tests.helpers.source import calls, nodes

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="links need rights, and there are no pipes with names"
)

OPENERS: Final = frozenset(
    ["open", "read_text", "read_bytes", "write_text", "write_bytes", "mkstemp", "mkdir", "makedirs", "touch"]
)
ALLOWED: Final = {
    "file_access.py": 6,  # the place
    "api/key.py": 1,  # a key's file is named by hand and may be a pipe
    "catalogue/bodies.py": 1,  # a file of the package
    "catalogue/models.py": 1,  # likewise
    "ledger/git_calls.py": 1,  # likewise
    "report/page.py": 1,  # likewise
    "outputs/fetch.py": 1,  # a file of an object store
    "sandbox/results.py": 1,  # likewise
    "sandbox/store.py": 1,  # likewise
    "specs/scaffold.py": 3,  # likewise, and what pip wrote of this package
    "specs/schema/json_schema.py": 1,  # likewise
    "specs/yaml/messages.py": 1,  # likewise
    "vcs/provenance.py": 1,  # likewise
    "cli/output/streams.py": 2,  # the null device
    "telemetry/logs.py": 1,  # a file of the package
    "vcs/git.py": 1,  # an archive in memory
    "vcs/github.py": 1,  # a file of an archive in memory
}
"""How often each module opens something itself, and what."""


def test_no_other_module_opens_a_file() -> None:
    assert Counter(module for module, _, _ in calls(*OPENERS)) == ALLOWED


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert file_access.read(tmp_path / "a", 5) == b"12345"
    with pytest.raises(TooLargeError):
        file_access.read(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        file_access.read(tmp_path / "b", 4)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    os.chdir(path.parent)  # the name of a socket may have some 100 characters only
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@posix
@pytest.mark.parametrize(
    ("make", "what"),
    [(fifo, "a pipe"), (folder, "a folder"), (unix_socket, "a socket"), (device, "a device")],
)
def test_what_is_no_regular_file_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(UnsafeFileError, match=f"it is {what}, not a regular file") as refused:
        file_access.read(path, 10)
    assert refused.value.hint == "put a regular file in its place"
    for name in ("replace", "append"):
        with pytest.raises(OSError):  # noqa: PT011  the folder's is the system's own
            WRITERS[name](path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a project below it, beside a secret."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/reconciler.yaml").write_text("project: other\n")
    (tmp_path / "repository/.git").mkdir(parents=True)
    (tmp_path / "repository/batch/data").mkdir(parents=True)
    (tmp_path / "repository/batch/reconciler.yaml").write_text("project: shop\n")
    return tmp_path / "repository/batch"


@posix
@pytest.mark.parametrize(
    "target",
    ["../../secret", "../secret", "data/../../../secret", "/etc/passwd", "/proc/self/environ"],
)
def test_a_link_out_of_a_project_is_not_read(checkout: Path, target: str) -> None:
    (checkout.parent / "secret").write_text("secret")
    (checkout / "a").symlink_to(target)
    with pytest.raises(UnsafeFileError, match="it is a link that leads out of the project"):
        file_access.read(checkout / "a", 10)
    with pytest.raises(UnsafeFileError, match="it is a link that leads out of the project"):
        file_access.read(checkout / "a", 10, root=checkout)


@posix
def test_a_link_within_a_project_is_read(checkout: Path) -> None:
    (checkout / "data/real").write_text("text")
    (checkout / "a").symlink_to("data/real")
    assert (
        file_access.read(checkout / "a", 10) == file_access.read(checkout / "a", 10, root=checkout) == b"text"
    )


@posix
def test_a_link_anywhere_that_is_no_checkout_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").symlink_to("../real")
    assert file_access.read(tmp_path / "folder/a", 10) == b"text"


WRITERS: Final[dict[str, Callable[[Path], object]]] = {
    "replace": lambda path: file_access.replace(path, b"x"),
    "create": lambda path: file_access.create(path).close(),
    "append": lambda path: os.close(file_access.append(path)),
    "update": lambda path: file_access.update(path).close(),
    "make_folder": file_access.make_folder,
}


@posix
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("target", ["../../secret", "data/mine", "nowhere", ".git"])
def test_nothing_is_written_through_a_link(
    checkout: Path, write: Callable[[Path], object], target: str
) -> None:
    (checkout / "data/mine").write_text("mine")
    (checkout / "a").symlink_to(target)
    with pytest.raises(UnsafeFileError, match="it is a link, which is not followed"):
        write(checkout / "a")
    assert (checkout.parent.parent / "secret").read_text() == "secret"
    assert (checkout / "data/mine").read_text() == "mine"
    assert not (checkout / "nowhere").exists()


@posix
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("target", ["../../outside", "../.git", "data"])
def test_nothing_is_written_below_a_folder_that_is_a_link(
    checkout: Path, write: Callable[[Path], object], target: str
) -> None:
    """Not even if the folder that it leads to is a project too."""
    (checkout / "out").symlink_to(target)
    for path in (checkout / "out/a", checkout / "out/more/a", checkout / "data/../out/a"):
        with pytest.raises(UnsafeFileError, match="out'"):
            write(path)
    assert {it.name for it in (checkout / "out").iterdir()} <= {"reconciler.yaml"}


@posix
def test_a_link_to_a_folder_that_is_in_no_checkout_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    file_access.replace(tmp_path / "link/a", b"x")
    assert (tmp_path / "disk/a").read_bytes() == b"x"


@posix
def test_what_stands_where_a_part_is_written_is_deleted_and_not_followed(checkout: Path) -> None:
    (checkout / "a.part").symlink_to("../../secret")
    with file_access.recreate(checkout / "a.part") as file:
        file.write(b"new")
    assert (checkout / "a.part").read_bytes() == b"new"
    assert (checkout.parent.parent / "secret").read_text() == "secret"


@posix
def test_a_new_file_is_its_owners_and_one_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    for at, name in enumerate(("replace", "create", "append")):
        WRITERS[name](tmp_path / str(at))
        assert stat.S_IMODE((tmp_path / str(at)).stat().st_mode) == 0o600
    (tmp_path / "0").chmod(0o644)
    file_access.replace(tmp_path / "0", b"y")
    assert stat.S_IMODE((tmp_path / "0").stat().st_mode) == 0o644


@posix
def test_nothing_is_left_of_a_file_that_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        file_access.replace(tmp_path / "a", b"new")
    assert {it.name: it.read_bytes() for it in tmp_path.iterdir()} == {"a": b"old"}


@posix
def test_a_stream_that_is_named_by_hand_is_opened_as_it_is(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    file_access.replace(f"/dev/fd/{writes}", b"x")
    handle = file_access.append(f"/dev/fd/{writes}")
    os.write(handle, b"y")
    os.close(handle)
    os.close(writes)
    with file_access.open_to_read(f"/dev/fd/{reads}") as file:
        assert file.read() == b"xy"
    os.close(reads)
    assert not [*tmp_path.iterdir()]


def test_only_one_module_makes_excerpts_and_the_command_line_says_of_which_files() -> None:
    made = {
        module for module, it in nodes(r"\bexcerpt=") if isinstance(it, ast.keyword) and it.arg == "excerpt"
    }
    assert made == {"specs/yaml/source.py"}
    loads = {module: call for module, _, call in calls("load_project")}
    assert {module for module, call in loads.items() if all(it.arg != "quoting" for it in call.keywords)} == {
        "runs/history.py"  # of an export of a commit; its problems are not shown
    }
    sources = {module for module, _, call in calls("SourceFile") if len(call.args) < 3}
    assert sources == {
        "specs/from_jobs.py",  # text that is written, not read
        "specs/load.py",  # no text: problems of a file that cannot be read
        "specs/field_edit.py",  # as the first
    }


def test_only_one_module_writes_to_the_streams_and_few_write_annotations() -> None:
    written = {
        f"{module} {name}"
        for module, call in nodes(r"\b(?:print|echo|secho)\(|\bsys\.(?:__)?std|\bos\.write|\berror\.show")
        if isinstance(call, ast.Call)
        and (name := ast.unparse(call.func)).startswith(
            ("sys.std", "sys.__std", "os.write", "error.show", "print", "click.echo", "click.secho")
        )
    }
    assert written == {
        "__main__.py sys.stdout.write",  # the version
        "cli/main.py error.show",  # click's, to stderr
        "cli/output/streams.py click.echo",
        "cli/session/signals.py os.write",  # a text of ours, in a signal handler
        "cli/session/signals.py sys.stderr.fileno",
        "ledger/file.py os.write",
        "rows/database.py sys.stdin.buffer.read",  # a process of its own, whose streams are pipes
        "rows/database.py sys.stdout.flush",
        "rows/database.py sys.stdout.write",
    }
    assert {module for module, _, _ in calls("write_annotations")} == {
        "cli/commands/ci.py",
        "cli/commands/validate.py",
        "cli/output/plan_output.py",
        "cli/session/github_job.py",
    }
