"""What one run could know of each job when it planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.simulation.requests.api import ANSWER, Api, AskedJob, Question
from tests.simulation.requests.places import Place


@dataclass(frozen=True)
class View:
    """What a run could know of a job when it planned."""

    job: AskedJob
    live: bool
    over: bool
    outcomes: Mapping[Question, str]
    """Of the requests with a line in a file that it could read."""
    knows_asked: bool
    """Whether it could read what the job was asked."""
    listed: bool
    """False if the record of the job is gone."""
    complete: bool
    """Whether it could read all files that the job will ever have."""
    counted_whole: bool
    """Whether the counters of a success said that everything is answered."""
    shows_results: bool
    """Whether the job's record says that there are answers or errors."""

    @property
    def answers(self) -> set[Question]:
        """The requests with an answer that it could read."""
        return {it for it, kind in self.outcomes.items() if kind == ANSWER}

    def kind(self, asked: Question) -> str:
        """Return the outcome of a request of a job that has ended."""
        return self.outcomes.get(asked, "missing" if self.job.status == "SUCCESS" else self.job.status)


def views(
    api: Api, place: Place, remembers: Callable[[AskedJob], bool], looked: float, now: float
) -> Iterator[View]:
    """Yield what a run can know of the jobs in the list that it read, of others in its ledger, and of deleted ones.

    Args:
        api: the truth.
        place: the run's place of results.
        remembers: whether its ledger names a job.
        looked: when it read the list.
        now: when it plans.
    """
    for job in api.jobs.values():
        if job.at > looked or (job.shows_at > looked and not remembers(job)):
            continue
        listed, over = looked < job.deleted_at, job.over and job.ended <= looked
        files = {name for name, it in job.files.items() if listed and it.readable_since(looked, now)}
        files |= place.holds(job)
        there = set().union(*(job.shown_in(name) for name in files)) if over else set()
        shown = job.shown(looked)
        yield View(
            job=job,
            live=not over,
            over=over,
            listed=listed,
            outcomes={it: job.outcomes[it] for it in there},
            knows_asked=place.knows(job),
            complete=over and files == job.files.keys() and (bool(files) or not job.ran),
            counted_whole=job.status == "SUCCESS" and shown.succeeded_requests == len(job.asked),
            shows_results=bool(shown.output_file or shown.error_file or shown.succeeded_requests),
        )
