"""`reconciler doctor`: check the setup, and report API behaviour that is undocumented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.errors import ExitCode

if TYPE_CHECKING:
    from reconciler.context import ApiT, RunContext
    from reconciler.environment import Environment
    from reconciler.runs.doctor import CheckResult


@click.command()
@click.option("--yes", is_flag=True, help="Create a job of one request, cancel it, and report API behaviour.")
@click.option("--model", default="mistral-small-2603", show_default=True, help="The model of that job.")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def doctor(env: Environment, *, yes: bool, model: str, form: str, common: options.Common) -> int:
    """Check key, host, clock, git and ledger, without creating jobs. Without a key, check the rest.

    With --yes, create a job of one request, cancel it, and report API behaviour that is undocumented. Please attach
    that report to bug reports.
    """
    from reconciler.api.key import ApiKeyError
    from reconciler.cli.session.session import reading, writing
    from reconciler.runs import doctor as checks

    last_request = checks.LastRequest()
    found: list[CheckResult] = []
    try:
        if yes:
            with writing(common, env, on_request=last_request) as run:
                found += [*surroundings(common, run), *checks.examine(run, last_request)]
                found += checks.experiment(run, last_request, model=model)
                target = run.target.host
        else:
            with reading(common, env, on_request=last_request) as reader:
                found += [*surroundings(common, reader), *checks.examine(reader, last_request)]
                target = reader.target.host
    except ApiKeyError as error:
        with reading(common, env, offline=True) as reader:
            found += [*surroundings(common, reader), *checks.examine_without_key(reader, error)]
            target = reader.target.host
    write(found, target, form=form)
    return ExitCode.FAILED if any(finding.verdict == "failed" for finding in found) else ExitCode.OK


def surroundings(common: options.Common, run: RunContext[ApiT]) -> Iterator[CheckResult]:
    """Check git, pushes of the shared ledger, and the specs."""
    from reconciler.cli.session.target import shared_ledger
    from reconciler.runs import doctor as checks
    from reconciler.specs.load import load
    from reconciler.vcs import git_process

    def specs() -> Iterator[CheckResult]:
        loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic)
        result = f"{len(loaded.specs):,} valid, {len(loaded.warnings):,} warnings"
        result += ", within the policy" if run.project.policy else ""
        yield checks.CheckResult("specs", "ok", result)

    shared = shared_ledger(common, run.project, run.target, run.env)

    def push() -> Iterator[CheckResult]:
        if shared and run.checkout.commit:
            shared.check_push()
            allowed = f"{shared.git.remote} lets this runner push (`git push --dry-run`)"
            yield checks.CheckResult("ledger push", "ok", f"{allowed}; its rules and hooks were not asked")

    checkout = run.checkout
    if not git_process.installed(run.project.root):
        yield checks.CheckResult(
            "git",
            "warning",
            "git is not installed",
            "without git, jobs record no commit, and jobs that record one are never cancelled",
        )
    elif not checkout.commit:
        inside = run.env.git(run.project.root).toplevel() is not None
        what = "this repository has no commit yet" if inside else "not in a git repository"
        yield checks.CheckResult("git", "note", f"{what}: jobs record no commit")
    elif checkout.shallow:
        yield checks.CheckResult(
            "git",
            "warning",
            f"{checkout.commit[:7]}, a shallow clone without the commit's ancestors",
            "fetch the history (in GitHub's checkout action: fetch-depth: 0)",
        )
    else:
        state = "uncommitted changes" if checkout.dirty else "clean"
        yield checks.CheckResult("git", "ok", f"{checkout.commit[:7]}, {state}")
    yield from checks.guarded("ledger push", push)
    yield from checks.guarded("specs", specs)


def write(found: Iterable[CheckResult], target: str, *, form: str) -> None:
    """Write the report to stdout."""
    from reconciler import __version__
    from reconciler.documents.reports import DoctorDoc, FindingDoc, pretty
    from reconciler.text.sanitize import clean

    if form == "json":
        rows = tuple(FindingDoc(**asdict(it)) for it in found)
        write_stdout(pretty(DoctorDoc(tool_version=__version__, host=target, findings=rows)))
        return
    lines = [f"reconciler {__version__} on {target}"]
    for finding in found:
        lines.append(f"{finding.verdict:<8} {finding.check:<22} {finding.detail}")
        lines += [f"{'':<8} {'':<22} hint: {finding.hint}"] if finding.hint else []
    write_stdout("".join(f"{clean(line)}\n" for line in lines))
