"""`reconciler apply`: create what is missing, cancel what was removed, and say what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.consent import Consent, consents
from reconciler.cli.options import confirmed
from reconciler.cli.wait import timeout
from reconciler.errors import ExitCode, GuardError, ReconcilerError, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Writer
    from reconciler.cli.host import Host
    from reconciler.cli.session import Session
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
@click.option(
    "--wait",
    is_flag=True,
    help="Go on until every job has ended: retry as the specs ask for, buy what was held once there is room.",
)
@timeout
@consents
@options.common
@click.pass_obj
def apply(  # noqa: C901, PLR0915 - the one command that does everything
    host: Host,
    *,
    paths: tuple[Path, ...],
    names: Names,
    everything: bool,
    yes: bool,
    form: str,
    comment: Path | None,
    fail_on_attention: bool,
    wait: bool,
    timeout: float | None,
    consent: Consent,
    common: options.Common,
) -> int:
    """Create what is missing, and cancel what was removed.

    SPECS, files or folders below the spec root, --only and --exclude select what is considered. Instead, a plan file
    saved by `reconciler plan -o plan.json` is applied exactly: what it holds and what still holds.

    With --wait, later rounds buy only further attempts that `retry` asks for and what the quota held up in this plan,
    under the same guards; a saved plan's creates are retried, and nothing else is bought. Exit 0 only where everything
    has succeeded within its `max_failed`; 6 where something needs a person or another apply, or --timeout has passed.
    """
    from contextlib import nullcontext, suppress

    from reconciler import reconcile
    from reconciler.cli import follow
    from reconciler.cli.comment import telling_errors
    from reconciler.cli.declare import declared, selected_by, with_lineage
    from reconciler.cli.hooks import tell_ends
    from reconciler.cli.main import told
    from reconciler.cli.say import aside
    from reconciler.cli.session import lasting, locked, writing
    from reconciler.cli.show import plan_file, read_plan
    from reconciler.cli.signals import interrupts, signal_name
    from reconciler.cli.tell import tell_outcomes
    from reconciler.ledger.lock import HeldError
    from reconciler.outcomes import exit_codes

    if timeout is not None and not wait:
        raise UsageError("--timeout is for --wait", hint="add --wait")
    file = plan_file(host.cwd, paths)
    if file and names:
        flag = "--only" if names.only else "--exclude"
        raise UsageError(
            f"{flag} selects among specs, and a plan file is applied whole", hint=f"give {flag} to plan"
        )
    telling = partial(telling_errors, host, comment, form=form, what="apply")
    with telling():
        saved = read_plan(host.cwd, file) if file else None
    if not yes and saved is None and not host.terminal("stdin"):
        raise UsageError(
            "apply asks before it buys, and there is no terminal to ask on",
            hint="pass --yes, or apply a saved plan: reconciler plan -o plan.json && reconciler apply plan.json",
        )
    began = host.now()
    agreed = False
    seen: list[Situation] = []
    with (
        telling(),
        interrupts(host) as interrupted,
        (lasting if wait else writing)(common, host, consent) as session,
    ):

        def agree(situation: Situation) -> bool:
            """Show the plan and ask."""
            nonlocal agreed
            seen.append(situation)
            then = follow.announced(situation, saved) if wait else ()
            ask = not yes and saved is None
            agreed = show_and_ask(
                host, situation, form=form, ask=ask, everything=everything, comment=comment, then=then
            )
            return agreed and interrupted.be_careful()

        said = selected_by(saved, declared(session, ())) if saved else declared(session, paths, names)
        declare = with_lineage(session, said)
        try:
            with locked(session) if wait else nullcontext():
                situation, outcomes = reconcile.apply(session.run, declare, said, agree, saved=saved)
        except GuardError:  # what has ended has ended, whatever the plan
            interrupted.be_careful()
            tell_ends(session, seen[-1].observed.ours, since=began)
            raise
        shown = follow.Shown(host=host, form=form, everything=everything)
        end = follow.End()
        if wait and agreed:
            interrupted.be_careful()
            shown.round(situation, outcomes)
            end = follow.follow(
                session, declare, said, agreed=seen[-1].plan, first=(situation, outcomes), saved=saved, shown=shown,
                timeout=timeout,
            )  # fmt: skip
            outcomes = end.outcomes
        holds = exit_codes(outcomes) | interrupted.codes | end.codes
        for heard in sorted(interrupted.codes):
            session.run.world.log("run.interrupted", signal=signal_name(heard))
        if fail_on_attention and situation.plan.attention:
            holds.add(ExitCode.ATTENTION)
        code = first_that_holds(holds)
        if outcomes:
            log_finished(session, outcomes, code)
        try:
            if end.view is not None:
                shown.end(situation, outcomes, end.view, code)
            tell_outcomes(
                host, situation.document, outcomes, form="" if end.view or shown.rounds else form, code=code,
                everything=everything, comment=comment, told=situation.told,
            )  # fmt: skip
        except ReconcilerError as error:  # the report is lost, and what was done is done
            aside(told(error, colour=host.colour("stderr")))
            code = first_that_holds(holds | {ExitCode.PARTIAL if outcomes else ExitCode.FAILED})
        interrupted.be_careful()
        last = end.view.situation if end.view is not None else situation
        with suppress(HeldError), locked(session) if wait else nullcontext():  # held: that apply tells them
            tell_ends(session, last.observed.ours, since=began)
    return code


def show_and_ask(
    host: Host,
    situation: Situation,
    *,
    form: str,
    ask: bool,
    everything: bool = False,
    comment: Path | None = None,
    then: Sequence[str] = (),
) -> bool:
    """Show the plan, then let the guards speak, then ask; anything but yes is no, and no is a good answer.

    Args:
        host: the machine.
        situation: what was decided.
        form: `text`, `json`, `markdown` or `github`.
        ask: whether a person is asked.
        everything: whether families are opened.
        comment: a file for Markdown. It is about the outcomes; where a guard refuses there are none, and it is about
            the plan.
        then: lines that say what follows.

    Raises:
        GuardError: at least one guard refuses.
    """
    from reconciler.cli.tell import tell, tell_outcomes
    from reconciler.render.plan_words import totals

    document, refused = situation.document, bool(situation.refusals)
    if form == "json" and refused:
        tell_outcomes(host, document, (), form=form, code=ExitCode.GUARD)
    if form in ("text", "markdown") or refused:
        shown = "" if form == "json" else form
        told = (*situation.told, *then)
        tell(
            host, document, form=shown, told=told, everything=everything, comment=comment if refused else None
        )
    if refused:
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
