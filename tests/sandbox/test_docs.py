"""`docs/sandbox.md` and the code say the same."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from reconciler.sandbox import http, inputs, jobs, lifecycle, results

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")


@pytest.mark.parametrize(
    "fact",
    [
        f"`{inputs.REFUSED_MODEL}`",
        f"`{inputs.UNKNOWN_MODEL}`",
        f"`{inputs.STUCK_MODEL}`",
        f"`{inputs.FAILING_REQUEST}`",
        f"`{results.TEXT}`",
        f"| {lifecycle.VALIDATED_AFTER:g} s |",
        f"| {lifecycle.STARTED_AFTER:g} s + {lifecycle.SECONDS_A_REQUEST * 1000:g} ms a request |",
        f"| {lifecycle.CANCELLED_AFTER:g} s after a cancel |",
        f"{http.MAX_PAGE_SIZE:,}",
        f"`{results.JSON_TEXT}`",
        f"above {jobs.MAX_INLINE_BYTES / 1e6:g} MB",
        *(f"| `{form}` | " for form in results.FORMS),
    ],
)
def test_the_page_reports_what_the_code_does(fact: str) -> None:
    assert fact in PAGE


def test_the_page_lists_the_forms_in_their_turn() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (?:status|null)", PAGE, re.MULTILINE)
    assert listed == [*results.IN_TURN, "noid"]


def test_the_page_reports_how_many_lines_are_named() -> None:
    assert inputs.NAMED_PROBLEMS == 10
    assert "names the first ten lines" in PAGE


def test_the_example_for_tests_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "make_app" in code)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "docs/sandbox.md", "exec"), {})  # noqa: S102 - our own page

    assert printed.getvalue() == "{'object': 'list', 'total': 0}\n"
