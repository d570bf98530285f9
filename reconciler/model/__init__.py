"""The nouns: what git declares (`JobSpec`), what the API returns (`Job`), what is ours of it (`Ours`).

Frozen values without behaviour beyond their own arithmetic. Everything outside (YAML, HTTP, metadata tags) is
folded into these at the border and never seen past it.
"""

from __future__ import annotations

from reconciler.model.declared import (
    EVERY_JOB,
    Adopt,
    Ancestry,
    Checkout,
    Declared,
    InlineRequests,
    Input,
    InputFile,
    JobSpec,
    Later,
    Names,
    Position,
    Retry,
    RunKey,
    UploadedFile,
    request_count,
)
from reconciler.model.jobs import (
    Job,
    Phase,
)
from reconciler.model.owned import (
    TAG_PREFIX,
    Elsewhere,
    Observed,
    Ours,
    Pending,
    Source,
    Tags,
    Target,
    Unreadable,
)

__all__ = [
    "EVERY_JOB",
    "TAG_PREFIX",
    "Adopt",
    "Ancestry",
    "Checkout",
    "Declared",
    "Elsewhere",
    "InlineRequests",
    "Input",
    "InputFile",
    "Job",
    "JobSpec",
    "Later",
    "Names",
    "Observed",
    "Ours",
    "Pending",
    "Phase",
    "Position",
    "Retry",
    "RunKey",
    "Source",
    "Tags",
    "Target",
    "Unreadable",
    "UploadedFile",
    "request_count",
]
