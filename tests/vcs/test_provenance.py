"""The source of a job (actor, commit, branch, run) as each kind of machine describes it in its environment."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from reconciler.model import Checkout, Source, tags
from reconciler.vcs.provenance import detect_source, normalize_repository_url
from tests.helpers.make import PROJECT, spec

HERE = Checkout(commit="c0ffee", branch="main")
DETACHED = replace(HERE, branch="")
ORIGIN = "git@github.com:acme/shop.git"
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "17",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_ACTOR": "ada",
    "USER": "runner",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.example.org/acme/tools/shop",
    "CI_JOB_URL": "https://gitlab.example.org/acme/tools/shop/-/jobs/5",
    "CI_PIPELINE_URL": "https://gitlab.example.org/acme/tools/shop/-/pipelines/4",
    "CI_COMMIT_BRANCH": "main",
    "GITLAB_USER_LOGIN": "ada",
    "USER": "root",
}
ON_GITHUB = Source(
    commit="c0ffee",
    branch="main",
    actor="ada",
    repository="github.com/acme/shop",
    run_url="https://github.com/acme/shop/actions/runs/17",
)
ON_GITLAB = Source(
    commit="c0ffee",
    branch="main",
    actor="ada",
    repository="gitlab.example.org/acme/tools/shop",
    run_url="https://gitlab.example.org/acme/tools/shop/-/jobs/5",
)

CASES: dict[str, tuple[Checkout, str, Mapping[str, str], Source]] = {
    "nothing is known": (Checkout(), "", {}, Source()),
    "a person's machine": (
        HERE,
        ORIGIN,
        {"USER": "ada"},
        Source(commit="c0ffee", branch="main", actor="ada", repository="github.com/acme/shop"),
    ),
    "Windows": (HERE, "", {"USERNAME": "ada"}, Source(commit="c0ffee", branch="main", actor="ada")),
    "a folder of a repository": (
        replace(HERE, root="services/search"),
        "",
        {},
        Source(commit="c0ffee", branch="main", root="services/search"),
    ),
    "uncommitted changes": (
        replace(HERE, uncommitted=frozenset({"specs/a.yaml"})),
        "",
        {},
        Source(commit="c0ffee", branch="main", dirty=True),
    ),
    "GitHub, a push": (DETACHED, ORIGIN, GITHUB, ON_GITHUB),
    "GitHub, run again by another person": (
        DETACHED,
        ORIGIN,
        GITHUB | {"GITHUB_TRIGGERING_ACTOR": "grace"},
        structs.replace(ON_GITHUB, actor="grace"),
    ),
    "GitHub, a pull request": (
        DETACHED,
        ORIGIN,
        GITHUB | {"GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "feat/x"},
        structs.replace(ON_GITHUB, branch="feat/x"),
    ),
    "GitHub, a tag": (
        DETACHED,
        ORIGIN,
        GITHUB | {"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"},
        structs.replace(ON_GITHUB, branch=""),
    ),
    "GitHub Enterprise": (
        DETACHED,
        "",
        GITHUB | {"GITHUB_SERVER_URL": "https://git.example.org"},
        structs.replace(
            ON_GITHUB,
            repository="git.example.org/acme/shop",
            run_url="https://git.example.org/acme/shop/actions/runs/17",
        ),
    ),
    "GitLab, a branch": (DETACHED, "", GITLAB, ON_GITLAB),
    "GitLab, a merge request": (
        DETACHED,
        "",
        {key: value for key, value in GITLAB.items() if key != "CI_COMMIT_BRANCH"}
        | {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feat/x"},
        structs.replace(ON_GITLAB, branch="feat/x"),
    ),
    "GitLab without a job's URL": (
        DETACHED,
        "",
        {key: value for key, value in GITLAB.items() if key != "CI_JOB_URL"},
        structs.replace(ON_GITLAB, run_url=GITLAB["CI_PIPELINE_URL"]),
    ),
}


@pytest.mark.parametrize(("checkout", "origin", "variables", "expected"), CASES.values(), ids=list(CASES))
def test_each_machine_reports_who_creates_from_where(
    checkout: Checkout, origin: str, variables: Mapping[str, str], expected: Source
) -> None:
    assert detect_source(checkout, origin, variables) == expected


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/shop.git", "github.com/acme/shop"),
        ("https://ada:secret@github.com/acme/shop", "github.com/acme/shop"),
        ("https://x-access-token:ghs_secret@github.com/acme/shop.git", "github.com/acme/shop"),
        ("ssh://git@git.example.org:2222/acme/shop.git", "git.example.org/acme/shop"),
        ("git@github.com:acme/shop.git", "github.com/acme/shop"),
        ("token:secret@github.com:acme/shop.git", "github.com/acme/shop"),
        ("C:\\code\\shop", ""),
        ("/srv/git/shop.git", ""),
        ("../shop", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_a_repository_is_named_without_any_secret(url: str, name: str) -> None:
    assert normalize_repository_url(url) == name
    assert "secret" not in normalize_repository_url(url)


@given(st.dictionaries(st.sampled_from([*GITHUB, *GITLAB, "GITHUB_HEAD_REF"]), st.text()), st.text())
def test_whatever_an_environment_holds_the_tag_keeps_its_limits_and_the_commit(
    variables: Mapping[str, str], origin: str
) -> None:
    found = detect_source(HERE, origin, variables)
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=found)
    value = tags.write(made)[tags.SOURCE]
    assert value.startswith("commit=c0ffee")
    assert len(value) <= 512
    assert value.isascii()
    assert value.isprintable()
    assert " commit=" not in value
