"""The safeguards of requests: without any one of them, some schedule of jobs with results must fail."""

from __future__ import annotations

from typing import Final

from tests.simulation.mutation import Mutation

OPTION: Final = "--requests"


def _without(name: str, module: str, old: str, new: str, start: int = 0) -> Mutation:
    return Mutation(name, module, old, new, OPTION, start)


SAFEGUARDS: Final = (
    _without(
        "open creates are looked up by run key",
        "planning/name_facts.py",
        "for it in (*of_names, *of_work) if it.op not in self.seen_ops",
        "for it in of_work if it.op not in self.seen_ops",
        start=4590,
    ),
    _without(
        "open creates are looked up by number",
        "planning/name_facts.py",
        "if it.op not in self.seen_ops",
        "if it.op not in self.seen_ops and it.attempt == len(self.of_run_key) + 1",
        start=6119,
    ),
    _without(
        "a cancel of ours is an attempt",
        "planning/coverage.py",
        "            if unasked:\n                continue\n",
        "            if unasked and not donor.by_us:\n                continue\n",
    ),
    _without(
        "an end settles at once",
        "planning/donors.py",
        "    if now < ended + late_seconds:\n        return Account.LATE\n",
        "",
    ),
    _without(
        "one file is enough",
        "planning/donors.py",
        "count.read >= job.succeeded_requests and settled",
        "count.read >= job.succeeded_requests",
    ),
    _without(
        "counts are trusted over files",
        "planning/donors.py",
        "    if whole:\n        return Account.READ\n",
        "    if whole or not job.succeeded_requests:\n        return Account.READ\n",
    ),
    _without(
        "withheld answers are gone",
        "planning/donors.py",
        "return Account.GONE if succeeded and not names_any else Account.READ",
        "return Account.GONE",
    ),
    _without(
        "answers count for whatever is wanted first",
        "planning/coverage.py",
        "fold.add(donor, places.of(donor.asked))",
        "fold.add(donor, (place or 0 for place in places.of(donor.asked)))",
    ),
    _without(
        "the rest of a canary comes before its checks",
        "planning/next_part.py",
        'failed_check = "" if known < rules.canary else broken_check(coverage, rules.checks)',
        'failed_check = ""',
    ),
    _without(
        "a canary has no bound",
        "planning/next_part.py",
        'fresh, kind = fresh[:room], "canary"',
        'kind = "canary"',
    ),
    _without(
        "what a person stopped counts as an outcome of a canary",
        "planning/coverage.py",
        "self.states[at] != State.STOPPED and self.attempts[at] > 0",
        "self.attempts[at] > 0",
    ),
    _without(
        "what a person stopped is new",
        "planning/coverage.py",
        "self._stopped[place] = stopped",
        "self._stopped[place] = False",
    ),
    _without(
        "a person's cancel before the first answer is forgotten",
        "planning/work_facts.py",
        "known = owned.has_results or owned.is_part or ended_well or self._stopped_before(owned)",
        "known = owned.has_results or owned.is_part or ended_well",
    ),
    _without(
        "a job that has just ended shows no results yet",
        "planning/work_facts.py",
        "return owned.phase.ended and owned.job.started_at is not None and not owned.has_results",
        "return False",
    ),
    _without(
        "attempts have no cap",
        "planning/next_part.py",
        "attempts[at] < rules.max_attempts and kinds[at] in retry_kinds",
        "kinds[at] in retry_kinds",
    ),
    _without(
        "answers are reused across reruns",
        "planning/other_jobs.py",
        "and (recipe, rerun) == (spec.recipe, spec.rerun)",
        "and recipe == spec.recipe",
    ),
    _without(
        "answers are reused across recipes",
        "planning/other_jobs.py",
        "and (recipe, rerun) == (spec.recipe, spec.rerun)",
        "and rerun == spec.rerun",
    ),
    _without(
        "a part reuses answers that are not in the place of results",
        "outputs/work_states.py",
        "by_counts = not self.exact or results is not Results.UNREAD",
        "by_counts = True",
    ),
    _without(
        "results that lack a file are whole",
        "outputs/summary.py",
        "return any(file_id and name not in there for name, file_id in ids.items())",
        "return False",
        start=244,
    ),
    _without(
        "a job of which it is not known what it was asked is forgotten",
        "outputs/work_states.py",
        'next(map(_not_known, unknown), "")',
        '""',
    ),
    _without(
        "a custom_id alone shows what a job was asked",
        "outputs/current.py",
        'if part and (own or part.asked.head["ordered"])',
        "if part",
    ),
    _without(
        "a part of which it is not known what it was asked was asked everything",
        "outputs/work_states.py",
        "if assumed and (how is Account.ANSWERED or (blank and not stopped and (of_work or in_upload))):",
        "if assumed and how is Account.ANSWERED:",
    ),
    # What happens to a live job after an edit.
    _without(
        "auto lets every job end",
        "planning/other_jobs.py",
        "return overlap is None or (overlap.open > 0 and overlap.open * 2 >= overlap.asked)",
        "return True",
        start=55,
    ),
    _without(
        "auto replaces every job",
        "planning/other_jobs.py",
        "return overlap is None or (overlap.open > 0 and overlap.open * 2 >= overlap.asked)",
        "return False",
        start=15,
    ),
    _without(
        "auto replaces a job of which it is not known what it was asked",
        "planning/other_jobs.py",
        "return overlap is None or (overlap.open",
        "return overlap is not None and (overlap.open",
        start=117,
    ),
    _without(
        "a job of another rerun is replaced",
        "planning/other_jobs.py",
        "if owned.adopted or owned.tags.run_key.rerun != spec.rerun:",
        "if owned.adopted:",
        start=1,
    ),
    _without(
        "finish replaces",
        "planning/other_jobs.py",
        'return spec.on_change == "finish"',
        "return False",
        start=54,
    ),
    _without(
        "a replaced job is not waited for",
        "planning/other_jobs.py",
        "return self.waited_for or stops",
        "return self.waited_for",
    ),
    _without(
        "a round of a waiting apply that did nothing is repeated",
        "runs/apply_loop.py",
        "        return bool(outcomes)\n",
        "        return True\n",
        start=200450,
    ),
    # Works of several names.
    _without(
        "live jobs of names in reuse are not waited for",
        "planning/other_jobs.py",
        "for owned in (*others, *lenders)",
        "for owned in others",
        start=57,
    ),
    _without(
        "stopping jobs of names in reuse are not waited for",
        "planning/other_jobs.py",
        "live = (Phase.ACTIVE, Phase.STOPPING)\n        lenders",
        "live = (Phase.ACTIVE,)\n        lenders",
        start=66,
    ),
    _without(
        "creates of names in reuse are not waited for",
        "planning/planner.py",
        "decisions=wait_for_lenders(decisions)",
        "decisions=tuple(decisions)",
        start=1276,
    ),
    _without(
        "answers of names in reuse do not count",
        "planning/group_by_name.py",
        "chain(spec.reused_names, before,",
        "chain(before,",
        start=44,
    ),
    _without(
        "a renamed spec leaves the answers of earlier work behind",
        "planning/group_by_name.py",
        "chain(spec.reused_names, before,",
        "chain(spec.reused_names,",
        start=204040,
    ),
    # Works larger than one job.
    _without(
        "a job may have any number of requests",
        "planning/next_part.py",
        "places = places[: rules.max_requests]",
        "places = places[:]",
    ),
    _without(
        "a file of a job may have any size",
        "planning/next_part.py",
        "if used > rules.max_bytes and count:",
        "if False:",
    ),
    _without(
        "a large work is submitted whole",
        "planning/rules/create.py",
        "and not part.at_most and not spec.in_parts",
        "and not part.at_most or spec.large",
    ),
)
