"""What pulled results hold, for plans: a succeeded job whose files lack answers needs attention."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from reconciler.documents import result_summary
from reconciler.model import Observed, OwnedJob, Phase, RunKey
from reconciler.model.completeness import Received
from reconciler.results.paths import RESULTS, folder_of
from reconciler.results.store import FolderStore


def with_received(observed: Observed, root: Path, wanted: Collection[RunKey]) -> Observed:
    """Add to the succeeded jobs of wanted work what their results in the default destination hold.

    Args:
        observed: the workspace.
        root: the project root.
        wanted: the run keys that the specs declare.
    """
    destination = root / result_summary.DESTINATION
    if not destination.is_dir():
        return observed
    store = FolderStore(destination)
    return replace(
        observed,
        owned=tuple(
            replace(it, received=_received(it, store))
            if it.phase is Phase.SUCCEEDED and it.tags.run_key in wanted
            else it
            for it in observed.owned
        ),
    )


def _received(owned: OwnedJob, store: FolderStore) -> Received | None:
    """Return what a job's results hold; None if they were not pulled, or a part of them was gone."""
    try:
        data = store.read(f"{folder_of(owned)}/{result_summary.NAME}")
    except OSError:
        return None
    summary = result_summary.decode(data) if data else None
    if summary is None or any(file.state == "gone" for file in summary.files):
        return None
    if not any(file.path == RESULTS for file in summary.files):
        return None
    return Received(summary.requests.ok, summary.requests.failed)
