"""The words of a tag for how the work of a job goes on."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from reconciler.model.completeness import Checks
from reconciler.model.source_tag import number
from reconciler.model.terms import Terms


def write(terms: Terms) -> dict[str, str]:
    """Return the words for terms, without those of the default. Checks count only if there is a canary."""
    checks = (str(getattr(terms.checks, name)) for name in Checks.__struct_fields__)
    return {
        "cap": str(terms.max_attempts) if terms.max_attempts > 1 else "",
        "on": ",".join(terms.on) if terms.on != Terms().on else "",
        "canary": str(terms.canary or ""),
        "checks": ",".join(checks) if terms.canary and terms.checks != Checks() else "",
    }


@lru_cache(maxsize=1_000)  # most jobs have the same
def read(cap: str, on: str, canary: str, checks: str) -> Terms:
    """Read what `write` returns. Damaged words are read as the default."""
    try:
        shares = dict(zip(Checks.__struct_fields__, checks.split(","), strict=False))
        limits = msgspec.convert(shares, Checks, strict=False)
    except msgspec.ValidationError:
        limits = Checks()
    return Terms(
        max_attempts=number(cap) or 1,
        on=tuple(on.split(",")) if on else Terms().on,
        canary=number(canary) or 0,
        checks=limits,
    )
