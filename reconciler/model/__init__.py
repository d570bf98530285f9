"""The nouns: what git declares (`JobSpec`), what the API returns (`Job`), and what of it is ours (`OwnedJob`).

Frozen values. External formats (YAML, HTTP, metadata tags) become these values when they are read, and appear
nowhere else.
"""

from __future__ import annotations

from reconciler.model.completeness import Checked, Checks
from reconciler.model.declared import (
    EVERY_JOB,
    Adopt,
    Ancestry,
    Checkout,
    Declared,
    JobSpec,
    Names,
    NotYetStarted,
    Position,
    RunKey,
    SubmittedPart,
)
from reconciler.model.inputs import (
    InlineRequests,
    Input,
    InputFile,
    TableRows,
    UploadedFile,
    request_count,
)
from reconciler.model.jobs import Job, Phase
from reconciler.model.observed import Observed, OtherProjectJob, Pending, Target
from reconciler.model.owned import TAG_PREFIX, OwnedJob, Source, Tags, Unreadable
from reconciler.model.requests import Example, KnownRequests, RequestChange, Wanted, WorkCounts
from reconciler.model.terms import Retry, Terms

__all__ = [
    "EVERY_JOB",
    "TAG_PREFIX",
    "Adopt",
    "Ancestry",
    "Checked",
    "Checkout",
    "Checks",
    "Declared",
    "Example",
    "InlineRequests",
    "Input",
    "InputFile",
    "Job",
    "JobSpec",
    "KnownRequests",
    "Names",
    "NotYetStarted",
    "Observed",
    "OtherProjectJob",
    "OwnedJob",
    "Pending",
    "Phase",
    "Position",
    "RequestChange",
    "Retry",
    "RunKey",
    "Source",
    "SubmittedPart",
    "TableRows",
    "Tags",
    "Target",
    "Terms",
    "Unreadable",
    "UploadedFile",
    "Wanted",
    "WorkCounts",
    "request_count",
]
