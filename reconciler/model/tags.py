"""Our metadata tags: `write` creates them, `read` parses them.

There are only seven pairs, because the maximum number of pairs is undocumented. A key has at most 32 characters and a
value at most 512 (OpenAPI description, CreateBatchJobRequest.metadata). The tags are the state: it can be rebuilt from
the list of jobs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import quote

from reconciler.model import (
    TAG_PREFIX,
    Job,
    JobSpec,
    OwnedJob,
    RunKey,
    Source,
    SubmittedPart,
    Tags,
    Unreadable,
    digests,
    source_tag,
    terms_tag,
)
from reconciler.model.money import DOLLAR, Estimate
from reconciler.model.source_tag import MAX_VALUE, join, number, split

VERSION: Final = 1
"""The version of the tag format. A larger one in a job was written by a newer tool."""

MAX_ROOT: Final = 300
"""Characters of a root, which must fit beside the commit."""
PART_LENGTH: Final = 8
PROJECT: Final = TAG_PREFIX + "project"
NAME: Final = TAG_PREFIX + "name"
WORK: Final = TAG_PREFIX + "work"
INPUTS: Final = TAG_PREFIX + "inputs"
SETTINGS: Final = TAG_PREFIX + "settings"
RUN: Final = TAG_PREFIX + "run"
SOURCE: Final = TAG_PREFIX + "source"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_DIGEST: Final = re.compile(r"v[1-9][0-9]{0,3}:[0-9a-f]{64}")
_MOST: Final = re.compile(r"([0-9]{1,15})([A-Z]{3})")
_OP: Final = re.compile(r"[0-9a-z]{8,64}")
_ON_REMOVE: Final[Mapping[str, Literal["cancel", "keep"]]] = {"cancel": "cancel", "keep": "keep"}


def tags_of(
    spec: JobSpec,
    *,
    project: str,
    attempt: int,
    op: str,
    source: Source,
    over: Iterable[str] = (),
    part: SubmittedPart | None = None,
    request_digest: str = "",
    resolved: str = "",
    estimate: Estimate | None = None,
) -> Tags:
    """Return the tags of a job created for `spec`, which comes from `source`.

    `attempt` is its number among the jobs of its run key, `op` identifies its create, and `over` has the ids of the
    jobs that it replaces. `part` is what it is asked, if that is only a part of the work; the digest is that of the
    requests of the whole work, "" if it is unknown. `resolved` is the id of the model that an alias means;
    `estimate` has the most that the job can cost.
    """
    inputs = spec.inputs if part is None else part.inputs
    return Tags(
        project=project,
        name=spec.name,
        run_key=spec.run_key,
        inputs=digests.inputs_v1(each.identity for each in inputs),
        requests=spec.requests if part is None else part.requests,
        of=None if part is None else part.of,
        reused=0 if part is None else part.reused,
        lenders=spec.reused_names if part is not None and part.reused else (),
        input_prefixes=frozenset(digest_prefix(each.identity) for each in inputs),
        settings=spec.settings,
        attempt=attempt,
        terms=spec.terms,
        op=op,
        on_remove=spec.on_remove,
        over=frozenset(over),
        request_digest=request_digest,
        recipe=spec.recipe,
        resolved=resolved,
        most=estimate.at_most if estimate else None,
        currency=estimate.currency if estimate else DOLLAR,
        source=source,
    )


def digest_prefix(identity: str) -> str:
    """Return the first characters of an input's digest or id, enough to see which input changed."""
    return identity.partition(":")[2][:PART_LENGTH]


def write(tags: Tags) -> dict[str, str]:
    """Return the metadata pairs for `tags`. Parts that do not fit are dropped, but never the identity."""
    inputs = tags.inputs if tags.requests is None else f"{tags.inputs} requests={tags.requests}"
    parts = ",".join(sorted(tags.input_prefixes))
    run = {
        "v": str(VERSION),
        "attempt": str(tags.attempt),
        **terms_tag.write(tags.terms),
        "op": tags.op,
        "rerun": tags.run_key.rerun,
        "recipe": tags.recipe,
        "all": tags.request_digest,
        "on_remove": tags.on_remove,
        "of": "" if tags.of is None else str(tags.of),
        "reused": str(tags.reused or ""),
        "most": "" if tags.most is None else f"{tags.most}{tags.currency}",
    }
    on, run["on"] = run["on"].split(","), ""
    for word, several in (("on", on), ("lenders", tags.lenders), ("over", sorted(tags.over))):
        run[word] = _fitting(word, several, room=MAX_VALUE - len(join(run)))
    if len(join(run | {"model": tags.resolved})) <= MAX_VALUE:
        run["model"] = tags.resolved
    run["on_remove"] = run.pop("on_remove")  # a tag that a server cuts lacks its last word, and is unreadable
    pairs = {
        PROJECT: tags.project,
        NAME: tags.name,
        WORK: tags.run_key.work,
        INPUTS: inputs if len(inputs) + len(parts) + 7 > MAX_VALUE else f"{inputs} parts={parts}",
        SETTINGS: tags.settings,
        RUN: join(run),
        SOURCE: source_tag.write(tags.source),
    }
    return {key: value for key, value in pairs.items() if value}


def _fitting(word: str, several: Iterable[str], *, room: int) -> str:
    """Join as many words, names or ids as fit. A missing one only leads to a hold later."""
    text = ""
    for each in several:
        longer = f"{text},{each}" if text else each
        if len(join({word: longer})) + 1 <= room:
            text = longer
    return text


def root_of(folder: str) -> str:
    """Return a folder of a repository as the tags have it: "" for the repository's root, a digest of a long path.

    The folder is relative to the repository's root, with forward slashes.
    """
    normal = posixpath.normpath(folder)
    path = "" if normal == "." else normal
    return path if len(quote(path)) <= MAX_ROOT else f"sha256:{sha256(path.encode()).hexdigest()}"


def project_of(job: Job) -> str | None:
    """Return the project that a job's tags name, None for a job without our tags."""
    project = job.metadata.get(PROJECT)
    return project if isinstance(project, str) else None


def ops(job: Job) -> frozenset[str]:
    """Return the op in a job's tags, even if other tags were altered; several if it was added to."""
    words = str(job.metadata.get(RUN, "")).split(" ")
    return frozenset(word.removeprefix("op=") for word in words if word.startswith("op="))


def read(job: Job) -> OwnedJob | Unreadable:
    """Parse the tags of a job."""
    pairs = {key: value for key, value in job.metadata.items() if isinstance(value, str)}
    name, work = pairs.get(NAME, ""), pairs.get(WORK, "")
    run = split(pairs.get(RUN, ""))
    known_name = name if _NAME.fullmatch(name) else None
    known_work = _DIGEST.fullmatch(work)
    known_key = RunKey(work, run.get("rerun", "")) if known_work else None
    version, newer = run.get("v", ""), False
    if version.isdecimal() and (len(version) > PART_LENGTH or int(version) > VERSION):
        newer = True
        problem = f"written by a newer version of this tool (tags version {version[:PART_LENGTH]})"
    elif known_key and digests.version_of(work) not in digests.WORK_DIGESTS:
        newer = True
        problem = f"its work digest has a newer version ({digests.version_of(work)})"
    elif not known_name or not known_key or version != str(VERSION) or PROJECT not in pairs:
        altered = {NAME: not known_name, WORK: not known_work, RUN: version != str(VERSION), PROJECT: True}
        problem = f"its tag {next(filter(altered.get, altered))} is missing or altered"
    elif tags := _tags(pairs, run, name=known_name, run_key=known_key):
        return OwnedJob(job, tags)
    else:
        problem = f"its tag {RUN} is altered"
    return Unreadable(job=job, name=known_name, run_key=known_key, from_newer_version=newer, problem=problem)


def _tags(pairs: Mapping[str, str], run: Mapping[str, str], *, name: str, run_key: RunKey) -> Tags | None:
    attempt = number(run.get("attempt", ""))
    on_remove = _ON_REMOVE.get(run.get("on_remove", ""))
    if not attempt or on_remove is None or not _OP.fullmatch(run.get("op", "")):
        return None
    inputs, requests, parts = _inputs_of(pairs.get(INPUTS, ""))
    of = number(run["of"]) if "of" in run else None
    most = _MOST.fullmatch(run.get("most", ""))
    if "of" in run and (of is None or requests is None):
        return None
    return Tags(
        project=pairs[PROJECT],
        name=name,
        run_key=run_key,
        inputs=inputs,
        requests=requests,
        input_prefixes=parts,
        settings=pairs.get(SETTINGS, ""),
        attempt=attempt,
        terms=terms_tag.read(*(run.get(word, "") for word in ("cap", "on", "canary", "checks"))),
        op=run["op"],
        on_remove=on_remove,
        over=frozenset(filter(None, run["over"].split(","))) if "over" in run else frozenset(),
        of=of,
        reused=number(run.get("reused", "")) or 0,
        lenders=tuple(filter(None, run.get("lenders", "").split(","))),
        request_digest=run.get("all", ""),
        recipe=run.get("recipe", ""),
        resolved=run.get("model", ""),
        most=int(most[1]) if most else None,
        currency=most[2] if most else DOLLAR,
        source=source_tag.read(pairs.get(SOURCE, "")),
    )


@lru_cache(maxsize=10_000)  # every job of a spec has the same
def _inputs_of(text: str) -> tuple[str, int | None, frozenset[str]]:
    """Read the digest of the inputs, the number of requests and the parts."""
    digest, _, rest = text.partition(" ")
    words = split(rest)
    parts = frozenset(filter(None, words.get("parts", "").split(",")))
    return digest, number(words.get("requests", "")), parts
