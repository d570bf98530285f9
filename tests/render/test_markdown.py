"""Markdown of any plan: it fits into a comment, and text from outside adds no markup."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.errors import Problem, SpecError
from reconciler.model import Target
from reconciler.planning.actions import Change
from reconciler.planning.guard_input import Refusal
from reconciler.plans.action_documents import (
    ActionDoc,
    CancelDoc,
    CreateDoc,
    HoldDoc,
    JobDoc,
    KeepDoc,
    UploadDoc,
)
from reconciler.plans.document import DecisionDoc, PlanDoc, SummaryDoc
from reconciler.plans.settings_document import SettingsDoc
from reconciler.render.github import plan_github
from reconciler.render.markdown import error_markdown, plan_markdown

OURS = {
    "p",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "br",
    "h3",
    "ul",
    "li",
    "details",
    "summary",
}
LIMIT = 65_536

words = st.text(
    st.sampled_from("ab \n\r|<>[]()!#@*_`&~-\\:/.\x1b\u202e\u200bé漢💥"), max_size=30
) | st.sampled_from(
    [
        "<img src=x>",
        "</details>",
        "| a | b |",
        "@octocat #1 GH-1",
        "[x](http://x)",
        "www.x.org",
        "::error::x",
        "x" * 3000,
    ]
)
numbers = st.integers(0, 10**9)
jobs = st.builds(JobDoc, id=words, status=words, total_requests=numbers, completed_requests=numbers)
actions: st.SearchStrategy[ActionDoc] = st.one_of(
    st.builds(
        CreateDoc,
        reason=words,
        work=words,
        endpoint=words,
        model=st.none() | words,
        settings=st.builds(SettingsDoc, metadata=st.dictionaries(words, words, max_size=2)),
        requests=st.none() | numbers,
        uploads=st.lists(st.builds(UploadDoc, path=words, sha256=words, bytes=numbers), max_size=3).map(
            tuple
        ),
        changes=st.lists(st.builds(Change, field=words, before=words, after=words), max_size=3).map(tuple),
    ),
    st.builds(CancelDoc, reason=words, job=jobs),
    st.builds(KeepDoc, reason=words, job=st.none() | jobs, detail=words, attention=st.booleans()),
    st.builds(HoldDoc, reason=words, job=st.none() | jobs, detail=words, hint=words, attention=st.booleans()),
)
decisions = st.builds(
    DecisionDoc,
    name=words,
    declared_at=words,
    family=st.just("") | words,
    actions=st.lists(actions, min_size=1, max_size=3).map(tuple),
    notes=st.lists(words, max_size=2).map(tuple),
)
counts = st.integers(0, 3)
plans = st.builds(
    PlanDoc,
    format_version=st.just("1.0"),
    tool_version=words,
    created_at=words,
    target=st.builds(Target, base_url=words, project=words),
    commit=words,
    branch=words,
    observed_at=st.none() | words,
    summary=st.builds(
        SummaryDoc, create=counts, replace=counts, cancel=counts, hold=counts, unchanged=counts,
        attention=counts, requests=numbers, requests_unknown=counts, lost_answers=numbers,
        requests_in_all=numbers,
    ),
    guards=st.lists(st.builds(Refusal, guard=words, message=words, hint=words), max_size=3).map(tuple),
    decisions=st.lists(decisions, max_size=6).map(tuple),
)  # fmt: skip


EXAMPLES = settings().max_examples if settings().max_examples > 30 else 10
"""Of plans of up to hundreds of decisions: fewer by default."""


def check(text: str) -> None:
    assert len(text.encode()) < LIMIT
    assert not set("\x1b\r\u202e") & set(text)
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert set(re.findall(r"<([a-z][a-z0-9]*)", page)) <= OURS
    assert not re.search(r"@\w|#\d|www\.", re.sub(r"&#?\w+;", "", page))


@settings(max_examples=EXAMPLES)
@given(plan=plans, times=st.sampled_from([1, 200]))
def test_no_plan_is_too_long_or_says_more_than_we_mean(plan: PlanDoc, times: int) -> None:
    many = tuple(
        DecisionDoc(
            name=f"{it.name}{at}",
            declared_at=it.declared_at,
            family=it.family,
            standing=it.standing,
            actions=it.actions,
            notes=it.notes,
        )
        for at in range(times)
        for it in plan.decisions
    )
    import msgspec

    check(plan_markdown(msgspec.structs.replace(plan, decisions=many)))


@given(plan=plans)
def test_every_annotation_is_one_line(plan: PlanDoc) -> None:
    for line in plan_github(plan).splitlines():
        assert re.match(r"::(error|warning|notice)( [^\n]*)?::", line)


@given(messages=st.lists(words, max_size=400))
def test_no_list_of_mistakes_is_too_long_either(messages: list[str]) -> None:
    problems = tuple(Problem(path=text, line=1, message=text, hint=text) for text in messages)
    check(error_markdown(SpecError(problems), what="plan"))
