"""The safeguards of budgets: without any one of them, some schedule with a budget must fail."""

from __future__ import annotations

from typing import Final

from tests.simulation.mutation import Mutation

OPTION: Final = "--budgets"


def _without(name: str, module: str, old: str, new: str) -> Mutation:
    return Mutation(name, module, old, new, OPTION)


SAFEGUARDS: Final = (
    _without(
        "intents reserve nothing",
        "execution/records.py",
        "        **_reserved(create.estimate),\n",
        "        most=0,\n",
    ),
    _without(
        "jobs do not say what they reserve",
        "execution/prepared_create.py",
        "        estimate=create.estimate,\n",
        "",
    ),
    _without(
        "the budget is read before the race for the ledger",
        "ledger/replicated.py",
        "            self._wait()\n            return False\n",
        "            self._wait()\n            self._fetch()\n            return self.claim(lines)\n",
    ),
    _without(
        "reservations of other runners do not count",
        "planning/spending.py",
        "    for intent in memory.open_creates:\n",
        "    for intent in ():\n",
    ),
    _without(
        "a reservation lasts for ever",
        "planning/spending.py",
        "if intent.op not in settled and observed.read_started_at < memory.settles_at(intent):",
        "if intent.op not in settled:",
    ),
    _without(
        "a reservation ends with the lease of another run",
        "planning/spending.py",
        "observed.read_started_at < memory.settles_at(intent)",
        "observed.read_started_at < intent.at - memory.settle_seconds",
    ),
    _without(
        "a job whose record is gone costs nothing",
        "planning/spending.py",
        "if job_id not in listed and (known.op or known.most is not None):",
        "if not known:",
    ),
    _without(
        "a job costs nothing before its results are pulled",
        "planning/spending.py",
        "micros = reservation if cost is None else cost",
        "micros = cost or 0",
    ),
    _without(
        "a day has 23 hours",
        "planning/spending.py",
        "day_began = now - memory.settle_seconds - DAY",
        "day_began = now - memory.settle_seconds - DAY + 3600",
    ),
)
