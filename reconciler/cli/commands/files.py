"""`reconciler files`: list and delete input files that this tool uploaded and nothing needs any more."""

from __future__ import annotations

import click

from reconciler.api.client import Writer
from reconciler.api.errors import NotFoundError
from reconciler.api.values import File
from reconciler.cli.output.errors import write_error
from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.session import reading, writing
from reconciler.cli.session.signals import interrupts
from reconciler.context import RunContext
from reconciler.documents.reports import PruneDoc, StoredDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError, first_that_holds
from reconciler.model import UploadedFile
from reconciler.specs.load import load
from reconciler.text.plural import pluralize, size
from reconciler.text.sanitize import clean
from reconciler.workspace import listing, upload_index


@click.group()
def files() -> None:
    """List and delete the input files that this tool uploaded."""


@files.command()
@click.option("--yes", is_flag=True, help="Delete the uploads instead of listing them.")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def prune(env: Environment, *, yes: bool, form: str, common: options.Common) -> int:
    """List the uploads of this tool that nothing needs any more; with --yes, delete them.

    Only uploads that are named by their content, as this tool names them, are considered. Uploads stay if a queued or
    running job of any project uses them, if a spec names them, or if they are younger than an hour.
    """
    if not yes:
        with reading(common, env) as reader:
            found = unneeded(reader)
        write_stdout(shown(found, form=form))
        return ExitCode.OK
    with interrupts(env) as interrupted, writing(common, env) as run:
        found = unneeded(run)
        deleted = [file for file in found if not env.stop.is_set() and delete(run, file)]
    write_stdout(shown(found, deleted, form=form))
    failed = len(deleted) < len(found)
    ended = (ExitCode.PARTIAL if deleted else ExitCode.FAILED) if failed else ExitCode.OK
    return first_that_holds({ended} | interrupted.codes)


def unneeded(run: RunContext) -> list[File]:  # type: ignore[type-arg]  # a reader's or a writer's
    """Return our uploads that nothing needs, the oldest first.

    Raises:
        ListingError: the list of jobs could not be read completely.
        ReconcilerError: the input files of a job could not be read.
        SpecError: the specs are invalid, so the uploads that they name are not known.
    """
    named = {
        part.id
        for spec in load(run.project, now=run.env.now(), monotonic=run.env.monotonic).specs
        for part in spec.inputs
        if isinstance(part, UploadedFile)
    }
    uploads = list(
        upload_index.list_uploads(run.api)
    )  # before the jobs: a job created in between uses uploads that are in this list
    listed = listing.whole(run)
    for row in listed.odd:
        if "input_files" in row.unreadable:
            raise ReconcilerError(
                f"which uploads job {row.job.id} uses cannot be read, so nothing can be deleted: {row.problem}",
                hint="run again in a moment",
            )
    jobs = (*listed.jobs, *(row.job for row in listed.odd))
    return upload_index.unneeded(uploads, jobs, named, now=run.env.now())


def delete(run: RunContext[Writer], file: File) -> bool:
    """Delete one upload; on failure, print the error and return False."""
    try:
        deleted = run.api.delete_file(file.id)
    except NotFoundError:  # another process deleted it
        return True
    except ReconcilerError as error:
        write_error(run.env, error)
        return False
    if not deleted:
        write_error(run.env, ReconcilerError(f"the API did not delete {file.id}", hint="run again"))
        return False
    run.env.log("file.deleted", file_id=file.id, filename=file.filename, bytes=file.size)
    return True


def shown(found: list[File], deleted: list[File] | None = None, *, form: str) -> str | bytes:
    """Return the report: the uploads that nothing needs. The text of a deletion lists only those deleted."""
    if form == "json":
        gone = {file.id for file in deleted or ()}
        uploads = tuple(
            StoredDoc(
                id=it.id, filename=it.filename, bytes=it.size, created_at=it.created_at, deleted=it.id in gone
            )
            for it in found
        )
        return pretty(PruneDoc(uploads=uploads))
    files, what = (found, "pass --yes to delete") if deleted is None else (deleted, "deleted")
    if not files:
        return "no uploads to delete: each is used by a spec or an active job, or is younger than an hour\n"
    lines = [clean(f"{it.id}  {it.filename[:12]}…  {size(it.size or 0)}") + "\n" for it in files]
    total = f"{pluralize(len(files), 'upload')}, {size(sum(it.size or 0 for it in files))} · {what}\n"
    return "".join([*lines, total])
