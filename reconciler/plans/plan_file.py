"""Turns a plan into a document, and a document into a file and back.

`staleness` protects against a manipulated file: it plans again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

import reconciler
from reconciler.errors import ReconcilerError
from reconciler.model import Checkout, Declared, Observed, OwnedJob, RunKey, Target, digests
from reconciler.model.money import Estimate
from reconciler.planning.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan
from reconciler.planning.guard_input import Refusal
from reconciler.planning.standing import WAITS
from reconciler.plans import checksum_envelope
from reconciler.plans.action_documents import (
    ActionDoc,
    CancelDoc,
    CreateDoc,
    HoldDoc,
    JobDoc,
    KeepDoc,
    UploadDoc,
)
from reconciler.plans.cost_document import CostDoc, total
from reconciler.plans.document import FORMAT_VERSION, DecisionDoc, ModelDoc, PlanDoc, PolicyDoc, SummaryDoc
from reconciler.plans.name_status import again
from reconciler.plans.settings_document import SettingsDoc
from reconciler.text.timestamps import rfc3339


def plan_document(
    plan: Plan,
    *,
    target: Target,
    checkout: Checkout,
    declared: Declared,
    observed: Observed,
    refusals: Sequence[Refusal],
    active: int = 0,
    policy: PolicyDoc | None = None,
    models: tuple[ModelDoc, ...] = (),
    now: float,
) -> PlanDoc:
    """Return a plan as a document. Pure."""
    decisions = tuple(map(_decision, plan.decisions))
    return PlanDoc(
        format_version=FORMAT_VERSION,
        tool_version=reconciler.__version__,
        created_at=rfc3339(now),
        target=target,
        commit=checkout.commit,
        branch=checkout.branch,
        dirty=checkout.dirty,
        jobs_read=observed.total,
        observed_at=None if observed.snapshot_taken_at is None else rfc3339(observed.snapshot_taken_at),
        jobs_owned=len(observed.our_jobs),
        jobs_active=active,
        selected=None if declared.selected is None else len(declared.selected),
        not_considered=plan.not_considered,
        summary=_summary(plan, again=sum(bool(it.again) for it in decisions)),
        policy=policy,
        guards=tuple(refusals),
        models=models,
        decisions=decisions,
    )


def _summary(plan: Plan, *, again: int) -> SummaryDoc:
    creates, cancels = plan.of(Create), plan.of(Cancel)
    replaced = [it for it in plan.decisions if any(it.of(Create)) and any(it.of(Cancel))]
    unchanged = [it for it in plan.decisions if not it.pending]
    requests = [create.requests for create in creates]
    whole = [create for create in creates if create.part is None]
    files = {file.sha256: file.size for create in whole for file in create.spec.uploads}
    bounded = [it.estimate for it in creates if it.estimate and it.estimate.at_most is not None]
    return SummaryDoc(
        create=len(creates) - len(replaced),
        replace=len(replaced),
        cancel=len(cancels) - sum(len(decision.of(Cancel)) for decision in replaced),
        hold=sum(bool(it.of(Hold)) for it in unchanged),
        unchanged=sum(it.spec is not None and not it.of(Hold) for it in unchanged),
        attention=sum(decision.attention for decision in plan.decisions),
        again=again,
        requests=sum(count for count in requests if count is not None),
        requests_unknown=requests.count(None),
        requests_in_all=sum(create.in_all or 0 for create in creates),
        lost_answers=sum(cancel.lost for cancel in cancels),
        upload_bytes=sum(files.values()),
        cost=total([CostDoc.of(it) for it in bounded]),
        cost_unknown=len(creates) - len(bounded),
    )


def _decision(decision: Decision) -> DecisionDoc:
    at = decision.spec.declared_at if decision.spec else None
    spec, holds = decision.spec, decision.of(Hold)
    waiting = spec.run_key if spec and (holds or decision.widened) else RunKey("", "")
    follows = decision.widened or decision.standing in WAITS
    return DecisionDoc(
        name=decision.name,
        declared_at=f"{at.path}:{at.line}" if at else "",
        family=decision.spec.family if decision.spec else "",
        standing=decision.standing,
        actions=tuple(_action(action) for action in decision.actions),
        work=waiting.work,
        rerun=waiting.rerun,
        settings=SettingsDoc.of(spec) if spec and follows else None,
        requests=holds[0].requests if holds else None,
        notes=decision.notes,
        states=decision.states,
        again=again(decision),
    )


LIVE: Final = "the job is queued or running"


def _action(action: Action) -> ActionDoc:
    match action:
        case Create():
            failed = f", except {action.attempt - 1} that failed" if action.attempt > 1 else ""
            return CreateDoc(
                reason=action.reason,
                precondition=f"no job has this work and rerun{failed}",
                work=action.spec.run_key.work,
                rerun=action.spec.run_key.rerun,
                attempt=action.attempt,
                endpoint=action.spec.endpoint,
                model=action.spec.model,
                agent_id=action.spec.agent_id,
                settings=SettingsDoc.of(action.spec),
                requests=action.requests,
                of=None if action.part is None else action.part.of,
                reused=0 if action.part is None else action.part.reused,
                waiting=0 if action.part is None else action.part.held,
                retried={} if action.part is None else action.part.retried,
                at_most=action.part is not None and action.part.at_most,
                cost=CostDoc.of(action.estimate) if action.estimate else None,
                uploads=tuple(
                    UploadDoc(path=file.label, sha256=file.sha256, bytes=file.size)
                    for file in sorted(action.spec.uploads, key=lambda file: file.label)
                    if action.part is None  # of a part, only `apply` makes the file
                ),
                changes=action.changes,
                rests_on_ledger=action.rests_on_ledger,
            )
        case Cancel():
            return CancelDoc(
                reason=action.reason,
                precondition=LIVE,
                job=_job(action.owned),
                lost=action.lost,
                cancel_before_create=action.cancel_before_create,
            )
        case Keep():
            return msgspec.convert(action, KeepDoc, from_attributes=True)
        case Hold():
            return msgspec.convert(action, HoldDoc, from_attributes=True)
        case _:
            assert_never(action)


def _job(owned: OwnedJob) -> JobDoc:
    job, tags = msgspec.convert(owned.job, JobDoc, from_attributes=True), owned.tags
    most = None if tags.most is None else Estimate(currency=tags.currency, at_most=tags.most)
    return replace(job, cost=CostDoc.of(most)) if most else job


def encode(document: PlanDoc) -> bytes:
    """Return the bytes of a plan file: indented JSON, with the digest of the document in front."""
    return checksum_envelope.wrap("plan", msgspec.json.encode(document, order="deterministic"))


def short(digest: str) -> str:
    """Return the part of a plan's digest that tags and names of artifacts carry."""
    return digest.removeprefix("sha256:")[:DIGEST_LENGTH]


def digest_prefix(document: PlanDoc) -> str:
    """Return the first characters of the digest that `encode` writes in front of a document."""
    return short(digests.sha256(msgspec.json.encode(document, order="deterministic")))


DIGEST_LENGTH: Final = 16
HINT: Final = "create it again: reconciler plan -o plan.json"


@lru_cache(maxsize=64)  # `ci apply` reads each agreed plan, and then calls `apply` with its file
def decode(data: bytes) -> PlanDoc:
    """Read a plan file.

    Raises `ReconcilerError` if it is not a plan file, has another major version, was altered after it was saved, or
    names files outside the project.
    """
    body = checksum_envelope.unwrap("plan", data, version=FORMAT_VERSION, hint=HINT)
    try:
        document = msgspec.json.decode(body, type=PlanDoc)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ReconcilerError(
            f"the plan file does not contain a complete plan: {error}", hint=HINT
        ) from error
    for path in _paths(document):
        if _leads_out(path):
            raise ReconcilerError(f"the plan file names a file outside the project: {path}", hint=HINT)
    return document


def digest_of(data: bytes) -> str:
    """Return the digest of a plan file, `sha256:` and 64 hexadecimal digits.

    Raises what `decode` raises.
    """
    body = checksum_envelope.unwrap("plan", data, version=FORMAT_VERSION, hint=HINT)
    return f"sha256:{digests.sha256(body)}"


def _paths(document: PlanDoc) -> Iterator[str]:
    for decision in document.decisions:
        yield decision.declared_at
        for create in decision.of(CreateDoc):
            for upload in create.uploads:
                yield upload.path


def _leads_out(path: str) -> bool:
    """Return whether a path leads out of the project root, on any system."""
    return re.match(r"([A-Za-z]:)?[/\\]", path) is not None or ".." in re.split(r"[/\\]", path)
