"""Options that select which jobs a command shows or fetches."""

from __future__ import annotations

from typing import Final

import click

from reconciler.cli.params import options
from reconciler.cli.params.time_types import moment

statuses: Final = click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    help="Only jobs with this status; may be repeated.",
)
since: Final = click.option(
    "--since",
    type=moment,
    metavar="WHEN",
    help="Only jobs created at this time or later: 2026-11, 2026-11-01, 7d.",
)
all_projects: Final = options.flag(
    "--all-projects", "Include the jobs of other projects, as the list of jobs shows them."
)
offline: Final = options.flag("--offline", "Use only the ledger and pulled results: no key, no network.")
