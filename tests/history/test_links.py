"""Addresses of pages are made of what tags say, and only of parts that no one can misread."""

from __future__ import annotations

import pytest

from reconciler.history.links import links
from reconciler.history.record import Record

COMMIT = "a" * 40
RUNS = {
    "github": "https://github.example/acme/shop/actions/runs/7",
    "gitlab": "https://git.example/acme/shop/-/jobs/7",
    "jenkins": "https://ci.example/job/7",
}


@pytest.mark.parametrize(
    ("repository", "run", "commit", "pull"),
    [
        (
            "github.com/acme/shop",
            "",
            "https://github.com/acme/shop/commit/",
            "https://github.com/acme/shop/pull/17",
        ),
        ("ghe.example/a/b", "github", "https://ghe.example/a/b/commit/", "https://ghe.example/a/b/pull/17"),
        (
            "gitlab.com/a/b/c",
            "",
            "https://gitlab.com/a/b/c/-/commit/",
            "https://gitlab.com/a/b/c/-/merge_requests/17",
        ),
        (
            "g.example/a/b",
            "gitlab",
            "https://g.example/a/b/-/commit/",
            "https://g.example/a/b/-/merge_requests/17",
        ),
        ("g.example/a/b", "jenkins", "", ""),
        ("", "github", "", ""),
        ("github.com/acme/shop?x=1", "github", "", ""),
        ("user:secret@github.com/acme/shop", "github", "", ""),
        ("github.com/acme/shop\x1b[2J", "github", "", ""),
    ],
)
def test_links_of_a_job(repository: str, run: str, commit: str, pull: str) -> None:
    found = links(Record(name="n", repository=repository, run_url=RUNS.get(run), commit=COMMIT, pull="17"))
    assert found.run == RUNS.get(run)
    assert (found.commit or "").removesuffix(COMMIT) == commit
    assert (found.pull or "") == pull


@pytest.mark.parametrize(
    "run", ["javascript:alert(1)", "http://ci.example/7", "https://ci.example/7\n", "https://a@b/7"]
)
def test_a_run_that_is_no_plain_address_is_not_shown(run: str) -> None:
    assert links(Record(name="n", run_url=run)).run is None


@pytest.mark.parametrize("commit", ["HEAD", "a" * 6, "../../evil", COMMIT.upper()])
def test_a_commit_that_is_no_digest_has_no_page(commit: str) -> None:
    assert links(Record(name="n", repository="github.com/a/b", commit=commit)).commit is None
