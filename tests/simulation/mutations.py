"""Check that the simulation finds faults: without any one safeguard of the package, some schedule must fail.

`python -m tests.simulation.mutations` prints, for each safeguard, the seed that fails and the promise that it breaks.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation import budget_mutations, store_mutations
from tests.simulation.mutation import Mutation
from tests.simulation.requests.safeguards import SAFEGUARDS

ROOT: Final = Path(__file__).parents[2]
SCHEDULES: Final = 2000
"""So many schedules must be enough for each."""


MUTATIONS: Final = (
    Mutation(
        "a create is sent again blindly",
        "api/client.py",
        "return self._send_once(call, wire.read_job)",
        "return self._send_with_retry(call, wire.read_job)",
    ),
    Mutation(
        "no look-up by op",
        "execution/after_create.py",
        "return next((job for job in jobs if op in tags.ops(job)), None)",
        "return None",
    ),
    Mutation(
        "no duplicate verdict",
        "planning/rules/existing.py",
        "for it in case.wanted_in(Phase.ACTIVE)",
        "for it in case.wanted_in()",
    ),
    Mutation(
        "no check that the list is whole",
        "workspace/listing.py",
        "problem = _incomplete(pages, unique, size)",
        'problem = ""',
    ),
    Mutation(
        "no page is read behind a full one",
        "workspace/listing.py",
        "len(pages) + (len(pages[-1].jobs) >= size)",
        "len(pages)",
    ),
    Mutation(
        "no settle time in the run itself",
        "execution/after_create.py",
        "until=began + run.limits.settle_seconds",
        "until=0.0",
    ),
    Mutation(
        "no settle time in the next run",
        "ledger/memory.py",
        "return intent.at + self.settle_seconds",
        "return intent.at",
    ),
    Mutation(
        "ids are not remembered",
        "workspace/observe.py",
        "sorted((remembered | watched.adopted) - seen)",
        "sorted(watched.adopted - seen)",
    ),
    Mutation(
        "no attempt cap",
        "planning/case.py",
        "return phase in self.spec.retry.on and self.attempts_left",
        "return phase in self.spec.retry.on",
    ),
    Mutation(
        "no ancestor rule",
        "planning/name_facts.py",
        "return bool(commit) and commit not in (self.declared.ancestry.contained or ())",
        "return False",
    ),
    Mutation(
        "a job from another folder is ours",
        "planning/name_facts.py",
        "return not owned.adopted and owned.tags.source.root not in self.declared.roots",
        "return False",
    ),
    Mutation(
        "no durable intent",
        "execution/create.py",
        "            run.env.ledger.append(create_intent(run, prepared.create, prepared.op))\n",
        "",
    ),
    Mutation(
        "a lost race for the shared ledger counts as won",
        "ledger/replicated.py",
        "            return False\n",
        "            return True\n",
    ),
    Mutation(
        "an intent lasts no longer than the settle time",
        "execution/records.py",
        "lease = run.limits.deadline_seconds",
        "lease = 0.0",
    ),
    Mutation(
        "a person's cancel is taken for our own",
        "planning/case.py",
        "return max(stopped, key=rank, default=None)",
        "return None",
    ),
    Mutation(
        "a later job of the name counts as our cancel",
        "planning/work_facts.py",
        "            return memory.cancels.get(job_id) in OUR_CANCELS\n",
        "            return memory.cancels.get(job_id) in OUR_CANCELS or any(\n"
        "                later.job.created_at > owned.job.created_at\n"
        "                and later.tags.run_key not in self.run_keys\n"
        "                for later in self.jobs\n"
        "            )\n",
    ),
    Mutation(
        "an intended cancel counts as done",
        "ledger/fold.py",
        "        cancels={job_id: line.reason for job_id, line in accepted.items()},\n",
        "        cancels={line.job_id: line.reason for line in cancels if isinstance(line, CancelIntended)},\n",
    ),
    Mutation(
        "a refused cancel counts as accepted once the job has stopped",
        "execution/cancel.py",
        "return job, str(failure)",
        'return job, ""',
    ),
    Mutation(
        "twins of work that is no longer wanted are left",
        "planning/rules/other_work.py",
        "else duplicate(case, owned) or let_run(owned)",
        "else let_run(owned)",
    ),
    Mutation(
        "every project's jobs are ours",
        "workspace/observe.py",
        "        if project == watched.project:\n            if isinstance(read, OwnedJob):\n",
        "        if project:\n            if isinstance(read, OwnedJob):\n",
    ),
    Mutation(
        "a saved plan does whatever is planned now",
        "plans/staleness.py",
        "if not isinstance(action, Create | Cancel) or action_key(decision.name, action) in promised",
        "if action",
    ),
    Mutation(
        "the ledger is not asked about a job whose tags are damaged",
        "workspace/observe.py",
        "known = by_memory(memory, (*listed.jobs, *(row.job for row in odd)))",
        "known: dict[str, Remembered] = {}",
    ),
    Mutation(
        "what the list shows of an interrupted create is not written down",
        "execution/records.py",
        "if facts.op in in_doubt:",
        "if facts.op in ():",
    ),
    Mutation(
        "what a spec adopts does not count",
        "planning/group_by_name.py",
        "adopted = adoptions(specs, observed)",
        "adopted = adoptions({}, observed)",
    ),
    Mutation(
        "an adopted job is stopped as any other",
        "planning/other_jobs.py",
        "if not owned.adopted and not self.from_elsewhere(owned)",
        "if not self.from_elsewhere(owned)",
    ),
    Mutation(
        "recorded deliveries of an end are not looked up",
        "notifications/due.py",
        "if not delivery.delivered and delivery.failures",
        "if delivery.failures",
    ),
    Mutation(
        "each of several specs with the same work creates its own job",
        "planning/planner.py",
        "decide(case, cases.get(case.owner))",
        "decide(case)",
    ),
    Mutation(
        "a job of ours that cannot be read is skipped",
        "workspace/observe.py",
        "unreadable: list[Unreadable] = list(perhaps_ours.values())",
        "unreadable: list[Unreadable] = []",
    ),
    Mutation(
        "only counters show answers",
        "model/jobs.py",
        "return self.output_file is not None or self.succeeded_requests > 0",
        "return self.succeeded_requests > 0",
    ),
    Mutation(
        "a later round cancels",
        "plans/approval.py",
        "whole = not decision.of(Cancel) and all(",
        "whole = all(",
    ),
    Mutation(
        "a later round creates whatever the plan says",
        "plans/approval.py",
        "return work in self.held or (continues and not exceeds(create.in_all, self.works[work]))",
        "return True",
    ),
    Mutation(
        "what rests on the ledger alone needs no agreement",
        "plans/agreement.py",
        "if create.rests_on_ledger and NamedWork(decision.name",
        "if False and NamedWork(decision.name",
    ),
    Mutation(
        "what the ledger says of our cancels is never in doubt",
        "ledger/memory.py",
        "return dataclasses.replace(self, jobs=jobs, cancels={}, doubted_cancels=self.cancels)",
        "return dataclasses.replace(self, jobs=jobs)",
    ),
    Mutation(
        "a time too far ahead holds for ever",
        "workspace/recall.py",
        "return None if isinstance(line, HOLDING) else structs.replace(line, at=0.0)",
        "return line",
    ),
    *SAFEGUARDS,
    *budget_mutations.SAFEGUARDS,
    *store_mutations.SAFEGUARDS,
)


@dataclass(frozen=True)
class Verdict:
    """Whether a mutation was seen."""

    mutation: Mutation
    seed: int | None
    """The first schedule that saw it."""
    promise: str


def seen(mutation: Mutation, *, schedules: int = SCHEDULES) -> Verdict:
    """Run schedules on a copy of the package without the safeguard, until one fails.

    Raises:
        ValueError: the module does not hold the safeguard's text exactly once.
        RuntimeError: the copy does not run at all.
    """
    source = (ROOT / "reconciler" / mutation.module).read_text(encoding="utf-8")
    if source.count(mutation.old) != 1:
        times = source.count(mutation.old)
        raise ValueError(f"{mutation.name}: {mutation.module} holds its text {times} times, not once")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for package in ("reconciler", "tests/helpers", "tests/simulation", "tools"):
            shutil.copytree(
                ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "test_*.py")
            )
        (copy / "tests" / "__init__.py").touch()
        mutated = source.replace(mutation.old, mutation.new)
        (copy / "reconciler" / mutation.module).write_text(mutated, encoding="utf-8")
        options = ["--schedules", str(schedules), "--start", str(mutation.start), "--until-one-fails"]
        options += [mutation.option] if mutation.option else []
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", *options],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1) or "violations" not in done.stdout:
        raise RuntimeError(f"{mutation.name}: {done.stderr}")
    found = re.search(r"^  (\w+): [\d,]+\n    seed (\d+)", done.stdout, re.MULTILINE)
    return Verdict(mutation, int(found[2]), found[1]) if found else Verdict(mutation, None, "")


def main(names: Sequence[str]) -> int:
    """Check the mutations with these words in their names, all without any; return 1 if one is not seen."""
    unseen = 0
    for mutation in MUTATIONS:
        if names and not any(name in mutation.name for name in names):
            continue
        verdict = seen(mutation)
        unseen += verdict.seed is None
        what = "NOT SEEN" if verdict.seed is None else f"seed {verdict.seed}: {verdict.promise}"
        sys.stdout.write(f"{mutation.name}: {what}\n")
        sys.stdout.flush()
    return bool(unseen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
