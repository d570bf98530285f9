"""`reconciler doctor`: check the setup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from reconciler import __version__
from reconciler.api.key import ApiKeyError
from reconciler.api.values import RequestRecord
from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.find_ledgers import shared_ledger
from reconciler.cli.session.session import reading
from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import DoctorDoc, FindingDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from reconciler.model import JobSpec
from reconciler.runs import doctor as checks
from reconciler.specs.load import load
from reconciler.text.sanitize import clean
from reconciler.vcs import git_process


@click.command()
@options.output_format("text", "json")
@options.common
def doctor(env: Environment, *, form: str, common: options.Common) -> int:
    """Check key, host, clock, models, git and ledger, without creating jobs. Without a key, check the rest."""
    requests: list[RequestRecord] = []
    specs: list[JobSpec] = []
    try:
        with reading(common, env, on_request=requests.append) as run:
            found = [*surroundings(common, run, specs), *checks.examine(run, requests, specs)]
            target = run.target.host
    except ApiKeyError as error:
        with reading(common, env, offline=True) as run:
            found = [*surroundings(common, run, specs), *checks.examine_without_key(run, error, specs)]
            target = run.target.host
    write(found, target, form=form)
    return ExitCode.FAILED if any(finding.verdict == "failed" for finding in found) else ExitCode.OK


def surroundings(common: options.Common, run: RunContext[ApiT], specs: list[JobSpec]) -> Iterator[FindingDoc]:
    """Check git, pushes of the shared ledger, and the specs, which are added to `specs`."""

    def load_specs() -> Iterator[FindingDoc]:
        loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic)
        result = f"{len(loaded.specs):,} valid, {len(loaded.warnings):,} warnings"
        result += ", within the policy" if run.project.policy else ""
        yield FindingDoc("specs", "ok", result)
        specs.extend(loaded.specs)

    shared = shared_ledger(common, run.project, run.target, run.env)

    def push() -> Iterator[FindingDoc]:
        if shared and run.checkout.commit:
            yield FindingDoc("ledger push", "ok", shared.check_push())

    yield _git(run)
    yield from checks.guarded("ledger push", push)
    yield from checks.guarded("specs", load_specs)


def _git(run: RunContext[ApiT]) -> FindingDoc:
    checkout = run.checkout
    commit = checkout.commit[:7]
    if not git_process.installed(run.project.root):
        hint = "without git, jobs record no commit, and jobs that record one are never cancelled"
        return FindingDoc("git", "warning", "git is not installed", hint)
    if not commit:
        inside = run.env.git(run.project.root).toplevel() is not None
        what = "this repository has no commit yet" if inside else "not in a git repository"
        return FindingDoc("git", "note", f"{what}: jobs record no commit")
    if checkout.shallow:
        hint = "fetch the history (in GitHub's checkout action: fetch-depth: 0)"
        return FindingDoc("git", "warning", f"{commit}, a shallow clone without the commit's ancestors", hint)
    return FindingDoc("git", "ok", f"{commit}, {'uncommitted changes' if checkout.dirty else 'clean'}")


def write(found: Iterable[FindingDoc], target: str, *, form: str) -> None:
    """Write the report to stdout."""
    if form == "json":
        write_stdout(pretty(DoctorDoc(tool_version=__version__, host=target, findings=tuple(found))))
        return
    lines = [f"reconciler {__version__} on {target}"]
    for finding in found:
        lines.append(f"{finding.verdict:<8} {finding.check:<22} {finding.detail}")
        lines += [f"{'':<8} {'':<22} hint: {finding.hint}"] if finding.hint else []
    write_stdout("".join(f"{clean(line)}\n" for line in lines))
