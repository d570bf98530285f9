"""`reconciler files`: the input files that this tool has uploaded, and those of them that nothing needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options
from reconciler.errors import ExitCode, ReconcilerError, first_that_holds

if TYPE_CHECKING:
    from reconciler.api.client import Writer
    from reconciler.api.values import File
    from reconciler.context import Run
    from reconciler.environment import World


@click.group()
def files() -> None:
    """Look at the input files that this tool has uploaded."""


@files.command()
@click.option("--yes", is_flag=True, help="Delete them; without it they are only listed.")
@options.output_format("text", "json")
@options.common
@click.pass_obj
def prune(world: World, *, yes: bool, form: str, common: options.Common) -> int:
    """List the uploads of this tool that no live job needs, and with --yes delete them.

    Only uploads that are named by their content, as this tool names them, are ever looked at. Those of jobs that are
    queued or running, whoever's they are, those that a spec names and those of the last hour stay.
    """
    from reconciler.cli.session.session import reading, writing
    from reconciler.cli.session.signals import interrupts

    if not yes:
        with reading(common, world) as reader:
            found = unneeded(reader)
        say(shown(found, form=form))
        return ExitCode.OK
    with interrupts(world) as interrupted, writing(common, world) as run:
        found = unneeded(run)
        deleted = [file for file in found if not world.stop.is_set() and delete(run, file)]
    say(shown(found, deleted, form=form))
    failed = len(deleted) < len(found)
    ended = (ExitCode.PARTIAL if deleted else ExitCode.FAILED) if failed else ExitCode.OK
    return first_that_holds({ended} | interrupted.codes)


def unneeded(run: Run) -> list[File]:  # type: ignore[type-arg]  # a reader's or a writer's
    """Return our uploads that nothing needs, the oldest first.

    Raises:
        ListingError: the list of jobs could not be read whole.
        SpecError: the specs hold mistakes, so what they name is not known.
    """
    from reconciler.model import UploadedFile
    from reconciler.specs.load import load
    from reconciler.workspace import listing, upload_index

    named = {
        part.id
        for spec in load(run.project, now=run.world.now()).specs
        for part in spec.inputs
        if isinstance(part, UploadedFile)
    }
    uploads = list(
        upload_index.ours(run.api)
    )  # before the jobs: what is created meanwhile uses what is listed here
    jobs = listing.list_all(run)
    return upload_index.unneeded(uploads, jobs, named, now=run.world.now())


def delete(run: Run[Writer], file: File) -> bool:
    """Delete one upload; False where that failed, which is said."""
    from reconciler.api.errors import NotFoundError
    from reconciler.cli.output.errors import told

    try:
        run.api.delete_file(file.id)
    except NotFoundError:  # somebody else did
        return True
    except ReconcilerError as error:
        aside(told(error, colour=run.world.colour("stderr")))
        return False
    run.world.log("file.deleted", file_id=file.id, filename=file.filename, bytes=file.size)
    return True


def shown(found: list[File], deleted: list[File] | None = None, *, form: str) -> str | bytes:
    """Return the uploads that nothing needs; of text, only those that were deleted where any were to be."""
    from reconciler.documents.reports import PruneDoc, StoredDoc, pretty

    if form == "text":
        files, what = (found, "delete them: --yes") if deleted is None else (deleted, "deleted")
        return "".join(f"{line(file)}\n" for file in files) + summary(files, what)
    gone = {file.id for file in deleted or ()}
    uploads = tuple(
        StoredDoc(
            id=file.id,
            filename=file.filename,
            bytes=file.size,
            created_at=file.created_at,
            deleted=file.id in gone,
        )
        for file in found
    )
    return pretty(PruneDoc(uploads=uploads))


def line(file: File) -> str:
    """Return one upload as a line."""
    from reconciler.text.sanitize import clean
    from reconciler.text.units import size

    return clean(f"{file.id}  {file.filename[:12]}…  {size(file.size or 0)}")


def summary(found: list[File], what: str) -> str:
    """Return how many there are."""
    from reconciler.text.plural import count
    from reconciler.text.units import size

    if not found:
        return "no upload to delete: each is needed by a spec or a live job, or younger than an hour\n"
    return f"{count(len(found), 'upload')}, {size(sum(file.size or 0 for file in found))} · {what}\n"
