"""What a plan and `doctor` say about the models that specs name: warnings and notes, which decide nothing.

The API is asked for its list of models once; by a plan, only if something is to be created. If it does not answer, the
package's table is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.catalogue.models import Model, by_name, doubt_by_api
from reconciler.context import ApiT, RunContext
from reconciler.errors import ReconcilerError
from reconciler.model import JobSpec, OwnedJob
from reconciler.planning.actions import Create
from reconciler.plans.document import ModelDoc
from reconciler.plans.planned_run import Proposal
from reconciler.runs.long_requests import first_too_long
from reconciler.text.plural import DAY
from reconciler.text.suggest import some
from reconciler.text.timestamps import rfc3339

SOON_SECONDS: Final = 90 * DAY
"""A model without a replacement that is retired later than this has no note."""
MAX_JOBS: Final = 3
"""Jobs that a remark names."""


class _Remark(NamedTuple):
    kind: str
    model: str
    message: str
    hint: str = ""


def about_models(run: RunContext[ApiT], it: Proposal) -> tuple[ModelDoc, ...]:
    """Return what a plan says about models: nothing if it creates nothing, or is only shown."""
    created = [create.spec for create in it.plan.of(Create)]
    if not created or it.declared.only_shown:
        return ()
    listed = list_models(run)
    others = remarks(created, it.declared.specs, it.observed.owned, listed, now=run.env.now())
    return (*_too_long(created, run.project.root, listed), *others)


def _too_long(specs: Iterable[JobSpec], root: Path, listed: Mapping[str, Model]) -> Iterator[ModelDoc]:
    """Yield a warning for each spec with a request that is certainly longer than the model's context."""
    for spec in specs:
        known = (models.get(spec.model or "") for models in (listed, by_name()))
        context = next((it.context for it in known if it and it.context), None)
        if context and spec.model and (found := first_too_long(spec, root, context)):
            yield ModelDoc(
                kind="too_long",
                model=spec.model,
                message=f"reads at most {context:,} tokens, and request {found[0]} has {found[1]:,} words",
                hint="shorten or split the request, or use a model with a longer context",
                names=(spec.name,),
            )


def list_models(run: RunContext[ApiT]) -> Mapping[str, Model]:
    """Return the API's list of models by name; an empty one if the API does not answer."""
    if not run.models:
        try:
            run.models.append(run.api.list_models())
        except ReconcilerError:  # the log has it
            run.models.append({})
    return run.models[0]


def remarks(
    specs: Iterable[JobSpec],
    declared: Sequence[JobSpec],
    jobs: Iterable[OwnedJob],
    listed: Mapping[str, Model],
    *,
    now: float,
) -> tuple[ModelDoc, ...]:
    """Return warnings about the models of `specs`, then notes: also those about earlier jobs of declared specs."""
    named: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for spec in specs:
        if spec.model:
            named[spec.model, spec.endpoint, spec.timeout_hours].append(spec.name)
    found: dict[_Remark, dict[str, None]] = defaultdict(dict)
    for (model, endpoint, hours), names in named.items():
        for remark in _about(model, endpoint, hours, listed, now):
            found[remark] |= dict.fromkeys(names)
    for remark, names in _moved(declared, jobs, listed):
        found[remark] |= dict.fromkeys(names)
    docs = (ModelDoc(**remark._asdict(), names=tuple(names)) for remark, names in found.items())
    return tuple(sorted(docs, key=lambda doc: (not doc.warning, doc.model, doc.message)))


def _about(
    name: str, endpoint: str, timeout_hours: int, listed: Mapping[str, Model], now: float
) -> Iterator[_Remark]:
    day, until = rfc3339(now)[:10], rfc3339(now + timeout_hours * 3600)[:10]
    doubt, model = doubt_by_api(name, endpoint, day, until, listed), listed.get(name)
    if doubt:
        yield _Remark(doubt.kind, name, doubt.message, doubt.hint)
        return
    if model and model.id != name:
        yield _Remark("alias", name, f"is an alias that moves; today it is `{model.id}`")
    soon = rfc3339(now + SOON_SECONDS)[:10]
    if model and model.retired and (model.replacement or model.retired <= soon):
        instead = f"; then use `{model.replacement}`" if model.replacement else ""
        yield _Remark("retires", name, f"is retired on {model.retired}{instead}")


def _moved(
    declared: Sequence[JobSpec], jobs: Iterable[OwnedJob], listed: Mapping[str, Model]
) -> Iterator[tuple[_Remark, list[str]]]:
    """Yield each alias that meant another model when jobs of the declared work were created, and their names."""
    wanted = {key: (spec.name, spec.model) for spec in declared if spec.model for key in spec.run_keys}
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for owned in jobs:
        name, alias = wanted.get(owned.tags.run_key, ("", ""))
        now, then = listed.get(alias), owned.tags.resolved
        if now and then and then not in (now.id, *now.aliases):
            found[alias, now.id, then].append((owned.job.short_id, name))
    for (alias, now_id, then), of in found.items():
        ids = some([job for job, _ in of], MAX_JOBS)
        yield (
            _Remark("moved", alias, f"is now `{now_id}`; it was `{then}` for job {ids}"),
            [it for _, it in of],
        )
