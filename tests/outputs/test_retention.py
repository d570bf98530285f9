"""Which files the provider need not keep: a table, and the promise for any workspace."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import Job, Phase, tags
from reconciler.outputs.retention import due
from reconciler.text.plural import DAY

NOW: Final = 1_800_000_000
KEEP: Final = {"inputs": 7 * DAY, "results": 30 * DAY}


def job(name: str, days: float | None = 40, phase: Phase = Phase.SUCCEEDED, **more: Any) -> Job:  # noqa: ANN401 - fields
    """A job that ended days ago, with an upload that others may use and result files of its own."""
    fields = {"input_files": ("in",), "output_file": f"out-{name}", "error_file": None} | more
    return Job(
        id=name,
        phase=phase,
        status="?",
        endpoint="/v1/ocr",
        created_at=0,
        completed_at=None if days is None else int(NOW - days * DAY),
        metadata={tags.NAME: f"spec-{name}"},
        **fields,
    )


CASES: Final[tuple[tuple[str, tuple[Job, ...], str, Mapping[str, float], str], ...]] = (
    ("nothing", (), "", KEEP, ""),
    ("all files of an old job", (job("a", error_file="err"),), "a", KEEP, "err in out-a"),
    ("inputs at their age, results not yet", (job("a", 7),), "a", KEEP, "in"),
    ("a moment before", (job("a", 6.999),), "a", KEEP, ""),
    ("only results", (job("a"),), "a", {"results": 30 * DAY}, "out-a"),
    ("only inputs", (job("a"),), "a", {"inputs": 7 * DAY}, "in"),
    ("no setting", (job("a"),), "a", {}, ""),
    ("not pulled", (job("a"),), "", KEEP, ""),
    ("shared by two that are done", (job("a"), job("b")), "ab", KEEP, "in out-a out-b"),
    ("shared with one that is not pulled", (job("a"), job("b")), "a", KEEP, "out-a"),
    ("shared with a younger one", (job("a"), job("b", 6)), "ab", KEEP, "out-a"),
    ("shared with a running one", (job("a"), job("b", None, Phase.ACTIVE)), "ab", KEEP, "out-a"),
    ("shared with one that is stopping", (job("a"), job("b", 40, Phase.STOPPING)), "ab", KEEP, "out-a"),
    ("shared with one of an unknown status", (job("a"), job("b", 40, Phase.UNKNOWN)), "ab", KEEP, "out-a"),
    ("an end without a time", (job("a", None),), "a", KEEP, ""),
    ("a failed job", (job("a", 40, Phase.FAILED, output_file=None),), "a", KEEP, "in"),
    (
        "results that are another's input",
        (job("a"), job("b", 8, input_files=("out-a",))),
        "ab",
        KEEP,
        "in out-a",
    ),
    ("the same, not pulled", (job("a"), job("b", 8, input_files=("out-a",))), "a", KEEP, "in"),
    ("the same, too young", (job("a"), job("b", 6, input_files=("out-a",))), "ab", KEEP, "in"),
)


@pytest.mark.parametrize(
    ("jobs", "pulled", "keep", "files"), [it[1:] for it in CASES], ids=[it[0] for it in CASES]
)
def test_a_file_is_due_once_no_job_needs_it(
    jobs: tuple[Job, ...], pulled: str, keep: Mapping[str, float], files: str
) -> None:
    assert [it.file_id for it in due(jobs, pulled=set(pulled), keep=keep, now=NOW)] == files.split()


def test_a_file_that_is_spared_stays() -> None:
    assert [it.file_id for it in due([job("a")], pulled={"a"}, keep=KEEP, spared={"in"}, now=NOW)] == [
        "out-a"
    ]


def test_the_job_that_ended_last_is_named_with_the_age_of_its_end() -> None:
    (inputs, *_) = due([job("a"), job("b", 9.5)], pulled={"a", "b"}, keep=KEEP, now=NOW)
    assert (inputs.name, inputs.job_id, inputs.kind) == ("spec-b", "b", "inputs")
    assert inputs.reason == "inputs of b, which ended 9 d 12 h ago and is pulled"


FILES: Final = st.sampled_from(("f1", "f2", "f3"))
ANY: Final = st.lists(
    st.builds(
        job,
        st.sampled_from("abcdef"),
        st.none() | st.sampled_from((0, 6, 7, 8, 29, 30, 31)),
        st.sampled_from(Phase),
        input_files=st.tuples(FILES) | st.tuples(FILES, FILES),
        output_file=st.none() | FILES,
        error_file=st.none() | FILES,
    ),
    max_size=6,
    unique_by=lambda it: it.id,
)


@given(jobs=ANY, pulled=st.sets(st.sampled_from("abcdef")))
def test_a_file_that_a_job_still_needs_is_never_due_and_every_other_is(
    jobs: list[Job], pulled: Collection[str]
) -> None:
    ended = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED)
    needed: set[str | None] = set()
    known: set[str | None] = set()
    for it in jobs:
        over = it.id in pulled and it.phase in ended and it.completed_at is not None
        days = (NOW - it.completed_at) / DAY if over and it.completed_at is not None else -1
        known |= {*it.input_files, it.output_file, it.error_file} - {None}
        needed |= set(it.input_files) if days < 7 else set()
        needed |= {it.output_file, it.error_file} if days < 30 else set()
    assert {it.file_id for it in due(jobs, pulled=pulled, keep=KEEP, now=NOW)} == known - needed
