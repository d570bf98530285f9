"""The ledger's lines after each way in which a create can end.

A create that was sent has exactly one outcome. One that was not sent has none, and its claim is released once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs

from reconciler.api.errors import NotFoundError, RejectedError, UnreachableError
from reconciler.api.values import CreateJob
from reconciler.execution.apply import Applier
from reconciler.execution.records import withdraw
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CreateConfirmed, CreateIntended, CreateRefused, CreateUnknown
from reconciler.model import InputFile, Job, JobSpec, UploadedFile, tags
from reconciler.runs.apply import plan_and_apply
from reconciler.settings import Limits
from tests.helpers.fakes import ANSWERED, Api, Fate, Stage, busy, lost_after, lost_before, refused, run
from tests.helpers.make import declared, intended, job, sha, spec

from .test_apply import in_turn
from .test_uploads import stored


def remote(name: str, work: str) -> JobSpec:
    """A spec whose input is uploaded already."""
    return spec(name, inputs=(UploadedFile(id=f"0f9d1b6e-0000-4000-8000-00000000000{work}"),))


A, B = remote("a", "1"), remote("b", "2")
LOCAL: Final = spec("a", inputs=(InputFile(path="a.jsonl", sha256=sha("{}"), size=2, requests=1),))
"""A spec whose input is a file of this machine, which an earlier run has uploaded."""
NO_SUCH_FILE: Final = refused(NotFoundError("404: no such file", status=404))
NOT_TRUSTED: Final = Fate(error=UnreachableError("certificate", transient=False), made=False)


class Forgetful(Api):
    """An API that deletes the uploads of earlier runs just before the first create."""

    def create_job(self, job: CreateJob) -> Job:
        self.files.clear()
        return super().create_job(job)


def nothing(_: Api) -> None:
    """Leave everything as it is."""


def stops(api: Api) -> None:
    """The run is asked to stop before anything is sent."""
    api.stage.stop.up = True


def stops_while_it_waits(api: Api) -> None:
    api.stage.clock.wakes = [lambda: stops(api)]


def holds_the_upload(api: Api) -> None:
    api.files = [stored("{}")]


def breaks_off_uploads(api: Api) -> None:
    api.upload_faults = [RejectedError("507: no room", status=507)]


def holds_the_upload_and_takes_no_other(api: Api) -> None:
    holds_the_upload(api)
    breaks_off_uploads(api)


def takes_long_to_upload(api: Api) -> None:
    def wait() -> None:
        api.stage.clock.now += Limits().deadline_seconds + 1

    api.before_upload = wait


def loses_the_disk_after(lines: int) -> Callable[[Api], None]:
    def loses(api: Api) -> None:
        api.stage.ledger.works_for = lines

    return loses


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way in which creates end, and the lines that it leaves in a ledger that others see."""

    specs: tuple[JobSpec, ...] = (A,)
    fates: tuple[Fate, ...] = ()
    after_agreeing: Callable[[Api], None] = field(default=nothing)
    api: type[Api] = Api
    lines: tuple[str, ...]
    unknown: bool = False
    """Whether the ledger must keep the create open."""


ASKS_TO_WAIT = "the API asks to wait until 2027-01-15T08:16:41Z (200 s)"

WAYS: Final = {
    "it is answered": Way(fates=(ANSWERED,), lines=("claimed a", "intended a", "created a")),
    "the API refuses it": Way(
        fates=(refused(),), lines=("claimed a", "intended a", "refused a: 422: no such model")
    ),
    "its input cannot be uploaded": Way(
        specs=(LOCAL,),
        after_agreeing=breaks_off_uploads,
        lines=("claimed a", "refused a: not sent: 507: no room"),
    ),
    "the run is asked to stop before it": Way(
        specs=(A, B),
        after_agreeing=stops,
        lines=(
            "claimed a",
            "claimed b",
            "refused a: not sent: the run was asked to stop",
            "refused b: not sent: the run was asked to stop",
        ),
    ),
    "the run's time is over before it": Way(
        specs=(LOCAL,),
        after_agreeing=takes_long_to_upload,
        lines=("claimed a", "refused a: not sent: the run is out of time, and nothing was sent"),
    ),
    "its tags come back altered, and no other is sent": Way(
        specs=(A, B),
        fates=(Fate(altered={tags.NAME: "x"}), ANSWERED),
        lines=(
            "claimed a",
            "claimed b",
            "intended a",
            "created a",
            "refused b: not sent: the API alters our tags",
        ),
    ),
    "the API is busy, then answers": Way(
        fates=(busy(1), ANSWERED), lines=("claimed a", "intended a", "intended a", "created a")
    ),
    "the API is always busy": Way(
        fates=(busy(200),) * 50,
        lines=(
            "claimed a",
            *("intended a",) * 5,
            f"refused a: 429 (5 attempts; {ASKS_TO_WAIT}, and this run may not take so long)",
        ),
    ),
    "the API is busy, and the run is asked to stop": Way(
        fates=(busy(1), ANSWERED),
        after_agreeing=stops_while_it_waits,
        lines=("claimed a", "intended a", "refused a: 429"),
    ),
    "the API is busy, and the ledger cannot be written any more": Way(
        fates=(busy(1), ANSWERED),
        after_agreeing=loses_the_disk_after(2),
        lines=("claimed a", "intended a"),
        unknown=True,
    ),
    "the ledger cannot be written before it": Way(
        after_agreeing=loses_the_disk_after(1), lines=("claimed a",), unknown=True
    ),
    "there is no connection": Way(
        fates=(NOT_TRUSTED,), lines=("claimed a", "intended a", "refused a: certificate")
    ),
    "the answer is lost, and the job is found": Way(
        fates=(lost_after(),), lines=("claimed a", "intended a", "created a, found by its op")
    ),
    "the answer is lost, and the second try is answered": Way(
        fates=(lost_before(), ANSWERED), lines=("claimed a", "intended a", "intended a", "created a")
    ),
    "the answer is lost, and the second try is refused": Way(
        fates=(lost_before(), refused()),
        lines=("claimed a", "intended a", "intended a", "refused a: 422: no such model"),
    ),
    "the answer is lost twice": Way(
        fates=(lost_before(), lost_before()),
        lines=("claimed a", "intended a", "intended a", "unknown a: no answer in time"),
        unknown=True,
    ),
    "the answer is lost, and the run is asked to stop": Way(
        fates=(lost_before(), ANSWERED),
        after_agreeing=stops_while_it_waits,
        lines=("claimed a", "intended a", "unknown a: no answer in time"),
        unknown=True,
    ),
    "an upload is gone, and the second try is answered": Way(
        api=Forgetful,
        specs=(LOCAL,),
        after_agreeing=holds_the_upload,
        fates=(NO_SUCH_FILE, ANSWERED),
        lines=("claimed a", "intended a", "intended a", "created a"),
    ),
    "an upload is gone, and the second try is refused": Way(
        api=Forgetful,
        specs=(LOCAL,),
        after_agreeing=holds_the_upload,
        fates=(NO_SUCH_FILE, refused()),
        lines=("claimed a", "intended a", "intended a", "refused a: 422: no such model"),
    ),
    "an upload is gone, and the answers of the second try are lost": Way(
        api=Forgetful,
        specs=(LOCAL,),
        after_agreeing=holds_the_upload,
        fates=(NO_SUCH_FILE, lost_before(), lost_before()),
        lines=("claimed a", *("intended a",) * 3, "unknown a: no answer in time"),
        unknown=True,
    ),
    "an upload is gone, and cannot be sent again": Way(
        api=Forgetful,
        specs=(LOCAL,),
        after_agreeing=holds_the_upload_and_takes_no_other,
        fates=(NO_SUCH_FILE,),
        lines=(
            "claimed a",
            "intended a",
            "refused a: 404: no such file; an input is gone, and could not be uploaded again: 507: no room",
        ),
    ),
}


def words(api: Api) -> tuple[str, ...]:
    """Every line about a create, with the name of its spec."""
    lines = api.stage.ledger.lines
    names = {line.op: line.name for line in lines if isinstance(line, CreateIntended)}
    said = []
    for line in lines:
        match line:
            case CreateIntended():
                said.append(f"{'claimed' if line.lease else 'intended'} {line.name}")
            case CreateConfirmed():
                said.append(f"created {names[line.op]}{', found by its op' if line.recovered else ''}")
            case CreateRefused():
                said.append(f"refused {names.get(line.op, '?')}: {line.error}")
            case CreateUnknown():
                said.append(f"unknown {names[line.op]}: {line.error}")
            case _:
                pass
    return tuple(said)


def went(way: Way, root: Path, *, shared: bool) -> Api:
    """Run one apply that ends in a way."""
    (root / "a.jsonl").write_text("{}")
    api = way.api(Stage())
    api.stage.ledger.shared = shared
    api.fates = list(way.fates)
    asked = declared(*way.specs)

    def agrees(_: object) -> bool:
        way.after_agreeing(api)
        return True

    plan_and_apply(run(api, root=root), asked, agrees)
    return api


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_lines_hold_the_outcome_of_each_create(way: Way, tmp_path: Path) -> None:
    assert words(went(way, tmp_path, shared=True)) == way.lines


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_was_sent_has_one_outcome_and_what_was_not_sent_is_given_back_once(
    way: Way, tmp_path: Path, *, shared: bool
) -> None:
    api = went(way, tmp_path, shared=shared)
    broken = api.stage.ledger.works_for is not None
    sent = {entry.removeprefix("POST ") for entry in api.sent("POST")}
    lines = api.stage.ledger.lines
    names = {line.op: line.name for line in lines if isinstance(line, CreateIntended)}
    outcomes = [line for line in lines if isinstance(line, CreateConfirmed | CreateRefused | CreateUnknown)]
    assert len({line.op for line in outcomes}) == len(outcomes)
    for line in outcomes:
        given_back = isinstance(line, CreateRefused) and "not sent" in line.error
        assert given_back is not (names.get(line.op) in sent)
    known = {names.get(line.op) for line in outcomes}
    assert broken or sent <= known
    if shared and not broken:
        assert known == {it.name for it in way.specs}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_only_unknown_outcomes_stay_open(way: Way, tmp_path: Path) -> None:
    """An open create holds the work until it must have settled; a closed one may be sent again at once."""
    memory = remember(went(way, tmp_path, shared=True).stage.ledger.lines, settle_seconds=60)
    assert bool(memory.open_creates) is way.unknown


def test_an_op_that_others_see_is_the_op_of_every_create(tmp_path: Path) -> None:
    for way in WAYS.values():
        lines = went(way, tmp_path, shared=True).stage.ledger.lines
        claimed = {line.op for line in lines if isinstance(line, CreateIntended) and line.lease}
        assert {getattr(line, "op", "") for line in lines} <= claimed


def test_a_replacement_that_is_never_begun_is_given_back() -> None:
    """The old job is cancelled first, because there is no room for both, and only if the input is there."""
    api, it = Api(Stage(), job(spec("a", "w0"), "j0")), spec("a", "w1")
    api.stage.ledger.append(structs.replace(intended(it, "claim"), lease=900))
    claimed = replace(run(api), ops={it.run_key: "claim"})
    unread = "data/w1.jsonl cannot be read: No such file or directory"
    withdraw(run(api), Applier(claimed).apply(in_turn(api, it)))
    assert words(api) == (
        "claimed a",
        f"refused a: not sent: its input could not be uploaded: {unread}",
    )
    assert api.sent("POST") == api.sent("cancel") == []


def test_a_second_try_whose_answer_is_lost_is_not_followed_by_another_job(tmp_path: Path) -> None:
    """The upload was gone, the second try took effect, and the list shows the job only after the run has ended."""
    way = WAYS["an upload is gone, and the answers of the second try are lost"]

    def stops_then(api: Api) -> None:
        holds_the_upload(api)
        stops_while_it_waits(api)

    lost = replace(way, fates=(NO_SUCH_FILE, lost_after(listed_after=30)), after_agreeing=stops_then)
    api = went(lost, tmp_path, shared=False)
    api.stage.stop.up = False
    asked = declared(LOCAL)
    for _ in range(2):
        plan_and_apply(run(api, root=tmp_path), asked, lambda _: True)
        api.stage.clock.now += 120
    assert len(api.jobs) == 1
