"""`reconciler apply`: create what is missing, cancel what was removed, and say what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.consent import consents
from reconciler.errors import ExitCode, GuardError, UsageError, first_that_holds

if TYPE_CHECKING:
    from reconciler.cli.gather import Consent, Situation
    from reconciler.cli.host import Host
    from reconciler.document import PlanDoc


@click.command()
@options.paths
@options.yes
@options.output_format("text", "json", "markdown")
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@consents
@options.common
@click.pass_obj
def apply(
    host: Host,
    *,
    paths: tuple[Path, ...],
    yes: bool,
    form: str,
    fail_on_attention: bool,
    consent: Consent,
    common: options.Common,
) -> int:
    """Create what is missing, and cancel what was removed.

    SPECS, files or folders below the spec root, select what is considered. Instead of them, a plan file saved by
    `reconciler plan -o plan.json` is applied exactly: what it holds and what still holds.
    """
    from reconciler.cli.carry_out import carry_out, log_finished, only_what_holds
    from reconciler.cli.gather import gather, record_ends
    from reconciler.cli.session import writing
    from reconciler.cli.show import read_plan
    from reconciler.cli.signals import interrupts
    from reconciler.cli.tell import tell, tell_outcomes
    from reconciler.outcomes import exit_codes

    is_plan = len(paths) == 1 and paths[0].suffix == ".json"
    saved = read_plan(host.cwd / paths[0]) if is_plan else None
    if not yes and saved is None and not host.terminal("stdin"):
        raise UsageError(
            "apply asks before it buys, and there is no terminal to ask on",
            hint="pass --yes, or apply a saved plan: reconciler plan -o plan.json && reconciler apply plan.json",
        )
    with interrupts(host) as interrupted, writing(common, host) as session:
        situation = gather(session, () if saved else paths, consent)
        record_ends(session, situation)
        told: tuple[str, ...] = ()
        if saved:
            situation, told = only_what_holds(session, situation, saved)
        document = situation.document(session)
        if form != "json":
            tell(host, document, form=form, told=told)
        refuse(situation)
        agreed = yes or saved is not None or not situation.plan.pending or ask(document)
        outcomes = carry_out(session, situation) if agreed and situation.plan.pending else ()
        holds = exit_codes(outcomes) | interrupted()
        if fail_on_attention and situation.plan.attention:
            holds.add(ExitCode.ATTENTION)
        code = first_that_holds(holds)
        if outcomes:
            log_finished(session, outcomes, code)
        tell_outcomes(host, document, outcomes, form=form, code=code)
    return code


def ask(document: PlanDoc) -> bool:
    """Ask on the terminal; anything but yes is no, and no is a good answer."""
    from reconciler.render.plan_words import totals

    where = "" if document.target.sandbox else f" on {document.target.base_url.partition('://')[2]}"
    return click.confirm(f"Apply this{where} ({totals(document)})?", default=False, err=True)


def refuse(situation: Situation) -> None:
    """Raise what the guards say; the plan has been shown by then.

    Raises:
        GuardError: at least one guard refuses.
    """
    if situation.refusals:
        first, *more = situation.refusals
        also = f" ({len(more)} more above)" if more else ""
        raise GuardError(f"nothing was done: {first.message}{also}", hint=first.hint)
