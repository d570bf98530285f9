"""The source of a job (actor, commit, branch, run) as each kind of machine describes it in its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from reconciler.model import Checkout, Source, tags
from reconciler.text.sanitize import clean
from reconciler.vcs.provenance import detect_source, normalize_repository_url, runners
from tests.helpers.make import PROJECT, spec

HERE = Checkout(commit="c0ffee", branch="main")
DETACHED = replace(HERE, branch="")
ORIGIN = "git@github.com:acme/shop.git"
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "17",
    "GITHUB_REF": "refs/heads/main",
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
        GITHUB | {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_HEAD_REF": "feat/x"},
        structs.replace(ON_GITHUB, branch="feat/x", pull="7"),
    ),
    "GitHub, a tag": (
        DETACHED,
        ORIGIN,
        GITHUB | {"GITHUB_REF": "refs/tags/v1"},
        structs.replace(ON_GITHUB, branch=""),
    ),
    "GitHub, a second attempt": (
        DETACHED,
        ORIGIN,
        GITHUB | {"GITHUB_RUN_ATTEMPT": "2", "GITHUB_EVENT_NAME": "push"},
        structs.replace(ON_GITHUB, run_url=f"{ON_GITHUB.run_url}/attempts/2", event="push"),
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
    "GitLab, the number of a merge request": (
        DETACHED,
        "",
        GITLAB | {"CI_MERGE_REQUEST_IID": "12", "CI_PIPELINE_SOURCE": "merge_request_event"},
        structs.replace(ON_GITLAB, pull="12", event="merge_request_event"),
    ),
    "GitLab without a job's URL": (
        DETACHED,
        "",
        {key: value for key, value in GITLAB.items() if key != "CI_JOB_URL"},
        structs.replace(ON_GITLAB, run_url=GITLAB["CI_PIPELINE_URL"]),
    ),
    "Azure DevOps": (
        DETACHED,
        "",
        {
            "TF_BUILD": "True",
            "BUILD_REQUESTEDFOR": "Ada Lovelace",
            "BUILD_SOURCEBRANCH": "refs/heads/main",
            "BUILD_REPOSITORY_URI": "https://acme@dev.azure.com/acme/shop/_git/shop",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
            "SYSTEM_TEAMPROJECTID": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c",
            "BUILD_BUILDID": "77",
            "BUILD_REASON": "IndividualCI",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
            "USER": "vsts",
        },
        Source(
            commit="c0ffee",
            branch="main",
            actor="Ada Lovelace",
            repository="dev.azure.com/acme/shop/_git/shop",
            run_url="https://dev.azure.com/acme/6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c/_build/results?buildId=77",
            pull="12",
            event="IndividualCI",
        ),
    ),
    "Bitbucket": (
        DETACHED,
        ORIGIN,
        {
            "BITBUCKET_BUILD_NUMBER": "5",
            "BITBUCKET_STEP_TRIGGERER_UUID": "{0f7a}",
            "BITBUCKET_BRANCH": "feat/x",
            "BITBUCKET_REPO_FULL_NAME": "acme/shop",
            "BITBUCKET_PR_ID": "12",
        },
        Source(
            commit="c0ffee",
            branch="feat/x",
            actor="{0f7a}",
            repository="bitbucket.org/acme/shop",
            run_url="https://bitbucket.org/acme/shop/pipelines/results/5",
            pull="12",
        ),
    ),
    "CircleCI": (
        DETACHED,
        "",
        {
            "CIRCLECI": "true",
            "CIRCLE_USERNAME": "ada",
            "CIRCLE_BRANCH": "main",
            "CIRCLE_REPOSITORY_URL": ORIGIN,
            "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/shop/5",
            "CIRCLE_PULL_REQUEST": "https://github.com/acme/shop/pull/12",
        },
        structs.replace(ON_GITHUB, run_url="https://circleci.com/gh/acme/shop/5", pull="12"),
    ),
    "Buildkite": (
        DETACHED,
        ORIGIN,
        {
            "BUILDKITE": "true",
            "BUILDKITE_BUILD_CREATOR": "ada",
            "BUILDKITE_UNBLOCKER": "grace",
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_REPO": ORIGIN,
            "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/shop/builds/5",
            "BUILDKITE_PULL_REQUEST": "false",
            "BUILDKITE_SOURCE": "webhook",
        },
        structs.replace(
            ON_GITHUB, run_url="https://buildkite.com/acme/shop/builds/5", event="webhook", approver="grace"
        ),
    ),
    "TeamCity": (
        HERE,
        ORIGIN,
        {"TEAMCITY_VERSION": "2025.11", "BUILD_URL": "https://ci.example.org/build/5", "USER": "buildagent"},
        structs.replace(ON_GITHUB, run_url="https://ci.example.org/build/5", actor="buildagent"),
    ),
    "Jenkins": (
        DETACHED,
        ORIGIN,
        {
            "JENKINS_URL": "https://jenkins.example.org/",
            "BUILD_URL": "https://jenkins.example.org/job/shop/5/",
            "BUILD_USER_ID": "ada",
            "BRANCH_NAME": "PR-12",
            "CHANGE_BRANCH": "feat/x",
            "CHANGE_ID": "12",
            "GIT_URL": "https://token@github.com/acme/shop.git",
        },
        structs.replace(
            ON_GITHUB, branch="feat/x", run_url="https://jenkins.example.org/job/shop/5/", pull="12"
        ),
    ),
    "any system, with our own variables": (
        DETACHED,
        ORIGIN,
        GITHUB
        | {
            "RECONCILER_ACTOR": "cron",
            "RECONCILER_RUN_URL": "https://ci.example.org/5",
            "RECONCILER_PULL": "9",
            "RECONCILER_APPROVER": "grace",
        },
        structs.replace(
            ON_GITHUB, actor="cron", run_url="https://ci.example.org/5", pull="9", approver="grace"
        ),
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


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://ada:secret@ci.example.org/5",
        "https://ci.example.org/5) [click](https://evil.example",
        "https://ci.example.org/<script>",
        "https://ci.example.org/5\n::error::x",
        "https://ci.example.org/\x1b[31m",
        "https://ci.example.org/`|`",
        "https://ci.example.org/" + "a" * 400,
    ],
)
def test_the_url_of_a_run_holds_nothing_that_a_reader_could_take_for_something_else(url: str) -> None:
    assert detect_source(HERE, "", {"RECONCILER_RUN_URL": url}).run_url == ""


@pytest.mark.parametrize("text", ["false", "12; rm", "refs/heads/12", "-1", "0", "١٢", "9" * 99, ""])
def test_only_a_number_is_the_number_of_a_pull_request(text: str) -> None:
    assert detect_source(HERE, "", {"RECONCILER_PULL": text}).pull == ""


VARIABLES = sorted({name for runner in runners() for name in re.findall(r"[A-Z_]{4,}", str(runner))})
OURS = ["RECONCILER_ACTOR", "RECONCILER_RUN_URL", "RECONCILER_PULL", "RECONCILER_APPROVER"]


@given(
    st.sampled_from([runner.marker for runner in runners()]),
    st.dictionaries(st.sampled_from([*VARIABLES, *OURS]), st.text()),
    st.text(),
)
def test_whatever_an_environment_holds_the_tag_keeps_its_limits_and_the_commit(
    marker: str, variables: Mapping[str, str], origin: str
) -> None:
    found = detect_source(HERE, origin, {marker: "true", **variables})
    for text in structs.asdict(found).values():
        assert len(str(text)) <= 400
        assert clean(str(text)) == str(text)
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=found)
    value = tags.write(made)[tags.SOURCE]
    assert value.startswith("commit=c0ffee")
    assert len(value) <= 512
    assert value.isascii()
    assert value.isprintable()
    assert " commit=" not in value
