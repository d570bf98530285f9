"""In a job of GitHub Actions nothing that is printed commands the runner, except annotations."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from reconciler.cli.output.streams import runner_log, write_annotations, write_stderr, write_stdout
from reconciler.text.sanitize import without_commands

ON_GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", ": :error::x"),
        (" \t::x::", " \t: :x::"),
        ("\u3000\u00a0::x", "\u3000\u00a0: :x"),
        ("a\n::x\r::y\r\n  ::z", "a\n: :x\r: :y\r\n  : :z"),
        ("##[add-mask]a ###[x] ####[y]", "## [add-mask]a ### [x] #### [y]"),
        ("a ::b:: # [c] ## d\n#\n:", "a ::b:: # [c] ## d\n#\n:"),
        ("", ""),
    ],
)
def test_what_the_runner_would_obey_is_broken_and_nothing_else_changes(text: str, shown: str) -> None:
    assert without_commands(text) == shown
    assert without_commands(shown) == shown


def test_streams_of_a_job_are_guarded_and_annotations_pass() -> None:
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        with runner_log(ON_GITHUB):
            write_stdout("::x::\n")
            write_stdout(b'{"a": "##[x]"}\n')
            write_annotations("::notice::##[y]\n")
            write_stderr("##[z]")
            sys.stderr.write("  ::w\n")
        write_stdout("##[after]\n")
    out.seek(0)
    first, document, *rest = out.read().splitlines()
    assert (first, rest) == (": :x::", ["::notice::##[y]", "##[after]"])
    assert (json.loads(document), "##[" in document) == ({"a": "##[x]"}, False)
    assert err.getvalue() == "## [z]\n  : :w\n"


def test_streams_elsewhere_are_not_changed() -> None:
    out = io.TextIOWrapper(io.BytesIO())
    with redirect_stdout(out), runner_log({}):
        write_stdout("##[x]\n::y\n")
    out.seek(0)
    assert out.read() == "##[x]\n::y\n"


def test_a_result_that_goes_to_a_file_is_not_changed(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, redirect_stdout(out), runner_log(ON_GITHUB):
        write_stdout("##[x]\n::y\n")
    assert (tmp_path / "out").read_text() == "##[x]\n::y\n"


def test_a_traceback_does_not_command_the_runner_either() -> None:
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        with pytest.raises(ZeroDivisionError), runner_log(ON_GITHUB):
            raise ZeroDivisionError
        sys.stderr.write("##[x]\n")
        assert err.getvalue() == "## [x]\n"
