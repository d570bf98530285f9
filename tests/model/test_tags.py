"""Tags hold the state of the tool: reading returns what was written, and damaged tags are refused."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model import (
    Checks,
    InputFile,
    Job,
    OwnedJob,
    RunKey,
    Source,
    Tags,
    Terms,
    Unreadable,
    digests,
    tags,
)
from tests.helpers.make import ACTIVE, HEAD, PROJECT, broken, file_of, hidden, job, newer, owned, sha, spec

KEYS: Final = (
    tags.PROJECT,
    tags.NAME,
    tags.WORK,
    tags.INPUTS,
    tags.SETTINGS,
    tags.RUN,
    tags.SOURCE,
)
WORDS: Final = ("FAILED", "TIMEOUT_EXCEEDED", "error", "http_429", "http_4xx", "http_5xx", "missing")
NAMED: Final = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,99}", fullmatch=True)
PRINTABLE: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64)
DIGESTS: Final = st.binary(min_size=32, max_size=32).map(lambda raw: f"v1:{raw.hex()}")
ANYTHING: Final = st.text(st.characters(codec="utf-8"), max_size=600)

sources: Final = st.builds(
    Source,
    commit=st.sampled_from(("", "c" * 40, "c" * 64)),
    dirty=st.booleans(),
    branch=ANYTHING,
    actor=ANYTHING,
    repository=ANYTHING,
    root=ANYTHING.map(tags.root_of),
    pull=st.sampled_from(("", "12")),
    plan=st.sampled_from(("", "0" * 16, ",".join("0" * 16 for _ in range(20)))),
    event=ANYTHING,
    approver=ANYTHING,
    run_url=ANYTHING | st.just("https://ci.example.com/run?id=7&x=é " * 20),
)
shares: Final = st.floats(0, 1)
terms: Final = st.builds(
    Terms,
    max_attempts=st.integers(1, 10),
    on=st.lists(st.sampled_from(WORDS), min_size=1, unique=True).map(tuple),
    canary=st.integers(1, 10**6),
    checks=st.builds(Checks, failed=shares, invalid=shares, truncated=shares),
)
LONGEST: Final = Terms(
    max_attempts=10,
    on=WORDS,
    canary=10**6,
    checks=Checks(failed=1 / 3, invalid=2 / 3, truncated=1 / 7),
)

some_tags: Final = st.builds(
    Tags,
    project=NAMED,
    name=NAMED,
    run_key=st.builds(RunKey, DIGESTS, PRINTABLE),
    inputs=DIGESTS,
    requests=st.none() | st.integers(0, 10**15),
    input_prefixes=st.frozensets(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), max_size=80),
    settings=DIGESTS,
    attempt=st.integers(1, 99_999_999),
    terms=terms,
    op=st.from_regex(r"[0-9a-f]{24}", fullmatch=True),
    on_remove=st.sampled_from(("cancel", "keep")),
    lenders=st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True), max_size=3).map(tuple),
    request_digest=st.just("") | st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    recipe=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    resolved=st.just("") | NAMED,
    source=sources,
)


def with_metadata(pairs: dict[str, object]) -> Job:
    return replace(job(spec()), metadata=pairs)


@given(some_tags)
def test_identity_survives_writing_and_reading(written: Tags) -> None:
    read = tags.read(with_metadata(dict(tags.write(written))))
    assert isinstance(read, OwnedJob)
    cut = replace(
        read.tags,
        input_prefixes=written.input_prefixes,
        source=written.source,
        resolved=written.resolved,
    )
    assert cut == written
    assert read.tags.resolved in (written.resolved, "")
    assert read.tags.input_prefixes in (written.input_prefixes, frozenset())


@given(some_tags)
def test_the_source_is_read_as_it_was_written_or_left_out_if_it_does_not_fit(written: Tags) -> None:
    read = tags.read(with_metadata(dict(tags.write(written))))
    assert isinstance(read, OwnedJob)
    source = read.tags.source
    assert (source.commit, source.dirty) == (written.source.commit, written.source.dirty)
    assert source.actor in (written.source.actor, "")
    assert source.run_url in (written.source.run_url, "")
    assert source.branch in (written.source.branch, "")
    assert source.repository in (written.source.repository, "")
    parts = ("repository", "plan", "branch", "event", "approver", "run_url", "pull", "actor")
    written_parts = [part for part in parts if getattr(written.source, part)]
    kept = [getattr(source, part) == getattr(written.source, part) for part in written_parts]
    assert kept == sorted(kept), "what gives way first is gone before anything else"


@given(some_tags)
def test_tags_keep_the_limits_of_the_api(written: Tags) -> None:
    pairs = tags.write(written)
    assert set(pairs) <= set(KEYS)
    assert all(len(key) <= 32 for key in pairs)
    assert all(0 < len(value) <= 512 for value in pairs.values())
    assert all(value.isascii() and value.isprintable() for value in pairs.values())


def test_ids_of_replaced_jobs_give_way_to_what_the_job_was_asked() -> None:
    ids = frozenset(f"{number:08x}-0000-4000-8000-000000000000" for number in range(20))
    many = replace(
        owned(spec(rerun="%" * 64)).tags, attempt=99_999_999, terms=LONGEST, request_digest="f" * 32, over=ids
    )
    read = tags.read(with_metadata(dict(tags.write(many))))
    assert isinstance(read, OwnedJob)
    assert read.tags.request_digest == "f" * 32
    assert (read.tags.recipe, read.tags.attempt) == (spec().recipe, 99_999_999)
    assert 1 <= len(read.tags.over) < 20
    assert read.tags.over < ids


def test_the_recipe_is_pinned_and_has_endpoint_and_declared_model_or_agent() -> None:
    """A change of this number submits requests again: never bless it."""
    assert spec().recipe == spec("b", "w2", "x").recipe == "244794b0"
    others = (spec(model="other"), spec(endpoint="/v1/embeddings"), spec(model=None, agent_id="ag:1"))
    assert len({spec().recipe, *(it.recipe for it in others)}) == 4


def test_tags_are_exactly_seven_pairs() -> None:
    assert set(job(spec()).metadata) == set(KEYS)


def test_the_longest_identity_fits() -> None:
    longest = spec("n" * 100, rerun=" " * 64, on_remove="cancel")
    made = tags.tags_of(longest, project="p" * 100, attempt=10, op="f" * 24, source=Source(commit="c" * 64))
    pairs = tags.write(made)
    assert max(map(len, pairs.values())) <= 512
    read = tags.read(with_metadata(dict(pairs)))
    assert isinstance(read, OwnedJob)
    assert read.tags == made


def test_a_short_source_is_written_in_words() -> None:
    source = Source(commit=HEAD, dirty=True, actor="Zoë", run_url="https://ci.example.com/runs/7")
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=source)
    assert tags.write(made)[tags.SOURCE] == (
        f"commit={HEAD} dirty=yes actor=Zo%C3%AB run=https://ci.example.com/runs/7"
    )


def test_branch_and_repository_stand_beside_them() -> None:
    source = Source(commit=HEAD, branch="feat/x y", actor="ada", repository="github.com/acme/shop")
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=source)
    assert tags.write(made)[tags.SOURCE] == (
        f"commit={HEAD} branch=feat/x%20y actor=ada repo=github.com/acme/shop"
    )


def test_the_run_url_gives_way_before_the_actor() -> None:
    source = Source(commit=HEAD, actor="a" * 300, run_url="u" * 300)
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=source)
    assert tags.write(made)[tags.SOURCE] == f"commit={HEAD} actor={'a' * 300}"
    both = replace(made, source=replace(source, actor="a" * 600))
    assert tags.write(both)[tags.SOURCE] == f"commit={HEAD}"


@pytest.mark.parametrize(
    ("folder", "root"),
    [
        ("", ""),
        (".", ""),
        ("./services/search/", "services/search"),
        (".hidden/a", ".hidden/a"),
        ("größe/two words\nlines", "größe/two words\nlines"),
        ("d" * 300, "d" * 300),
        ("d" * 301, f"sha256:{sha256(b'd' * 301).hexdigest()}"),
        ("é" * 51, f"sha256:{sha256(('é' * 51).encode()).hexdigest()}"),
    ],
)
def test_the_root_is_read_as_it_was_written_and_never_gives_way(folder: str, root: str) -> None:
    assert tags.root_of(folder) == root
    source = Source(commit="c" * 64, root=root, actor="a" * 300, run_url="u" * 300)
    made = tags.tags_of(spec(), project=PROJECT, attempt=1, op="0" * 24, source=source)
    read = tags.read(with_metadata(dict(tags.write(made))))
    assert isinstance(read, OwnedJob)
    assert (read.tags.source.commit, read.tags.source.root) == ("c" * 64, root)
    assert len(tags.write(made)[tags.SOURCE]) <= 512


def test_the_parts_of_few_inputs_are_written_and_of_many_left_out() -> None:
    few = spec(inputs=tuple(file_of(f"f{at}") for at in range(40)))
    many = spec(inputs=tuple(file_of(f"f{at}") for at in range(60)))
    for it, kept in ((few, 40), (many, 0)):
        made = tags.tags_of(it, project=PROJECT, attempt=1, op="0" * 24, source=Source())
        read = tags.read(with_metadata(dict(tags.write(made))))
        assert isinstance(read, OwnedJob)
        assert len(read.tags.input_prefixes) == kept
        assert read.tags.requests == it.requests


def test_the_parts_are_left_out_only_if_they_do_not_fit() -> None:
    lengths = []
    for count in range(1, 70):
        it = spec(inputs=tuple(file_of(f"f{at}", requests=1) for at in range(count)))
        made = tags.tags_of(it, project=PROJECT, attempt=1, op="0" * 24, source=Source())
        value = tags.write(made)[tags.INPUTS]
        whole = f"{made.inputs} requests={count} parts={','.join(sorted(made.input_prefixes))}"
        assert value == (whole if len(whole) <= 512 else f"{made.inputs} requests={count}")
        lengths.append(len(whole))
    assert min(lengths) < 512 < max(lengths)


def test_an_unknown_number_of_requests_stays_unknown() -> None:
    read = tags.read(job(hidden()))
    assert isinstance(read, OwnedJob)
    assert read.tags.requests is None


def test_the_pairs_are_pinned() -> None:
    """Jobs that carry them run for days and are found by them: a change of form is a new version."""
    digest = "0" * 64
    made = Tags(
        project="search",
        name="nightly",
        run_key=RunKey(f"v1:{digest}", "2026-11 b=1"),
        inputs=f"v1:{digest}",
        requests=12,
        input_prefixes=frozenset({"bbbbbbbb", "aaaaaaaa"}),
        settings=f"v1:{digest}",
        attempt=2,
        terms=Terms(max_attempts=3, on=("FAILED", "missing"), canary=20, checks=Checks(failed=0.05)),
        op="0123456789abcdef01234567",
        on_remove="keep",
        source=Source(commit="c0ffee", actor="ada"),
    )
    assert tags.write(made) == {
        "reconciler.project": "search",
        "reconciler.name": "nightly",
        "reconciler.work": f"v1:{digest}",
        "reconciler.inputs": f"v1:{digest} requests=12 parts=aaaaaaaa,bbbbbbbb",
        "reconciler.settings": f"v1:{digest}",
        "reconciler.run": "v=1 attempt=2 cap=3 on=FAILED,missing canary=20 checks=0.05,0.0,1.0 "
        "op=0123456789abcdef01234567 rerun=2026-11%20b%3D1 on_remove=keep",
        "reconciler.source": "commit=c0ffee actor=ada",
    }


@pytest.mark.parametrize("word", ["", " cap=", " cap=many", " cap=-3", f" cap={'9' * 5000}"])
def test_a_job_without_a_readable_cap_has_the_smallest_one(word: str) -> None:
    read = tags.read(job(spec(), altered={tags.RUN: RUN + word}))
    assert isinstance(read, OwnedJob)
    assert read.tags.terms == Terms()


@pytest.mark.parametrize("word", ["", "canary=many", "canary=20 checks=", "canary=20 checks=many,0,1,7"])
def test_damaged_checks_in_tags_are_the_strictest(word: str) -> None:
    read = tags.read(job(spec(), altered={tags.RUN: f"{RUN} {word}"}))
    assert isinstance(read, OwnedJob)
    assert read.tags.terms.checks == Checks()


# What cannot be understood.

RUN: Final = "v=1 attempt=1 op=00000001 on_remove=cancel"

ALTERED: Final = {
    "no name": (tags.NAME, None),
    "a name in capitals": (tags.NAME, "Nightly"),
    "an empty name": (tags.NAME, ""),
    "a name that is too long": (tags.NAME, "n" * 101),
    "a name with a line feed": (tags.NAME, "a\n"),
    "a name that is no text": (tags.NAME, 7),
    "no work": (tags.WORK, None),
    "work in capitals": (tags.WORK, "v1:" + sha("w1").upper()),
    "work that is cut": (tags.WORK, ("v1:" + sha("w1"))[:-1]),
    "work without a version": (tags.WORK, sha("w1")),
    "work that is no text": (tags.WORK, ["v1"]),
    "no project": (tags.PROJECT, None),
    "a project that is no text": (tags.PROJECT, 7),
    "no run": (tags.RUN, None),
    "an empty run": (tags.RUN, ""),
    "a run that is no text": (tags.RUN, {"v": 1}),
    "a run without a version": (tags.RUN, RUN.removeprefix("v=1 ")),
    "version nought": (tags.RUN, RUN.replace("v=1", "v=0")),
    "a version that is no number": (tags.RUN, RUN.replace("v=1", "v=1.0")),
    "a run without an attempt": (tags.RUN, RUN.replace("attempt=1 ", "")),
    "attempt nought": (tags.RUN, RUN.replace("attempt=1", "attempt=0")),
    "a negative attempt": (tags.RUN, RUN.replace("attempt=1", "attempt=-1")),
    "an attempt without end": (tags.RUN, RUN.replace("attempt=1", f"attempt={'9' * 5000}")),
    "a run without an op": (tags.RUN, RUN.replace("op=00000001 ", "")),
    "an op that is cut": (tags.RUN, RUN.replace("op=00000001", "op=0000")),
    "an op with a space": (tags.RUN, RUN.replace("op=00000001", "op=0000%200001")),
    "a run without on_remove": (tags.RUN, RUN.replace(" on_remove=cancel", "")),
    "an unknown on_remove": (tags.RUN, RUN.replace("on_remove=cancel", "on_remove=perhaps")),
}


@pytest.mark.parametrize(("key", "value"), ALTERED.values(), ids=ALTERED.keys())
def test_altered_tags_are_unreadable(key: str, value: object) -> None:
    read = tags.read(job(spec(), altered={key: value}))
    assert isinstance(read, Unreadable)
    assert not read.from_newer_version
    assert key in read.problem


def test_tags_before_they_are_altered_are_readable() -> None:
    """Otherwise the table above would prove nothing."""
    assert isinstance(tags.read(job(spec(), altered={tags.RUN: RUN})), OwnedJob)


def test_an_unreadable_job_keeps_what_can_be_read() -> None:
    read = tags.read(broken(spec("a", rerun="2")))
    assert isinstance(read, Unreadable)
    assert read.name == "a"
    assert read.run_key == RunKey(spec("a").run_key.work, "")


@pytest.mark.parametrize(
    "altered",
    [
        {tags.RUN: "v=2"},
        {tags.RUN: f"v={'9' * 5000} attempt=1"},
        {tags.WORK: "v2:" + sha("w1")},
        {tags.WORK: "v1234:" + sha("w1")},
        {tags.RUN: "v=2", tags.NAME: None, tags.WORK: None},
    ],
    ids=["tags", "tags of a far future", "digest", "digest of a far future", "nothing else"],
)
def test_a_newer_tools_tags_are_called_newer(altered: dict[str, object | None]) -> None:
    read = tags.read(job(spec(), altered=altered))
    assert isinstance(read, Unreadable)
    assert read.from_newer_version


def test_a_newer_tools_job_keeps_its_name_and_its_work() -> None:
    read = tags.read(newer(spec("a")))
    assert isinstance(read, Unreadable)
    assert (read.name, read.run_key) == ("a", spec("a").run_key)


@pytest.mark.parametrize("key", [tags.INPUTS, tags.SETTINGS, tags.SOURCE])
def test_what_is_only_for_readers_may_be_lost(key: str) -> None:
    read = tags.read(job(spec(), altered={key: None}))
    assert isinstance(read, OwnedJob)
    assert read.tags.run_key == spec().run_key


def test_a_job_without_a_project_is_nobodys() -> None:
    assert tags.project_of(job(spec(), altered={tags.PROJECT: None})) is None
    assert tags.project_of(job(spec(), altered={tags.PROJECT: 7})) is None
    assert tags.project_of(job(spec())) == PROJECT


noise: Final = (
    st.none()
    | st.integers()
    | ANYTHING
    | st.lists(ANYTHING, max_size=2)
    | st.builds(
        " ".join,
        st.lists(
            st.sampled_from(
                (
                    "v=1",
                    "v=2",
                    "v=",
                    "v=²",
                    "v=٣",
                    "attempt=1",
                    "attempt=²",
                    "attempt=٣",
                    "op=00000001",
                    "op=%ff",
                    "rerun=%",
                    "rerun=%E2%82",
                    "on_remove=keep",
                    "requests=9",
                    "requests=²",
                    "parts=,,",
                    "=",
                    "dirty=yes",
                )
            )
        ),
    )
    | DIGESTS
)


@given(st.dictionaries(st.sampled_from(KEYS[1:]), noise), noise.filter(lambda it: isinstance(it, str)))
def test_no_metadata_raises(pairs: dict[str, object], project: object) -> None:
    read = tags.read(with_metadata({tags.PROJECT: project, **pairs}))
    if isinstance(read, OwnedJob):
        assert read.tags.attempt > 0
        assert read.tags.project == project
    else:
        assert read.problem


@given(some_tags, st.sampled_from((tags.NAME, tags.WORK, tags.RUN)), st.data())
def test_a_cut_tag_is_unreadable_or_means_the_same(written: Tags, key: str, data: st.DataObject) -> None:
    """A server that cuts values must not make one job look like another's."""
    pairs = tags.write(written)
    pairs[key] = pairs[key][: data.draw(st.integers(0, len(pairs[key]) - 1))]
    read = tags.read(with_metadata(dict(pairs)))
    if key == tags.NAME and isinstance(read, OwnedJob):
        assert read.tags.run_key == written.run_key
    else:
        assert isinstance(read, Unreadable)


@pytest.mark.parametrize("word", ["cancel", "keep"])
def test_on_remove_travels_with_the_job(word: Literal["cancel", "keep"]) -> None:
    read = tags.read(job(spec(on_remove=word), "j1", ACTIVE))
    assert isinstance(read, OwnedJob)
    assert read.tags.on_remove == word


def test_the_short_form_of_an_input_is_the_beginning_of_its_digest() -> None:
    part = InputFile(path="x", sha256=sha("x"), size=1, requests=1)
    assert tags.digest_prefix(part.identity) == sha("x")[:8]
    assert (
        digests.version_of(tags.tags_of(spec(), project="p", attempt=1, op="0" * 8, source=Source()).inputs)
        == "v1"
    )
