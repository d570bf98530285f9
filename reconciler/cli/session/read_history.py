"""Read the sources of a history: the list of jobs, the ledger, the summaries of pulled results, the specs, and git."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import structs

from reconciler.cli.output.streams import write_stderr
from reconciler.cli.params.options import Common
from reconciler.cli.session.find_ledgers import ledgers
from reconciler.cli.session.target import load_shown
from reconciler.constraints import NAME_PATTERN
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError
from reconciler.history import merge
from reconciler.history.merge import read_ledger
from reconciler.history.sources import Sources
from reconciler.ledger.line_format import union
from reconciler.model.commit import Commit
from reconciler.outputs.paths import safe_name
from reconciler.outputs.place import local_folder, open_place
from reconciler.outputs.store import FolderStore
from reconciler.outputs.summaries import job_summaries
from reconciler.specs.prices import load_shown as load_shown_prices
from reconciler.specs.project import STATE, Project
from reconciler.text.sanitize import clean

if TYPE_CHECKING:
    from reconciler.api.client import Reader
    from reconciler.context import RunContext
    from reconciler.workspace.listing import Listed


def read(
    common: Common,
    env: Environment,
    *,
    offline: bool,
    all_projects: bool = False,
    look: Callable[[RunContext[Reader], Listed], None] | None = None,
) -> tuple[Project, Sources]:
    """Read all sources of the project's history.

    If `offline`, without the API and the remote: no key, no network. With `all_projects`, the listed jobs of other
    projects are included. `look` is called with the open run and the list, unless `offline`. Raises `ListingError` if
    the list of jobs could not be read completely, `LedgerError` if the ledger cannot be read, and `ApiError` if the API
    could not be read.
    """
    jobs, settled = None, env.now()
    if offline:
        project, target, local, shared = ledgers(common, env)
        fetched = tuple(shared.read(shared.fetched())) if shared else ()
        lines = union(fetched, local.read()) if fetched else tuple(local.read())
    else:
        from reconciler.cli.session.session import reading
        from reconciler.workspace import listing

        with reading(common, env) as run:
            project, target = run.project, run.target
            settled -= run.limits.settle_seconds
            lines = tuple(run.env.ledger.read())
            listed = listing.whole(run)
            if look:
                look(run, listed)
            jobs = (*listed.jobs, *(row.job for row in listed.odd))
    ledger = read_ledger(lines, project=target.project)
    if jobs is not None:
        jobs = merge.owned_jobs(jobs, None if all_projects else target.project, ledger.records)
    folder = local_folder(project, env.environ)
    pulled = job_summaries(FolderStore(folder)) if folder else {}
    places = {} if offline and folder is None else results_places(project, env)
    found = merge.records(ledger, jobs or (), pulled, load_shown_prices(project))
    if places:
        found = tuple(
            structs.replace(it, results=place) if (place := places.get(safe_name(it.job_id or ""))) else it
            for it in found
        )
    sources = Sources(target=target, ledger=ledger, jobs=jobs, settled=settled, records=found)
    return project, sources


def results_places(project: Project, env: Environment) -> dict[str, str]:
    """Return the places of all pulled results, by the folder's name. A store that cannot be listed is a note."""
    try:
        store = open_place(project, env.environ, staging=project.root / STATE)
        return {job_id: store.path(folder) for job_id, folder in store.jobs().items()}
    except (OSError, ReconcilerError) as error:
        write_stderr(clean(f"note: the place of results is not shown: {error}"))
        return {}


@dataclass(frozen=True, kw_only=True)
class DeclarationHistory:
    """A name's declaration: files and commits."""

    declared: bool
    files: tuple[str, ...] = ()
    """Relative to the project root."""
    works: frozenset[str] = frozenset()
    commits: tuple[Commit, ...] = ()


def declared_at(env: Environment, project: Project, name: str) -> DeclarationHistory:
    """Find a name in the specs, and its file in git. A spec that was removed is searched for by its text."""
    git = env.git(project.root)
    try:
        specs = load_shown(project, env).specs
    except ReconcilerError:  # the timeline is shown even if no spec can be read
        specs = ()
    for spec in specs:
        if spec.name == name:
            files = (spec.declared_at.path,)
            works = frozenset(key.work for key in spec.run_keys)
            return DeclarationHistory(declared=True, files=files, works=works, commits=git.commits_of(files))
    if re.fullmatch(NAME_PATTERN, name) is None:
        return DeclarationHistory(declared=False)
    where = project.relative(str(project.spec_root))
    gone = git.files_declaring(name, below=where)
    return DeclarationHistory(declared=False, files=gone, commits=git.commits_of(gone))
