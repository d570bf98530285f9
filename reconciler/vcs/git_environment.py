"""The environment of git: without key and token, and without variables that select another repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

EXCLUDED_VARIABLES: Final = frozenset(
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


def git_environment(*more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment and `more`, without the excluded variables. Git does not prompt."""
    merged = {name: value for part in (os.environ, *more) for name, value in part.items()}
    return {name: value for name, value in merged.items() if name not in EXCLUDED_VARIABLES} | QUIET
