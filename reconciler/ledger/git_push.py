"""Why a remote did not take a push: another run pushed first, or the remote refuses it and says why.

Only the first is tried again. The texts are git's own (`send-pack.c`, `builtin/receive-pack.c`), in English because git
runs with `LC_ALL=C`, and those of GitHub and GitLab.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from reconciler.errors import LedgerError
from reconciler.text.sanitize import clean
from reconciler.vcs.git_process import reason

MAX_LENGTH: Final = 300
"""Characters shown of the remote's words."""

_WORDS: Final = re.compile(r"remote: *(?:(?:error|fatal|ERROR): *)?(.*)")
_STATUS: Final = re.compile(r"^!\t[^\t]*\t\[(rejected|remote rejected)\] \((.*)\)$", re.MULTILINE)
_RACE: Final = re.compile(
    r"^(fetch first|non-fast-forward|stale info|already exists|needs force|remote ref updated since checkout"
    r"|failed to update ref|cannot lock ref|incorrect old value provided|reference already exists)"
)


class ConflictError(Exception):
    """Another run pushed first."""


class _Refusal(NamedTuple):
    pattern: str
    """Found in the remote's words or in the status of the push, in any case."""
    what: str
    hint: str


_REFUSALS: Final = (
    _Refusal(
        r"exceeds|too large|\bHTTP 413\b",
        "it is larger than the remote accepts",
        "ask the remote's administrator for a higher limit on the size of a push",
    ),
    _Refusal(
        r"shallow update not allowed",
        "this clone is shallow",
        "fetch the whole history, `git fetch --unshallow` (in GitHub's checkout action: fetch-depth: 0)",
    ),
    _Refusal(
        r"hidden ref",
        "the remote hides {ref}",
        "ask the remote's administrator to allow it (`receive.hideRefs`, `transfer.hideRefs`)",
    ),
    _Refusal(
        r"exists; cannot create",
        "the remote has a ref whose name is in the way",
        "delete that ref in the remote",
    ),
    _Refusal(
        r"rule violations|\bGH0\d\d\b|protected|declined",
        "a rule or a hook of the remote declines it",
        "ask the remote's administrator to let this runner push to {ref}",
    ),
    _Refusal(
        r"permission|denied|not allowed|unauthorized|\b40[13]\b|authentication failed|could not read username"
        r"|archived|read-only|insufficient|unable to create",
        "no permission to push",
        "give this runner write access to the repository (in GitHub Actions: `permissions: contents: write`)",
    ),
)
"""The kinds of refusal; the first whose pattern is found applies."""


def explain(output: str, errors: str, *, ref: str) -> ConflictError | LedgerError:
    """Return the error for a failed `push --porcelain` to a ref, from git's stdout and stderr."""
    where, status = next(iter(_STATUS.findall(output)), ("", ""))
    if where == "rejected":  # by this git, which compares the ref before it pushes
        return ConflictError(status)
    words = [found[1].strip() for line in errors.splitlines() if (found := _WORDS.match(line))]
    said = "; ".join(filter(None, words)) or status or reason(errors)
    said = clean(said if len(said) <= MAX_LENGTH else said[:MAX_LENGTH] + "…")
    for refusal in _REFUSALS:
        if re.search(refusal.pattern, f"{said}\n{status}", re.IGNORECASE):
            return LedgerError(
                f"the ledger cannot be pushed: {refusal.what.format(ref=ref)}: {said}",
                hint=f"no job was created; {refusal.hint.format(ref=ref)}, or use --local-ledger with weaker "
                "duplicate protection",
            )
    if _RACE.match(status):
        return ConflictError(said)
    return failure("the ledger cannot be pushed", said)


def failure(why: str, said: str) -> LedgerError:
    """Return the error for a command of git that failed for a reason of which nothing more is known."""
    return LedgerError(
        f"{why}: {said}",
        hint="no job was created; check the remote and its credentials (`git ls-remote`), or use --local-ledger "
        "with weaker duplicate protection",
    )
