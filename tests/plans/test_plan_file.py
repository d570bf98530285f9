"""Plan files: loading returns exactly the plan that was saved, or an error."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reconciler
from reconciler.errors import ReconcilerError
from reconciler.model import Checkout, Target, digests
from reconciler.planning.guard_input import Refusal
from reconciler.plans import plan_file
from reconciler.plans.action_documents import CancelDoc, CreateDoc, HoldDoc, KeepDoc
from reconciler.plans.checksum_envelope import MAX_BYTES
from reconciler.plans.document import FORMAT_VERSION, PlanDoc
from reconciler.plans.plan_file import decode, encode
from reconciler.text.timestamps import rfc3339
from tests.helpers.make import (
    FAILED,
    HEAD,
    NOW,
    PROJECT,
    SUCCEEDED,
    declared,
    hidden,
    intended,
    job,
    retrying,
    spec,
)
from tests.helpers.worlds import World, worlds

TARGET: Final = Target(base_url="https://api.mistral.ai", project=PROJECT)
A, B = spec("a"), spec("b", "w2")
BUSY: Final = World(
    specs=(
        A,
        B,
        hidden("c"),
        spec("d", "w4"),
        spec("e", "w5", retry=retrying(2)),
        spec("f", "w6", rerun="é"),
        spec("g", "w7", suspend=True),
    ),
    jobs=(
        job(spec("a", "w0"), "j1", completed_requests=7),
        job(B, "j2", SUCCEEDED, failed_requests=3),
        job(spec("gone", "w9"), "j3", completed_requests=4),
        job(spec("e", "w5"), "j5", FAILED, errors=("\u2028 no",)),
        job(spec("old", "w6", rerun="é"), "j6"),
    ),
    lines=(intended(spec("d", "w4"), "00000009", at=NOW - 0.1),),
)
"""Every kind of action and of change."""


def document(world: World = BUSY, **facts: Any) -> PlanDoc:  # noqa: ANN401 -- fields of several types
    given_facts: dict[str, Any] = {
        "target": TARGET,
        "checkout": Checkout(
            commit=HEAD, branch="main", uncommitted=frozenset({"specs/a.yaml", "data/w1.jsonl"})
        ),
        "declared": declared(*world.specs),
        "observed": world.observed,
        "refusals": (Refusal(guard="empty", message="no", hint="--allow-empty"),),
        "now": world.now,
    }
    return plan_file.plan_document(world.plan(), **given_facts | facts)


def resealed(plan: dict[str, Any] | list[Any]) -> bytes:
    """A plan file of any content with the right digest."""
    raw = msgspec.json.encode(plan)
    return json.dumps({"digest": f"sha256:{digests.sha256(raw)}", "plan": plan}).encode()


def opened(data: bytes) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(data)["plan"]
    return plan


def test_a_saved_plan_is_loaded_as_it_was() -> None:
    saved = document()
    kinds = {type(action) for decision in saved.decisions for action in decision.actions}
    assert kinds == {CreateDoc, CancelDoc, KeepDoc, HoldDoc}
    assert decode(encode(saved)) == saved


@given(worlds(), st.booleans())
def test_every_plan_survives_saving_and_loading(world: World, selected: bool) -> None:
    asked = declared(*world.specs, selected=["a"] if selected else None)
    saved = document(world, declared=asked)
    assert decode(encode(saved)) == saved


def test_two_runs_write_the_same_bytes() -> None:
    turned = replace(BUSY, jobs=BUSY.jobs[::-1], specs=BUSY.specs[::-1])
    assert encode(document(turned)) == encode(document())


def test_a_plan_file_is_text_that_a_person_can_read() -> None:
    data = encode(document())
    assert data.endswith(b"}\n")
    assert json.loads(data)["digest"].startswith("sha256:")
    assert opened(data)["format_version"] == FORMAT_VERSION
    assert max(map(len, data.splitlines())) < 120


def test_a_file_that_was_indented_otherwise_is_the_same_plan() -> None:
    saved = document()
    other = json.dumps(json.loads(encode(saved)), indent=4, ensure_ascii=False).encode()
    assert decode(other) == saved


def test_a_file_that_is_cut_at_any_byte_is_refused() -> None:
    data = encode(document())
    for kept in range(len(data) - 2):  # the last two bytes are the closing brace and a line feed
        with pytest.raises(ReconcilerError) as caught:
            decode(data[:kept])
        assert "reconciler plan -o" in caught.value.hint


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_a_file_with_any_byte_flipped_is_refused_or_means_the_same(flip: int) -> None:
    saved = document()
    data, same = encode(saved), 0
    for at, byte in enumerate(data):
        try:
            assert decode(data[:at] + bytes((byte ^ flip,)) + data[at + 1 :]) == saved
        except ReconcilerError:
            continue
        same += 1
    assert same <= data.count(b" ") + data.count(b"\n")  # nothing but white space may differ


@given(st.data())
def test_a_file_with_a_piece_replaced_is_refused_or_means_the_same(data: st.DataObject) -> None:
    saved = document()
    whole = encode(saved)
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(begin + 40, len(whole))))
    piece = data.draw(st.binary(max_size=40))
    with suppress(ReconcilerError):
        assert decode(whole[:begin] + piece + whole[end:]) == saved


@pytest.mark.parametrize(
    ("old", "new"), [(b'"j1"', b'"j9"'), (b'"removed"', b'"duplicate"'), (b'"attempt": 2', b'"attempt": 3')]
)
def test_a_plan_that_was_edited_is_refused(old: bytes, new: bytes) -> None:
    data = encode(document())
    assert old in data
    with pytest.raises(ReconcilerError, match="altered or truncated"):
        decode(data.replace(old, new))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"specs: []",
        b"\xff\xfe{}",
        b'{"digest": 7, "plan": {}}',
        b'{"digest": "sha256:", "plan": []}',
        b'{"digest": "sha256:"}',
        b"[" * 100_000,
        b'{"digest": "", "plan": ' + b"[" * 100_000,
        b'{"digest": "sha256:", "plan": {"format_version": "\xff"}}',
    ],
)
def test_what_is_no_plan_file_is_refused(data: bytes) -> None:
    with pytest.raises(ReconcilerError, match="plan file"):
        decode(data)


@given(st.binary() | st.text().map(str.encode))
def test_no_file_raises_anything_else(data: bytes) -> None:
    with pytest.raises(ReconcilerError):
        decode(data)


def test_a_file_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(ReconcilerError, match="too large"):
        decode(bytes(MAX_BYTES + 1))


def test_fields_of_a_later_version_are_ignored() -> None:
    saved = document()
    plan = opened(encode(saved))
    plan["format_version"] = "1.9"
    plan["colour"] = "green"
    plan["summary"]["colour"] = "green"
    plan["decisions"][0]["colour"] = {"deep": [1]}
    plan["decisions"][0]["actions"][0]["colour"] = None
    assert decode(resealed(plan)) == msgspec.structs.replace(saved, format_version="1.9")


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "11.0", None, 1, ["1"]])
def test_another_major_version_is_refused(version: object) -> None:
    plan = opened(encode(document()))
    plan["format_version"] = version
    with pytest.raises(ReconcilerError, match=r"format version|complete plan") as caught:
        decode(resealed(plan))
    assert caught.value.hint


def test_an_action_of_a_later_version_is_refused() -> None:
    plan = opened(encode(document()))
    plan["decisions"][0]["actions"][0]["action"] = "pause"
    with pytest.raises(ReconcilerError, match="complete plan"):
        decode(resealed(plan))


@pytest.mark.parametrize("field", ["target", "summary", "decisions", "tool_version", "created_at"])
def test_a_plan_without_a_part_is_refused(field: str) -> None:
    plan = opened(encode(document()))
    del plan[field]
    with pytest.raises(ReconcilerError, match="complete plan"):
        decode(resealed(plan))


# What a document says.


def test_a_document_says_where_it_was_made() -> None:
    made = document()
    assert made.tool_version == reconciler.__version__
    assert made.created_at == rfc3339(NOW) == "2027-01-15T08:00:00Z"
    assert (made.target.base_url, made.target.project, made.target.sandbox) == (
        "https://api.mistral.ai",
        PROJECT,
        False,
    )
    assert (made.commit, made.branch, made.dirty) == (HEAD, "main", True)
    assert made.guards[0].guard == "empty"


def test_a_document_counts_what_was_read() -> None:
    foreign = job(A, "j9", project="other")
    world = replace(BUSY, jobs=(*BUSY.jobs, foreign))
    made = document(world)
    assert (made.jobs_read, made.jobs_owned, made.selected, made.not_considered) == (6, 5, None, 0)
    asked = declared(*world.specs, selected=["a", "b"])
    made = plan_file.plan_document(
        world.plan(selected=frozenset({"a", "b"})),
        target=TARGET,
        checkout=Checkout(),
        declared=asked,
        observed=world.observed,
        refusals=(),
        now=NOW,
    )
    assert (made.selected, made.not_considered) == (2, 3)


def test_a_summary_counts_a_replacement_once() -> None:
    summary = document().summary
    assert msgspec.structs.asdict(summary) == {
        "create": 2,  # c, and e once more
        "replace": 1,  # a
        "cancel": 1,  # gone
        "hold": 2,  # d and g
        "unchanged": 2,  # b and f; not the name that f had
        "attention": 1,  # b
        "again": 1,  # g
        "requests": 20,
        "requests_unknown": 1,
        "requests_in_all": 20,
        "lost_answers": 11,
        "upload_bytes": 4,
        "cost": None,
        "cost_unknown": 3,  # nothing was estimated
    }


def test_a_create_says_what_it_sends_and_why() -> None:
    (create,) = (
        it for decision in document().decisions if decision.name == "a" for it in decision.of(CreateDoc)
    )
    assert (create.reason, create.work, create.rerun, create.attempt, create.requests) == (
        "changed",
        A.run_key.work,
        "",
        1,
        10,
    )
    assert [(it.path, it.bytes) for it in create.uploads] == [("data/w1.jsonl", 2)]
    assert [it.field for it in create.changes] == ["inputs"]


def test_a_decision_says_where_it_is_declared_and_its_notes() -> None:
    decisions = {it.name: it for it in document().decisions}
    assert decisions["a"].declared_at == "specs/a.yaml:1"
    assert decisions["gone"].declared_at == ""
    assert decisions["f"].notes[0] == "submitted as old"
    assert decisions["a"].pending
    assert decisions["b"].attention
    assert not decisions["g"].pending
    assert not decisions["g"].attention
    assert document().pending
