"""Turn one document into its `JobSpec`s: find, read and check their inputs.

A mistake in one field does not stop the checks of the others: all problems of a spec are reported at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from reconciler.catalogue import models
from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.errors import Problem
from reconciler.model import Adopt, Checks, Input, JobSpec, NotYetStarted, Position, Retry, digests
from reconciler.model.terms import RETRY_STATUSES
from reconciler.settings import Limits
from reconciler.specs import families, period
from reconciler.specs.families import ExpandedJob
from reconciler.specs.inputs.job_inputs import Inputs, exceeds_one_job
from reconciler.specs.inputs.rows import rows_of
from reconciler.specs.policy import Policy, named
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.hints import MISPLACED_FIELD_HINTS
from reconciler.specs.schema.job_fields import ChecksFields, JobFields
from reconciler.specs.schema.types import PeriodFields
from reconciler.specs.yaml.tree import Document, Path, dotted
from reconciler.text.sanitize import NO_WINDOWS_NAME
from reconciler.text.suggest import did_you_mean
from reconciler.text.timestamps import day_of

_WORK: Final = (("endpoint",), ("model",), ("agent_id",), ("rerun",), ("retry",))
"""Fields whose change submits the work, or what is left of it, again."""


class DocumentResult(Struct, frozen=True, kw_only=True):
    """The jobs of one document."""

    specs: tuple[JobSpec, ...] = ()
    later: Mapping[str, NotYetStarted] = {}
    """The jobs whose first period has not begun, by name."""
    problems: tuple[Problem, ...] = ()
    """Errors and warnings."""


def jobs_of_document(
    document: Document,
    inputs: Inputs,
    limits: Limits,
    *,
    now: float,
    policy: Policy | None = None,
) -> DocumentResult:
    """Return the jobs that a document with its defaults declares, none if it has errors.

    `now` is in Unix seconds, for a `rerun` with a period. Raises `OverBudgetError` if the load does too much work
    and `SpecError` if the file has too many errors.
    """
    inputs.budget.check_time()
    fields, problems = convert_or_explain(document, JobFields, "job", MISPLACED_FIELD_HINTS)
    found: list[Input] = []
    files: list[str] = []
    if isinstance(document.value, dict):
        files, wrong = inputs.each(document)
        problems += wrong
        every = (inputs.files(document), inputs.requests(document), rows_of(document, inputs))
        for part, wrong in every[:2] if _varies_rows(document) else every:
            found += part
            problems += wrong
        problems += [*_endpoint_unknown(document), *_periods_as_text(document)]
    if fields is None:
        return DocumentResult(problems=tuple(problems))
    problems += _models_doubted(document, fields, now) if inputs.judges_models else ()
    rerun: str | None = document.text(("rerun",)) if fields.rerun is not None else ""
    begins = ""
    if isinstance(fields.rerun, PeriodFields):
        rerun, wrong = _period(document, fields.rerun, now)
        problems += wrong
        begins = f"{fields.rerun.start or ''}, {fields.rerun.zone}".removesuffix(", UTC")
    members: list[ExpandedJob] = []
    if not _wrong(problems):
        members, wrong = families.expand(document, fields, files, limits.jobs_per_spec, inputs.budget)
        problems += [*wrong, *_no_folders(document, members)]
        problems += policy.spec_problems(document, members) if policy else ()
    if _wrong(problems):
        return DocumentResult(problems=tuple(problems))
    if rerun is None:
        later = NotYetStarted(begins=begins, family=families.family_pattern(fields))
        return DocumentResult(later={member.name: later for member in members}, problems=tuple(problems))
    specs = []
    for member in members:
        own, wrong = _of_member(document, inputs, member)
        problems += wrong
        found = own or found
        spec = _spec(document, fields, member, tuple(found), rerun)
        specs.append(replace(spec, large=True) if exceeds_one_job(found, limits) else spec)
    problems += _adopt(document, fields, specs)
    return DocumentResult(specs=() if _wrong(problems) else tuple(specs), problems=tuple(problems))


def _of_member(document: Document, inputs: Inputs, member: ExpandedJob) -> tuple[list[Input], list[Problem]]:
    """Return the inputs that a job of a family has for itself, none if it has those of the spec."""
    if "body" in document.value and _varies_rows(document):
        return rows_of(document, inputs, member.file, member.values.get("prompt"))
    return ([], []) if member.file is None else inputs.files(document, member.file)


def _varies_rows(document: Document) -> bool:
    """Whether the jobs of a family have other tables or prompts."""
    return "for_each" in document.value or document.at(("matrix", "prompt")) is not None


def _wrong(problems: Sequence[Problem]) -> bool:
    return bool(problems) and any(not problem.warning for problem in problems)


def _no_folders(document: Document, members: Sequence[ExpandedJob]) -> Iterator[Problem]:
    """Yield a problem for each name that is not valid for a folder of results everywhere."""
    for member in members:
        if NO_WINDOWS_NAME.fullmatch(member.name):
            message = f"name: Windows permits no folder `{member.name}`, and results go into one"
            hint = (
                "remove the final `.`"
                if member.name.endswith(".")
                else f"extend it: `{member.name.split('.')[0]}-job`"
            )
            yield document.problem(("name",), message, hint)


def _periods_as_text(document: Document) -> Iterator[Problem]:
    """Yield a problem for each `rerun` that is a word such as `daily`: as text, it never changes."""
    if document.value.keys().isdisjoint(("rerun", "matrix")):
        return
    varied = document.at(("matrix", "rerun"))
    given: dict[Path, object] = {("rerun",): document.at(("rerun",))}
    given |= {
        ("matrix", "rerun", at): text for at, text in enumerate(varied if isinstance(varied, list) else ())
    }
    for path, text in given.items():
        if isinstance(text, str) and (hint := period.hint_for_text(text)):
            yield document.problem(path, f"{dotted(path)}: this is text, which never changes by itself", hint)


def _period(document: Document, wanted: PeriodFields, now: float) -> tuple[str | None, list[Problem]]:
    """Return the name of the current period, None if the first one has not begun."""
    zone = period.zone_of(wanted.zone)
    if zone is None:
        message = "rerun.zone: not in this machine's tz database"
        return None, [document.problem(("rerun", "zone"), message, period.like(wanted.zone))]
    today = dt.datetime.fromtimestamp(now, zone).date()
    if wanted.start is not UNSET:
        try:
            start = dt.date.fromisoformat(wanted.start)
        except ValueError:
            return None, [document.problem(("rerun", "start"), "rerun.start: no such day", "name a real day")]
        if today < start:
            message = f"begins on {start}; until then nothing is submitted"
            hint = f"today is {today} in {wanted.zone}"
            return None, [document.problem(("rerun", "start"), message, hint, warning=True)]
    return period.name_of(today, wanted.every), []


def _adopt(document: Document, fields: JobFields, specs: Sequence[JobSpec]) -> Iterator[Problem]:
    """Yield the problem with `adopt` that its schema does not find."""
    if fields.adopt is UNSET or not specs:
        return
    work, message, hint = fields.adopt.work, "", ""
    if families.is_family(fields):
        message, hint = "adopt: not possible in a family of jobs", "write a separate spec for the job"
    elif work is UNSET:
        message = "adopt: `work` is missing"
        hint = f"if the job did the work that this spec declares, add `work: {specs[0].run_key.work}`"
    elif digests.version_of(work) not in digests.WORK_DIGESTS:
        message, hint = "adopt.work: a digest of a newer version", "upgrade mistral-batch-reconciler"
    if message:
        yield document.problem(("adopt",), message, hint, at_key=True)


def _models_doubted(document: Document, fields: JobFields, now: float) -> Iterator[Problem]:
    """Yield a warning for each model of a spec without errors that is unknown, retired, or not for the endpoint."""
    day, until = day_of(now), day_of(now + fields.timeout_hours * 3600)
    for path, name in named(document, "model"):
        if doubt := models.doubt_by_table(name, document.value.get("endpoint"), day, until):
            yield document.problem(path, f"model: `{name}` {doubt.message}", doubt.hint, warning=True)


def _endpoint_unknown(document: Document) -> list[Problem]:
    endpoint = document.value.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith("/v1/") or endpoint in KNOWN_ENDPOINTS:
        return []
    hint = did_you_mean(endpoint, KNOWN_ENDPOINTS, "it is sent unchanged; the API may know it")
    return [document.problem(("endpoint",), "endpoint: not documented by the API", hint, warning=True)]


def _spec(
    document: Document, fields: JobFields, member: ExpandedJob, inputs: tuple[Input, ...], rerun: str
) -> JobSpec:
    family = families.family_pattern(fields)
    texts = document.texts(("metadata",))
    adopt = fields.adopt
    if fields.for_each is not UNSET and "on_remove" not in document.value:
        fields = replace(fields, on_remove="keep")
    if member.values:
        fields = replace(fields, matrix=UNSET, **member.values)
    return JobSpec(
        name=member.name,
        family=family,
        endpoint=fields.endpoint or "",
        model=fields.model or None,
        agent_id=fields.agent_id or None,
        inputs=inputs,
        metadata={key: member.text(text) for key, text in texts.items()} if family else texts,
        timeout_hours=fields.timeout_hours,
        rerun=member.words["rerun"] if "rerun" in member.values else rerun,
        period=fields.rerun.every if isinstance(fields.rerun, PeriodFields) else "",
        suspend=fields.suspend,
        retry=_retry(fields.retry.max_attempts, frozenset(fields.retry.on)),
        on_change=fields.on_change,
        show_requests=fields.show_requests,
        on_remove=fields.on_remove,
        checks=_checks(fields.checks),
        reuse=fields.reuse
        if isinstance(fields.reuse, bool)
        else tuple(dict.fromkeys(map(member.text, fields.reuse))),
        canary=fields.canary.requests if fields.canary else 0,
        adopt=Adopt(job=adopt.job, work=adopt.work)
        if adopt is not UNSET and adopt.work is not UNSET
        else None,
        declared_at=Position(path=document.source.path, line=document.place(()).line + 1),
        defaults=_defaults(document),
    )


@cache
def _retry(max_attempts: int, words: frozenset[str]) -> Retry:
    ends = frozenset(phase for word, phase in RETRY_STATUSES.items() if word in words)
    return Retry(max_attempts=max_attempts, on=ends, kinds=words - RETRY_STATUSES.keys())


@cache
def _checks(fields: ChecksFields) -> Checks:
    return Checks(**asdict(fields))


def _defaults(document: Document) -> Mapping[str, Position]:
    if not document.sources:
        return {}
    return {
        str(path[0]): Position(path=source.path, line=document.key_place(path).line + 1)
        for path, source in document.sources.items()
        if path in _WORK
    }
