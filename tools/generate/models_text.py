"""The part of the reference page about models."""

from typing import Final

from reconciler.catalogue.models import table

MODELS: Final = f"""\
## Models

`validate` warns about a model that is unknown, retired (or will be, before the job's timeout), or not for the job's
endpoint, by a table in the package, collected on {table().date}. `plan` and `apply`, if they create a job, and `doctor`
ask the API for its list of models instead; if it does not answer, the table is used. A plan also warns of a request
that has more words than the model's context has tokens. Nothing is refused: the API decides. Fine-tuned models
(`ft:…`) and agents are not checked.

**Use dated ids, such as `mistral-small-2603`.** An alias that ends in `-latest` moves to another model, with other
answers and another price, while nothing changes in git: the plan reports no change, and jobs that are already done are
not submitted again. `mistral-medium-latest` cost 3.75 times as much from one day to the next (2026-06-16). With an id,
moving to a new model is a commit that a plan shows. A plan notes what an alias means today, and which jobs were created
when it meant another model. An alias and its id are different work: a change of one to the other in a spec submits its
work again.

**Bodies.** The same commands warn about plain mistakes in request bodies, such as `messages` that is text, an unknown
role, a `temperature` of 300, or `temprature`: each kind once, with its first line and the number of lines. The first
thousand lines of a file are checked; if one has a mistake, all are counted."""
