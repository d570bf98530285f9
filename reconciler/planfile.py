"""Plans as files: make a document of a plan, save it, load it.

The digest detects corruption and cut files. It is no defence against malice: that is planning again (`holds`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

import reconciler
from reconciler import digests
from reconciler.actions import Action, Cancel, Create, Decision, Hold, Keep, Plan
from reconciler.document import (
    FORMAT_VERSION,
    ActionDoc,
    CancelDoc,
    ChangeDoc,
    CreateDoc,
    DecisionDoc,
    GuardDoc,
    HoldDoc,
    JobDoc,
    KeepDoc,
    PlanDoc,
    SummaryDoc,
    TargetDoc,
    UploadDoc,
)
from reconciler.errors import ReconcilerError
from reconciler.guards import Refusal
from reconciler.model import Checkout, Declared, InputFile, Job, Observed, Target

MAX_BYTES: Final = 256_000_000
"""A plan file larger than this is none of ours."""


def of(
    plan: Plan,
    *,
    target: Target,
    checkout: Checkout,
    declared: Declared,
    observed: Observed,
    refusals: Sequence[Refusal],
    now: float,
) -> PlanDoc:
    """Make a document of a plan. Pure."""
    return PlanDoc(
        format_version=FORMAT_VERSION,
        tool_version=reconciler.__version__,
        created_at=rfc3339(now),
        target=TargetDoc(base_url=target.base_url, project=target.project, sandbox=target.sandbox),
        commit=checkout.commit,
        branch=checkout.branch,
        dirty=checkout.dirty,
        jobs_read=observed.total,
        jobs_ours=len(observed.ours) + len(observed.unreadable),
        selected=None if declared.selected is None else len(declared.selected),
        not_considered=plan.not_considered,
        summary=_summary(plan),
        guards=tuple(GuardDoc(guard=it.guard, message=it.message, hint=it.hint) for it in refusals),
        decisions=tuple(_decision(decision) for decision in plan.decisions),
    )


def rfc3339(when: float) -> str:
    """Return Unix seconds as an RFC 3339 time in UTC, to the second."""
    return dt.datetime.fromtimestamp(when, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _summary(plan: Plan) -> SummaryDoc:
    creates, cancels = plan.of(Create), plan.of(Cancel)
    replaced = [it for it in plan.decisions if any(it.of(Create)) and any(it.of(Cancel))]
    requests = [create.spec.requests for create in creates]
    inputs = (part for create in creates for part in create.spec.inputs)
    files = {part.sha256: part.size for part in inputs if isinstance(part, InputFile)}
    return SummaryDoc(
        create=len(creates) - len(replaced),
        replace=len(replaced),
        cancel=len(cancels) - sum(len(decision.of(Cancel)) for decision in replaced),
        hold=sum(not decision.pending and bool(decision.of(Hold)) for decision in plan.decisions),
        unchanged=sum(not decision.pending and not decision.of(Hold) for decision in plan.decisions),
        attention=sum(decision.attention for decision in plan.decisions),
        requests=sum(count for count in requests if count is not None),
        requests_unknown=requests.count(None),
        lost_answers=sum(cancel.ours.job.completed_requests for cancel in cancels),
        upload_bytes=sum(files.values()),
    )


def _decision(decision: Decision) -> DecisionDoc:
    at = decision.spec.declared_at if decision.spec else None
    return DecisionDoc(
        name=decision.name,
        declared_at=f"{at.path}:{at.line}" if at else "",
        family=decision.spec.family if decision.spec else "",
        actions=tuple(_action(action) for action in decision.actions),
        notes=decision.notes,
    )


def _action(action: Action) -> ActionDoc:
    match action:
        case Create():
            files = [part for part in action.spec.inputs if isinstance(part, InputFile)]
            return CreateDoc(
                reason=action.reason,
                work=action.spec.run_key.work,
                rerun=action.spec.run_key.rerun,
                attempt=action.attempt,
                requests=action.spec.requests,
                uploads=tuple(
                    UploadDoc(path=file.path, sha256=file.sha256, bytes=file.size)
                    for file in sorted(files, key=lambda file: file.path)
                ),
                changes=tuple(
                    ChangeDoc(field=change.field, before=change.before, after=change.after)
                    for change in action.changes
                ),
            )
        case Cancel():
            return CancelDoc(reason=action.reason, job=_job(action.ours.job), first=action.first)
        case Keep():
            return KeepDoc(
                reason=action.reason,
                job=_job(action.job) if action.job else None,
                detail=action.detail,
                attention=action.attention,
            )
        case Hold():
            return HoldDoc(
                reason=action.reason,
                job=_job(action.job) if action.job else None,
                detail=action.detail,
                hint=action.hint,
                attention=action.attention,
                until=action.until,
            )
        case _:
            assert_never(action)


def _job(job: Job) -> JobDoc:
    return JobDoc(
        id=job.id,
        status=job.status,
        total_requests=job.total_requests,
        completed_requests=job.completed_requests,
        failed_requests=job.failed_requests,
        created_at=job.created_at,
    )


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A plan file: the document and its digest."""

    digest: str
    plan: msgspec.Raw


def encode(document: PlanDoc) -> bytes:
    """Return the bytes of a plan file: indented JSON, with the digest of the document in front."""
    plan = msgspec.json.encode(document, order="deterministic")
    saved = msgspec.json.encode({"digest": f"sha256:{digests.sha256(plan)}", "plan": msgspec.Raw(plan)})
    return msgspec.json.format(saved, indent=1) + b"\n"


def decode(data: bytes) -> PlanDoc:
    """Read a plan file.

    Raises:
        ReconcilerError: it is no plan file, is of another major version, or was altered after it was saved.
    """
    hint = "make it again: reconciler plan -o plan.json"
    if len(data) > MAX_BYTES:
        raise ReconcilerError("this is not a plan file: it is too large", hint=hint)
    try:
        saved = msgspec.json.decode(data, type=_Saved)
        plan = msgspec.json.format(bytes(saved.plan), indent=-1)
        version = str(msgspec.json.decode(plan, type=dict).get("format_version", ""))
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise ReconcilerError("this is not a plan file", hint=hint) from error
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise ReconcilerError(
            f"this plan file has format version {version[:20]!r}, and this version reads {FORMAT_VERSION}",
            hint="use the version of the tool that made it, or " + hint,
        )
    if saved.digest != f"sha256:{digests.sha256(plan)}":
        raise ReconcilerError("the plan file was altered or cut after it was saved", hint=hint)
    try:
        return msgspec.json.decode(plan, type=PlanDoc)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ReconcilerError(f"the plan file does not hold a whole plan: {error}", hint=hint) from error
