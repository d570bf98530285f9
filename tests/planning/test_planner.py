"""The planner's table, row by row: the specs, the jobs of the workspace and the ledger, and the expected decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from msgspec import structs
from msgspec.structs import replace

from reconciler.api.values import OddRow
from reconciler.ledger.lines import CancelEnded
from reconciler.ledger.memory import Doubt, Memory
from reconciler.model import (
    Checked,
    Checks,
    Declared,
    InlineRequests,
    Job,
    JobSpec,
    Observed,
    RunKey,
    Terms,
    digests,
    tags,
)
from reconciler.planning.actions import Change, Create, Hold, Plan, Reason
from reconciler.planning.case import Case
from reconciler.planning.coverage import Account, Donor
from reconciler.planning.group_by_name import group_by_name
from reconciler.planning.planner import RULES, plan, rule_for
from reconciler.planning.standing import Standing
from reconciler.planning.work import Work
from tests.helpers.donors import ended as donor
from tests.helpers.donors import known, letters, person, us, work
from tests.helpers.make import (
    CANCELLED,
    ELSEWHERE,
    FAILED,
    HEAD,
    NOW,
    STOPPING,
    SUCCEEDED,
    TIMED_OUT,
    UNKNOWN,
    adopting,
    broken,
    created,
    declared,
    ended,
    file_of,
    hidden,
    intended,
    job,
    meant,
    memory,
    newer,
    nobodys,
    reported,
    retrying,
    seen,
    sha,
    spec,
    stopped,
    untagged,
)

A, B = spec("a"), spec("b", "w2")
OLD = spec("a", "w0")
"""What `a` declared before."""
AGAIN = spec("a", rerun="2")
AGAIN_ELSEWHERE = spec("again", rerun="2")
ONCE = spec("a", retry=retrying(1))
TWICE = spec("a", retry=retrying(2))
KEEPING = spec("a", on_remove="keep")
FINISHING = spec("a", on_change="finish")
SUSPENDED = spec("a", suspend=True)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: a situation and the decisions about it, as `make.said` words them."""

    specs: tuple[JobSpec, ...] = (A,)
    jobs: tuple[Job, ...] = ()
    memory: Memory = field(default_factory=Memory)
    gone: tuple[str, ...] = ()
    odd: tuple[OddRow, ...] = ()
    checked: Mapping[str, Checked] = field(default_factory=dict)
    """The checks of the answers of jobs, by their ids."""
    contained_commits: tuple[str, ...] | None = (HEAD,)
    later: tuple[str, ...] = ()
    roots: tuple[str, ...] = ("",)
    works: Mapping[str, Work] = field(default_factory=dict)
    raised: bool = False
    """Whether the specs allow more attempts than when the jobs were created."""
    expected: Mapping[str, tuple[str, ...]]

    def asked(self) -> Declared:
        return declared(
            *self.specs,
            contained_commits=self.contained_commits,
            descendant_commits=self.later,
            roots=self.roots,
        )

    def terms(self, key: RunKey) -> Terms:
        """Return what the tags of a job say about going on."""
        of = next((spec.terms for spec in self.specs if key in spec.run_keys), Terms())
        return replace(of, max_attempts=of.max_attempts - self.raised)

    def seen(self) -> Observed:
        observed = seen(self.specs, *self.jobs, gone=self.gone, odd=self.odd)
        owned = (
            replace(it, tags=replace(it.tags, terms=self.terms(it.tags.run_key))) for it in observed.owned
        )
        return replace(
            observed, owned=tuple(replace(it, checked=self.checked.get(it.job.id)) for it in owned)
        )

    def plan(self, *, now: float = NOW) -> Plan:
        return plan(self.asked(), self.seen(), self.memory, works=self.works, now=now)

    def cases(self) -> list[Case]:
        """The case of each name."""
        return list(group_by_name(self.asked(), self.seen(), self.memory, works=self.works, now=NOW))


def test_nothing_to_do() -> None:
    assert Row(specs=(), expected={}).plan() == Plan(decisions=())
    running = Row(specs=(A, B), jobs=(job(A), job(B, "j2", SUCCEEDED)), expected={}).plan()
    assert reported(running) == {"a": ("keep j1 running",), "b": ("keep j2 succeeded",)}
    assert not running.pending
    assert not running.attention


UNTOUCHABLE = {
    "a job with damaged tags makes its name untouchable": Row(
        jobs=(broken(A), job(OLD, "j2")), expected={"a": ("hold j1 unreadable!",)}
    ),
    "a damaged job that has ended still holds a declared name": Row(
        jobs=(broken(A, "j1", FAILED),), expected={"a": ("hold j1 unreadable!",)}
    ),
    "a damaged live job of a name without a spec is held": Row(
        specs=(), jobs=(broken(A),), expected={"a": ("hold j1 unreadable!",)}
    ),
    "a damaged job that has ended and whose name has no spec is history": Row(
        specs=(), jobs=(broken(A, "j1", SUCCEEDED),), expected={}
    ),
    "a damaged job without a readable name is reported under its id": Row(
        specs=(B,),
        jobs=(job(A, altered={tags.NAME: "?", tags.RUN: None}), job(B, "j2")),
        expected={"b": ("keep j2 running",), "job-j1": ("hold j1 unreadable!",)},
    ),
    "a damaged job holds the name it carries and the name that wants its work": Row(
        specs=(A, B),
        jobs=(job(A, altered={tags.NAME: "b", tags.RUN: "v=1 attempt=0 op=00000001"}), job(B, "j2")),
        expected={"a": ("hold j1 unreadable!",), "b": ("hold j1 unreadable!",)},
    ),
    "a damaged job whose name and run are lost holds the name that wants its work": Row(
        specs=(A, AGAIN_ELSEWHERE, B),
        jobs=(job(A, altered={tags.NAME: None, tags.RUN: None}), job(B, "j2")),
        expected={
            "a": ("hold j1 unreadable!",),
            "again": ("hold j1 unreadable!",),
            "b": ("keep j2 running",),
        },
    ),
    "a damaged rerun does not hide whose work it is": Row(
        specs=(AGAIN_ELSEWHERE,),
        jobs=(job(AGAIN_ELSEWHERE, altered={tags.NAME: "other", tags.RUN: "v=1 attempt=1"}),),
        expected={"again": ("hold j1 unreadable!",), "other": ("hold j1 unreadable!",)},
    ),
    "a newer tool's job makes its name untouchable": Row(
        jobs=(newer(A), job(OLD, "j2")), expected={"a": ("hold j1 newer_tool!",)}
    ),
    "a newer tool's live job of a name without a spec is held": Row(
        specs=(), jobs=(newer(A),), expected={"a": ("hold j1 newer_tool!",)}
    ),
    "a work digest of the future is a newer tool's": Row(
        jobs=(job(A, altered={tags.WORK: "v2:" + sha("w1")}),), expected={"a": ("hold j1 newer_tool!",)}
    ),
    "damaged tags are reported before a newer tool": Row(
        jobs=(newer(A), broken(A, "j2")), expected={"a": ("hold j2 unreadable!",)}
    ),
    "a status of the future makes its name untouchable": Row(
        jobs=(job(A, "j1", UNKNOWN), job(OLD, "j2"), job(A, "j3")),
        expected={"a": ("hold j1 unknown_status!",)},
    ),
    "a status of the future holds a name without a spec": Row(
        specs=(), jobs=(job(A, "j1", UNKNOWN), job(A, "j2")), expected={"a": ("hold j1 unknown_status!",)}
    ),
    "a status of the future follows a rename": Row(
        specs=(spec("b"),),
        jobs=(job(A, "j1", UNKNOWN),),
        expected={"a": ("keep j1 renamed",), "b": ("hold j1 unknown_status!",)},
    ),
}

NOBODYS: dict[str, tuple[str, ...]] = {"job-x1": ("hold x1 unreadable!",)}

PERHAPS = {
    "a job of which nothing shows whose it is holds what is to be created": Row(
        specs=(A, B),
        jobs=(job(A),),
        odd=(nobodys(),),
        expected={"a": ("keep j1 running",), "b": ("hold x1 unreadable!",)} | NOBODYS,
    ),
    "a job of which nothing shows whose it is holds what would be restored": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        odd=(nobodys(),),
        expected={"a": ("hold x1 unreadable!",)} | NOBODYS,
    ),
    "a job of which nothing shows whose it is holds a retry": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED),),
        odd=(nobodys(),),
        expected={"a": ("hold x1 unreadable!",)} | NOBODYS,
    ),
    "what waits for a job waits for that first": Row(
        specs=(FINISHING,),
        jobs=(job(OLD),),
        odd=(nobodys(),),
        expected={"a": ("hold j1 waiting", "keep j1 running")} | NOBODYS,
    ),
}

ROOTS = {
    "a job from another folder is not removed": Row(
        specs=(), jobs=(job(A, root="b"),), expected={"a": ("hold j1 other_root!",)}
    ),
    "a job from the repository's root is not removed by a folder": Row(
        specs=(), jobs=(job(A),), roots=("b",), expected={"a": ("hold j1 other_root!",)}
    ),
    "a job of this folder is removed": Row(
        specs=(), jobs=(job(A, root="b"),), roots=("b",), expected={"a": ("cancel j1 removed",)}
    ),
    "a job from where the folder was before is removed": Row(
        specs=(), jobs=(job(A, root="b"),), roots=("c", "b"), expected={"a": ("cancel j1 removed",)}
    ),
    "a job from another folder is not suspended": Row(
        specs=(SUSPENDED,), jobs=(job(A, root="b"),), expected={"a": ("hold j1 other_root!",)}
    ),
    "a job from another folder is not superseded": Row(
        jobs=(job(OLD, root="b"),), expected={"a": ("hold j1 other_root!",)}
    ),
    "a job from another folder holds the name although its spec lets other work finish": Row(
        specs=(FINISHING,), jobs=(job(OLD, root="b"),), expected={"a": ("hold j1 other_root!",)}
    ),
    "what runs elsewhere is not submitted here, whatever its name": Row(
        jobs=(job(spec("z"), root="b"),), expected={"a": ("hold j1 other_root!",), "z": ("keep j1 renamed",)}
    ),
    "what is being cancelled elsewhere is not submitted here": Row(
        jobs=(job(A, "j1", STOPPING, root="b"),), expected={"a": ("hold j1 other_root!",)}
    ),
    "what has succeeded elsewhere is not submitted here": Row(
        jobs=(job(A, "j1", SUCCEEDED, root="b"),), expected={"a": ("keep j1 succeeded",)}
    ),
    "what has failed elsewhere counts as an attempt": Row(
        jobs=(job(A, "j1", FAILED, root="b"),), expected={"a": ("hold j1 failed!",)}
    ),
    "an ended job from elsewhere whose name is not declared is history": Row(
        specs=(), jobs=(job(A, "j1", SUCCEEDED, root="b"),), expected={}
    ),
    "an ended job from elsewhere prevents no other work of the name": Row(
        jobs=(job(OLD, "j1", SUCCEEDED, root="b"),), expected={"a": ("create changed 1",)}
    ),
    "of twins in two folders this one cancels its own if it is younger": Row(
        jobs=(job(A, age=700, root="b"), job(A, "j2")),
        expected={"a": ("hold j1 other_root!", "cancel j2 duplicate")},
    ),
    "of twins in two folders the other one's is not cancelled if it is younger": Row(
        jobs=(job(A, age=700), job(A, "j2", root="b")), expected={"a": ("hold j2 other_root!",)}
    ),
    "a twin of a success elsewhere is cancelled": Row(
        jobs=(job(A, "j1", SUCCEEDED, root="b"), job(A, "j2")),
        expected={"a": ("keep j1 succeeded", "cancel j2 duplicate")},
    ),
    "twins in two folders under a name without a spec: the younger one here is cancelled": Row(
        specs=(),
        jobs=(job(KEEPING, age=700, root="b"), job(KEEPING, "j2")),
        expected={"a": ("hold j1 other_root!", "cancel j2 duplicate")},
    ),
    "damaged tags are reported before another folder": Row(
        jobs=(broken(A), job(A, "j2", root="b")), expected={"a": ("hold j1 unreadable!",)}
    ),
    "a status of the future is reported before another folder": Row(
        jobs=(job(A, "j1", UNKNOWN), job(A, "j2", root="b")), expected={"a": ("hold j1 unknown_status!",)}
    ),
    "another folder is reported before another branch": Row(
        jobs=(job(OLD, commit=ELSEWHERE), job(A, "j2", root="b")), expected={"a": ("hold j2 other_root!",)}
    ),
    "what is adopted was submitted by hand, from no folder": Row(
        specs=(adopting(A),), jobs=(untagged(A),), roots=("b",), expected={"a": ("keep j1 adopted",)}
    ),
}

HISTORY = {
    "a job of another branch is not removed": Row(
        specs=(), jobs=(job(A, commit=ELSEWHERE),), expected={"a": ("hold j1 other_history",)}
    ),
    "a job of this very commit is removed": Row(
        specs=(), jobs=(job(A, commit=HEAD),), expected={"a": ("cancel j1 removed",)}
    ),
    "a job without a commit is removed": Row(
        specs=(), jobs=(job(A, commit=""),), expected={"a": ("cancel j1 removed",)}
    ),
    "outside of git a job with a commit is not removed": Row(
        specs=(), jobs=(job(A),), contained_commits=None, expected={"a": ("hold j1 other_history",)}
    ),
    "outside of git a job without a commit is removed": Row(
        specs=(), jobs=(job(A, commit=""),), contained_commits=None, expected={"a": ("cancel j1 removed",)}
    ),
    "one job of another branch holds its name's other jobs too": Row(
        specs=(),
        jobs=(job(A), job(OLD, "j2", commit=ELSEWHERE)),
        expected={"a": ("hold j2 other_history",)},
    ),
    "a job of another branch is not superseded, and its work is not replaced": Row(
        jobs=(job(OLD, commit=ELSEWHERE),), expected={"a": ("hold j1 other_history",)}
    ),
    "a job of another branch is not suspended": Row(
        specs=(SUSPENDED,), jobs=(job(A, commit=ELSEWHERE),), expected={"a": ("hold j1 other_history",)}
    ),
    "a job of another branch that runs the wanted work is simply kept": Row(
        jobs=(job(A, commit=ELSEWHERE),), expected={"a": ("keep j1 running",)}
    ),
    "a job of another branch may finish": Row(
        specs=(FINISHING,),
        jobs=(job(OLD, commit=ELSEWHERE),),
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
    "a checkout that is older than the last job of the name creates nothing": Row(
        jobs=(job(OLD, "j1", SUCCEEDED, commit="later"),),
        later=("later",),
        expected={"a": ("hold j1 checkout_behind",)},
    ),
    "an unknown commit, such as a squashed one, does not prevent a create": Row(
        jobs=(job(OLD, "j1", SUCCEEDED, commit="squashed"),),
        expected={"a": ("create changed 1",)},
    ),
    "a job that a later commit created for the declared work is kept": Row(
        jobs=(job(A, "j1", SUCCEEDED, commit="later"),),
        later=("later",),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "a duplicate of another branch is cancelled all the same": Row(
        jobs=(job(A, age=700), job(A, "j2", commit=ELSEWHERE)),
        expected={"a": ("keep j1 running", "cancel j2 duplicate")},
    ),
    "a kept job of another branch is held as kept": Row(
        specs=(), jobs=(job(KEEPING, commit=ELSEWHERE),), expected={"a": ("hold j1 kept",)}
    ),
    "a job of another branch that has ended does not prevent a create": Row(
        jobs=(job(OLD, "j1", SUCCEEDED, commit=ELSEWHERE),), expected={"a": ("create changed 1",)}
    ),
}

UNWANTED = {
    "suspending cancels every live job of the name": Row(
        specs=(SUSPENDED,),
        jobs=(job(A), job(OLD, "j2"), job(AGAIN, "j3"), job(A, "j4", SUCCEEDED)),
        expected={"a": ("cancel j1 suspended", "cancel j2 suspended", "cancel j3 suspended")},
    ),
    "a suspended spec without a live job is held": Row(
        specs=(SUSPENDED,), expected={"a": ("hold - suspended",)}
    ),
    "a suspended spec waits for nothing while its job stops": Row(
        specs=(SUSPENDED,), jobs=(job(A, "j1", STOPPING),), expected={"a": ("hold - suspended",)}
    ),
    "suspending reaches a job that was created under another name": Row(
        specs=(spec("b", suspend=True),),
        jobs=(job(A),),
        expected={"a": ("keep j1 renamed",), "b": ("cancel j1 suspended",)},
    ),
    "what is no longer declared is cancelled": Row(
        specs=(B,),
        jobs=(job(A), job(B, "j2")),
        expected={"a": ("cancel j1 removed",), "b": ("keep j2 running",)},
    ),
    "what is no longer declared and stopping already is left alone": Row(
        specs=(), jobs=(job(A, "j1", STOPPING),), expected={}
    ),
    "what has ended is history": Row(
        specs=(),
        jobs=tuple(
            job(A, f"j{at}", phase) for at, phase in enumerate((SUCCEEDED, FAILED, TIMED_OUT, CANCELLED))
        ),
        expected={},
    ),
    "the job's own tag decides whether it is kept": Row(
        specs=(), jobs=(job(KEEPING), job(OLD, "j2")), expected={"a": ("hold j1 kept", "cancel j2 removed")}
    ),
    "a rename creates nothing and cancels nothing": Row(
        specs=(spec("b"),), jobs=(job(A),), expected={"a": ("keep j1 renamed",), "b": ("keep j1 running",)}
    ),
    "a renamed spec whose work is asked for again is a rerun": Row(
        specs=(AGAIN_ELSEWHERE,), jobs=(job(A, "j1", SUCCEEDED),), expected={"again": ("create rerun 1",)}
    ),
    "a renamed spec's success is still its success": Row(
        specs=(spec("b"),),
        jobs=(job(A, "j1", SUCCEEDED),),
        expected={"a": ("keep j1 renamed",), "b": ("keep j1 succeeded",)},
    ),
    "after a rename the old name's jobs for undeclared work are cancelled": Row(
        specs=(spec("b"),),
        jobs=(job(A, age=700), job(OLD, "j2")),
        expected={"a": ("cancel j2 removed",), "b": ("keep j1 running",)},
    ),
    "swapping two names creates nothing and cancels nothing": Row(
        specs=(spec("a", "w2"), spec("b", "w1")),
        jobs=(job(A), job(B, "j2", SUCCEEDED)),
        expected={"a": ("keep j2 succeeded",), "b": ("keep j1 running",)},
    ),
    "a rename with a change is a removal and a new job": Row(
        specs=(spec("b", "w9"),),
        jobs=(job(A),),
        expected={"a": ("cancel j1 removed",), "b": ("create new 1",)},
    ),
    "a renamed failure keeps its attempts": Row(
        specs=(spec("b", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED), job(A, "j2", FAILED, attempt=2)),
        expected={"a": ("keep j1 renamed", "keep j2 renamed"), "b": ("create retry 3",)},
    ),
    "a renamed failure has no more attempts than before": Row(
        specs=(spec("b", retry=retrying(2)),),
        jobs=(job(A, "j1", FAILED, attempt=2),),
        expected={"a": ("keep j1 renamed",), "b": ("hold j1 failed!",)},
    ),
    "work that another spec took over belongs to that spec even if the spec has a job of its own": Row(
        specs=(spec("b"),),
        jobs=(job(A, age=700), job(spec("b", "w0"), "j2")),
        expected={"a": ("keep j1 renamed",), "b": ("keep j1 running", "cancel j2 superseded")},
    ),
    "a name that changes hands leaves both jobs alone": Row(
        specs=(A, spec("b", "w0")),
        jobs=(job(OLD), job(A, "j2")),
        expected={"a": ("keep j2 running",), "b": ("keep j1 running",)},
    ),
}

OTHER_WORK = {
    "changed work replaces what runs": Row(
        jobs=(job(OLD),), expected={"a": ("create changed 1", "cancel j1 superseded")}
    ),
    "changed work leaves what has ended": Row(
        jobs=(job(OLD, "j1", SUCCEEDED), job(OLD, "j2", STOPPING)), expected={"a": ("create changed 1",)}
    ),
    "changed work replaces everything that runs": Row(
        jobs=(job(OLD), job(spec("a", "w8"), "j2")),
        expected={"a": ("create changed 1", "cancel j1 superseded", "cancel j2 superseded")},
    ),
    "with on_change finish the running job ends first": Row(
        specs=(FINISHING,), jobs=(job(OLD),), expected={"a": ("hold j1 waiting", "keep j1 running")}
    ),
    "with on_change finish the new job is created once the old one has ended": Row(
        specs=(FINISHING,), jobs=(job(OLD, "j1", SUCCEEDED),), expected={"a": ("create changed 1",)}
    ),
    "with on_change finish both may run": Row(
        specs=(FINISHING,),
        jobs=(job(OLD), job(A, "j2")),
        expected={"a": ("keep j2 running", "keep j1 running")},
    ),
    "a rerun waits for the run that is under way": Row(
        specs=(AGAIN,), jobs=(job(A),), expected={"a": ("hold j1 waiting", "keep j1 running")}
    ),
    "a rerun follows a success": Row(
        specs=(AGAIN,), jobs=(job(A, "j1", SUCCEEDED),), expected={"a": ("create rerun 1",)}
    ),
    "a rerun follows a failure as its first attempt": Row(
        specs=(AGAIN,), jobs=(job(A, "j1", FAILED, attempt=3),), expected={"a": ("create rerun 1",)}
    ),
    "a rerun follows what a person stopped": Row(
        specs=(AGAIN,), jobs=(job(A, "j1", CANCELLED),), expected={"a": ("create rerun 1",)}
    ),
    "a rerun waits for every run of another rerun, also of other work and with on_change replace": Row(
        specs=(replace(AGAIN, on_change="replace"),),
        jobs=(job(A), job(OLD, "j2")),
        expected={"a": ("hold j1 waiting", "keep j1 running", "keep j2 running")},
    ),
    "two reruns of the same work may both run": Row(
        specs=(AGAIN,),
        jobs=(job(A), job(AGAIN, "j2")),
        expected={"a": ("keep j2 running", "keep j1 running")},
    ),
    "going back to work that has succeeded creates nothing": Row(
        jobs=(job(A, "j1", SUCCEEDED), job(spec("a", "w9"), "j2", SUCCEEDED)),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "going back to work that has succeeded stops the newer work": Row(
        jobs=(job(A, "j1", SUCCEEDED), job(spec("a", "w9"), "j2")),
        expected={"a": ("keep j1 succeeded", "cancel j2 superseded")},
    ),
}

DUPLICATES = {
    "of two live twins the older stays": Row(
        jobs=(job(A, "j1", age=500), job(A, "j2", age=501)),
        expected={"a": ("keep j2 running", "cancel j1 duplicate")},
    ),
    "of twins of one second the smaller id stays": Row(
        jobs=(job(A, "j3"), job(A, "j2"), job(A, "j1")),
        expected={"a": ("keep j1 running", "cancel j2 duplicate", "cancel j3 duplicate")},
    ),
    "twins under two names are twins": Row(
        jobs=(job(spec("b"), "j1", age=601), job(A, "j2")),
        expected={"a": ("keep j1 running", "cancel j2 duplicate"), "b": ("keep j1 renamed",)},
    ),
    "a live twin of a success is waste": Row(
        jobs=(job(A, "j1", age=900), job(A, "j2", SUCCEEDED)),
        expected={"a": ("keep j2 succeeded", "cancel j1 duplicate")},
    ),
    "of two successes the better one stands": Row(
        jobs=(job(A, "j1", SUCCEEDED, failed_requests=2), job(A, "j2", SUCCEEDED, failed_requests=0)),
        expected={"a": ("keep j2 succeeded",)},
    ),
    "of two successes the complete one stands": Row(
        jobs=(
            job(A, "j1", SUCCEEDED, succeeded_requests=8, total_requests=10, output_file="f"),
            job(A, "j2", SUCCEEDED, total_requests=10, failed_requests=0),
        ),
        expected={"a": ("keep j2 succeeded",)},
    ),
    "a success that answers fewer requests than were submitted needs a person": Row(
        jobs=(job(A, "j1", SUCCEEDED, succeeded_requests=8, total_requests=10, output_file="f"),),
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "a success without the file of its answers needs a person": Row(
        jobs=(job(A, "j1", SUCCEEDED, succeeded_requests=10, total_requests=10),),
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "missing answers are no failed requests, whatever `checks.failed` allows": Row(
        specs=(spec("a", checks=Checks(failed=1.0)),),
        jobs=(job(A, "j1", SUCCEEDED, succeeded_requests=8, total_requests=10, output_file="f"),),
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "a twin that is stopping is no duplicate any more": Row(
        jobs=(job(A), job(A, "j2", STOPPING)), expected={"a": ("keep j1 running",)}
    ),
    "a cancelled duplicate is not an attempt that a person stopped": Row(
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED)),
        memory=memory(*stopped("j2", "duplicate")),
        expected={"a": ("hold j1 failed!",)},
    ),
    "a cancelled duplicate does not hinder the retry of its twin": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED)),
        memory=memory(*stopped("j2", "duplicate")),
        expected={"a": ("create retry 2?",)},
    ),
    "a cancelled duplicate whose twin is gone proves that a job for the work was created": Row(
        jobs=(job(A, "j2", CANCELLED),),
        memory=memory(*stopped("j2", "duplicate")),
        expected={"a": ("hold j2 record_gone!",)},
    ),
    "a cancelled duplicate is not restored": Row(
        jobs=(job(A, "j1", CANCELLED), job(A, "j2", CANCELLED)),
        memory=memory(*stopped("j2", "duplicate")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
}

REUSING = spec("a", reuse=True)


def asked(job_id: str, letters: str) -> Donor:
    """A live job that was asked these requests."""
    return known(job_id, letters, Account.LIVE)


ON_CHANGE = {
    "a job whose requests are all wanted ends first": Row(
        specs=(REUSING,),
        jobs=(job(OLD),),
        works={"a": work("abcd", asked("j1", "abc"))},
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
    "a job of which half is wanted ends first": Row(
        specs=(REUSING,),
        jobs=(job(OLD),),
        works={"a": work("abxy", asked("j1", "abcd"))},
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
    "a job of which less than half is wanted stops before anything is created": Row(
        specs=(REUSING,),
        jobs=(job(OLD),),
        works={"a": work("axyz", asked("j1", "abcd"))},
        expected={"a": ("hold j1 waiting", "cancel j1 superseded")},
    ),
    "a job of which nothing is wanted is replaced, and the new one is created first": Row(
        specs=(REUSING,),
        jobs=(job(OLD),),
        works={"a": work("wxyz", asked("j1", "abcd"))},
        expected={"a": ("create changed 1", "cancel j1 superseded")},
    ),
    "if it is not known what a job was asked, it ends first": Row(
        specs=(REUSING,), jobs=(job(OLD),), expected={"a": ("hold j1 waiting", "keep j1 running")}
    ),
    "if all that a job was asked is answered by another, it is replaced": Row(
        specs=(REUSING,),
        jobs=(job(OLD), job(spec("a", "w8"), "j0", SUCCEEDED, age=700)),
        works={"a": work("abcd", donor("j0", letters(abc="")), asked("j1", "abc"))},
        expected={"a": ("create changed 1 1/4", "cancel j1 superseded")},
    ),
    "of two jobs that were asked the same the older one ends first": Row(
        specs=(REUSING,),
        jobs=(job(OLD, age=700), job(spec("a", "w8"), "j2")),
        works={"a": work("abcd", asked("j1", "abc"), asked("j2", "abc"))},
        expected={"a": ("hold j1 waiting", "keep j1 running", "cancel j2 superseded")},
    ),
    "with replace a job of which something is wanted stops before anything is created": Row(
        specs=(replace(REUSING, on_change="replace"),),
        jobs=(job(OLD),),
        works={"a": work("abcd", asked("j1", "abc"))},
        expected={"a": ("hold j1 waiting", "cancel j1 superseded")},
    ),
    "with replace a job of which it is not known what it was asked stops before anything is created": Row(
        specs=(replace(REUSING, on_change="replace"),),
        jobs=(job(OLD),),
        expected={"a": ("hold j1 waiting", "cancel j1 superseded")},
    ),
    "with finish a job of which nothing is wanted ends first": Row(
        specs=(replace(REUSING, on_change="finish"),),
        jobs=(job(OLD),),
        works={"a": work("wxyz", asked("j1", "abcd"))},
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
    "what a job that is stopping was asked is not submitted": Row(
        specs=(REUSING,),
        jobs=(job(OLD, "j1", STOPPING),),
        works={"a": work("abcd", asked("j1", "abc"))},
        expected={"a": ("hold j1 waiting",)},
    ),
    "a job that is stopping and was asked nothing that is wanted hinders nothing": Row(
        specs=(REUSING,),
        jobs=(job(OLD, "j1", STOPPING),),
        works={"a": work("wxyz", asked("j1", "abcd"))},
        expected={"a": ("create changed 1",)},
    ),
    "without reuse no answer of other work counts, so a job of it is replaced": Row(
        jobs=(job(OLD),), expected={"a": ("create changed 1", "cancel j1 superseded")}
    ),
    "a job of another model is replaced": Row(
        specs=(replace(REUSING, model="other"),),
        jobs=(job(OLD),),
        expected={"a": ("create changed 1", "cancel j1 superseded")},
    ),
    "beside a job of the wanted work other work is replaced": Row(
        specs=(REUSING,),
        jobs=(job(A, age=700), job(OLD, "j2")),
        expected={"a": ("keep j1 running", "cancel j2 superseded")},
    ),
    "beside a success of the wanted work other work is replaced": Row(
        specs=(REUSING,),
        jobs=(job(A, "j1", SUCCEEDED), job(OLD, "j2")),
        expected={"a": ("keep j1 succeeded", "cancel j2 superseded")},
    ),
    "what a cancelled duplicate was asked is not submitted before it has stopped": Row(
        specs=(replace(REUSING, on_change="finish"),),
        jobs=(job(OLD, "j0", SUCCEEDED, age=700), job(OLD)),
        works={"a": work("abc", donor("j0", letters(ab="", c="missing")), asked("j1", "abc"))},
        expected={"a": ("hold j1 waiting", "cancel j1 duplicate")},
    ),
    "nothing is submitted while a job that is asked it runs, not even what failed before": Row(
        specs=(replace(REUSING, retry=retrying(3)),),
        jobs=(job(A, "j0", TIMED_OUT, age=700, succeeded_requests=1, output_file="o"), job(OLD)),
        works={"a": work("abcd", donor("j0", letters(a="", b="missing")), asked("j1", "cd"))},
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
}

SETTLING = {
    "a create whose outcome is not known holds its work": Row(
        memory=memory(intended(A, "00000009", at=NOW - 59)), expected={"a": ("hold - unsettled",)}
    ),
    "a create that has settled without a job is made again": Row(
        memory=memory(intended(A, "00000009", at=NOW - 60)), expected={"a": ("create new 1",)}
    ),
    "a lost create that shows in the list is settled": Row(
        jobs=(job(A, "j1", FAILED, op="00000009"),),
        memory=memory(intended(A, "00000009")),
        expected={"a": ("hold j1 failed!",)},
    ),
    "a lost create that shows in the list may be retried": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED, op="00000009"),),
        memory=memory(intended(A, "00000009")),
        expected={"a": ("create retry 2",)},
    ),
    "an unsettled retry holds the next one": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(intended(A, "00000009", attempt=2)),
        expected={"a": ("hold - unsettled",)},
    ),
    "an unsettled create of work that runs is no matter": Row(
        jobs=(job(A),), memory=memory(intended(A, "00000009")), expected={"a": ("keep j1 running",)}
    ),
    "an unsettled create of work that succeeded is no matter": Row(
        jobs=(job(A, "j1", SUCCEEDED),),
        memory=memory(intended(A, "00000009")),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "an unsettled create of other work holds the name": Row(
        memory=memory(intended(OLD, "00000009", at=NOW - 59)), expected={"a": ("hold - unsettled",)}
    ),
    "an unsettled create of another rerun holds the name": Row(
        specs=(spec("a", rerun="2"),),
        jobs=(job(A, "j1", SUCCEEDED),),
        memory=memory(intended(spec("a", rerun="1"), "00000009")),
        expected={"a": ("hold - unsettled",)},
    ),
    "of two creates of one name the last to settle counts": Row(
        memory=memory(intended(OLD, "00000008", at=NOW - 59), intended(A, "00000009", at=NOW - 70)),
        expected={"a": ("hold - unsettled",)},
    ),
    "a create of other work that has settled without a job holds nothing": Row(
        memory=memory(intended(OLD, "00000009", at=NOW - 60)), expected={"a": ("create new 1",)}
    ),
    "a lost create of other work that shows in the list is decided as other work": Row(
        jobs=(job(OLD, "j1", op="00000009"),),
        memory=memory(intended(OLD, "00000009")),
        expected={"a": ("create changed 1", "cancel j1 superseded")},
    ),
    "an unsettled create of other work keeps what is not to be created": Row(
        jobs=(job(A, "j1", SUCCEEDED),),
        memory=memory(intended(OLD, "00000009")),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "an unsettled create of another name holds nothing": Row(
        specs=(A, B),
        memory=memory(intended(B, "00000009")),
        expected={"a": ("create new 1",), "b": ("hold - unsettled",)},
    ),
    "an unsettled create of a name that `reuse` lists holds the name": Row(
        specs=(spec("a", reuse=("b",)),),
        memory=memory(intended(B, "00000009")),
        expected={"a": ("hold - unsettled",)},
    ),
    "a create waits for one under a name that `reuse` lists": Row(
        specs=(spec("a", reuse=("b",)), B), expected={"a": ("hold - waiting",), "b": ("create new 1",)}
    ),
    "a create does not wait for one under a name that `reuse` lists, of another rerun": Row(
        specs=(spec("a", reuse=("b",), rerun="2"), B),
        expected={"a": ("create new 1",), "b": ("create new 1",)},
    ),
    "of creates that wait for each other the first goes on": Row(
        specs=(spec("a", reuse=("b",)), replace(B, reuse=("a",))),
        expected={"a": ("create new 1",), "b": ("hold - waiting",)},
    ),
    "a job that is stopping under a name that `reuse` lists is waited for": Row(
        specs=(spec("a", reuse=("b",)),),
        jobs=(job(B, "j1", STOPPING),),
        expected={"a": ("hold j1 waiting",)},
    ),
    "an unsettled create follows its work to another name": Row(
        specs=(spec("b"),), memory=memory(intended(A, "00000009")), expected={"b": ("hold - unsettled",)}
    ),
    "a job that is stopping is waited for": Row(
        jobs=(job(A, "j1", STOPPING),), expected={"a": ("hold j1 stopping",)}
    ),
    "a retry waits for a twin that is stopping": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED), job(A, "j2", STOPPING)),
        expected={"a": ("hold j2 stopping",)},
    ),
}

TWINS_OF_OLD_WORK = {
    "of twins that a rerun waits for the oldest stays": Row(
        specs=(AGAIN,),
        jobs=(job(A, "j1", age=900), job(A, "j2"), job(A, "j3", age=300)),
        expected={
            "a": ("hold j1 waiting", "keep j1 running", "cancel j2 duplicate", "cancel j3 duplicate"),
        },
    ),
    "of twins that changed work waits for the oldest stays": Row(
        specs=(FINISHING,),
        jobs=(job(OLD, "j2", age=300), job(OLD, "j1", age=900)),
        expected={"a": ("hold j1 waiting", "keep j1 running", "cancel j2 duplicate")},
    ),
    "twins of two old reruns are compared within each rerun": Row(
        specs=(spec("a", rerun="3"),),
        jobs=(job(A, "j1", age=900), job(AGAIN, "j2", age=800), job(A, "j3"), job(AGAIN, "j4", age=10)),
        expected={
            "a": (
                "hold j1 waiting",
                "keep j1 running",
                "keep j2 running",
                "cancel j3 duplicate",
                "cancel j4 duplicate",
            )
        },
    ),
    "a twin of old work that has succeeded is not waited for": Row(
        specs=(AGAIN,),
        jobs=(job(A, "j1", SUCCEEDED, age=900), job(A, "j2")),
        expected={"a": ("create rerun 1", "cancel j2 duplicate")},
    ),
    "twins of work that is replaced are superseded, both": Row(
        jobs=(job(OLD, "j1", age=900), job(OLD, "j2")),
        expected={"a": ("create changed 1", "cancel j1 superseded", "cancel j2 superseded")},
    ),
    "of twins that are kept and have no spec the oldest stays": Row(
        specs=(),
        jobs=(job(KEEPING, "j1", age=900), job(KEEPING, "j2")),
        expected={"a": ("hold j1 kept", "cancel j2 duplicate")},
    ),
    "a twin that is cancelled as removed is no reason to cancel the one that is kept": Row(
        specs=(),
        jobs=(job(A, "j1", age=900), job(KEEPING, "j2")),
        expected={"a": ("cancel j1 removed", "hold j2 kept")},
    ),
}

FORGOTTEN = {
    "a success whose record is gone is still a success": Row(
        memory=memory(created(A, "j1"), ended(A, "j1", SUCCEEDED)),
        gone=("j1",),
        expected={"a": ("keep - record_gone",)},
    ),
    "a job whose record was deleted before it ended is not created again": Row(
        memory=memory(created(A, "j1")), gone=("j1",), expected={"a": ("hold - record_gone!",)}
    ),
    "a failure whose record is gone counts as an attempt": Row(
        specs=(TWICE,),
        memory=memory(created(A, "j1"), ended(A, "j1", FAILED)),
        gone=("j1",),
        expected={"a": ("create retry 2?",)},
    ),
    "a failure whose record is gone leaves no attempt": Row(
        memory=memory(ended(A, "j1", FAILED)), gone=("j1",), expected={"a": ("hold - failed!",)}
    ),
    "a job that we cancelled and whose record is gone is restored": Row(
        memory=memory(created(A, "j1"), *stopped("j1", "suspended")),
        gone=("j1",),
        expected={"a": ("create restored 1?",)},
    ),
    "a job that we meant to cancel, perhaps in vain, and whose record is gone is not restored": Row(
        memory=memory(created(A, "j1"), meant("j1", "suspended")),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a job that we meant to cancel and that was seen cancelled may have been stopped by a person": Row(
        memory=memory(created(A, "j1"), meant("j1", "suspended"), ended(A, "j1", CANCELLED)),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a job that a person cancelled with this tool and whose record is gone is not restored": Row(
        memory=memory(created(A, "j1"), *stopped("j1", "by_hand")),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a duplicate that we cancelled and whose record is gone is nothing": Row(
        jobs=(job(A, "j2", FAILED),),
        memory=memory(created(A, "j1"), *stopped("j1", "duplicate")),
        gone=("j1",),
        expected={"a": ("hold j2 failed!",)},
    ),
    "a success that our cancel came too late for is a success when its record is gone": Row(
        memory=memory(created(A, "j1"), *stopped("j1", "superseded"), ended(A, "j1", SUCCEEDED)),
        gone=("j1",),
        expected={"a": ("keep - record_gone",)},
    ),
    "a failure that our cancel came too late for is an attempt when its record is gone": Row(
        memory=memory(created(A, "j1"), *stopped("j1", "suspended"), ended(A, "j1", FAILED)),
        gone=("j1",),
        expected={"a": ("hold - failed!",)},
    ),
    "a restored job whose record is gone is not created a third time": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(created(A, "j1"), *stopped("j1", "suspended"), created(A, "j2")),
        gone=("j2",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "an earlier attempt whose record is gone is no matter": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j2", FAILED, attempt=2),),
        memory=memory(created(A, "j1")),
        gone=("j1",),
        expected={"a": ("create retry 3",)},
    ),
    "a later attempt whose record is gone is not made again": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(created(A, "j2", attempt=2)),
        gone=("j2",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a record that is gone does not matter while its twin runs": Row(
        jobs=(job(A),), memory=memory(created(A, "j2")), gone=("j2",), expected={"a": ("keep j1 running",)}
    ),
    "a record of other work that is gone is no matter": Row(
        memory=memory(created(OLD, "j1")), gone=("j1",), expected={"a": ("create new 1",)}
    ),
}

CANCELS = {
    "what a person stopped stays stopped": Row(
        jobs=(job(A, "j1", CANCELLED),), expected={"a": ("hold j1 cancelled!",)}
    ),
    "what a person stopped with this tool stays stopped": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED)),
        memory=memory(*stopped("j1", "by_hand")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "what we removed comes back when it is declared again": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(*stopped("j1", "removed")),
        expected={"a": ("create restored 1?",)},
    ),
    "what we suspended comes back": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(*stopped("j1", "suspended")),
        expected={"a": ("create restored 1?",)},
    ),
    "what we superseded comes back when the work comes back": Row(
        jobs=(job(A, "j1", CANCELLED), job(OLD, "j2")),
        memory=memory(*stopped("j1", "superseded")),
        expected={"a": ("create restored 1?", "cancel j2 superseded")},
    ),
    "without a ledger the tag of the job that replaced it shows that we stopped it": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        expected={"a": ("create restored 1",)},
    ),
    "without a ledger the tag counts under whatever name the replacement was created": Row(
        specs=(spec("b"),),
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j0", "j1"))),
        expected={"a": ("keep j1 renamed",), "b": ("create restored 1",)},
    ),
    "a ledger that only saw the end of a job does not know who stopped it, and its replacement's tag does": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        memory=memory(ended(A, "j1", CANCELLED)),
        expected={"a": ("create restored 1",)},
    ),
    "without a ledger a later job of other work proves nothing": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a later job of other work proves nothing of a job that the ledger knows": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100)),
        memory=memory(created(A, "j1"), created(OLD, "j2")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a later rerun and back again proves nothing": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(AGAIN, "j2", SUCCEEDED, age=100)),
        memory=memory(created(A, "j1"), created(AGAIN, "j2")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "what a person stopped stays stopped under another spec's name": Row(
        specs=(spec("b"), spec("c", "w3")),
        jobs=(
            job(A, "j1", CANCELLED, age=900),
            job(OLD, "j2", SUCCEEDED, age=100),
            job(spec("c", "w3"), "j3"),
        ),
        memory=memory(created(A, "j1"), created(OLD, "j2")),
        expected={"a": ("keep j1 renamed",), "b": ("hold j1 cancelled!",), "c": ("keep j3 running",)},
    ),
    "a tag that says it replaced a job proves nothing if the ledger knows the job": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        memory=memory(created(A, "j1"), created(OLD, "j2")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "nor if the ledger knows only the intent to create it": Row(
        jobs=(
            job(A, "j1", CANCELLED, age=900, op="00000009"),
            job(OLD, "j2", SUCCEEDED, age=100, over=("j1",)),
        ),
        memory=memory(intended(A, "00000009")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a cancel of ours that was intended and perhaps never sent proves nothing": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(created(A, "j1"), meant("j1", "suspended")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "nor does it prove anything if that is all that the ledger has about the job": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        memory=memory(meant("j1", "superseded")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a job whose cancel failed, and that has stopped all the same, may have been stopped by a person": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(
            created(A, "j1"),
            meant("j1", "suspended"),
            CancelEnded(at=NOW, run_id="r1", job_id="j1", status="CANCELLED", error="503"),
        ),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a cancel by hand that the API accepted is a person's, whatever was intended later": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(*stopped("j1", "by_hand", run_id="r0"), meant("j1", "removed", at=NOW + 9)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a duplicate that we perhaps cancelled in vain may have been stopped by a person": Row(
        jobs=(job(A, "j1", FAILED, age=900), job(A, "j2", CANCELLED)),
        memory=memory(created(A, "j2"), meant("j2", "duplicate")),
        expected={"a": ("hold j2 cancelled!",)},
    ),
    "a restored job carries the attempt of the job that was stopped, even if earlier attempts are gone": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j2", CANCELLED, attempt=2),),
        memory=memory(*stopped("j2", "removed")),
        expected={"a": ("create restored 2?",)},
    ),
    "what comes back carries no more than the most attempts": Row(
        specs=(ONCE,),
        jobs=(job(A, "j2", CANCELLED, attempt=2),),
        memory=memory(*stopped("j2", "removed")),
        expected={"a": ("create restored 1?",)},
    ),
    "without a ledger an earlier job of other work shows nothing": Row(
        jobs=(job(A, "j1", CANCELLED, age=100), job(OLD, "j2", SUCCEEDED, age=900)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "without a ledger a later job of another name shows nothing": Row(
        specs=(A, B),
        jobs=(job(A, "j1", CANCELLED, age=900), job(spec("b", "w7"), "j2", age=1), job(B, "j3")),
        expected={
            "a": ("hold j1 cancelled!",),
            "b": ("keep j3 running", "cancel j2 superseded"),
        },
    ),
    "a cancel of ours that was refused did not stop it": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(meant("j1", "removed"), CancelEnded(at=NOW, run_id="r1", job_id="j1", error="409")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "the newest attempt counts, not an older one that a person stopped": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", CANCELLED), job(A, "j2", FAILED, attempt=2)),
        expected={"a": ("create retry 3",)},
    ),
    "an older job that a person stopped counts if nothing was created since": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(
            job(A, "j1", CANCELLED, age=900, completed_at=int(NOW) - 100),
            job(A, "j2", FAILED, age=800),
        ),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "an older job that was stopped before the newest attempt does not count": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(
            job(A, "j1", CANCELLED, age=900, completed_at=int(NOW) - 850),
            job(A, "j2", FAILED, age=800, attempt=2),
        ),
        expected={"a": ("create retry 3",)},
    ),
    "an adopted job that a person stopped counts beside a job of ours that came before that": Row(
        specs=(adopting(TWICE),),
        jobs=(
            untagged(A, "j1", CANCELLED, age=900, completed_at=int(NOW) - 100),
            job(A, "j2", FAILED, age=800),
        ),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a person stopped the work even if a younger twin of the job failed": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", CANCELLED, age=900), job(A, "j2", FAILED, age=800)),
        memory=memory(created(A, "j1"), created(A, "j2")),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "a retry that a person stopped stays stopped": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED, attempt=2)),
        expected={"a": ("hold j2 cancelled!",)},
    ),
    "what a person stopped goes on once the spec allows another attempt": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", CANCELLED),),
        raised=True,
        expected={"a": ("create retry 1",)},
    ),
    "a retry that a person stopped goes on once the spec allows another attempt": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED, attempt=2)),
        raised=True,
        expected={"a": ("create retry 2",)},
    ),
    "an adopted job that a person stopped stays stopped whatever the spec allows": Row(
        specs=(adopting(TWICE),),
        jobs=(untagged(A, "j1", CANCELLED),),
        raised=True,
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "what was restored and then stopped by a person stays stopped": Row(
        jobs=(job(A, "j1", CANCELLED, attempt=3, age=900), job(A, "j2", CANCELLED, age=100)),
        memory=memory(*stopped("j1", "suspended")),
        expected={"a": ("hold j2 cancelled!",)},
    ),
    "what was restored and then failed is not restored again": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", CANCELLED, attempt=3, age=900), job(A, "j2", FAILED, age=100)),
        memory=memory(*stopped("j1", "suspended")),
        expected={"a": ("create retry 2?",)},
    ),
    "a retry that we suspended comes back as the same attempt": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED, attempt=2)),
        memory=memory(*stopped("j2", "suspended")),
        expected={"a": ("create restored 2?",)},
    ),
    "a retry that we suspended does not come back if no attempt is left": Row(
        specs=(ONCE,),
        jobs=(job(A, "j1", FAILED), job(A, "j2", CANCELLED, attempt=2)),
        memory=memory(*stopped("j2", "suspended")),
        expected={"a": ("hold j2 failed!",)},
    ),
}

FAILURES = {
    "a failure is reported once its one attempt is used": Row(
        specs=(ONCE,), jobs=(job(A, "j1", FAILED),), expected={"a": ("hold j1 failed!",)}
    ),
    "a failure needs a person unless the spec names it": Row(
        jobs=(job(A, "j1", FAILED),), expected={"a": ("hold j1 failed!",)}
    ),
    "a timeout is retried once unless the spec says otherwise": Row(
        jobs=(job(A, "j1", TIMED_OUT),), expected={"a": ("create retry 2",)}
    ),
    "a second timeout needs a person unless the spec says otherwise": Row(
        jobs=(job(A, "j1", TIMED_OUT, age=900), job(A, "j2", TIMED_OUT, attempt=2)),
        expected={"a": ("hold j2 failed!",)},
    ),
    "a failure is retried while attempts are left": Row(
        specs=(TWICE,), jobs=(job(A, "j1", FAILED),), expected={"a": ("create retry 2",)}
    ),
    "a timeout is retried while attempts are left": Row(
        specs=(TWICE,), jobs=(job(A, "j1", TIMED_OUT),), expected={"a": ("create retry 2",)}
    ),
    "a failure that is not listed is not retried": Row(
        specs=(spec("a", retry=retrying(3, TIMED_OUT)),),
        jobs=(job(A, "j1", FAILED),),
        expected={"a": ("hold j1 failed!",)},
    ),
    "a timeout that is not listed is not retried": Row(
        specs=(spec("a", retry=retrying(3, FAILED)),),
        jobs=(job(A, "j1", TIMED_OUT),),
        expected={"a": ("hold j1 failed!",)},
    ),
    "the attempts in the tags count": Row(
        specs=(TWICE,), jobs=(job(A, "j1", FAILED, attempt=2),), expected={"a": ("hold j1 failed!",)}
    ),
    "the failed jobs count where the tags say less": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED), job(A, "j2", FAILED)),
        expected={"a": ("hold j2 failed!",)},
    ),
    "the attempts in memory count": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(ended(A, "j0", FAILED, attempt=2)),
        gone=("j0",),
        expected={"a": ("hold j1 failed!",)},
    ),
    "a failed job and its failed twin, whose record is gone, are two attempts": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(ended(A, "j0", FAILED)),
        gone=("j0",),
        expected={"a": ("hold j1 failed!",)},
    ),
    "a job that was deleted before a run saw its end counts beside the attempts of another runner": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j2", FAILED), job(A, "j3", FAILED, attempt=2)),
        memory=memory(created(A, "j1")),
        gone=("j1",),
        expected={"a": ("hold j3 failed!",)},
    ),
    "what we cancelled before it was deleted is no failed attempt": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j2", FAILED), job(A, "j3", FAILED, attempt=2)),
        memory=memory(created(A, "j1"), *stopped("j1", "removed")),
        gone=("j1",),
        expected={"a": ("create retry 3?",)},
    ),
    "a failed job that the ledger remembers too is one attempt": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(ended(A, "j1", FAILED)),
        expected={"a": ("create retry 2",)},
    ),
    "a failure of another rerun is no attempt": Row(
        specs=(spec("a", rerun="2", retry=retrying(2)),),
        jobs=(job(A, "j1", FAILED, age=900), job(AGAIN, "j2", FAILED)),
        expected={"a": ("create retry 2",)},
    ),
    "a failure with answers inside is not retried": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED, succeeded_requests=1),),
        expected={"a": ("hold j1 partial!",)},
    ),
    "a timeout with answers inside is not retried": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", TIMED_OUT, succeeded_requests=9),),
        expected={"a": ("hold j1 partial!",)},
    ),
    "an early attempt with answers inside stops later retries": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j1", FAILED, succeeded_requests=5), job(A, "j2", FAILED, attempt=2)),
        expected={"a": ("hold j1 partial!",)},
    ),
    "a job that was cancelled as a duplicate proves that the work was submitted, even if both are gone": Row(
        memory=memory(created(A, "j1"), *stopped("j1", "duplicate")),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a failure with an output file is not retried, whatever its counters say": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED, output_file="f1"),),
        expected={"a": ("hold j1 partial!",)},
    ),
    "a timeout with an output file is not retried, whatever its counters say": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", TIMED_OUT, output_file="f1", total_requests=0),),
        expected={"a": ("hold j1 partial!",)},
    ),
    "a failure that had an output file is not retried once its record is gone": Row(
        specs=(TWICE,),
        memory=memory(created(A, "j1"), ended(A, "j1", FAILED, output_file="f1")),
        gone=("j1",),
        expected={"a": ("hold - partial!",)},
    ),
    "a failure that had answers is not retried once its record is gone": Row(
        specs=(TWICE,),
        memory=memory(ended(A, "j1", TIMED_OUT, succeeded_requests=2)),
        gone=("j1",),
        expected={"a": ("hold - partial!",)},
    ),
    "a failure that had answers is not retried if its record shows none later": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED),),
        memory=memory(ended(A, "j1", FAILED, succeeded_requests=2)),
        expected={"a": ("hold - partial!",)},
    ),
    "a failure that had only errors is retried once its record is gone": Row(
        specs=(TWICE,),
        memory=memory(created(A, "j1"), ended(A, "j1", FAILED, failed_requests=2)),
        gone=("j1",),
        expected={"a": ("create retry 2?",)},
    ),
    "a failure whose every answer failed is retried": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED, failed_requests=9, completed_requests=9),),
        expected={"a": ("create retry 2",)},
    ),
    "a success wants attention where too many requests failed": Row(
        jobs=(job(A, "j1", SUCCEEDED, failed_requests=1),), expected={"a": ("keep j1 succeeded!",)}
    ),
    "a success is good enough at exactly `checks.failed`": Row(
        specs=(spec("a", checks=Checks(failed=0.1)),),
        jobs=(job(A, "j1", SUCCEEDED, failed_requests=1),),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "an invalid answer needs attention": Row(
        jobs=(job(A, "j1", SUCCEEDED),),
        checked={"j1": Checked(answers=10, invalid=1, truncated=0, words="1 invalid")},
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "a success is good enough at exactly `checks.invalid`": Row(
        specs=(spec("a", checks=Checks(invalid=0.1)),),
        jobs=(job(A, "j1", SUCCEEDED),),
        checked={"j1": Checked(answers=10, invalid=1, truncated=0, words="1 invalid")},
        expected={"a": ("keep j1 succeeded",)},
    ),
    "truncated answers are accepted": Row(
        jobs=(job(A, "j1", SUCCEEDED),),
        checked={"j1": Checked(answers=10, invalid=0, truncated=10, words="10 truncated")},
        expected={"a": ("keep j1 succeeded",)},
    ),
    "more truncated answers than `checks.truncated` need attention": Row(
        specs=(spec("a", checks=Checks(truncated=0.1)),),
        jobs=(job(A, "j1", SUCCEEDED),),
        checked={"j1": Checked(answers=10, invalid=0, truncated=2, words="2 truncated")},
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "answers that were not pulled are not known to be invalid": Row(
        specs=(spec("a", checks=Checks(truncated=0.0)),),
        jobs=(job(A, "j1", SUCCEEDED),),
        expected={"a": ("keep j1 succeeded",)},
    ),
    "a spec without any job gets its first": Row(expected={"a": ("create new 1",)}),
    "a job for work of unknown size can be created": Row(
        specs=(hidden(),), expected={"a": ("create new 1",)}
    ),
    "another project's jobs are none of ours": Row(
        jobs=(job(A, project="other"), job(OLD, "j2", project="other")), expected={"a": ("create new 1",)}
    ),
    "jobs without our tags are none of ours": Row(
        jobs=(job(A, altered=dict.fromkeys((tags.PROJECT, tags.NAME, tags.WORK, tags.RUN))),),
        expected={"a": ("create new 1",)},
    ),
}

BY_HAND = untagged(A)
OF_A = adopting(A)
FOREIGN = "11111111"

ADOPTED = {
    "an adopted job that runs is the job of its work": Row(
        specs=(OF_A,), jobs=(BY_HAND,), expected={"a": ("keep j1 adopted",)}
    ),
    "an adopted job that has succeeded is the job of its work": Row(
        specs=(OF_A,), jobs=(untagged(A, "j1", SUCCEEDED),), expected={"a": ("keep j1 adopted",)}
    ),
    "an adopted success with too many failures needs a person": Row(
        specs=(OF_A,),
        jobs=(untagged(A, "j1", SUCCEEDED, failed_requests=1, succeeded_requests=9),),
        expected={"a": ("keep j1 adopted!",)},
    ),
    "an adopted failure counts as the first attempt": Row(
        specs=(adopting(TWICE),), jobs=(untagged(A, "j1", FAILED),), expected={"a": ("create retry 2",)}
    ),
    "an adopted failure is reported once no attempt is left": Row(
        specs=(OF_A,), jobs=(untagged(A, "j1", FAILED),), expected={"a": ("hold j1 failed!",)}
    ),
    "an adopted job that a person stopped stays stopped, whatever came after it": Row(
        specs=(OF_A,),
        jobs=(untagged(A, "j1", CANCELLED), job(OLD, "j2", SUCCEEDED, age=60)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "what a person stopped stays stopped, whatever is adopted that came after it": Row(
        specs=(adopting(A, "j2", work=OLD),),
        jobs=(job(A, "j1", CANCELLED, age=900), untagged(OLD, "j2", SUCCEEDED, age=60)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "an adopted job that is being stopped is waited for": Row(
        specs=(OF_A,), jobs=(untagged(A, "j1", STOPPING),), expected={"a": ("hold j1 stopping",)}
    ),
    "an adopted job of an unknown status makes its name untouchable": Row(
        specs=(OF_A,), jobs=(untagged(A, "j1", UNKNOWN),), expected={"a": ("hold j1 unknown_status!",)}
    ),
    "a job of ours that runs comes before an adopted one, older or not": Row(
        specs=(OF_A,), jobs=(untagged(A, age=900), job(A, "j2")), expected={"a": ("keep j2 running",)}
    ),
    "a job of ours that has succeeded comes before an adopted one": Row(
        specs=(OF_A,), jobs=(BY_HAND, job(A, "j2", SUCCEEDED)), expected={"a": ("keep j2 succeeded",)}
    ),
    "an adopted job that runs comes before one of ours that failed": Row(
        specs=(adopting(TWICE),), jobs=(BY_HAND, job(A, "j2", FAILED)), expected={"a": ("keep j1 adopted",)}
    ),
    "changed work waits for the adopted job and does not stop it": Row(
        specs=(adopting(A, work=OLD),),
        jobs=(untagged(OLD),),
        expected={"a": ("hold j1 waiting", "keep j1 running")},
    ),
    "changed work gets a job once the adopted job has ended": Row(
        specs=(adopting(A, work=OLD),),
        jobs=(untagged(OLD, "j1", SUCCEEDED),),
        expected={"a": ("create changed 1",)},
    ),
    "a rerun waits for the adopted job": Row(
        specs=(adopting(AGAIN),), jobs=(BY_HAND,), expected={"a": ("hold j1 waiting", "keep j1 running")}
    ),
    "a rerun is created once the adopted job has ended": Row(
        specs=(adopting(AGAIN),), jobs=(untagged(A, "j1", SUCCEEDED),), expected={"a": ("create rerun 1",)}
    ),
    "a suspended spec does not stop the job that it adopts": Row(
        specs=(adopting(SUSPENDED),), jobs=(BY_HAND,), expected={"a": ("hold j1 suspended",)}
    ),
    "a suspended spec stops what is ours beside the job that it adopts": Row(
        specs=(adopting(SUSPENDED),),
        jobs=(BY_HAND, job(OLD, "j2")),
        expected={"a": ("cancel j2 suspended", "hold j1 suspended")},
    ),
    "an adopted failure that came later undoes no person's cancel": Row(
        specs=(adopting(TWICE, "j2"),),
        jobs=(job(A, "j1", CANCELLED, age=900), untagged(A, "j2", FAILED, age=600)),
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "an adopted failure undoes no person's cancel of another adopted job": Row(
        specs=(adopting(TWICE, "j2"), adopting(spec("b", rerun="2"), "j1", work=A)),
        jobs=(untagged(A, "j1", CANCELLED, age=900), untagged(A, "j2", FAILED, age=600)),
        expected={"a": ("hold j1 cancelled!",), "b": ("create new 1",)},
    ),
    "an adopted job whose spec is gone does not exist": Row(specs=(), jobs=(BY_HAND,), expected={}),
    "an adopted job that does not exist creates nothing": Row(
        specs=(OF_A,), expected={"a": ("hold - not_adopted!",)}
    ),
    "an adopted job of another project creates nothing": Row(
        specs=(OF_A,), jobs=(job(A, project="other"),), expected={"a": ("hold - not_adopted!",)}
    ),
    "a job of ours that did other work is not adopted": Row(
        specs=(OF_A, B), jobs=(job(B),), expected={"a": ("hold - not_adopted!",), "b": ("keep j1 running",)}
    ),
    "to adopt what is ours already changes nothing": Row(
        specs=(adopting(TWICE),), jobs=(job(A, "j1", FAILED),), expected={"a": ("create retry 2",)}
    ),
    "a job of another model is not adopted": Row(
        specs=(OF_A,),
        jobs=(structs.replace(BY_HAND, model="other"),),
        expected={"a": ("hold - not_adopted!",)},
    ),
    "a job of another endpoint is not adopted": Row(
        specs=(OF_A,),
        jobs=(structs.replace(BY_HAND, endpoint="/v1/ocr"),),
        expected={"a": ("hold - not_adopted!",)},
    ),
    "a job of another number of requests is not adopted": Row(
        specs=(OF_A,),
        jobs=(structs.replace(BY_HAND, total_requests=11),),
        expected={"a": ("hold - not_adopted!",)},
    ),
    "a job of other uploaded files is not adopted": Row(
        specs=(adopting(hidden()),),
        jobs=(structs.replace(untagged(hidden()), input_files=(FOREIGN,)),),
        expected={"a": ("hold - not_adopted!",)},
    ),
    "an adopted job that is gone is no matter once one of ours has done its work": Row(
        specs=(OF_A,), jobs=(job(A, "j2", SUCCEEDED),), expected={"a": ("keep j2 succeeded",)}
    ),
    "an adopted job that is gone is no matter once other work is declared": Row(
        specs=(adopting(A, work=OLD),), expected={"a": ("create new 1",)}
    ),
    "a job that one spec adopts counts for the spec that declares its work": Row(
        specs=(adopting(spec("b", "w2"), work=A), A),
        jobs=(BY_HAND,),
        expected={"a": ("keep j1 adopted",), "b": ("create new 1",)},
    ),
}

FORGED = {
    "a cancel that only the ledger knows makes a job that a person stopped come back, in doubt": Row(
        jobs=(job(A, "j1", CANCELLED),),
        memory=memory(created(A, "j1"), *stopped("j1", "removed")),
        expected={"a": ("create restored 1?",)},
    ),
    "the tag of the replacement shows the same, and there is no doubt": Row(
        jobs=(job(A, "j1", CANCELLED, age=900), job(OLD, "j2", SUCCEEDED, age=100, over=("j1",))),
        memory=memory(created(A, "j1"), *stopped("j1", "superseded")),
        expected={"a": ("create restored 1",)},
    ),
    "a cancel that the ledger knows as a duplicate's does not undo a person's without doubt": Row(
        specs=(TWICE,),
        jobs=(job(A, "j1", FAILED, age=900), job(A, "j2", CANCELLED)),
        memory=memory(created(A, "j1"), created(A, "j2"), *stopped("j2", "duplicate")),
        expected={"a": ("create retry 2?",)},
    ),
    "an older job that a person stopped counts, unless only the ledger says that it was us": Row(
        specs=(TWICE,),
        jobs=(
            job(A, "j1", CANCELLED, age=900, completed_at=int(NOW) - 850),
            job(A, "j2", FAILED, age=800),
        ),
        memory=memory(created(A, "j1"), created(A, "j2"), *stopped("j1", "removed")),
        expected={"a": ("create retry 2?",)},
    ),
    "a later failure does not hide that a job without a record had succeeded": Row(
        specs=(TWICE,),
        memory=memory(created(A, "j1"), ended(A, "j1", SUCCEEDED), ended(A, "j1", FAILED, at=NOW + 1)),
        gone=("j1",),
        expected={"a": ("keep - record_gone",)},
    ),
    "a line that gives a job without a record other work does not hide its own": Row(
        memory=memory(created(A, "j1"), ended(OLD, "j1", FAILED, at=NOW - 9), created(OLD, "j1", at=NOW - 8)),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "a line that gives a job without a record a lower attempt does not make it an earlier one": Row(
        specs=(spec("a", retry=retrying(3)),),
        jobs=(job(A, "j2", FAILED, attempt=2),),
        memory=memory(ended(A, "j1", CANCELLED, at=1), created(A, "j1", attempt=2)),
        gone=("j1",),
        expected={"a": ("hold - record_gone!",)},
    ),
    "an intent of the same op for other work hides none": Row(
        memory=memory(intended(A, "00000009"), intended(OLD, "00000009", at=NOW + 1)),
        expected={"a": ("hold - unsettled",)},
    ),
    "a line of a newer version that may be about any name leaves every create in doubt": Row(
        specs=(A, B),
        memory=Memory(doubts=(Doubt("f:1"),)),
        expected={"a": ("create new 1?",), "b": ("create new 1?",)},
    ),
    "a line of a newer version about a name leaves its create in doubt": Row(
        specs=(A, B),
        memory=Memory(doubts=(Doubt("f:1", name="a"),)),
        expected={"a": ("create new 1?",), "b": ("create new 1",)},
    ),
    "a line of a newer version about some work leaves its create in doubt under any name": Row(
        specs=(A, B),
        memory=Memory(doubts=(Doubt("f:1", name="x", work=B.run_key.work),)),
        expected={"a": ("create new 1",), "b": ("create new 1?",)},
    ),
    "a line of a newer version changes nothing but creates": Row(
        specs=(A,),
        jobs=(job(A), job(OLD, "j2")),
        memory=Memory(doubts=(Doubt("f:1"),)),
        expected={"a": ("keep j1 running", "cancel j2 superseded")},
    ),
}

WHOLE = letters(abc="")
SOME = letters(ab="", c="missing")
PART = (1, 3, 2)
"""One request of three, of which two were answered before."""
CANARY_PART = (1, 3, 0)
BY_REQUEST = {
    "a success with failed requests that may be retried submits them alone": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, failed_requests=1),),
        works={"a": work("abc", donor("j1", SOME))},
        expected={"a": ("create retry 2 1/3",)},
    ),
    "a job that timed out with some answers submits the others": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", donor("j1", letters(ab="", c="TIMEOUT_EXCEEDED")))},
        expected={"a": ("create retry 2 1/3",)},
    ),
    "without results it is held, because they show what is answered": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        expected={"a": ("hold j1 partial!",)},
    ),
    "a part that answers the rest completes the work": Row(
        specs=(TWICE,),
        jobs=(
            job(TWICE, "j1", TIMED_OUT, age=900, succeeded_requests=2, output_file="o"),
            job(TWICE, "j2", SUCCEEDED, attempt=2, part=PART),
        ),
        expected={"a": ("keep j2 succeeded",)},
    ),
    "a part that runs is no duplicate of a success that is not complete": Row(
        specs=(TWICE,),
        jobs=(
            job(TWICE, "j1", SUCCEEDED, age=900, failed_requests=1, succeeded_requests=2),
            job(TWICE, "j2", attempt=2, part=PART),
        ),
        expected={"a": ("keep j2 running",)},
    ),
    "a part that runs beside a complete work is one": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, age=900), job(TWICE, "j2", attempt=2, part=PART)),
        expected={"a": ("keep j1 succeeded", "cancel j2 duplicate")},
    ),
    "of two parts that run the oldest stays, whatever their numbers": Row(
        specs=(TWICE,),
        jobs=(
            job(TWICE, "j1", TIMED_OUT, age=900, succeeded_requests=2, output_file="o"),
            job(TWICE, "j2", attempt=2, age=300, part=PART),
            job(TWICE, "j3", attempt=3, age=200, part=PART),
        ),
        expected={"a": ("keep j2 running", "cancel j3 duplicate")},
    ),
    "of two parts that run the oldest stays": Row(
        specs=(TWICE,),
        jobs=(
            job(TWICE, "j1", TIMED_OUT, age=900, succeeded_requests=2, output_file="o"),
            job(TWICE, "j2", attempt=2, age=300, part=PART),
            job(TWICE, "j3", attempt=2, age=200, part=PART),
        ),
        expected={"a": ("keep j2 running", "cancel j3 duplicate")},
    ),
    "a part that failed without results is held": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j2", FAILED, attempt=2, part=PART),),
        expected={"a": ("hold - results_needed!",)},
    ),
    "results that were not read are a bound": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", known("j1", "abc", Account.UNREAD))},
        expected={"a": ("create retry 2 3/3",)},
    ),
    "results that were not read of the last attempt are needed": Row(
        jobs=(job(A, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", known("j1", "abc", Account.UNREAD), cap=1)},
        expected={"a": ("hold - results_needed!",)},
    ),
    "a part whose create may still take effect is waited for": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, failed_requests=1, succeeded_requests=2),),
        memory=memory(created(TWICE, "j1", at=NOW - 600), intended(TWICE, "0000000j2", attempt=2)),
        works={"a": work("abc", donor("j1", SOME))},
        expected={"a": ("hold - unsettled",)},
    ),
    "a success whose failures are not retried is kept": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, failed_requests=1, succeeded_requests=2),),
        works={"a": work("abc", donor("j1", letters(ab="", c="http_400")))},
        expected={"a": ("keep j1 succeeded!",)},
    ),
    "a failure that is not retried is incomplete": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", donor("j1", letters(ab="", c="http_400")))},
        expected={"a": ("hold - incomplete!",)},
    ),
    "answers of several jobs complete the work, whatever their counts say": Row(
        specs=(TWICE,),
        jobs=(
            job(TWICE, "j1", TIMED_OUT, age=900, succeeded_requests=2, output_file="o"),
            job(TWICE, "j2", TIMED_OUT, attempt=2, part=PART, succeeded_requests=1, output_file="o"),
        ),
        works={"a": work("abc", donor("j1", SOME), donor("j2", letters(c="")))},
        expected={"a": ("keep j2 succeeded",)},
    ),
    "a canary goes on with the rest": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, part=CANARY_PART),),
        works={"a": work("abc", donor("j1", letters(a="")), canary=1)},
        expected={"a": ("create part 2 2/3",)},
    ),
    "a canary that failed holds the rest": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, part=CANARY_PART, failed_requests=1),),
        works={"a": work("abc", donor("j1", letters(a="http_400")), canary=1)},
        expected={"a": ("hold - canary_failed!",)},
    ),
    "a canary without results is held": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, part=CANARY_PART),),
        expected={"a": ("hold - results_needed!",)},
    ),
    "results that may not be complete are waited for": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", known("j1", "abc", Account.LATE))},
        expected={"a": ("hold - answers_late",)},
    ),
    "lost answers are not submitted again": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", SUCCEEDED, failed_requests=1, succeeded_requests=2),),
        works={"a": work("abc", known("j1", "abc", Account.GONE))},
        expected={"a": ("hold - answers_gone!",)},
    ),
    "what a person cancelled stays cancelled, and its answers are kept": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", CANCELLED, succeeded_requests=2, output_file="o"),),
        works={"a": work("abc", person("j1", letters(ab="", c="cancelled")))},
        expected={"a": ("hold j1 cancelled!",)},
    ),
    "what this tool cancelled goes on without what is answered": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", CANCELLED, succeeded_requests=2, output_file="o"),),
        memory=memory(created(TWICE, "j1", at=NOW - 600), *stopped("j1", "suspended")),
        works={"a": work("abc", us("j1", letters(ab="", c="cancelled")))},
        expected={"a": ("create part 2? 1/3",)},
    ),
    "a record that is gone is held first": Row(
        specs=(TWICE,),
        jobs=(job(TWICE, "j1", TIMED_OUT, succeeded_requests=2, output_file="o"),),
        memory=memory(created(TWICE, "j2", at=NOW - 600, attempt=2)),
        gone=("j2",),
        works={"a": work("abc", donor("j1", SOME))},
        expected={"a": ("hold - record_gone!",)},
    ),
}

TABLE = (
    FORGED
    | BY_REQUEST
    | ADOPTED
    | UNTOUCHABLE
    | PERHAPS
    | ROOTS
    | HISTORY
    | UNWANTED
    | OTHER_WORK
    | DUPLICATES
    | ON_CHANGE
    | SETTLING
    | TWINS_OF_OLD_WORK
    | FORGOTTEN
    | CANCELS
    | FAILURES
)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_the_table(row: Row) -> None:
    assert reported(row.plan()) == row.expected


def test_the_table_reaches_every_reason() -> None:
    reached = {
        word.rstrip("!")
        for row in TABLE.values()
        for said in row.expected.values()
        for word in " ".join(said).split()
    }
    elsewhere = {Reason.QUOTA, Reason.SAME_WORK, Reason.NOT_AGREED, Reason.HELD_BACK, Reason.INPUT_NEEDED}
    assert set(Reason) - elsewhere <= reached, "these have tests of their own"


def test_the_table_reaches_every_rule() -> None:
    reached = {rule_for(case).standing for row in TABLE.values() for case in row.cases()}
    assert reached == {rule.standing for rule in RULES}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_exactly_one_rule_applies_to_a_name(row: Row) -> None:
    for case in row.cases():
        assert len([rule.standing for rule in RULES if rule.applies(case)]) == 1


def test_every_reason_is_explained() -> None:
    assert all(reason.explanation for reason in Reason)


def test_every_rule_has_a_standing_of_its_own_and_says_what_it_does() -> None:
    elsewhere = {Standing.NO_ROOM, Standing.NOT_AGREED, Standing.HELD_BACK, Standing.INPUT_NEEDED}
    assert {rule.standing for rule in RULES} == set(Standing) - elsewhere, "these have tests of their own"
    assert len({rule.standing for rule in RULES}) == len(RULES)
    assert all(rule.case and rule.outcome and rule.decide.__doc__ for rule in RULES)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_whatever_has_a_hold_that_a_person_must_see_reports_what_to_do(row: Row) -> None:
    holds = row.plan().of(Hold)
    assert all(hold.hint for hold in holds if hold.attention)


# Selections.


def test_a_selection_decides_only_what_was_asked_for() -> None:
    jobs = (job(OLD), job(spec("gone", "w5"), "j2"), job(spec("b", "w9"), "j3"))
    decided = plan(declared(A, B, selected=["b"]), seen((A, B), *jobs), Memory(), now=NOW)
    assert reported(decided) == {"b": ("create changed 1", "cancel j3 superseded")}
    assert decided.not_considered == 2


def test_a_selection_removes_nothing() -> None:
    gone = spec("gone", "w5")
    decided = plan(declared(A, selected=["a", "gone"]), seen((A,), job(gone)), Memory(), now=NOW)
    assert reported(decided) == {"a": ("create new 1",)}
    assert decided.not_considered == 1


def test_a_selection_knows_the_specs_that_were_not_asked_for() -> None:
    renamed = spec("b")
    decided = plan(declared(renamed, selected=[]), seen((renamed,), job(A)), Memory(), now=NOW)
    assert reported(decided) == {}
    decided = plan(declared(renamed, selected=["b"]), seen((renamed,), job(A)), Memory(), now=NOW)
    assert reported(decided) == {"b": ("keep j1 running",)}


# What a decision says.


def notes(
    *specs: JobSpec, jobs: tuple[Job, ...], now: float = NOW, uncommitted: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    decided = plan(declared(*specs, uncommitted=uncommitted), seen(specs, *jobs), Memory(), now=now)
    return {decision.name: decision.notes for decision in decided.decisions if decision.notes}


def test_changed_settings_are_a_note_and_create_nothing() -> None:
    labelled = spec("a", metadata={"team": "search"})
    assert notes(labelled, jobs=(job(A),)) == {
        "a": ("settings changed (metadata, timeout_hours or on_remove): they take effect with the next job",)
    }
    assert notes(labelled, jobs=(job(labelled),)) == {}


def test_a_running_job_that_carries_another_on_remove_is_a_note() -> None:
    carried = "the running job still has on_remove=cancel"
    assert carried in notes(KEEPING, jobs=(job(A),))["a"]
    assert carried not in notes(KEEPING, jobs=(job(A, "j1", SUCCEEDED),))["a"]


def test_a_job_past_its_timeout_by_more_than_an_hour_is_a_note() -> None:
    late = NOW - 600 + 25 * 3600
    assert notes(A, jobs=(job(A),), now=late) == {}
    assert notes(A, jobs=(job(A),), now=late + 1) == {"a": ("past its timeout of 24 h by more than an hour",)}
    assert notes(A, jobs=(job(A, "j1", SUCCEEDED),), now=late + 1) == {}


def test_a_renamed_job_says_what_it_was_created_as() -> None:
    assert notes(spec("b"), jobs=(job(A),)) == {"b": ("submitted as a",)}
    assert notes(AGAIN_ELSEWHERE, jobs=(job(A, "j1", SUCCEEDED),)) == {"again": ("submitted before as a",)}


def test_what_a_create_reads_and_git_does_not_hold_is_a_note() -> None:
    unseen = "has uncommitted changes; other machines will not see them"
    files = ("data/w1.jsonl", "specs/a.yaml", "data/other.jsonl")
    assert notes(A, jobs=(), uncommitted=files) == {
        "a": (f"specs/a.yaml {unseen}", f"data/w1.jsonl {unseen}")
    }
    assert notes(A, jobs=(job(A),), uncommitted=files) == {}
    # Of a submodule, git names only the folder.
    assert notes(A, jobs=(), uncommitted=("data", "specs/a")) == {"a": (f"data/w1.jsonl {unseen}",)}


def create_of(*specs: JobSpec, jobs: tuple[Job, ...]) -> Create:
    (create,) = plan(declared(*specs), seen(specs, *jobs), Memory(), now=NOW).of(Create)
    return create


def test_a_change_says_which_file_changed() -> None:
    assert create_of(A, jobs=(job(OLD),)).changes == (
        Change("inputs", "10 requests", "10 requests: data/w1.jsonl changed"),
    )


def test_a_change_of_many_files_says_how_many() -> None:
    four = spec("a", inputs=tuple(file_of(f"f{at}", requests=1) for at in range(4)))
    assert create_of(four, jobs=(job(OLD),)).changes == (
        Change("inputs", "10 requests", "4 requests: 4 files changed"),
    )


def test_a_file_that_is_no_longer_an_input_is_a_change_of_the_inputs() -> None:
    both = spec("a", inputs=(file_of("w0"), file_of("w1")))
    assert create_of(A, jobs=(job(both),)).changes == (Change("inputs", "20 requests", "10 requests"),)


def test_a_change_from_an_unknown_number_of_requests_says_so() -> None:
    assert create_of(A, jobs=(job(hidden()),)).changes == (
        Change("inputs", "unknown", "10 requests: data/w1.jsonl changed"),
    )


def test_a_change_says_every_part_that_changed() -> None:
    other = spec("a", rerun="2", endpoint="/v1/embeddings", model=None, agent_id="ag-1")
    assert create_of(other, jobs=(job(A, "j1", SUCCEEDED),)).changes == (
        Change("endpoint", "/v1/chat/completions", "/v1/embeddings"),
        Change("model", "mistral-small-latest", "none"),
        Change("agent_id", "none", "ag-1"),
        Change("rerun", "none", "2"),
    )


def test_a_rerun_says_from_which_to_which() -> None:
    assert create_of(AGAIN, jobs=(job(A, "j1", SUCCEEDED),)).changes == (Change("rerun", "none", "2"),)
    assert create_of(A, jobs=(job(AGAIN, "j1", SUCCEEDED),)).changes == (Change("rerun", "2", "none"),)


def test_a_change_is_reported_against_the_newest_job() -> None:
    newest = spec("a", "w9", rerun="7")
    jobs = (job(newest, "j1", SUCCEEDED, age=1), job(OLD, "j2", SUCCEEDED, age=2))
    assert create_of(A, jobs=jobs).changes[-1] == Change("rerun", "7", "none")


def test_one_inline_request_is_one_request() -> None:
    inline = spec("a", inputs=(InlineRequests(body=b"[]", count=1),))
    assert create_of(inline, jobs=(job(OLD),)).changes == (Change("inputs", "10 requests", "1 request"),)


def test_work_that_differs_only_in_its_digest_is_still_reported() -> None:
    other = job(A, altered={tags.WORK: "v1:" + sha("?")})
    (change,) = create_of(A, jobs=(other,)).changes
    assert change.field == "work"


def test_an_unsettled_hold_says_until_when() -> None:
    (hold,) = Row(memory=memory(intended(A, "00000009", at=NOW - 20)), expected={}).plan().of(Hold)
    assert hold.until == NOW + 40


@pytest.mark.parametrize("jobs", [(job(A, "j1", SUCCEEDED),), ()], ids=["listed", "deleted"])
def test_a_suspended_name_whose_work_has_succeeded_says_so_and_offers_no_run(jobs: tuple[Job, ...]) -> None:
    known = memory(created(A, "j1"), ended(A, "j1", SUCCEEDED))
    row = Row(specs=(SUSPENDED,), jobs=jobs, memory=known, gone=() if jobs else ("j1",), expected={})
    (hold,) = row.plan().of(Hold)
    assert (hold.reason, hold.detail, hold.hint) == (Reason.SUSPENDED, "job j1 has succeeded", "")


def test_a_suspended_name_whose_work_has_not_succeeded_says_how_to_run_it() -> None:
    (hold,) = Row(specs=(SUSPENDED,), jobs=(job(A, "j1", CANCELLED),), expected={}).plan().of(Hold)
    assert (hold.detail, hold.hint) == ("", "set `suspend: false` to let it run")


def test_a_failure_says_what_the_api_says() -> None:
    (hold,) = (
        Row(jobs=(job(A, "j1", FAILED, errors=("no such model", "twice")),), expected={}).plan().of(Hold)
    )
    assert hold.detail == "failed 1 of 2 attempts: no such model; twice"
    assert hold.hint == "to try again: reconciler rerun a"


def test_a_last_timeout_is_called_one() -> None:
    (hold,) = Row(specs=(ONCE,), jobs=(job(ONCE, "j1", TIMED_OUT),), expected={}).plan().of(Hold)
    assert hold.detail == "failed 1 of 1 attempts, the last by its timeout"


def test_another_folder_is_named_with_both_ways_out() -> None:
    (hold,) = Row(specs=(), jobs=(job(A, root="services/b"),), expected={}).plan().of(Hold)
    assert hold.detail == "submitted from services/b"
    assert "give each folder its own `project`" in hold.hint
    assert "set `moved_from: [services/b]`" in hold.hint
    (hold,) = Row(specs=(), jobs=(job(A),), roots=("services/b",), expected={}).plan().of(Hold)
    assert hold.detail == "submitted from the repository's root, or outside of git"
    assert "set `moved_from: [.]`" in hold.hint


def test_a_success_from_another_folder_says_so() -> None:
    (decision,) = Row(jobs=(job(A, "j1", SUCCEEDED, root="services/b"),), expected={}).plan().decisions
    assert decision.notes == ("submitted from services/b",)


def test_another_history_says_which_commit_and_what_to_do() -> None:
    (hold,) = Row(specs=(), jobs=(job(A, commit=ELSEWHERE),), expected={}).plan().of(Hold)
    assert hold.detail == f"created from commit {ELSEWHERE}, which this checkout does not contain"
    assert "reconciler jobs cancel j1" in hold.hint
    (hold,) = Row(specs=(), jobs=(job(A),), contained_commits=None, expected={}).plan().of(Hold)
    assert hold.detail == f"created from commit {HEAD}, and this folder is not a git checkout"


# More than one version of the work digest.


def second(**facts: object) -> str:
    """A second form of the work digest."""
    return f"v2:{sha(repr(sorted(facts.items())))}"


@pytest.fixture
def two_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(digests.WORK_DIGESTS, "v2", second)


@pytest.mark.usefixtures("two_versions")
def test_a_spec_is_compared_under_the_version_that_a_job_carries() -> None:
    written = job(A, altered={tags.WORK: A.work("v1")})
    wanted = spec("a")
    assert wanted.run_key == RunKey(wanted.work("v2"), "")
    assert wanted.run_key.work.startswith("v2:")
    assert reported(plan(declared(wanted), seen((wanted,), written), Memory(), now=NOW)) == {
        "a": ("keep j1 running",)
    }


@pytest.mark.usefixtures("two_versions")
def test_twins_of_two_digest_versions_are_twins() -> None:
    wanted = spec("a")
    jobs = (job(wanted, "j1", age=700, altered={tags.WORK: wanted.work("v1")}), job(wanted, "j2"))
    assert reported(plan(declared(wanted), seen((wanted,), *jobs), Memory(), now=NOW)) == {
        "a": ("keep j1 running", "cancel j2 duplicate")
    }


@pytest.mark.usefixtures("two_versions")
def test_an_unsettled_create_counts_under_the_version_that_it_was_made_with() -> None:
    wanted = spec("a")
    lost = structs.replace(intended(wanted, "00000009"), work=wanted.work("v1"))
    assert reported(plan(declared(wanted), seen((wanted,)), memory(lost), now=NOW)) == {
        "a": ("hold - unsettled",)
    }


@pytest.mark.usefixtures("two_versions")
def test_a_rerun_is_a_rerun_across_digest_versions() -> None:
    wanted = spec("a", rerun="2")
    written = job(spec("a"), "j1", SUCCEEDED, altered={tags.WORK: wanted.work("v1")})
    assert reported(plan(declared(wanted), seen((wanted,), written), Memory(), now=NOW)) == {
        "a": ("create rerun 1",)
    }
