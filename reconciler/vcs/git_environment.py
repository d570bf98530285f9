"""The environment that git runs in: without key and token, and without what would point it at another repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final = frozenset(
    {
        "MISTRAL_API_KEY",
        "RECONCILER_TOKEN",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
    }
)
QUIET: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def environ(*more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment and `more`, less what git must not see; git asks nobody anything."""
    merged = {name: value for part in (os.environ, *more) for name, value in part.items()}
    return {name: value for name, value in merged.items() if name not in LEFT_OUT} | QUIET
