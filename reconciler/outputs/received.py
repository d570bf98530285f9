"""What pulled results hold, for plans: a succeeded job whose files lack answers needs attention."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from msgspec.structs import replace

from reconciler.documents.result_summary import NAME, ResultSummary, check_words, decode
from reconciler.model import Observed, OwnedJob, Phase, RunKey
from reconciler.model.completeness import Received
from reconciler.outputs.paths import ERRORS, OUTPUT, job_folder
from reconciler.outputs.store import FolderStore


def with_received(
    observed: Observed, folder: Path | None, wanted: Collection[RunKey], name_of: Callable[[OwnedJob], str]
) -> Observed:
    """Add to the succeeded jobs of wanted work what their results hold.

    Args:
        observed: the workspace.
        folder: of results; None if they are in an object store, which a plan does not read.
        wanted: the run keys that the specs declare.
        name_of: returns the name under which a job's results belong.
    """
    if folder is None or not folder.is_dir():
        return observed
    store = FolderStore(folder)
    return replace(
        observed,
        owned=tuple(
            _with_results(it, store, {name_of(it), it.tags.name})
            if it.phase is Phase.SUCCEEDED and it.tags.run_key in wanted
            else it
            for it in observed.owned
        ),
    )


def _with_results(owned: OwnedJob, store: FolderStore, names: Collection[str]) -> OwnedJob:
    """Return a job with what its results hold, unless they were not pulled, or a part of them was gone."""
    for name in names:
        try:
            data = store.read(f"{job_folder(name, owned.job.id)}/{NAME}")
        except OSError:
            return owned
        summary = decode(data, ResultSummary)
        if summary is not None and any(file.path in (OUTPUT, ERRORS) for file in summary.files):
            if any(file.state == "gone" for file in summary.files):
                return owned
            received = Received(summary.requests.ok, summary.requests.failed)
            return replace(owned, received=received, checked=check_words(summary.checks))
    return owned
