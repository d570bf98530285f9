"""The schemas of the JSON that commands write, from the types of the documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from reconciler.api import wire
from reconciler.cost import actual, prices
from reconciler.documents import costs, job_facts, notification, reports, result_summary
from reconciler.history import audit, links, record, stats, timeline
from reconciler.model import completeness
from reconciler.plans import action_documents, document
from reconciler.plans.document import PlanDoc
from reconciler.workspace import snapshot
from reconciler.workspace.snapshot import SnapshotDoc
from tools.generate.field_docs import field_docs


class PlanFile(Struct, frozen=True, kw_only=True):
    """A saved plan, as `plan -o` and `--format json` write it and `show` and `apply` read it."""

    digest: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
    """Of the plan as JSON without white space: it detects corruption."""
    plan: PlanDoc


class SnapshotFile(Struct, frozen=True, kw_only=True):
    """A snapshot of the workspace, as `jobs snapshot` writes it and `plan --observed` reads it."""

    digest: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
    """Of the snapshot as JSON without white space: it detects corruption."""
    snapshot: SnapshotDoc


SHAPES: Final[Mapping[str, tuple[type[Struct], ...]]] = {
    "plan": (PlanFile,),
    "snapshot": (SnapshotFile,),
    "apply": (reports.ApplyDoc,),
    "wait": (reports.WaitDoc,),
    "history": (
        record.HistoryDoc,
        record.Record,
        timeline.TimelineDoc,
        timeline.EntryDoc,
        stats.StatsDoc,
    ),
    "verify": (audit.VerifyDoc,),
    "open": (links.LinksDoc,),
    "status": (reports.StatusDoc,),
    "jobs": (reports.JobListDoc, reports.ListedJob),
    "validate": (reports.ValidateDoc,),
    "price-list": (costs.PriceListDoc,),
    "doctor": (reports.DoctorDoc,),
    "outputs": (reports.PullDoc,),
    "end": (notification.EndDoc,),
    "summary": (result_summary.ResultSummary,),
    "work": (result_summary.WorkSummary,),
}
"""The types that each schema describes: a document is one of them."""
TITLES: Final[Mapping[str, str]] = {
    "summary": "The summary beside a job's results",
    "work": "The summary beside the results of a name",
    "price-list": "What `reconciler prices` writes as JSON",
    "history": "What `reconciler history` writes as JSON, or a line of it as JSON lines",
    "verify": "What `reconciler history verify` writes as JSON",
    "end": "What `on_end` sends when work is complete or held",
}
"""Titles of documents that are not simply a command's output."""


def schema(name: str) -> Callable[[], str]:
    """Return a function that makes a schema of `SHAPES`. It allows unknown fields: a minor version may add some."""
    return lambda: _text(name)


def _text(name: str) -> str:
    shapes = SHAPES[name]
    tops, definitions = msgspec.json.schema_components(shapes, ref_template="#/$defs/{name}")
    explained = field_docs(_MODULES)
    for title, definition in definitions.items():
        for field, meaning in explained.get(title, {}).items():
            definition["properties"][field].setdefault("description", meaning)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLES.get(name, f"What `reconciler {name}` writes as JSON"),
        **(tops[0] if len(tops) == 1 else {"anyOf": list(tops)}),
        "$defs": definitions,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


_MODULES: Final = (
    completeness.__file__,
    costs.__file__,
    prices.__file__,
    actual.__file__,
    action_documents.__file__,
    document.__file__,
    job_facts.__file__,
    result_summary.__file__,
    notification.__file__,
    reports.__file__,
    snapshot.__file__,
    wire.__file__,
    __file__,
    links.__file__,
    record.__file__,
    stats.__file__,
    timeline.__file__,
    audit.__file__,
)
"""The modules that define the types of documents."""
