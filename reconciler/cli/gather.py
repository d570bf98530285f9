"""The first half of `plan`, `apply` and `status`: read the specs, the ledger, git and the workspace, and decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from reconciler import git, observe, planfile
from reconciler.actions import Plan
from reconciler.api.client import Reader
from reconciler.cli.session import Session
from reconciler.document import PlanDoc
from reconciler.guards import Allowed, Proposal, Refusal, refusals
from reconciler.ledger.lines import Ended
from reconciler.ledger.memory import Memory, remember
from reconciler.model import Declared, Observed, Phase
from reconciler.planner import plan
from reconciler.render.problems import problems_text
from reconciler.settings import Guards
from reconciler.specs.load import load

_Api = TypeVar("_Api", bound=Reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the command line allows beyond the settings."""

    limits: tuple[tuple[str, object], ...] = ()
    allowed: Allowed = field(default_factory=Allowed)

    def settings(self, guards: Guards) -> Guards:
        """Return the guards' settings with the command line's in front."""
        return msgspec.structs.replace(guards, **dict(self.limits))


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What was gathered, and what was decided."""

    declared: Declared
    observed: Observed
    memory: Memory
    plan: Plan
    consent: Consent
    guards: Guards
    refusals: tuple[Refusal, ...]

    @property
    def proposal(self) -> Proposal:
        """What the guards weigh."""
        return Proposal(
            plan=self.plan,
            declared=self.declared,
            observed=self.observed,
            memory=self.memory,
            settings=self.guards,
            allowed=self.consent.allowed,
        )

    def document(self, session: Session[_Api]) -> PlanDoc:
        """Make a document of the plan."""
        return planfile.of(
            self.plan,
            target=session.target,
            checkout=session.checkout,
            declared=self.declared,
            observed=self.observed,
            refusals=self.refusals,
            now=session.world.now(),
        )


def gather(session: Session[_Api], paths: Sequence[Path], consent: Consent) -> Situation:
    """Read everything and decide.

    Raises:
        SpecError: the specs hold mistakes.
        LedgerError: the ledger cannot be read.
        ListingError: the list of jobs could not be read whole.
        ApiError: the API could not be read.
    """
    world = session.world
    began = world.monotonic()
    loaded = load(session.project, [session.host.cwd / path for path in paths])
    world.log("specs.loaded", specs=len(loaded.specs), elapsed_ms=round((world.monotonic() - began) * 1000))
    if loaded.warnings:
        click.echo(problems_text(loaded.warnings, colour=session.host.colour("stderr")), err=True)
    settle_seconds = session.project.settings.limits.settle_seconds
    memory = remember(session.ledger.read(), settle_seconds=settle_seconds)
    declared = Declared(
        specs=loaded.specs, selected=loaded.selected, uncommitted=session.checkout.uncommitted
    )
    observed = look(session, declared, memory)
    commits = {ours.tags.source.commit for ours in observed.ours if ours.phase is Phase.ACTIVE} - {""}
    declared = replace(declared, lineage=git.contained(session.project.root, commits))
    return decide(session, declared, observed, memory, consent)


def look(session: Session[_Api], declared: Declared, memory: Memory) -> Observed:
    """Read the workspace whole."""
    wanted = frozenset(key for spec in declared.specs for key in spec.run_keys)
    return observe.observe(
        session.api,
        session.world,
        observe.Watched(project=session.target.project, wanted=wanted),
        memory,
        at_once=session.project.settings.limits.reads_in_flight,
    )


def decide(
    session: Session[_Api], declared: Declared, observed: Observed, memory: Memory, consent: Consent
) -> Situation:
    """Plan, and ask the guards."""
    situation = Situation(
        declared=declared,
        observed=observed,
        memory=memory,
        plan=plan(declared, observed, memory, now=session.world.now()),
        consent=consent,
        guards=consent.settings(session.project.settings.guards),
        refusals=(),
    )
    situation = replace(situation, refusals=refusals(situation.proposal))
    summary = situation.document(session).summary
    session.world.log("plan.computed", **msgspec.structs.asdict(summary))
    for refusal in situation.refusals:
        session.world.log("guard.refused", guard=refusal.guard, message=refusal.message)
    return situation


def record_ends(session: Session[_Api], situation: Situation) -> None:
    """Remember how jobs of ours have ended, for the day when the API forgets them."""
    known = situation.memory.jobs
    ended = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT)
    session.ledger.append(
        *(
            Ended(
                at=session.world.now(),
                run_id=session.world.run_id,
                job_id=ours.job.id,
                name=ours.tags.name,
                work=ours.tags.run_key.work,
                rerun=ours.tags.run_key.rerun,
                attempt=ours.tags.attempt,
                phase=ours.phase,
            )
            for ours in situation.observed.ours
            if ours.phase in ended
            and (ours.job.id not in known or known[ours.job.id].phase is not ours.phase)
        )
    )
