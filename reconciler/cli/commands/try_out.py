"""`reconciler try`: send a few requests of a spec to the live endpoint, and show the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.output.streams import confirmed, write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.api.client import Writer
    from reconciler.context import RunContext
    from reconciler.cost.actual import Cost
    from reconciler.model import JobSpec
    from reconciler.runs.samples import Sample

MOST: Final = 20
_WIDTH: Final = 100


@click.command("try")
@click.argument("name")
@click.option(
    "-n", "count", type=click.IntRange(1, MOST), default=3, show_default=True, help="How many requests."
)
@options.flag("--yes", "Do not ask.")
@options.common
def try_out(env: Environment, *, name: str, count: int, yes: bool, common: options.Common) -> int:
    """Send the first requests of a job to the live endpoint, and show each answer beside its row.

    It costs what these requests cost without the discount of a batch. It creates no job and changes nothing: a later
    apply submits the same requests. Guards on requests count it. CI refuses it.
    """
    from reconciler.api.client import Writer
    from reconciler.cli.session.session import open_run
    from reconciler.cost.actual import total_cost
    from reconciler.render.text import cost_words
    from reconciler.runs.contents import with_contents
    from reconciler.runs.samples import first_requests
    from reconciler.specs.load import load

    with open_run(Writer, common, env) as run:
        if run.env.environ.get("CI") or run.source.run_url:
            raise UsageError(
                "try is for a person at a terminal, not for CI", hint="apply submits batches there"
            )
        specs = load(run.project, now=env.now(), monotonic=env.monotonic).specs
        spec = next((it for it in specs if it.name == name), None)
        if spec is None:
            raise UsageError(f"no spec is named {name}", hint="list the names: reconciler status")
        spec = with_contents(run, spec, fetching=True)
        if name in run.unfetched:
            raise run.unfetched[name]
        samples = first_requests(spec, run.project.root, count)
        _require_budget(run, specs, len(samples))
        what = f"{len(samples)} of {name} to {spec.endpoint} ({spec.model or spec.agent_id})"
        if not (yes or run.target.sandbox or confirmed(f"Send {what}, at the price of live requests?")):
            write_stderr("Nothing was sent.")
            return ExitCode.OK
        costs = []
        for sample in samples:
            text, cost = _answered(run, spec, sample)
            costs.append(cost)
            write_stdout(text)
    spent = total_cost(costs)
    paid = f"Live requests: {cost_words(spent)} in all. " if spent else ""
    write_stdout(f"{paid}No job was created, and nothing changed: apply submits these requests too.\n")
    return ExitCode.OK


def _require_budget(run: RunContext[Writer], specs: Sequence[JobSpec], count: int) -> None:
    """Raise `ReconcilerError` if a guard does not permit so many requests."""
    from reconciler.cli.session.pulling import own_and_adopted
    from reconciler.text.plural import DAY

    most, day = run.guards.max_new_requests, run.guards.max_requests_per_day
    if most is not None and count > most:
        raise ReconcilerError(f"{count} requests; guards.max_new_requests permits {most:,}", hint="use -n")
    if day is not None:
        recent = (it for it in own_and_adopted(run, specs) if it.job.created_at > run.env.now() - DAY)
        submitted = sum(it.requests or 0 for it in recent)
        if submitted + count > day:
            message = (
                f"{count} requests after {submitted:,} today; guards.max_requests_per_day permits {day:,}"
            )
            raise ReconcilerError(message, hint="wait, or raise the limit")


def _answered(run: RunContext[Writer], spec: JobSpec, sample: Sample) -> tuple[str, Cost | None]:
    """Send a request, and return its answer beside its row, and its cost."""
    import msgspec

    from reconciler.cost.actual import actual_cost
    from reconciler.model.money import Usage
    from reconciler.render.text import cost_words
    from reconciler.requests import contents as answers
    from reconciler.text.sanitize import clean

    request = msgspec.json.decode(sample.line)
    whose = {"model": spec.model} if spec.model else {"agent_id": spec.agent_id}
    answer = run.api.ask(spec.endpoint, msgspec.json.encode({**request["body"], **whose}))
    contents, invalid = answers.read_contents(answer)
    used = answers.Usage()
    used.add(contents, invalid=invalid)
    usage = msgspec.convert(used, Usage, from_attributes=True)
    model = spec.model or contents.model
    cost = actual_cost(
        run.shown_prices, model, int(run.env.now()), usage if used.answers else None, live=True
    )
    text = contents.main_text
    shown = {name: str(value) for name, value in sample.cells.items()}
    shown["answer"] = answer.decode(errors="replace") if text is None else text
    if contents.usage:
        shown["tokens"] = f"{contents.usage.prompt_tokens} in, {contents.usage.completion_tokens} out"
    shown["cost"] = f"{cost_words(cost)} as a live request"
    width = max(map(len, shown))
    lines = [f"{request['custom_id']}  {sample.place}"]
    for name, value in shown.items():
        cut = value if name == "answer" or len(value) <= _WIDTH else f"{value[:_WIDTH]}…"
        lines += [f"  {name:<{width}}  {cut}"]
    return "".join(f"{clean(line)}\n" for line in lines), cost
