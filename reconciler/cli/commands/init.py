"""`reconciler init`: set up a repository, and write specs for existing jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.first_specs import first_specs, has_specs
from reconciler.cli.session.session import reading
from reconciler.cli.session.target import config_file, open_project
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from reconciler.model import Phase, tags
from reconciler.outputs.place import warning_on_ci
from reconciler.settings import RESULTS_URL
from reconciler.specs import scaffold
from reconciler.specs.from_jobs import drafts
from reconciler.specs.kubernetes import manifests
from reconciler.specs.load import load
from reconciler.specs.place import Placed, Wanted, place, place_lines
from reconciler.specs.project import Project, find
from reconciler.text.sanitize import clean
from reconciler.workspace import listing

NOT_PINNED = (
    "it is not pinned: give git+https://HOST/PATH@COMMIT with 40 hex digits, or the URL of a wheel with "
    "#sha256=DIGEST. A name such as mistral-batch-reconciler==0.1.0 is refused: the owner of that name on an "
    "index would get the API key."
)
UNKNOWN_SOURCE = (
    "pip did not install this tool from a commit at an https:// address, so the workflows have no pinned source; "
    "to write them, run reconciler init --package git+https://HOST/PATH@COMMIT"
)
ON_GITHUB = (
    "On GitHub: set the secret MISTRAL_API_KEY. Pull requests into `{}` are planned, and applied once merged."
)
LOST = (
    "CI downloads no results: set `results` in reconciler.yaml, or the variable RECONCILER_RESULTS, to a URL such as "
    "s3://bucket/outputs. A folder is lost with the runner."
)
REPORT = (
    "For a daily report, set the variable RECONCILER_REPORT to `artifact`, or to `pages` to publish it. Unless your "
    "plan has private Pages, anyone can then read names, models, people and costs."
)
ASSUMED = (
    "This repository does not know the default branch of `origin`, so `{}` is assumed. If it is another, run: "
    "git remote set-head origin --auto && reconciler init --upgrade"
)


ON_KUBERNETES = (
    "On Kubernetes: replace REGISTRY, DIGEST and COMMIT in kubernetes/cronjob.yaml, and create its secrets. A pod "
    "keeps no files: `ledger` must be shared, and `results` the URL of an object store."
)


@click.command()
@options.flag(
    "--from-workspace",
    "Write a spec that adopts it for each queued or running job that carries no tags of this tool.",
)
@click.option(
    "--from",
    "table",
    type=options.PATH,
    metavar="FILE",
    help="Write a spec for this table (CSV, JSON lines or Parquet), and a prompt to edit, in place of the example.",
)
@options.flag("--no-workflows", "Do not write GitHub workflows.")
@options.flag(
    "--kubernetes",
    "Also write a CronJob that applies and pulls results, and a Containerfile for its image, to kubernetes/.",
)
@click.option(
    "--package",
    metavar="URL",
    help="What the workflows and the image install: git+https://HOST/PATH@COMMIT with 40 hex digits, or the URL of "
    "a wheel with #sha256=DIGEST.  [default: the source of this installation, if it is pinned]",
)
@click.option(
    "--results",
    metavar="URL",
    help="Write this place of results into a new reconciler.yaml: the URL of an object store, such as "
    "s3://bucket/outputs, to which CI downloads results.",
)
@options.flag(
    "--upgrade",
    "Renew workflows, action, requirements and schemas that an earlier version wrote. A file that was edited "
    "stays: the difference is shown, and the exit code is 6.",
)
@options.common
def init(
    env: Environment,
    *,
    from_workspace: bool,
    table: Path | None,
    no_workflows: bool,
    kubernetes: bool,
    package: str | None,
    results: str | None,
    upgrade: bool,
    common: options.Common,
) -> int:
    """Write reconciler.yaml, an example spec with data, schemas for editors, workflows, and git settings.

    Existing files are not overwritten; files that differ are listed. A second run changes nothing.
    """
    if package and not scaffold.PINNED.fullmatch(package):
        raise click.BadParameter(NOT_PINNED, param_hint="--package")
    found = config_file(env, common.config) or find(env.cwd)
    check_url(results, found)
    root = found.parent if found else env.cwd
    git, top = env.git(root), env.git(root).toplevel()
    known = git.branch("refs/remotes/origin/HEAD") or scaffold.pushed_branch(root)
    branch = known or git.branch("HEAD") or "main"
    done: list[Placed] = []
    if found is None:
        origin = git.origin()
        name = scaffold.project_name(origin, top or root.resolve(), git.below)
        specs, store = scaffold.spec_folder(root), results or ""
        settings = scaffold.settings(
            name, specs=specs, shared=bool(origin), results=store, branch=branch if top else ""
        )
        done.append(place(root, settings))
    project = open_project(common, env)
    done += (place(project.root, scaffold.schema(name), upgrade=upgrade) for name in scaffold.SCHEMAS)
    at_top = top in (None, project.root)
    source = package or scaffold.installed_source()
    with_workflows = not no_workflows and at_top and source is not None
    if with_workflows and source:
        done += (place(project.root, it, upgrade=upgrade) for it in scaffold.workflows(source, branch))
    if kubernetes:
        wanted = manifests(
            project=project.settings.project,
            package=source,
            origin=git.origin(),
            branch=branch,
            below=git.below,
        )
        done += (place(project.root, it, upgrade=upgrade) for it in wanted)
    for path, lines in ((".gitignore", scaffold.IGNORED), (".gitattributes", scaffold.ATTRIBUTES)):
        done.append(place_lines(project.root, path, lines))
    write_stdout(clean(f"Project {project.settings.project} in {project.root}") + "\n")
    # Before the workspace is read: if that fails, the user still sees which files were written.
    write_stdout("".join(describe(done)))
    rest: list[Placed] = []
    if from_workspace:
        rest, skipped = adopt(env, common)
        write_stdout(
            "".join(clean(f"  = no spec for job {job_id}: {why}") + "\n" for job_id, why in skipped.items())
        )
    rest += (place(project.root, wanted) for wanted in first_specs(env, project, table))
    write_stdout("".join(describe(rest)))
    expected = upgrade or not scaffold.has_workflows(project.root)
    if expected and not (with_workflows or no_workflows):
        why = UNKNOWN_SOURCE if at_top else f"{project.root} is not the root of the repository, {top}"
        write_stdout(clean(f"  = no workflows: {why}") + "\n")
    if all(it.did == "kept" and not it.why for it in (*done, *rest)):
        write_stdout("  everything is in place already\n")
    if upgrade:
        left = any(it.did == "kept" and it.why for it in done)
        return ExitCode.ATTENTION if left or (at_top and not source and not no_workflows) else ExitCode.OK
    notes = {
        ON_GITHUB: True,
        LOST: bool(warning_on_ci(project, env.environ)),
        REPORT: True,
        ASSUMED: not known,
    }
    said = [clean(note.format(branch)) for note, holds in notes.items() if holds and with_workflows]
    said += [ON_KUBERNETES] * kubernetes
    tried = Path(rest[-2].path).stem if table else ""
    steps = (*next_steps(project, adopted=from_workspace, in_git=top is not None, tried=tried), *said)
    write_stdout("".join(f"{line}\n" for line in steps))
    return ExitCode.OK


def check_url(results: str | None, found: Path | None) -> None:
    """Check what `--results` says.

    Raises `UsageError` if it is no URL of an object store, or there are settings already.
    """
    if results is None:
        return
    if found:
        raise click.UsageError(f"{found.name} exists: add the line `results: {results}` to it")
    if not re.fullmatch(RESULTS_URL, results):
        raise click.BadParameter(
            "a URL such as s3://bucket/outputs, gs://… or az://…", param_hint="--results"
        )


def adopt(env: Environment, common: options.Common) -> tuple[list[Placed], dict[str, str]]:
    """Write a spec for each active job that carries no tags; return why others get none, by their ids.

    Raises `SpecError` if the existing specs are invalid.
    """
    with reading(common, env) as run:
        project = run.project
        declared = load(project, now=env.now(), monotonic=env.monotonic).specs if has_specs(project) else ()
        listed = listing.whole(run).jobs
    theirs = (job for job in listed if job.phase is Phase.ACTIVE and tags.project_of(job) is None)
    specs = project.relative(str(project.spec_root))
    up = "../" * len(Path(specs).parts)
    found, skipped = drafts(theirs, declared, schema=f"{up}schemas/job.schema.json")
    wanted = (Wanted(f"{specs}/{name}.yaml", text.encode()) for name, text in found.items())
    return [place(project.root, it) for it in wanted], skipped


SIGNS = {"wrote": "+", "added": "~", "renewed": "~", "kept": "="}


def describe(done: Sequence[Placed]) -> Iterator[str]:
    """Yield a line for each file that was written, and for each that was kept although it differs, with its diff."""
    for it in done:
        if it.did != "kept" or it.why:
            yield clean(f"  {SIGNS[it.did]} {it.path}" + (f": {it.why}" if it.why else "")) + "\n"
        yield from (clean(f"      {line}") + "\n" for line in it.diff)


def next_steps(project: Project, *, adopted: bool, in_git: bool, tried: str) -> Iterator[str]:
    """Yield the next steps for the user."""
    yield "\nNext:"
    if adopted:
        yield "  reconciler plan               no changes: the running jobs are adopted"
    else:
        yield "  reconciler plan --sandbox     what would be submitted, in the sandbox: no key, no charges"
    if not in_git:
        yield "  git init                      plans are reviewed in the specs' repository"
    yield "  git add --all && git commit"
    if not adopted:
        yield "  export MISTRAL_API_KEY=…      then `reconciler plan` for the real workspace"
    if tried:
        yield f"  reconciler try {tried:<15}answers to its first rows now, at the price of live requests"
    yield (
        f"`project: {project.settings.project}` identifies your jobs. Set it before the first apply; "
        "changing it later resubmits everything."
    )
