"""What `reconciler.yaml` may say: who we are, where the specs lie, and every limit the tool keeps.

The provider's documentation contradicts itself on several limits and states others nowhere, so each one is a
setting, and its description says where the default comes from. The JSON Schema of the file and its part of the
reference page are generated from these classes.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

END: Final = r"$(?!\n)"
"""The end of the text in every dialect: in Python a bare `$` lets a final line break through."""

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,99}" + END
NAME_RULE: Final = "1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit"

API: Final = "https://api.mistral.ai"

BASE_URL_PATTERN: Final = (
    r"^(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\]))"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?" + END
)
"""https, or plain http to this machine; no user name, query or fragment."""

Count = Annotated[int, Meta(ge=1)]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large, how many, how long."""

    file_bytes: Annotated[
        Count,
        Meta(description="Bytes of one input file. The API's documentation: 512 MB."),
    ] = 512_000_000
    line_bytes: Annotated[
        Count,
        Meta(description="Bytes of one line of an input file. Ours: a scanned document is one line."),
    ] = 96_000_000
    requests_per_job: Annotated[
        Count,
        Meta(description="Requests in one job. The API's documentation: 1,000,000 (another page: 100,000)."),
    ] = 1_000_000
    inline_requests: Annotated[
        Count,
        Meta(description="Requests written in the spec itself. The API's OpenAPI description: 10,000."),
    ] = 10_000
    jobs_per_spec: Annotated[
        Count,
        Meta(description="Jobs that `for_each` and `matrix` of one spec may make. Ours."),
    ] = 10_000
    max_workspace_pending: Annotated[
        Count,
        Meta(
            description="Requests that a workspace may have pending. The API's documentation: 1,000,000. What does "
            "not fit is held for a later apply."
        ),
    ] = 1_000_000
    max_pending: Annotated[
        Count | None,
        Meta(
            description="Requests that this project may have pending, so that others find room; null for all."
        ),
    ] = None
    in_flight: Annotated[
        Count,
        Meta(le=64, description="Writes to the API side by side. Ours: it stays below usual rate limits."),
    ] = 8
    reads_in_flight: Annotated[
        Count,
        Meta(le=64, description="Reads from the API side by side. Ours: a long list reads 12 times faster."),
    ] = 16
    downloads_in_flight: Annotated[
        Count,
        Meta(le=64, description="Jobs whose results are fetched side by side. Ours: more fill no line."),
    ] = 4
    timeout_seconds: Annotated[
        float,
        Meta(gt=0, le=3600, description="How long one call to the API may take. Ours."),
    ] = 60.0
    deadline_seconds: Annotated[
        float,
        Meta(gt=0, description="How long all the waiting and repeating of one run may take. Ours."),
    ] = 900.0
    settle_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="How long after a lost answer a job may still appear in the list; until then its "
            "absence means nothing. Ours: the API documents no bound.",
        ),
    ] = 60.0
    spec_bytes: Annotated[
        Count,
        Meta(description="Bytes of one YAML file. Ours: a file larger than this is hardly a spec."),
    ] = 1_000_000
    spec_depth: Annotated[
        Count,
        Meta(le=200, description="How deep a YAML file may nest. Ours: it keeps hostile files harmless."),
    ] = 64
    spec_nodes: Annotated[
        Count,
        Meta(description="Values in one YAML file, aliases expanded. Ours, for the same reason."),
    ] = 100_000


class UploadSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How input files are kept in the workspace."""

    expiry_hours: Annotated[
        Count | None,
        Meta(
            description="After so many hours the API deletes an upload; null leaves that to the API (30 days). "
            "More than `reuse_hours`, unless nothing is used again."
        ),
    ] = None
    visibility: Annotated[
        Literal["workspace", "user"] | None,
        Meta(description="Who sees an upload; null leaves that to the API (the workspace)."),
    ] = None
    reuse: Annotated[
        bool,
        Meta(description="Whether an upload of the same content that is there already is used again."),
    ] = True
    verify: Annotated[
        bool,
        Meta(
            description="Whether an upload of an earlier run is read back and hashed before it is used again. "
            "Otherwise its name (the SHA-256 of its content), size and count of lines are trusted, which whoever "
            "may write to the workspace can make up."
        ),
    ] = False
    reuse_hours: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Hours that an upload must have left to be used again. Ours: the longest timeout."),
    ] = 168


class Guards(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan may do before it is refused with numbers. Each has an override on the command line."""

    max_cancels: Annotated[int, Meta(ge=0, description="Cancels in one plan; duplicates do not count.")] = 10
    max_cancel_share: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of the active jobs that one plan may cancel, from 3 cancels on."),
    ] = 0.5
    max_new_requests: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Requests that one plan may buy; null for no budget."),
    ] = None
    max_requests_per_day: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Requests that this project may buy within 24 hours, counted from its jobs in the "
            "workspace: it stops what changes again and again. null for no limit."
        ),
    ] = None
    max_lost_answers: Annotated[
        int,
        Meta(ge=0, description="Answers of running jobs that the cancels of one plan may throw away."),
    ] = 10_000
    allow_empty: Annotated[
        bool, Meta(description="Whether everything may be cancelled because nothing is declared.")
    ] = False
    allow_other_workspace: Annotated[
        bool, Meta(description="Whether a workspace may show none of the jobs that the ledger remembers.")
    ] = False
    allow_created_elsewhere: Annotated[
        bool, Meta(description="Whether work may be bought that another project of the workspace has bought.")
    ] = False


WEBHOOK_PATTERN: Final = (
    r"^(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\]))"
    r"(:[0-9]{1,5})?([/?][!-\x22$-~]*)?" + END
)
"""https, or plain http to this machine; no user name and no fragment."""


class OnEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom `apply` tells, once, that a job has ended: a command or a webhook."""

    command: Annotated[
        Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] | None,
        Meta(
            description="A program and its arguments, run beside this file without a shell and without the key; "
            "the end is JSON on its standard input, and exit code 0 means that it was heard."
        ),
    ] = None
    webhook: Annotated[
        Annotated[
            str,
            Meta(
                pattern=WEBHOOK_PATTERN,
                extra_json_schema={
                    "errorMessage": "not an address to post to",
                    "x-hint": "`https://host/path`, or `http://localhost:port/path` for a server on this machine",
                },
            ),
        ]
        | None,
        Meta(description="Where the end is posted to as JSON; an answer of 2xx means that it was heard."),
    ] = None
    timeout_seconds: Annotated[float, Meta(gt=0, le=600, description="How long one call may take. Ours.")] = (
        30.0
    )


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `reconciler.yaml`."""

    project: Annotated[
        str,
        Meta(
            pattern=NAME_PATTERN,
            description="The owner of the jobs: written into every job, it says which ones are ours. Choose "
            f"it once; under another name everything would be bought again. {NAME_RULE}.",
            extra_json_schema={"errorMessage": "not a project name", "x-hint": NAME_RULE},
        ),
    ]
    specs: Annotated[
        str,
        Meta(min_length=1, description="The folder of the specs, relative to this file and beneath it."),
    ] = "specs"
    base_url: Annotated[
        str,
        Meta(
            pattern=BASE_URL_PATTERN,
            description="Where the API is. https only, except for a server on this machine. On CI another host than "
            "Mistral's has to be named in MISTRAL_BASE_URL: a file in git alone does not decide where the key goes.",
            extra_json_schema={
                "errorMessage": "not a base URL",
                "x-hint": "`https://host`, or `http://localhost:port` for a server on this machine",
            },
        ),
    ] = API
    ledger: Annotated[
        Literal["local", "git"],
        Meta(
            description="Where the record of what was intended and what came of it is kept: on this host, or also "
            "in a ref of the repository's remote, where every runner and every fresh clone sees it."
        ),
    ] = "local"
    ledger_remote: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}" + END,
            description="The git remote that holds the ref, with `ledger: git`.",
            extra_json_schema={"errorMessage": "not the name of a git remote", "x-hint": "such as `origin`"},
        ),
    ] = "origin"
    on_end: Annotated[
        OnEnd,
        Meta(description="Whom `apply`, and nothing else, tells once that a job has ended."),
    ] = OnEnd()
    limits: Annotated[Limits, Meta(description="How large, how many, how long.")] = Limits()
    uploads: Annotated[UploadSettings, Meta(description="How input files are kept in the workspace.")] = (
        UploadSettings()
    )
    guards: Annotated[Guards, Meta(description="What a plan may do before it is refused.")] = Guards()
