"""`reconciler doctor`: is everything in place, and what does this API do that nobody has documented?"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import say
from reconciler.cli.params import options
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.context import ApiT, Run
    from reconciler.environment import World
    from reconciler.runs.doctor import Finding


@click.command()
@click.option("--yes", is_flag=True, help="Buy one job of one request, stop it, and report what it shows.")
@click.option("--model", default="mistral-small-latest", show_default=True, help="The model of that job.")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def doctor(world: World, *, yes: bool, model: str, form: str, common: options.Common) -> int:
    """Check key, host, clock, git and ledger, without buying anything.

    With --yes it buys one job of one request and reports what is documented nowhere. Please send that report along
    with a bug: it helps everybody.
    """
    from reconciler.cli.session.session import reading, writing
    from reconciler.runs import doctor as checks

    ear = checks.Ear()
    found: list[Finding] = []
    if yes:
        with writing(common, world, ear=ear) as run:
            found += [*surroundings(run), *checks.examine(run, ear)]
            found += checks.experiment(run, ear, model=model)
            target = run.target.host
    else:
        with reading(common, world, ear=ear) as reader:
            found += [*surroundings(reader), *checks.examine(reader, ear)]
            target = reader.target.host
    write(found, target, form=form)
    return ExitCode.FAILED if any(finding.verdict == "failed" for finding in found) else ExitCode.OK


def surroundings(run: Run[ApiT]) -> Iterator[Finding]:
    """Look at git, at the lock files that it left behind, and at the specs."""
    from reconciler.cli.session.ledgers import shared_ledger
    from reconciler.runs import doctor as checks
    from reconciler.specs.load import load

    def specs() -> Iterator[Finding]:
        loaded = load(run.project, now=run.world.now())
        told = f"{len(loaded.specs):,} valid, {len(loaded.warnings):,} warnings"
        yield checks.Finding(check="specs", verdict="ok", detail=told)

    def locks() -> Iterator[Finding]:
        shared = shared_ledger(run.project, run.target, run.world)
        for lock in shared.locks() if shared else ():
            yield checks.Finding(check="git lock", verdict="warning", detail=lock.told, hint=lock.hint)

    checkout = run.checkout
    if shutil.which("git") is None:
        yield checks.Finding(
            check="git",
            verdict="warning",
            detail="git is not installed",
            hint="without it, jobs carry no commit, and no job that carries one is ever cancelled",
        )
    elif not checkout.commit:
        yield checks.Finding(check="git", verdict="note", detail="not a checkout: jobs carry no commit")
    elif checkout.shallow:
        yield checks.Finding(
            check="git",
            verdict="warning",
            detail=f"{checkout.commit[:7]}, a shallow clone, which does not know its ancestors",
            hint="fetch the history (in GitHub's checkout action: fetch-depth: 0)",
        )
    else:
        state = "uncommitted changes" if checkout.dirty else "clean"
        yield checks.Finding(check="git", verdict="ok", detail=f"{checkout.commit[:7]}, {state}")
    yield from checks.guarded("git lock", locks)
    yield from checks.guarded("specs", specs)


def write(found: Iterable[Finding], target: str, *, form: str) -> None:
    """Write the report to stdout."""
    from reconciler import __version__
    from reconciler.documents.reports import DoctorDoc, FindingDoc, pretty
    from reconciler.text.sanitize import clean

    if form == "json":
        rows = [
            FindingDoc(check=it.check, verdict=it.verdict, detail=it.detail, hint=it.hint) for it in found
        ]
        say(pretty(DoctorDoc(tool_version=__version__, host=target, findings=tuple(rows))))
        return
    lines = [f"reconciler {__version__} on {target}"]
    for finding in found:
        lines.append(f"{finding.verdict:<8} {finding.check:<22} {finding.detail}")
        lines += [f"{'':<8} {'':<22} hint: {finding.hint}"] if finding.hint else []
    say("".join(f"{clean(line)}\n" for line in lines))
