"""`reconciler apply`: create what is missing, cancel what was removed, and say what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.consent import Consent, consents
from reconciler.cli.options import confirmed
from reconciler.errors import ExitCode, GuardError, ReconcilerError, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Writer
    from reconciler.cli.host import Host
    from reconciler.cli.session import Session
    from reconciler.cli.signals import Interrupts
    from reconciler.document import PlanDoc
    from reconciler.model import Names
    from reconciler.outcomes import Outcome
    from reconciler.run import Situation


@click.command()
@options.paths
@options.names
@options.yes
@options.output_format("text", "json", "markdown", "github")
@options.comment
@options.everything
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@consents
@options.common
@click.pass_obj
def apply(
    host: Host,
    *,
    paths: tuple[Path, ...],
    names: Names,
    everything: bool,
    yes: bool,
    form: str,
    comment: Path | None,
    fail_on_attention: bool,
    consent: Consent,
    common: options.Common,
) -> int:
    """Create what is missing, and cancel what was removed.

    SPECS, files or folders below the spec root, --only and --exclude select what is considered. Instead, a plan file
    saved by `reconciler plan -o plan.json` is applied exactly: what it holds and what still holds.
    """
    from reconciler.cli.comment import telling_errors
    from reconciler.cli.show import plan_file, read_plan

    file = plan_file(host.cwd, paths)
    if file and names:
        flag = "--only" if names.only else "--exclude"
        raise UsageError(
            f"{flag} selects among specs, and a plan file is applied whole", hint=f"give {flag} to plan"
        )
    words = Words(form=form, comment=comment, everything=everything)
    with telling_errors(host, comment, form=form, what="apply"):
        saved = read_plan(host.cwd, file) if file else None
        if not yes and saved is None and not host.terminal("stdin"):
            raise UsageError(
                "apply asks before it buys, and there is no terminal to ask on",
                hint="pass --yes, or apply a saved plan: "
                "reconciler plan -o plan.json && reconciler apply plan.json",
            )
        with writing_here(host, common, consent) as (session, interrupted):
            situation, outcomes = carry_out(
                session,
                () if saved else paths,
                names,
                words,
                interrupted,
                saved=saved,
                ask=not yes and saved is None,
            )
            return ended(
                session, situation, outcomes, words, interrupted, fail_on_attention=fail_on_attention
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How the result is told."""

    form: str
    comment: Path | None
    everything: bool


@contextmanager
def writing_here(
    host: Host, common: options.Common, consent: Consent
) -> Iterator[tuple[Session[Writer], Interrupts]]:
    """Open a session that may write, and listen for signals while it is open."""
    from reconciler.cli.session import writing
    from reconciler.cli.signals import interrupts

    with interrupts(host) as interrupted, writing(common, host, consent) as session:
        yield session, interrupted


def carry_out(
    session: Session[Writer],
    paths: Sequence[Path],
    names: Names,
    words: Words,
    interrupted: Interrupts,
    *,
    saved: PlanDoc | None,
    ask: bool,
) -> tuple[Situation, tuple[Outcome, ...]]:
    """Read the specs, and do what they or the saved plan say, once that was agreed to."""
    from reconciler import reconcile
    from reconciler.cli.declare import declared, selected_by, with_lineage

    said = selected_by(saved, declared(session, ())) if saved else declared(session, paths, names)
    return reconcile.apply(
        session.run,
        with_lineage(session, said),
        said,
        lambda situation: show_and_ask(session.host, situation, words, ask=ask) and interrupted.be_careful(),
        saved=saved,
    )


def ended(
    session: Session[Writer],
    situation: Situation,
    outcomes: Sequence[Outcome],
    words: Words,
    interrupted: Interrupts,
    *,
    fail_on_attention: bool,
) -> ExitCode:
    """Tell what was done, and return how the command ends."""
    from reconciler.cli.main import told
    from reconciler.cli.say import aside
    from reconciler.cli.signals import signal_name
    from reconciler.cli.tell import tell_outcomes
    from reconciler.outcomes import exit_codes

    holds = exit_codes(outcomes) | interrupted.codes
    for heard in sorted(interrupted.codes):
        session.run.world.log("run.interrupted", signal=signal_name(heard))
    if fail_on_attention and situation.plan.attention:
        holds.add(ExitCode.ATTENTION)
    code = first_that_holds(holds)
    if outcomes:
        log_finished(session, outcomes, code)
    try:
        tell_outcomes(
            session.host, situation.document, outcomes, form=words.form, code=code, everything=words.everything,
            comment=words.comment, told=situation.told,
        )  # fmt: skip
    except ReconcilerError as error:  # the report is lost, and what was done is done
        aside(told(error, colour=session.host.colour("stderr")))
        code = first_that_holds(holds | {ExitCode.PARTIAL if outcomes else ExitCode.FAILED})
    return code


def show_and_ask(host: Host, situation: Situation, words: Words, *, ask: bool) -> bool:
    """Show the plan, then let the guards speak, then ask; anything but yes is no, and no is a good answer.

    Raises:
        GuardError: at least one guard refuses.
    """
    from reconciler.cli.tell import tell, tell_outcomes
    from reconciler.render.plan_words import totals

    document, form = situation.document, words.form
    comment = words.comment if situation.refusals else None
    if form == "json" and situation.refusals:
        tell_outcomes(host, document, (), form=form, code=ExitCode.GUARD)
    if form in ("text", "markdown") or situation.refusals:
        shown = form if form != "json" else ""
        tell(host, document, form=shown, told=situation.told, everything=words.everything, comment=comment)
    if situation.refusals:
        first, *more = situation.refusals
        also = f" ({len(more)} more above)" if more else ""
        raise GuardError(f"nothing was done: {first.message}{also}", hint=first.hint)
    if not ask or not document.pending:
        return True
    where = "the sandbox" if document.target.sandbox else document.target.base_url.partition("://")[2]
    return confirmed(f"Apply this on {where} ({totals(document)})?")


def log_finished(session: Session[Writer], outcomes: Sequence[Outcome], code: ExitCode) -> None:
    """Tell the end of an apply in numbers."""
    from reconciler.outcomes import Cancelled, Created, Failed, Skipped, Unknown

    kinds = Counter(type(outcome) for outcome in outcomes)
    world = session.run.world
    world.log(
        "apply.finished",
        created=kinds[Created],
        adopted=sum(isinstance(outcome, Created) and outcome.adopted for outcome in outcomes),
        cancelled=kinds[Cancelled],
        failed=kinds[Failed],
        unknown=kinds[Unknown],
        skipped=kinds[Skipped],
        exit_code=int(code),
        elapsed_ms=round((world.monotonic() - session.began) * 1000),
    )
