"""Jobs that may have answered requests, which are single letters."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.planning.coverage import Account, Donor, Outcomes, cover
from reconciler.planning.next_part import Rules, next_part
from reconciler.planning.overlap import overlaps
from reconciler.planning.work import Work

RETRY_ON = ("TIMEOUT_EXCEEDED", "missing", "http_429", "http_5xx")


def key(letter: str) -> bytes:
    """Return a request key that a reader of a failed test recognises."""
    return letter.encode().ljust(16, b".")


def keys(letters: str) -> bytes:
    """Return the keys of several requests."""
    return b"".join(map(key, letters))


def ended(job_id: str, outcomes: Mapping[str, str], **facts: object) -> Donor:
    """Return a job whose results are read, from the outcome of each request; "" is an answer."""
    kinds = tuple(sorted(set(outcomes.values())))
    return Donor(
        job_id=job_id,
        asked=keys("".join(outcomes)),
        account=Account.READ,
        outcomes=Outcomes(kinds=kinds, kind=[kinds.index(kind) for kind in outcomes.values()]),
        **facts,  # type: ignore[arg-type]
    )


def known(job_id: str, letters: str, how: Account) -> Donor:
    """Return a job without outcomes."""
    return Donor(job_id=job_id, asked=keys(letters), account=how)


def person(job_id: str, outcomes: Mapping[str, str], *, cap: int = 2) -> Donor:
    """Return a job that a person cancelled."""
    return ended(job_id, outcomes, cancelled=True, cap=cap)


def us(job_id: str, outcomes: Mapping[str, str]) -> Donor:
    """Return a job that this tool cancelled."""
    return ended(job_id, outcomes, cancelled=True, by_us=True, cap=2)


def letters(**outcomes: str) -> dict[str, str]:
    """Return the outcome of each request: `letters(ab="", c="missing")`."""
    return {letter: outcome for several, outcome in outcomes.items() for letter in several}


def work(wanted: str, *donors: Donor, cap: int = 2, canary: int = 0) -> Work:
    """Return what a name wants, request by request."""
    coverage = cover(keys(wanted), donors, cap=cap)
    rules = Rules(retry_on=RETRY_ON, max_attempts=cap, canary=canary)
    live = [donor for donor in donors if donor.account is Account.LIVE]
    return Work(
        coverage=coverage,
        part=next_part(coverage, rules),
        overlaps=overlaps(keys(wanted), coverage.states, live),
    )
