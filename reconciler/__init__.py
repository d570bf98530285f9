"""GitOps for batch inference on Mistral AI.

`results` is all that programs may use; everything else may change in any version.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.pulled import Results

__all__ = ["__version__", "results"]
__version__ = "0.1.0"


def results(name: str, *, project: str | Path = ".") -> Results:
    """Return the results of a name that `reconciler outputs pull` has fetched. Needs no key.

    Args:
        name: the name of the spec.
        project: a folder; the nearest `reconciler.yaml`, in it or above it, says where results are.

    Raises:
        reconciler.errors.ReconcilerError: there is no project, or it has no results of that name.
        OSError: the results cannot be read.
    """
    from reconciler.pulled import open_results  # noqa: PLC0415 - starting the command line needs none of it

    return open_results(name, Path(project))
